//! The recorded files: finds, names and opens them, whatever their compression.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::builtin::SampleFile;
use super::field::Fault;
use super::mapping::TextFormat;
use super::parquet_rows::ParquetRows;
use super::text_rows::TextRows;

/// The values of one row, trimmed; empty where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Values(pub(super) Vec<String>);

impl Values {
    pub(super) fn get(&self, column: usize) -> &str {
        self.0.get(column).map_or("", String::as_str)
    }
}

/// A row as found, before any mapping.
#[derive(Debug)]
pub(super) struct RawRow {
    /// Line of a text file, row of a Parquet file; from 1.
    pub(super) line: u64,
    pub(super) values: Result<Values, Fault>,
}

/// A file's column names and its rows, in order.
pub(super) struct Rows {
    pub(super) columns: Vec<String>,
    pub(super) rows: Box<dyn Iterator<Item = io::Result<RawRow>>>,
}

/// A recorded file on disk or inside the program.
#[derive(Debug, Clone)]
pub(super) enum Input {
    Disk(PathBuf),
    Sample(&'static SampleFile),
}

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
const GZIP_MAGIC: [u8; 2] = [0x1F, 0x8B];
const COMPRESSION_ENDINGS: [&str; 4] = [".zst", ".zstd", ".gz", ".gzip"];

impl Input {
    /// Returns the base name without a compression's ending: compressing a file is not a new recording.
    pub(super) fn name(&self) -> String {
        let name = match self {
            Self::Disk(path) => path
                .file_name()
                .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            Self::Sample(sample) => sample.file_name.to_owned(),
        };
        let ending = COMPRESSION_ENDINGS
            .iter()
            .find(|ending| name.ends_with(*ending));
        match ending {
            Some(ending) => name[..name.len() - ending.len()].to_owned(),
            None => name,
        }
    }

    /// Returns the path, as an error names the file.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Disk(path) => path.display().to_string(),
            Self::Sample(sample) => format!("sample {}", sample.file_name),
        }
    }

    /// Opens the file and reads its column names.
    pub(super) fn rows(&self, format: &TextFormat) -> io::Result<Rows> {
        if self.name().ends_with(".parquet") {
            let mut bytes = Vec::new();
            self.reader()?.read_to_end(&mut bytes)?;
            return ParquetRows::open(bytes);
        }
        TextRows::open(self.reader()?, format)
    }

    /// Opens the file, decompressed by what it begins with and not by what it is called.
    fn reader(&self) -> io::Result<Box<dyn BufRead>> {
        match self {
            Self::Disk(path) => decompressed(BufReader::new(File::open(path)?)),
            Self::Sample(sample) => decompressed(sample.bytes),
        }
    }
}

fn decompressed(mut reader: impl BufRead + 'static) -> io::Result<Box<dyn BufRead>> {
    let start = reader.fill_buf()?;
    if start.starts_with(&ZSTD_MAGIC) {
        return Ok(Box::new(BufReader::new(zstd::Decoder::with_buffer(
            reader,
        )?)));
    }
    if start.starts_with(&GZIP_MAGIC) {
        return Ok(Box::new(BufReader::new(
            flate2::bufread::MultiGzDecoder::new(reader),
        )));
    }
    Ok(Box::new(reader))
}

/// Lists the files asked for; a folder stands for its files whose names `wanted` accepts, by name.
pub(super) fn expand(paths: &[PathBuf], wanted: impl Fn(&str) -> bool) -> io::Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for path in paths {
        if path.is_dir() {
            inputs.extend(
                folder(path)?
                    .into_iter()
                    .filter(|input| wanted(&input.name())),
            );
        } else {
            inputs.push(Input::Disk(path.clone()));
        }
    }
    Ok(inputs)
}

fn folder(path: &Path) -> io::Result<Vec<Input>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let path = entry?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files.into_iter().map(Input::Disk).collect())
}

/// Matches a name with a pattern in which `*` stands for any text; returns what the first `*` stood for.
pub(super) fn matched<'n>(pattern: &str, name: &'n str) -> Option<&'n str> {
    let Some((start, rest)) = pattern.split_once('*') else {
        return (pattern == name).then_some("");
    };
    let name = name.strip_prefix(start)?;
    let mut ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
    let end = ends.find(|end| matched(rest, &name[*end..]).is_some())?;
    Some(&name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_gives_what_its_star_stood_for() {
        assert_eq!(matched("*_log.txt", "Orange_log.txt"), Some("Orange"));
        assert_eq!(matched("*_log.txt", "Orange_log_events.txt"), None);
        assert_eq!(matched("mycall*.csv", "mycall.csv"), Some(""));
        assert_eq!(matched("a*b*c", "a1b2c"), Some("1"));
        assert_eq!(matched("same.csv", "same.csv"), Some(""));
    }

    #[test]
    fn compression_is_told_by_content_and_is_no_part_of_the_name() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("rows.csv.gz");
        let packed = zstd::encode_all(&b"a\n1\n"[..], 1).expect("memory can be compressed");
        std::fs::write(&path, packed).expect("the folder is writable");
        let input = Input::Disk(path);
        assert_eq!(input.name(), "rows.csv");
        let rows = input
            .rows(&TextFormat::default())
            .expect("zstd is recognised");
        assert_eq!(rows.columns, ["a"]);
        assert_eq!(rows.rows.count(), 1);
    }
}
