//! Interventions from a file, every fault told with its line.

use std::path::Path;
use std::str::FromStr;

use anyhow::Context;
use schemas::ids::trimmed;
use schemas::interventions::{InterventionKind, TargetKind, UnknownWord};
use tabular::{Cell, Layout, Row, Source, Table};

use super::given::Given;
use crate::exit::UsageError;

const REQUIRED: [&str; 4] = ["kind", "target_kind", "target_ids", "started_at"];
/// `intervention_id` and `recorded_at` are in lists; they are made anew.
const OPTIONAL: [&str; 5] = [
    "ended_at",
    "note",
    "recorded_by",
    "intervention_id",
    "recorded_at",
];

/// Reads a file of interventions.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Given>> {
    let name = path.display();
    let refused = |reason: String| UsageError(format!("{name}{reason}"));
    let unreadable = || format!("cannot read {name}");
    let table = Source::path(path)
        .open(&Layout::default())
        .with_context(unreadable)?;
    let columns = Columns::find(&table).map_err(|reason| refused(format!(": {reason}")))?;
    let mut rows = table.rows(&columns.chosen).with_context(unreadable)?;
    let (mut row, mut given, mut faults) = (Row::default(), Vec::new(), Vec::new());
    while rows.read(&mut row).with_context(unreadable)? {
        let origin = format!("{name}:{}: ", row.number());
        match columns.given(&row, &origin) {
            Ok(row) => given.push(row),
            Err(fault) => faults.push(format!("{origin}{fault}")),
        }
    }
    if !faults.is_empty() {
        return Err(UsageError(format!("nothing was written: {}", faults.join("\n  "))).into());
    }
    if given.is_empty() {
        return Err(refused(" has no row".into()).into());
    }
    Ok(given)
}

/// The columns of a file, with their places in its rows.
struct Columns {
    chosen: Vec<usize>,
    names: Vec<&'static str>,
}

impl Columns {
    fn find(table: &Table) -> Result<Self, String> {
        let known = || REQUIRED.into_iter().chain(OPTIONAL);
        let names = table.names();
        if let Some(column) = names
            .iter()
            .find(|name| known().all(|known| known != *name))
        {
            let known: Vec<&str> = known().collect();
            return Err(format!(
                "column {column:?} is not one of {}",
                known.join(", ")
            ));
        }
        let (mut chosen, mut names) = (Vec::new(), Vec::new());
        for name in known() {
            match table.find(name).map_err(|twice| twice.to_string())? {
                Some(at) => {
                    chosen.push(at);
                    names.push(name);
                }
                None if REQUIRED.contains(&name) => {
                    return Err(format!("column {name:?} is missing"));
                }
                None => {}
            }
        }
        Ok(Self { chosen, names })
    }

    fn given(&self, row: &Row, origin: &str) -> Result<Given, String> {
        if let Some(fault) = row.fault() {
            return Err(fault.to_string());
        }
        let cell = |name: &str| {
            let at = self.names.iter().position(|own| *own == name);
            at.map_or(Cell::EMPTY, |at| row.cell(at))
        };
        let value = |name: &str| Some(cell(name).text()).filter(|text| !text.is_empty());
        let needed = |name: &str| value(name).ok_or_else(|| format!("{name} is empty"));
        let owned = |name: &str| value(name).map(str::to_owned);
        let kind: InterventionKind = word(needed("kind")?)?;
        let target: TargetKind = word(needed("target_kind")?)?;
        let target_ids = target_ids(cell("target_ids"))?;
        if target_ids.is_empty() {
            return Err("target_ids is empty".into());
        }
        Ok(Given {
            origin: origin.to_owned(),
            kind,
            target,
            target_ids,
            on: needed("started_at")?.to_owned(),
            until: owned("ended_at"),
            note: owned("note"),
            by: owned("recorded_by"),
        })
    }
}

fn word<W: FromStr<Err = UnknownWord>>(text: &str) -> Result<W, String> {
    text.parse().map_err(|error: UnknownWord| error.to_string())
}

/// Splits ids, each in its one spelling.
fn target_ids(cell: Cell<'_>) -> Result<Vec<String>, String> {
    let ids = cell.text().split(';').map(trimmed);
    let read = |id: &str| match Cell::new(id, cell.spelling()).id() {
        Ok(id) => Ok(id.to_owned()),
        Err(why) => Err(format!("target_ids {id:?}: {why}")),
    };
    ids.filter(|id| !id.is_empty()).map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> anyhow::Result<Vec<Given>> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("done.csv");
        std::fs::write(&file, text).expect("written");
        read(&file)
    }

    #[test]
    fn rows_are_read_by_the_names_of_their_columns() {
        let given = read_text(
            "started_at,kind,target_kind,target_ids,note\n2026-11-10,qr,merchant,m-1; m-2,\n",
        );
        let [one] = &given.expect("a file")[..] else {
            panic!("one row")
        };
        assert_eq!(
            (one.kind, one.target),
            (InterventionKind::Qr, TargetKind::Merchant)
        );
        assert_eq!(one.target_ids, ["m-1", "m-2"]);
        assert_eq!((one.on.as_str(), &one.note), ("2026-11-10", &None));
        assert!(one.origin.ends_with("done.csv:2: "), "{}", one.origin);
    }

    #[test]
    fn lines_are_those_an_editor_shows() {
        let header = "\u{feff}kind,target_kind,target_ids,started_at,note\r\n";
        let rows =
            "qr,merchant,m,2026-11-10,\"a\r\nb\"\r\n\r\nqr,shop,m,2026-11-10,\r\nqr,zone,z\r\n";
        let error = read_text(&format!("{header}{rows}")).expect_err("two bad rows");
        let error = error.to_string();
        assert!(error.contains("done.csv:5: \"shop\" is no kind"), "{error}");
        assert!(error.contains("done.csv:6: row is not as wide"), "{error}");
    }

    #[test]
    fn every_fault_is_told_with_its_line() {
        let header = "kind,target_kind,target_ids,started_at\n";
        let error = read_text(&format!(
            "{header}bost,merchant,m,2026-11-10\nqr,merchant,,2026-11-10\nqr,merchant,m,2026-11-10\n"
        ));
        let error = error.expect_err("two bad rows").to_string();
        assert!(error.contains("done.csv:2: \"bost\" is no kind"), "{error}");
        assert!(error.contains("done.csv:3: target_ids is empty"), "{error}");
        for (file, said) in [
            ("kind,target_kind,target_ids\n", "\"started_at\" is missing"),
            ("kind,wen\n", "\"wen\" is not one of kind, target_kind"),
            (
                "kind,kind,target_kind,target_ids,started_at\n",
                "two columns are called \"kind\"",
            ),
            (header, "has no row"),
        ] {
            let error = read_text(file).expect_err("refused").to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
