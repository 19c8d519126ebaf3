//! Where a file's bytes come from: a path, or the program itself; unpacked by what they begin with.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::PathBuf;

use bytes::Bytes;

use crate::form::{Form, form};
use crate::json::JsonRows;
use crate::parquet::ParquetRows;
use crate::text::{Layout, TextRows};
use crate::{ReadError, Table};

/// A file, on disk or inside the program.
#[derive(Debug, Clone)]
pub struct Source(Origin);

#[derive(Debug, Clone)]
enum Origin {
    Disk(PathBuf),
    Inside {
        name: &'static str,
        bytes: &'static [u8],
    },
}

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
const GZIP_MAGIC: [u8; 2] = [0x1F, 0x8B];
const COMPRESSION_ENDINGS: [&str; 4] = [".zst", ".zstd", ".gz", ".gzip"];
/// Enough to know a file by.
const HEAD_BYTES: usize = 4096;
const BUFFER_BYTES: usize = 1 << 16;

type Reader = Box<dyn BufRead>;

impl Source {
    /// A file on disk.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        Self(Origin::Disk(path.into()))
    }

    /// A file inside the program.
    pub const fn inside(name: &'static str, bytes: &'static [u8]) -> Self {
        Self(Origin::Inside { name, bytes })
    }

    /// Returns the base name without a compression's ending: packing a file makes no other table of it.
    pub fn name(&self) -> String {
        let name = match &self.0 {
            Origin::Disk(path) => path
                .file_name()
                .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            Origin::Inside { name, .. } => (*name).to_owned(),
        };
        let ending = COMPRESSION_ENDINGS
            .iter()
            .find(|ending| name.to_ascii_lowercase().ends_with(*ending));
        match ending {
            Some(ending) => name[..name.len() - ending.len()].to_owned(),
            None => name,
        }
    }

    /// Returns the path, as an error names the file.
    pub fn shown(&self) -> String {
        match &self.0 {
            Origin::Disk(path) => path.display().to_string(),
            Origin::Inside { name, .. } => format!("sample {name}"),
        }
    }

    /// Opens the file and reads the names of its columns; `layout` says how text is cut.
    ///
    /// # Errors
    /// When it cannot be opened, is no table, or has no header.
    pub fn open(&self, layout: &Layout) -> Result<Table, ReadError> {
        let name = self.name();
        let (head, packed, reader) = self.reader()?;
        match form(&name, &head)? {
            Form::Parquet => match &self.0 {
                // Only what is asked for is read from a file that can be read anywhere.
                Origin::Disk(path) if !packed && path.is_file() => {
                    ParquetRows::open(File::open(path)?)
                }
                _ => ParquetRows::open(Bytes::from(whole(reader)?)),
            },
            Form::Json => JsonRows::open(whole(reader)?),
            Form::Text => TextRows::open(reader, layout.clone(), &name),
        }
    }

    /// Opens the bytes, unpacked; returns how they begin and whether they were packed.
    fn reader(&self) -> io::Result<(Vec<u8>, bool, Reader)> {
        let plain: Reader = match &self.0 {
            Origin::Disk(path) => {
                let file = File::open(path)?;
                if file.metadata()?.is_dir() {
                    return Err(io::ErrorKind::IsADirectory.into());
                }
                Box::new(BufReader::with_capacity(BUFFER_BYTES, file))
            }
            Origin::Inside { bytes, .. } => Box::new(*bytes),
        };
        let (head, plain) = peek(plain)?;
        let unpacked: Reader = if head.starts_with(&ZSTD_MAGIC) {
            let decoder = zstd::Decoder::with_buffer(plain)?;
            Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder))
        } else if head.starts_with(&GZIP_MAGIC) {
            let decoder = flate2::bufread::MultiGzDecoder::new(plain);
            Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder))
        } else {
            return Ok((head, false, plain));
        };
        let (head, unpacked) = peek(unpacked)?;
        Ok((head, true, unpacked))
    }
}

/// Reads the beginning and puts it back; a pipe may hand it over byte by byte.
fn peek(mut reader: Reader) -> io::Result<(Vec<u8>, Reader)> {
    let mut head = Vec::new();
    reader
        .by_ref()
        .take(HEAD_BYTES as u64)
        .read_to_end(&mut head)?;
    Ok((head.clone(), Box::new(Cursor::new(head).chain(reader))))
}

fn whole(mut reader: Reader) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compression_is_told_by_content_and_is_no_part_of_the_name() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("rows.csv.GZ");
        let packed = zstd::encode_all(&b"a\n1\n"[..], 1).expect("memory can be compressed");
        std::fs::write(&path, packed).expect("the folder is writable");
        let source = Source::path(path);
        assert_eq!(source.name(), "rows.csv");
        let table = source.open(&Layout::default()).expect("zstd is recognised");
        assert_eq!(table.columns()[0].name, "a");
    }

    #[test]
    fn a_folder_and_a_missing_file_are_told_as_such() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        for path in [folder.path().to_owned(), folder.path().join("none.csv")] {
            let error = Source::path(path).open(&Layout::default());
            assert!(matches!(error, Err(ReadError::Io(_))));
        }
    }
}
