//! The demo's reports: every one in full in the folder, the first rows of each on screen.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use analytics::report::{self, Format, Params, Report, render};
use analytics::{Answer, LakeSession};
use anyhow::Context;

use super::screen;

/// What the screen shows of a report: columns, and how many rows.
const ON_SCREEN: [(&str, &[&str], usize); 11] = [
    (
        "weak-zones",
        &[
            "kind",
            "carriers",
            "lat",
            "lon",
            "terminals",
            "attempts",
            "failures",
            "rate",
            "baseline_rate",
            "action",
        ],
        8,
    ),
    (
        "outages",
        &[
            "kind",
            "host_id",
            "carrier_plmn",
            "app_version",
            "from_time",
            "to_time",
            "failing_terminals",
            "failures",
        ],
        8,
    ),
    (
        "causes",
        &[
            "cause_class",
            "sub_cause",
            "cause_rule",
            "failures",
            "share",
        ],
        12,
    ),
    (
        "bad-terminals",
        &[
            "terminal_id",
            "model",
            "attempts",
            "failures",
            "expected_rate",
            "odds_ratio",
            "q",
            "reason",
        ],
        8,
    ),
    (
        "actions",
        &[
            "target_kind",
            "target_id",
            "action",
            "suggested_plmn",
            "attempts",
            "failures",
            "expected_failures_saved",
        ],
        8,
    ),
    (
        "intervention-effects",
        &[
            "kind",
            "target_ids",
            "started_at",
            "verdict",
            "estimate",
            "low",
            "high",
            "failures_avoided",
        ],
        8,
    ),
    (
        "coverage",
        &[
            "rank",
            "cell_r8",
            "lat",
            "lon",
            "terminals",
            "attempts",
            "out_of_range_failures",
            "rate",
            "rate_low",
            "weak_share",
        ],
        8,
    ),
    (
        "device-models",
        &[
            "rank",
            "model",
            "firmware",
            "terminals",
            "attempts",
            "out_of_range_failures",
            "rate",
            "ratio",
            "ratio_low",
        ],
        4,
    ),
    (
        "carriers",
        &[
            "carrier_plmn",
            "rat",
            "terminals",
            "attempts",
            "out_of_range_failures",
            "rate",
            "weak_share",
            "strength_p50_dbm",
        ],
        8,
    ),
    (
        "silent-terminals",
        &[
            "terminal_id",
            "model",
            "heartbeats_seen",
            "heartbeats_expected",
            "missing_share",
            "longest_gap_h",
            "events_lost",
        ],
        4,
    ),
    (
        "data-quality",
        &["table_name", "check_name", "affected", "of", "share"],
        12,
    ),
];

/// Runs every report into the folder and shows its first rows.
pub(super) async fn run(
    lake: &LakeSession,
    folder: &Path,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    for report in report::catalog() {
        let answer = report.run(lake, &Params::default()).await?;
        for format in [Format::Csv, Format::Json] {
            save(report, &answer, format, folder)?;
        }
        show(report, &answer, out)?;
    }
    Ok(())
}

fn save(report: &Report, answer: &Answer, format: Format, folder: &Path) -> anyhow::Result<()> {
    let path = folder.join(format!("{}.{format}", report.name));
    let write = || -> anyhow::Result<()> {
        let mut file = BufWriter::new(File::create(&path)?);
        render::write(format, &answer.schema, &answer.batches, &mut file)?;
        Ok(file.flush()?)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

fn show(report: &Report, answer: &Answer, out: &mut (dyn Write + Send)) -> std::io::Result<()> {
    let Some((_, columns, limit)) = ON_SCREEN.iter().find(|(name, ..)| *name == report.name) else {
        return Ok(());
    };
    writeln!(out, "\n{} · {}", report.name, report.question)?;
    screen::excerpt(report, answer, columns, *limit).write(out)?;
    let more = answer.rows().saturating_sub(*limit);
    if more > 0 {
        writeln!(out, "  … {more} more rows")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_screen_only_names_columns_reports_have() {
        for (name, columns, _) in ON_SCREEN {
            let report = report::find(name).expect("a report");
            for column in columns {
                assert!(
                    report.columns.iter().any(|known| known.name == *column),
                    "{name}.{column}"
                );
            }
        }
    }
}
