//! Files of the log against the store: there, as large, and with as many rows.

use std::collections::HashMap;

use deltalake_core::Path;
use futures::{StreamExt, TryStreamExt};
use lake::{LakeFile, LakeTable};

use super::{AuditError, Fault, FaultKind};

/// Footers asked for at the same time.
const FOOTERS_AT_ONCE: usize = 16;

/// What lies in a table's folder, with sizes in bytes.
pub(super) struct Listing(HashMap<Path, u64>);

impl Listing {
    pub async fn of(table: &LakeTable) -> Result<Self, AuditError> {
        let store = table.store();
        let files = store.list(None).map_ok(|file| (file.location, file.size));
        let files = files.try_collect().await;
        Ok(Self(files.map_err(|source| table.log_error(source))?))
    }

    /// Parts files that are there from faults of those that are not.
    pub fn split(&self, table: &LakeTable, files: Vec<LakeFile>) -> (Vec<LakeFile>, Vec<Fault>) {
        let (mut there, mut faults) = (Vec::new(), Vec::new());
        for file in files {
            let fault = |kind, detail| Fault {
                files: vec![file.path.to_string()],
                detail,
                ..Fault::of(kind, table.table)
            };
            match self.0.get(&file.path) {
                Some(bytes) if *bytes == file.size_bytes => there.push(file),
                Some(bytes) => {
                    let told = format!("{bytes} bytes, the log says {}", file.size_bytes);
                    faults.push(fault(FaultKind::FileDiffers, told));
                }
                None => {
                    let rows = file
                        .rows
                        .map_or("rows".to_owned(), |rows| format!("{rows} rows"));
                    faults.push(fault(
                        FaultKind::FileMissing,
                        format!("{rows} are lost with it"),
                    ));
                }
            }
        }
        (there, faults)
    }
}

/// Holds the rows a file says it has against the log.
pub(super) fn footer(table: &LakeTable, file: &LakeFile, in_footer: u64) -> Option<Fault> {
    let in_log = file.rows.filter(|rows| *rows != in_footer)?;
    Some(Fault {
        files: vec![file.path.to_string()],
        detail: format!("{in_footer} rows by its footer, {in_log} by the log"),
        ..Fault::of(FaultKind::FileDiffers, table.table)
    })
}

/// Checks the files of a table whose rows are of no concern.
pub(super) async fn check(table: &LakeTable, faults: &mut Vec<Fault>) -> Result<(), AuditError> {
    let listing = Listing::of(table).await?;
    let (there, absent) = listing.split(table, table.files().await?);
    faults.extend(absent);
    let check = |file: LakeFile| async move {
        match table.rows_in_footer(&file.path, file.size_bytes).await {
            Ok(rows) => footer(table, &file, rows),
            Err(error) => Some(Fault {
                files: vec![file.path.to_string()],
                detail: error.to_string(),
                ..Fault::of(FaultKind::FileDiffers, table.table)
            }),
        }
    };
    let mut checked = futures::stream::iter(there)
        .map(check)
        .buffer_unordered(FOOTERS_AT_ONCE);
    while let Some(fault) = checked.next().await {
        faults.extend(fault);
    }
    Ok(())
}
