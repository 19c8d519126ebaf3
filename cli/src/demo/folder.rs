//! The demo's folder: what is in it, and never touching what the demo did not make.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use schemas::Table;

use crate::exit::UsageError;

/// Says that a folder is a demo's.
const MARKER: &str = ".notspot-demo";
/// The note's first line.
const MADE: &str = "made by `notspot demo`, replaced by the next one\n";
const ENTRIES: [&str; 6] = [
    "lake",
    "registry",
    "reports",
    "answer-key.json",
    "map.html",
    MARKER,
];

/// A demo's folder.
#[derive(Debug)]
pub(super) struct DemoFolder(PathBuf);

/// What to do with a folder that holds other things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Foreign {
    /// Leave it alone.
    Refuse,
    /// Put the demo's entries beside them.
    Share,
}

impl DemoFolder {
    /// Makes the folder, or empties one an earlier demo made.
    ///
    /// # Errors
    /// When it holds other things and those are to be left alone, or it cannot be made.
    pub(super) fn prepare(path: &Path, foreign: Foreign) -> anyhow::Result<Self> {
        let is_foreign = holds_anything(path)? && !path.join(MARKER).is_file();
        if is_foreign && foreign == Foreign::Refuse {
            return Err(UsageError(format!(
                "{} holds things that are not a demo's: choose another --out, or --force to replace {} in it",
                path.display(),
                ENTRIES[..5].join(", ")
            ))
            .into());
        }
        let folder = Self(path.to_owned());
        if foreign == Foreign::Refuse
            && let Some(table) = folder.changed_table()
        {
            return Err(UsageError(format!(
                "table {table} of {} was changed after the demo made it: choose another --out, or --force to \
                 replace it",
                folder.lake().display()
            ))
            .into());
        }
        folder
            .clear()
            .with_context(|| format!("cannot use {}", path.display()))?;
        Ok(folder)
    }

    /// Removes what demos make, and nothing else.
    fn clear(&self) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        for entry in ENTRIES {
            let path = self.0.join(entry);
            let removed = if path.is_dir() {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::write(self.0.join(MARKER), MADE)?;
        fs::create_dir_all(self.reports())
    }

    /// Notes what the demo leaves, so that the next one sees whether somebody changed it.
    ///
    /// # Errors
    /// When the note cannot be written.
    pub(super) fn finish(&self) -> io::Result<()> {
        let versions = kept_tables().map(|table| {
            let version = self.version(table).unwrap_or_default();
            format!("{table} {version}\n")
        });
        fs::write(
            self.0.join(MARKER),
            MADE.to_owned() + &versions.collect::<String>(),
        )
    }

    /// Returns a table that is no longer as the demo left it. One that did not end left no note.
    fn changed_table(&self) -> Option<Table> {
        let note = fs::read_to_string(self.0.join(MARKER)).ok()?;
        kept_tables().find(|table| {
            let noted = note
                .lines()
                .find_map(|line| line.strip_prefix(&format!("{table} ")));
            noted.is_some_and(|version| version != self.version(*table).unwrap_or_default())
        })
    }

    /// Returns the last file of a table's log, which grows with every change.
    fn version(&self, table: Table) -> Option<String> {
        let log = self.lake().join(table.name()).join("_delta_log");
        let names = fs::read_dir(log)
            .ok()?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.filter(|name| name.ends_with(".json")).max()
    }

    pub(super) fn lake(&self) -> PathBuf {
        self.0.join("lake")
    }

    pub(super) fn registry(&self) -> PathBuf {
        self.0.join("registry")
    }

    pub(super) fn reports(&self) -> PathBuf {
        self.0.join("reports")
    }

    pub(super) fn answer_key(&self) -> PathBuf {
        self.0.join("answer-key.json")
    }

    pub(super) fn map(&self) -> PathBuf {
        self.0.join("map.html")
    }
}

/// Tables that an analysis does not make anew.
fn kept_tables() -> impl Iterator<Item = Table> {
    Table::ALL.into_iter().filter(|table| !table.is_derived())
}

fn holds_anything(path: &Path) -> anyhow::Result<bool> {
    match fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot look into {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_demo_did_not_make_is_never_removed() {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let path = temporary.path();
        fs::write(path.join("thesis.txt"), "years of work").expect("written");
        assert!(DemoFolder::prepare(path, Foreign::Refuse).is_err());
        DemoFolder::prepare(path, Foreign::Share).expect("shared");
        assert_eq!(
            fs::read_to_string(path.join("thesis.txt")).expect("kept"),
            "years of work"
        );
    }

    #[test]
    fn a_demo_replaces_an_earlier_one() {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let path = temporary.path().join("new");
        let folder = DemoFolder::prepare(&path, Foreign::Refuse).expect("made");
        fs::create_dir_all(folder.lake().join("declines")).expect("made");
        DemoFolder::prepare(&path, Foreign::Refuse).expect("an earlier demo");
        assert!(!folder.lake().exists());
    }

    #[test]
    fn a_demo_does_not_replace_what_somebody_changed() {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let path = temporary.path().join("new");
        let folder = DemoFolder::prepare(&path, Foreign::Refuse).expect("made");
        let commit = |table: Table, version: u8| {
            let log = folder.lake().join(table.name()).join("_delta_log");
            fs::create_dir_all(&log).expect("made");
            fs::write(log.join(format!("{version:020}.json")), "{}").expect("written");
        };
        commit(Table::Declines, 0);
        folder.finish().expect("noted");
        // An analysis can be made again.
        commit(Table::Cells, 0);
        DemoFolder::prepare(&path, Foreign::Refuse).expect("an earlier demo");
        commit(Table::Declines, 0);
        folder.finish().expect("noted");
        commit(Table::Interventions, 0);
        let error = DemoFolder::prepare(&path, Foreign::Refuse).expect_err("changed");
        assert!(
            error.to_string().starts_with("table interventions of "),
            "{error}"
        );
        DemoFolder::prepare(&path, Foreign::Share).expect("forced");
    }
}
