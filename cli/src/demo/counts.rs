//! The demo's books: every message sent is a row or in quarantine, and none is there twice.

use std::collections::BTreeMap;
use std::io::Write;

use analytics::LakeSession;
use anyhow::Context;
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use schemas::EventKind;

use super::feed::Fed;
use super::screen::{Cell, TextTable};
use crate::progress::grouped;

/// Compares what was sent with what is in the lake; `true` when it adds up for every topic.
pub(super) async fn check(
    lake: &LakeSession,
    fed: &Fed,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<bool> {
    let counted = count(lake).await.context("cannot count the lake")?;
    let mut table = TextTable::new(&["topic", "sent", "rows", "quarantined", ""]);
    let mut adds_up = true;
    for kind in EventKind::ALL {
        let sent = fed.published.messages[kind as usize];
        let rows = counted
            .get(&("row", kind.topic().to_owned()))
            .copied()
            .unwrap_or(0);
        let quarantined = counted
            .get(&("quarantined", kind.topic().to_owned()))
            .copied()
            .unwrap_or(0);
        let equal = sent == rows + quarantined;
        adds_up &= equal;
        let verdict = if equal { "adds up" } else { "DOES NOT ADD UP" };
        table.push(vec![
            Cell::Left(kind.topic().into()),
            Cell::Right(grouped(sent)),
            Cell::Right(grouped(rows)),
            Cell::Right(grouped(quarantined)),
            Cell::Left(verdict.into()),
        ]);
    }
    writeln!(
        out,
        "\nFrom broker to lake, {} commits",
        fed.ingested.commits
    )?;
    table.write(out)?;
    Ok(adds_up)
}

/// Rows and quarantined messages in the lake, by topic.
async fn count(lake: &LakeSession) -> anyhow::Result<BTreeMap<(&'static str, String), u64>> {
    let tables: Vec<String> = EventKind::ALL
        .into_iter()
        .map(|kind| {
            format!(
                "select 'row' as fate, '{}' as topic, count(*) as messages from lake.{}",
                kind.topic(),
                kind.table()
            )
        })
        .collect();
    let sql = format!(
        "{} union all select 'quarantined', kafka_topic, count(*) from quarantine group by kafka_topic",
        tables.join(" union all ")
    );
    let mut counted = BTreeMap::new();
    for batch in lake.collect(&sql).await?.batches {
        let fates = batch
            .column(0)
            .as_string_opt::<i32>()
            .context("fate is text")?;
        let topics = batch
            .column(1)
            .as_string_opt::<i32>()
            .context("topic is text")?;
        let messages = batch
            .column(2)
            .as_primitive_opt::<Int64Type>()
            .context("a count is an integer")?;
        for row in 0..batch.num_rows() {
            let fate = if fates.value(row) == "row" {
                "row"
            } else {
                "quarantined"
            };
            counted.insert(
                (fate, topics.value(row).to_owned()),
                messages.value(row).unsigned_abs(),
            );
        }
    }
    Ok(counted)
}
