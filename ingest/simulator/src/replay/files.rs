//! The recorded files: which are meant, and one row of them as the rules of a mapping see it.

use std::io;
use std::path::{Path, PathBuf};

use tabular::{Cell, Row, Source, Spelling};

/// Place of the column that holds what the `*` of the file pattern stood for; those of the file follow.
pub(super) const FILE_PLACE: usize = 0;

/// The values of one row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values<'r> {
    pub(super) row: &'r Row,
    /// What the `*` of the file pattern stood for.
    pub(super) starred: &'r str,
}

impl<'r> Values<'r> {
    /// Returns a value, empty where there is none.
    pub(super) fn cell(self, column: usize) -> Cell<'r> {
        match column {
            FILE_PLACE => Cell::new(self.starred, Spelling::Text),
            of_the_file => self.row.cell(of_the_file - 1),
        }
    }

    /// Returns a value as text.
    pub(super) fn get(self, column: usize) -> &'r str {
        self.cell(column).text()
    }
}

/// Lists the files asked for; a folder stands for its files whose names `wanted` accepts, by name.
pub(super) fn expand(paths: &[PathBuf], wanted: impl Fn(&str) -> bool) -> io::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for path in paths {
        if path.is_dir() {
            let inside = folder(path)?.into_iter();
            sources.extend(inside.filter(|source| wanted(&source.name())));
        } else {
            sources.push(Source::path(path));
        }
    }
    Ok(sources)
}

fn folder(path: &Path) -> io::Result<Vec<Source>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let path = entry?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files.into_iter().map(Source::path).collect())
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
}
