//! Interventions from a CSV file, every fault told with its line.

use std::path::Path;

use anyhow::Context;
use schemas::interventions::{InterventionKind, TargetKind};

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
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(path)
        .with_context(|| format!("cannot read {name}"))?;
    let header = reader
        .headers()
        .with_context(|| format!("cannot read {name}"))?;
    let header: Vec<String> = header.iter().map(str::to_owned).collect();
    check(&header).map_err(|reason| refused(format!(": {reason}")))?;
    let (mut given, mut faults) = (Vec::new(), Vec::new());
    for record in reader.records() {
        let record = record.with_context(|| format!("cannot read {name}"))?;
        let line = record.position().map_or(0, csv::Position::line);
        match row(&header, &record) {
            Ok(row) => given.push(Given {
                origin: format!("{name}:{line}: "),
                ..row
            }),
            Err(fault) => faults.push(format!("{name}:{line}: {fault}")),
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

fn check(header: &[String]) -> Result<(), String> {
    let known = || REQUIRED.into_iter().chain(OPTIONAL);
    if let Some(column) = header
        .iter()
        .find(|name| !known().any(|known| known == *name))
    {
        let known: Vec<&str> = known().collect();
        return Err(format!(
            "column {column:?} is not one of {}",
            known.join(", ")
        ));
    }
    match REQUIRED
        .into_iter()
        .find(|name| !header.iter().any(|column| column == name))
    {
        Some(missing) => Err(format!("column {missing:?} is missing")),
        None => Ok(()),
    }
}

fn row(header: &[String], record: &csv::StringRecord) -> Result<Given, String> {
    let value = |name: &str| {
        let at = header.iter().position(|column| column == name)?;
        record.get(at).filter(|value| !value.is_empty())
    };
    let needed = |name: &str| value(name).ok_or_else(|| format!("{name} is empty"));
    let owned = |name: &str| value(name).map(str::to_owned);
    let kind: InterventionKind = needed("kind")?
        .parse()
        .map_err(|error| format!("{error}"))?;
    let target: TargetKind = needed("target_kind")?
        .parse()
        .map_err(|error| format!("{error}"))?;
    let ids = needed("target_ids")?.split(';').map(str::trim);
    let target_ids: Vec<String> = ids.filter(|id| !id.is_empty()).map(str::to_owned).collect();
    if target_ids.is_empty() {
        return Err("target_ids is empty".into());
    }
    Ok(Given {
        origin: String::new(),
        kind,
        target,
        target_ids,
        on: needed("started_at")?.to_owned(),
        until: owned("ended_at"),
        note: owned("note"),
        by: owned("recorded_by"),
    })
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
            (header, "has no row"),
        ] {
            let error = read_text(file).expect_err("refused").to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
