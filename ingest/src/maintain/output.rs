//! The merged files of a partition: sorted rows in, files of the wanted size out.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use deltalake_core::kernel::Add;
use lake::{FileWriter, LakeTable, TableError};
use tokio::runtime::Handle;

/// Files that are written one after the other, each cut at the wanted size.
pub(super) struct Output<'a> {
    table: &'a LakeTable,
    runtime: &'a Handle,
    folder: &'a str,
    partition: HashMap<String, Option<String>>,
    target_bytes: u64,
    current: Option<FileWriter>,
    adds: Vec<Add>,
}

impl<'a> Output<'a> {
    pub fn new(
        table: &'a LakeTable,
        runtime: &'a Handle,
        folder: &'a str,
        partition: HashMap<String, Option<String>>,
        target_bytes: u64,
    ) -> Self {
        Self {
            table,
            runtime,
            folder,
            partition,
            target_bytes,
            current: None,
            adds: Vec::new(),
        }
    }

    pub fn write(&mut self, rows: &RecordBatch) -> Result<(), TableError> {
        let mut file = match self.current.take() {
            Some(file) => file,
            None => FileWriter::begin(self.table, self.folder, self.partition.clone(), None)?,
        };
        self.runtime.block_on(file.write(rows))?;
        match file.size_bytes() as u64 >= self.target_bytes {
            true => self.end(file),
            false => {
                self.current = Some(file);
                Ok(())
            }
        }
    }

    fn end(&mut self, file: FileWriter) -> Result<(), TableError> {
        let add = self.runtime.block_on(file.finish())?;
        self.adds.push(Add {
            data_change: false,
            ..add
        });
        Ok(())
    }

    /// Ends the last file and returns what the log is to add, with the rows that the stored files
    /// themselves say they have.
    pub fn finish(mut self) -> Result<(Vec<Add>, u64), TableError> {
        if let Some(file) = self.current.take() {
            self.end(file)?;
        }
        let mut rows = 0;
        for add in &self.adds {
            let path = add.path.as_str().into();
            let footer = self.table.rows_in_footer(&path, add.size.unsigned_abs());
            rows += self.runtime.block_on(footer)?;
        }
        Ok((self.adds, rows))
    }
}
