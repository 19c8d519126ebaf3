//! Which reports there are: owns the header format of a report file, and finds one by its name.
//!
//! A header is the comment before the first statement, one entry a line, continued by lines that
//! start with two more spaces:
//!
//! ```text
//! -- title: where terminals fall out of range
//! -- question: …
//! -- grain: one row per cell_r8
//! -- note: …
//! -- param min_attempts int = 20: cells with fewer attempts are left out
//! -- param plmn plmn: only this carrier
//! -- column attempts [count]: sale attempts
//! ```

use std::sync::LazyLock;

use schemas::spelling::nearest;

use super::ReportError;
use super::params::{ParamKind, ParamSpec};

/// A report: what it answers, what it takes, what it gives, and its SQL.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Name, as in its file.
    pub name: String,
    /// A few words for a list.
    pub title: String,
    /// The question it answers.
    pub question: String,
    /// What a row is.
    pub grain: String,
    /// What a reader must know before drawing conclusions.
    pub notes: Vec<String>,
    /// Parameters, in the order of the header.
    pub params: Vec<ParamSpec>,
    /// Columns, in the order of the answer.
    pub columns: Vec<ColumnSpec>,
    /// The file.
    pub sql: &'static str,
}

/// A column of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnSpec {
    /// Name.
    pub name: String,
    /// Unit, `none` for text.
    pub unit: String,
    /// What it holds.
    pub doc: String,
}

const FILES: [(&str, &str); 11] = [
    ("coverage", include_str!("../../sql/reports/coverage.sql")),
    (
        "device-models",
        include_str!("../../sql/reports/device-models.sql"),
    ),
    ("carriers", include_str!("../../sql/reports/carriers.sql")),
    (
        "silent-terminals",
        include_str!("../../sql/reports/silent-terminals.sql"),
    ),
    (
        "data-quality",
        include_str!("../../sql/reports/data-quality.sql"),
    ),
    (
        "weak-zones",
        include_str!("../../sql/reports/weak-zones.sql"),
    ),
    ("outages", include_str!("../../sql/reports/outages.sql")),
    ("causes", include_str!("../../sql/reports/causes.sql")),
    (
        "bad-terminals",
        include_str!("../../sql/reports/bad-terminals.sql"),
    ),
    ("actions", include_str!("../../sql/reports/actions.sql")),
    (
        "intervention-effects",
        include_str!("../../sql/reports/intervention-effects.sql"),
    ),
];

/// Returns every report.
pub fn catalog() -> &'static [Report] {
    static REPORTS: LazyLock<Vec<Report>> = LazyLock::new(|| {
        let read =
            |(name, sql)| parse(name, sql).unwrap_or_else(|fault| panic!("report {name}: {fault}"));
        FILES.into_iter().map(read).collect()
    });
    &REPORTS
}

/// Finds a report by its name.
///
/// # Errors
/// When there is none; the error names the nearest.
pub fn find(name: &str) -> Result<&'static Report, ReportError> {
    let known = || catalog().iter().map(|report| report.name.as_str());
    catalog()
        .iter()
        .find(|report| report.name == name)
        .ok_or_else(|| ReportError::UnknownReport {
            name: name.to_owned(),
            nearest: nearest(name, known()).map(str::to_owned),
            known: known().collect::<Vec<_>>().join(", "),
        })
}

fn parse(name: &str, sql: &'static str) -> Result<Report, String> {
    let mut report = Report {
        name: name.to_owned(),
        title: String::new(),
        question: String::new(),
        grain: String::new(),
        notes: Vec::new(),
        params: Vec::new(),
        columns: Vec::new(),
        sql,
    };
    for entry in header_entries(sql) {
        let (head, text) = entry
            .split_once(": ")
            .ok_or_else(|| format!("no colon in {entry:?}"))?;
        let text = text.trim().to_owned();
        match head.split_once(' ') {
            None if head == "title" => report.title = text,
            None if head == "question" => report.question = text,
            None if head == "grain" => report.grain = text,
            None if head == "note" => report.notes.push(text),
            Some(("param", spec)) => report.params.push(param(spec, text)?),
            Some(("column", spec)) => report.columns.push(column(spec, text)?),
            _ => return Err(format!("unknown entry {head:?}")),
        }
    }
    let empty = |text: &String| text.is_empty();
    if [&report.title, &report.question, &report.grain]
        .into_iter()
        .any(empty)
    {
        return Err("title, question and grain are required".into());
    }
    Ok(report)
}

fn header_entries(sql: &str) -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    for line in sql.lines().map_while(|line| line.strip_prefix("--")) {
        match (line.strip_prefix("   "), entries.last_mut()) {
            (Some(more), Some(entry)) => {
                entry.push(' ');
                entry.push_str(more.trim());
            }
            _ if line.trim().is_empty() => {}
            _ => entries.push(line.trim().to_owned()),
        }
    }
    entries
}

/// Reads `name kind` or `name kind = default`.
fn param(spec: &str, doc: String) -> Result<ParamSpec, String> {
    let (spec, default) = match spec.split_once('=') {
        Some((spec, default)) => (spec.trim(), Some(default.trim().to_owned())),
        None => (spec, None),
    };
    let (name, kind) = spec
        .split_once(' ')
        .ok_or_else(|| format!("no kind in {spec:?}"))?;
    let kind: ParamKind = kind.trim().parse()?;
    if let Some(default) = &default {
        kind.read(default)
            .ok_or_else(|| format!("default {default:?} of {name} is no {kind}"))?;
    }
    Ok(ParamSpec {
        name: name.to_owned(),
        kind,
        default,
        doc,
    })
}

/// Reads `name [unit]`.
fn column(spec: &str, doc: String) -> Result<ColumnSpec, String> {
    let read = || {
        let (name, unit) = spec.split_once(" [")?;
        Some((name.to_owned(), unit.strip_suffix(']')?.to_owned()))
    };
    let (name, unit) = read().ok_or_else(|| format!("no [unit] in {spec:?}"))?;
    Ok(ColumnSpec { name, unit, doc })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_report_states_what_it_answers() {
        for report in catalog() {
            assert!(!report.columns.is_empty(), "{}", report.name);
            assert!(report.question.ends_with('?'), "{}", report.name);
        }
    }

    #[test]
    fn every_parameter_is_used_and_every_placeholder_is_a_parameter() {
        for report in catalog() {
            let body: String = report
                .sql
                .lines()
                .filter(|line| !line.trim_start().starts_with("--"))
                .collect::<Vec<_>>()
                .join("\n");
            let placeholders: std::collections::BTreeSet<&str> = body
                .split('$')
                .skip(1)
                .map(|rest| {
                    rest.split(|c: char| !c.is_alphanumeric() && c != '_')
                        .next()
                })
                .map(|name| name.expect("split gives at least one part"))
                .collect();
            let params = report
                .params
                .iter()
                .map(|param| param.name.as_str())
                .collect();
            assert_eq!(placeholders, params, "{}", report.name);
        }
    }

    #[test]
    fn a_misspelt_name_is_answered_with_the_nearest() {
        let error = find("covrage").expect_err("misspelt").to_string();
        assert!(
            error.starts_with("no report \"covrage\" (did you mean \"coverage\"?)"),
            "{error}"
        );
        let error = find("weather-forecast").expect_err("unknown").to_string();
        assert!(
            error.starts_with("no report \"weather-forecast\", there are coverage,"),
            "{error}"
        );
    }

    #[test]
    fn a_broken_header_is_refused() {
        for (sql, fault) in [
            ("-- titel: x\n", "unknown entry \"titel\""),
            ("-- title: x\n", "title, question and grain are required"),
            (
                "-- param n int = many: x\n",
                "default \"many\" of n is no int",
            ),
            ("-- column n: x\n", "no [unit] in \"n\""),
        ] {
            assert_eq!(parse("r", sql).expect_err("broken"), fault);
        }
    }
}
