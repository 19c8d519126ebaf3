//! From a file to the columns a method may ask for.

use std::collections::BTreeMap;
use std::path::Path;

use tabular::{Layout, ReadError, Row, Source};

use super::{Cells, StatError, Table};

impl Table {
    /// Reads those of the wanted columns that the file has.
    ///
    /// # Errors
    /// When the file cannot be opened or is no table, has a wanted column twice, or a row that is none.
    pub(in crate::stat) fn read(path: &Path, wanted: &[&'static str]) -> Result<Self, StatError> {
        let file = path.display().to_string();
        let unreadable = |source: ReadError| StatError::Read {
            file: file.clone(),
            source: Box::new(source),
        };
        let opened = Source::path(path).open(&Layout::default());
        let opened = opened.map_err(|source| match source {
            ReadError::Io(source) => StatError::Open {
                file: file.clone(),
                source,
            },
            source => unreadable(source),
        })?;
        let mut names = Vec::new();
        let mut chosen = Vec::new();
        for name in wanted {
            if let Some(at) = opened.find(name).map_err(unreadable)? {
                names.push(*name);
                chosen.push(at);
            }
        }
        let (found, counts) = (opened.names(), opened.counts());
        let mut rows = opened.rows(&chosen).map_err(unreadable)?;
        let mut columns: Vec<Cells> = chosen.iter().map(|_| Cells::default()).collect();
        let (mut row, mut places) = (Row::default(), Vec::new());
        while rows.read(&mut row).map_err(unreadable)? {
            if let Some(fault) = row.fault() {
                return Err(StatError::Row {
                    file,
                    place: format!("{counts} {}", row.number()),
                    reason: fault.to_string(),
                });
            }
            for (at, column) in columns.iter_mut().enumerate() {
                column.push(row.cell(at));
            }
            places.push(row.number());
        }
        let columns: BTreeMap<_, _> = names.into_iter().zip(columns).collect();
        Ok(Self {
            file,
            found,
            columns,
            places,
            counts,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, content: &str, wanted: &[&'static str]) -> Result<Table, StatError> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("written");
        Table::read(&path, wanted)
    }

    #[test]
    fn only_wanted_columns_are_kept_and_all_are_known() {
        let csv = "\u{feff}id, p ,x\r\n\"a,b\",0.5,\r\n\r\n007,,\r\n";
        let table = read("a.csv", csv, &["id", "p", "post"]).expect("read");
        assert_eq!(table.found, ["id", "p", "x"]);
        assert_eq!(table.ids("id").expect("ids"), ["a,b", "007"]);
        assert_eq!(table.numbers("p").expect("numbers"), [Some(0.5), None]);
        assert!(table.has("p") && !table.has("post") && !table.has("x"));
    }

    #[test]
    fn a_padded_name_and_a_number_of_another_type_are_the_same() {
        let csv = "id,model\nT1\u{a0},A920 \n7.0,2.0\n";
        let table = read("a.csv", csv, &["id", "model"]).expect("read");
        assert_eq!(table.ids("id").expect("ids"), ["T1", "7"]);
        assert_eq!(table.names("model").expect("names"), ["A920", "2.0"]);
        let json = r#"[{"id":7},{"id":"7"},{"id":7.0}]"#;
        let table = read("a.json", json, &["id"]).expect("read");
        assert_eq!(table.ids("id").expect("ids"), ["7", "7", "7"]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let told = |name, content, wanted: &[&'static str]| {
            let table = read(name, content, wanted);
            let column = wanted[0];
            let error = table.and_then(|table| table.ids(column).map(|_| ()));
            error.expect_err("it is wrong").to_string()
        };
        for (name, content, expected) in [
            (
                "a.csv",
                "id\na\n\n8.6012E+14\n",
                "line 4, column id: \"8.6012E+14\" is not an id: ",
            ),
            (
                "a.csv",
                "id,n\na\n",
                "line 2: row is not as wide as the header",
            ),
            ("a.csv", "id,id\na,b\n", "two columns are called \"id\""),
            (
                "a.json",
                "[{\"id\":1,\"id\":2}]",
                "line 1: a key is there twice",
            ),
            ("a.json", "{\"id\":{\"0\":\"a\"}}", "holds an object"),
            ("a.json", "[{\"id\":NaN}]", "NaN is no JSON"),
        ] {
            let error = told(name, content, &["id"]);
            assert!(error.contains(expected), "{content}: {error}");
        }
    }
}
