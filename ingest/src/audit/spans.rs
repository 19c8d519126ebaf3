//! What was read of each partition, by the positions a table's log keeps.

use std::collections::BTreeMap;

use lake::{LakeTable, TableError};
use schemas::Table;
use schemas::lake::{first_offset_app_id, place_of};

/// A partition of a topic, and the table its events are in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub table: Table,
    pub topic: String,
    pub partition: i32,
}

/// Offsets that one group read in one epoch: from `first` to before `next`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// `None` when an older build began it, which did not say where.
    pub first: Option<i64>,
    pub next: i64,
}

pub(super) async fn read(
    table: &LakeTable,
    topics: &[String],
) -> Result<BTreeMap<Place, Vec<Span>>, TableError> {
    let positions = table.positions().await?;
    let mut places: BTreeMap<Place, Vec<Span>> = BTreeMap::new();
    for (app_id, next) in positions {
        let Some((topic, partition)) = place_of(app_id) else {
            continue;
        };
        if topics.is_empty() || topics.iter().any(|wanted| wanted == topic) {
            let place = Place {
                table: table.table,
                topic: topic.to_owned(),
                partition,
            };
            let first = positions.get(&first_offset_app_id(app_id)).copied();
            places
                .entry(place)
                .or_default()
                .push(Span { first, next: *next });
        }
    }
    Ok(places)
}
