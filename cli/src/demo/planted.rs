//! Shows and keeps what was found next to what was planted.

use std::io::Write;
use std::path::Path;

use anyhow::Context;

use super::findings::{Finding, Share};
use super::screen::{Cell, TextTable, percent};
use crate::progress::grouped;

/// Writes the findings as `planted-and-found.json` and `.csv`.
pub(super) fn save(findings: &[Finding], folder: &Path) -> anyhow::Result<()> {
    let write = |ending: &str, text: String| {
        let path = folder.join(format!("planted-and-found.{ending}"));
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    write("json", serde_json::to_string_pretty(findings)? + "\n")?;
    write("csv", csv(findings))
}

fn csv(findings: &[Finding]) -> String {
    let mut text = String::from(
        "id,kind,place,counted,inside_failures,inside_attempts,elsewhere_is,elsewhere_failures,elsewhere_attempts,stands_out,verdict\n",
    );
    for finding in findings {
        let fields = [
            finding.id.clone(),
            finding.kind.clone(),
            finding.place.clone(),
            finding.counted.to_owned(),
            finding.inside.failures.to_string(),
            finding.inside.attempts.to_string(),
            finding.elsewhere_is.to_owned(),
            finding.elsewhere.failures.to_string(),
            finding.elsewhere.attempts.to_string(),
            finding.stands_out.to_string(),
            verdict(finding),
        ];
        let quoted: Vec<String> = fields
            .iter()
            .map(|field| format!("\"{}\"", field.replace('"', "\"\"")))
            .collect();
        text.push_str(&quoted.join(","));
        text.push('\n');
    }
    text
}

/// Prints the findings.
pub(super) fn show(findings: &[Finding], out: &mut (dyn Write + Send)) -> std::io::Result<()> {
    if findings.is_empty() {
        return writeln!(out, "\nNothing was planted.");
    }
    writeln!(out, "\nWhat was planted, and what the lake says of it")?;
    let mut table = TextTable::new(&[
        "planted",
        "where",
        "inside",
        "elsewhere",
        "counted",
        "",
        "the analysis, without the key",
    ]);
    for finding in findings {
        table.push(vec![
            Cell::Left(finding.id.clone()),
            Cell::Left(finding.place.clone()),
            Cell::Right(share(&finding.inside)),
            Cell::Right(share(&finding.elsewhere)),
            Cell::Left(finding.counted.into()),
            Cell::Left(
                if finding.stands_out {
                    "stands out"
                } else {
                    "does not stand out"
                }
                .into(),
            ),
            Cell::Left(verdict(finding)),
        ]);
    }
    table.write(out)?;
    Ok(())
}

fn share(share: &Share) -> String {
    let count = |number: i64| grouped(number.unsigned_abs());
    format!(
        "{} of {} · {:>6}",
        count(share.failures),
        count(share.attempts),
        percent(share.rate())
    )
}

fn verdict(finding: &Finding) -> String {
    match &finding.verdict {
        Some(verdict) if verdict.found => format!("found: {}", verdict.how),
        Some(verdict) => format!("NOT FOUND: {}", verdict.how),
        None => "not looked for: notspot stat effect measures what a change did".into(),
    }
}
