//! What people did against failures, into the lake: owns how interventions are added and taken away.
//! Who and where they name is checked by the caller, which can ask the lake.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use chrono::{DateTime, Utc};
use lake::TableError;
use schemas::Table;
use schemas::interventions::{InterventionKind, TargetKind, intervention_id};

use crate::registry::store::Existing;

const TABLE: Table = Table::Interventions;
const ID: &str = "intervention_id";

/// Something done at some time to terminals, merchants, a zone or cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intervention {
    /// What was done.
    pub kind: InterventionKind,
    /// What the ids name.
    pub target: TargetKind,
    /// Ids of what it was done to, at least one.
    pub target_ids: Vec<String>,
    /// Cells of resolution 8 of a zone or of the cells themselves, as hex text.
    pub cells: Vec<String>,
    /// Carrier of a zone; `None` for every carrier's terminals.
    pub carrier_plmn: Option<String>,
    /// When it was done, or begun.
    pub started_at: DateTime<Utc>,
    /// When it was undone, or over.
    pub ended_at: Option<DateTime<Utc>>,
    /// What else there is to say.
    pub note: Option<String>,
    /// Who wrote it down.
    pub recorded_by: Option<String>,
}

impl Intervention {
    /// Returns its name, the same whenever the same work is written down.
    pub fn id(&self) -> String {
        let ids: Vec<&str> = self.target_ids.iter().map(String::as_str).collect();
        intervention_id(self.kind, self.target, &ids, self.started_at)
    }
}

/// What became of interventions that were to be added, by id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Added {
    /// Now in the lake.
    pub added: Vec<String>,
    /// In the lake before; nothing about them was changed.
    pub known: Vec<String>,
}

/// Adds interventions in one commit; one that is known stays as it is.
///
/// # Errors
/// When the lake cannot be read or written, or another writer came first. Nothing is changed then.
pub async fn add(
    lake: &str,
    interventions: &[Intervention],
    now: DateTime<Utc>,
) -> Result<Added, TableError> {
    let existing = Existing::open(lake, TABLE).await?;
    let mut ids = existing.ids(ID);
    let mut added = Added::default();
    let mut new = Vec::new();
    for intervention in interventions {
        let id = intervention.id();
        if ids.insert(id.clone()) {
            added.added.push(id);
            new.push(intervention);
        } else {
            added.known.push(id);
        }
    }
    if !new.is_empty() {
        let rows = existing.merged(&batch(&new, now)?, ID)?;
        let metadata = ("notspotInterventions".to_owned(), "add".into());
        existing.replace(&rows, metadata).await?;
    }
    Ok(added)
}

/// Takes an intervention away; `false` when there is none of this id.
///
/// # Errors
/// As [`add`].
pub async fn remove(lake: &str, id: &str) -> Result<bool, TableError> {
    let existing = Existing::open(lake, TABLE).await?;
    if !existing.ids(ID).contains(id) {
        return Ok(false);
    }
    let left = existing.without(ID, &BTreeSet::from([id]))?;
    let left = arrow::compute::concat_batches(&TABLE.schema(), &left)
        .map_err(|error| TableError::unencodable(TABLE, error))?;
    let metadata = ("notspotInterventions".to_owned(), "remove".into());
    existing.replace(&left, metadata).await?;
    Ok(true)
}

fn batch(interventions: &[&Intervention], now: DateTime<Utc>) -> Result<RecordBatch, TableError> {
    let text = |of: &dyn Fn(&Intervention) -> Option<String>| -> ArrayRef {
        let values = interventions.iter().map(|intervention| of(intervention));
        Arc::new(StringArray::from_iter(values))
    };
    let time = |of: &dyn Fn(&Intervention) -> Option<DateTime<Utc>>| -> ArrayRef {
        let values = interventions
            .iter()
            .map(|intervention| of(intervention).map(|time| time.timestamp_micros()));
        let values = TimestampMicrosecondArray::from_iter(values);
        Arc::new(values.with_timezone(schemas::UTC))
    };
    let joined = |values: &[String]| (!values.is_empty()).then(|| values.join(";"));
    let columns = vec![
        text(&|one| Some(one.id())),
        text(&|one| Some(one.kind.to_string())),
        text(&|one| Some(one.target.to_string())),
        text(&|one| joined(&one.target_ids)),
        text(&|one| joined(&one.cells)),
        text(&|one| one.carrier_plmn.clone()),
        time(&|one| Some(one.started_at)),
        time(&|one| one.ended_at),
        text(&|one| one.note.clone()),
        time(&|_| Some(now)),
        text(&|one| one.recorded_by.clone()),
    ];
    RecordBatch::try_new(TABLE.schema(), columns)
        .map_err(|error| TableError::unencodable(TABLE, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn booster(day: &str, note: &str) -> Intervention {
        Intervention {
            kind: InterventionKind::Booster,
            target: TargetKind::Merchant,
            target_ids: vec!["m-1".into(), "m-2".into()],
            cells: Vec::new(),
            carrier_plmn: None,
            started_at: format!("{day}T00:00:00Z").parse().expect("a time"),
            ended_at: None,
            note: Some(note.into()),
            recorded_by: None,
        }
    }

    #[tokio::test]
    async fn what_is_known_is_not_added_again_and_what_is_removed_can_be() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let lake = folder.path().to_str().expect("UTF-8");
        let now = DateTime::UNIX_EPOCH;
        let [first, second] = [booster("2026-11-10", "one"), booster("2026-11-12", "two")];
        let added = add(lake, &[first.clone(), second.clone()], now)
            .await
            .expect("added");
        assert_eq!((added.added.len(), added.known.len()), (2, 0));
        let again = Intervention {
            note: Some("other words".into()),
            ..first.clone()
        };
        let added = add(lake, &[again, second.clone()], now)
            .await
            .expect("read");
        assert_eq!((added.added.len(), added.known.len()), (0, 2));
        assert!(remove(lake, &first.id()).await.expect("removed"));
        assert!(!remove(lake, &first.id()).await.expect("read"));
        let left = Existing::open(lake, TABLE).await.expect("read").ids(ID);
        assert_eq!(left, BTreeSet::from([second.id()]));
        assert!(remove(lake, &second.id()).await.expect("removed the last"));
        let added = add(lake, &[first], now).await.expect("added");
        assert_eq!(added.added.len(), 1);
    }
}
