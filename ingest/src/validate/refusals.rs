//! Which rows cannot be used, and why.

use std::ops::RangeInclusive;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, TimestampMillisecondType};
use chrono::{DateTime, Utc};
use schemas::EventKind;
use schemas::card_data::looks_like_pan;
use schemas::contract::Pattern;
use schemas::ids::check_id;
use schemas::quarantine::Reason;

use super::{Rules, millis};
use crate::decode::shown;

type Found = Option<(Reason, String)>;

/// Most characters of a value that a detail repeats.
const SHOWN_CHARS_MAX: usize = 80;
/// Enumerations whose unknown values change what the event means; others become null.
const MEANING: [&str; 4] = ["datum", "rat", "raw_kind", "outcome"];

/// Returns the reason each row is refused, if it is; the first reason found is the one told.
///
/// Every search looks at the values first: what is found of a row is seldom anything, and takes more
/// memory than the values do.
pub(super) fn find(
    kind: EventKind,
    rows: &RecordBatch,
    rules: &Rules,
    now: DateTime<Utc>,
) -> Vec<Found> {
    let mut found: Vec<Found> = vec![None; rows.num_rows()];
    missing(kind, rows, &mut found);
    malformed(kind, rows, &mut found);
    times(rows, rules, now, &mut found);
    positions(rows, &mut found);
    enumerations(kind, rows, &mut found);
    card_data(rows, &mut found);
    let terminals = rows
        .column_by_name("terminal_id")
        .map(|c| c.as_string::<i32>().clone());
    for (row, reason) in found.iter_mut().enumerate() {
        if let (Some((reason, detail)), Some(terminals)) = (reason, &terminals)
            && *reason != Reason::CardData
            && terminals.is_valid(row)
            && !looks_like_pan(terminals.value(row))
        {
            detail.push_str(&format!(
                ", terminal {}",
                shown(terminals.value(row), SHOWN_CHARS_MAX)
            ));
        }
    }
    found
}

fn missing(kind: EventKind, rows: &RecordBatch, found: &mut [Found]) {
    for field in kind
        .contract()
        .fields
        .iter()
        .filter(|field| !field.nullable)
    {
        let column = rows
            .column_by_name(&field.name)
            .expect("decoded rows have every column");
        let missing = (0..column.len()).filter(|row| column.is_null(*row));
        // What holds nothing that can be seen is null by now.
        for row in missing.take(column.null_count()) {
            found[row].get_or_insert_with(|| {
                let detail = format!("{} is missing", field.name);
                (Reason::MissingField, detail)
            });
        }
    }
}

/// Ids without which an event is none, and that are not of the form of their contract.
fn malformed(kind: EventKind, rows: &RecordBatch, found: &mut [Found]) {
    let fields = kind.contract().fields.iter();
    let asked = fields.filter(|field| !field.nullable);
    for (field, pattern) in asked.filter_map(|field| Some((field, field.pattern?))) {
        let column = rows
            .column_by_name(&field.name)
            .expect("decoded rows have every column");
        let column = column.as_string::<i32>();
        let mut known = None;
        for (row, reason) in found.iter_mut().enumerate() {
            let value = column.value(row);
            if column.is_null(row) || known == Some(value) || reason.is_some() {
                continue;
            }
            match pattern.matches(value) {
                true => known = Some(value),
                false => {
                    let why = match (pattern, check_id(value)) {
                        (Pattern::Id, Err(why)) => why.to_string(),
                        _ => format!("is not of the form {}", pattern.regex()),
                    };
                    let detail = format!("{} {} {why}", field.name, shown(value, SHOWN_CHARS_MAX));
                    *reason = Some((Reason::MalformedId, detail));
                }
            }
        }
    }
}

fn times(rows: &RecordBatch, rules: &Rules, now: DateTime<Utc>, found: &mut [Found]) {
    let column = rows
        .column_by_name("event_time")
        .expect("every contract has event_time");
    let column = column.as_primitive::<TimestampMillisecondType>();
    let latest = rules.latest_ms(now);
    let earliest = now
        .timestamp_millis()
        .saturating_sub(millis(rules.retention));
    for (time, reason) in column.values().iter().copied().zip(found) {
        if (earliest..=latest).contains(&time) || reason.is_some() {
            continue;
        }
        let refusal = match time > latest {
            true => Reason::TimeInFuture,
            false => Reason::TimeBeyondRetention,
        };
        let shown = DateTime::from_timestamp_millis(time)
            .map_or_else(|| format!("{time} ms"), |time| time.to_rfc3339());
        let unit = other_unit(time, earliest..=latest).map_or_else(String::new, |unit| {
            format!(", which would be right as {unit}: milliseconds are asked for")
        });
        *reason = Some((refusal, format!("event_time {shown}{unit}")));
    }
}

/// Names the unit in which a time that cannot be right would be.
fn other_unit(time: i64, possible: RangeInclusive<i64>) -> Option<&'static str> {
    let units = [
        (time.checked_mul(1_000), "seconds"),
        (Some(time.div_euclid(1_000)), "microseconds"),
        (Some(time.div_euclid(1_000_000)), "nanoseconds"),
    ];
    let fits = |time: Option<i64>| time.is_some_and(|time| possible.contains(&time));
    let unit = units.into_iter().find(|(time, _)| fits(*time));
    unit.map(|(_, unit)| unit)
}

/// What receivers write that have no fix needs no datum: it becomes null.
fn is_no_fix(lat: f64, lon: f64) -> bool {
    schemas::LatLon::new(lat, lon).is_ok_and(schemas::LatLon::is_null_island)
}

fn positions(rows: &RecordBatch, found: &mut [Found]) {
    let column = |name: &str| {
        rows.column_by_name(name)
            .expect("every contract has a position")
    };
    let lat = column("lat").as_primitive::<Float64Type>();
    let lon = column("lon").as_primitive::<Float64Type>();
    let datum = column("datum");
    for (row, reason) in found.iter_mut().enumerate() {
        let (y, x) = (lat.value(row), lon.value(row));
        let refusal = match (lat.is_valid(row), lon.is_valid(row)) {
            (false, false) => continue,
            (true, true) if schemas::LatLon::new(y, x).is_err() => {
                (Reason::ImpossiblePosition, format!("lat {y}, lon {x}"))
            }
            (true, true) if datum.is_valid(row) || is_no_fix(y, x) => continue,
            (true, true) => (Reason::MissingDatum, "position without datum".into()),
            _ => (Reason::ImpossiblePosition, "only one of lat and lon".into()),
        };
        reason.get_or_insert(refusal);
    }
}

fn enumerations(kind: EventKind, rows: &RecordBatch, found: &mut [Found]) {
    for field in &kind.contract().fields {
        if !MEANING.contains(&field.name.as_str()) {
            continue;
        }
        let column = rows
            .column_by_name(&field.name)
            .expect("decoded rows have every column");
        let column = column.as_string::<i32>();
        let mut known = None;
        for (row, reason) in found.iter_mut().enumerate() {
            let value = column.value(row);
            if column.is_null(row) || known == Some(value) || reason.is_some() {
                continue;
            }
            known = field
                .symbols
                .iter()
                .map(String::as_str)
                .find(|symbol| *symbol == value);
            if known.is_none() {
                let detail = format!("{} is {}", field.name, shown(value, SHOWN_CHARS_MAX));
                *reason = Some((Reason::UnknownEnum, detail));
            }
        }
    }
}

/// Every text is looked at, in lists too: a card number is refused wherever it hides.
fn card_data(rows: &RecordBatch, found: &mut [Found]) {
    for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
        match column.data_type() {
            DataType::Utf8 => {
                let column = column.as_string::<i32>();
                for (row, reason) in found.iter_mut().enumerate() {
                    if column.is_valid(row) && is_card(field.name(), column.value(row)) {
                        *reason = Some(card_reason(field.name()));
                    }
                }
            }
            DataType::List(_) => card_data_in_list(field.name(), column.as_list::<i32>(), found),
            _ => {}
        }
    }
}

fn card_data_in_list(name: &str, list: &arrow::array::ListArray, found: &mut [Found]) {
    let Some(records) = list.values().as_struct_opt() else {
        return;
    };
    for (row, reason) in found.iter_mut().enumerate() {
        let ends = list.value_offsets();
        for child in records
            .columns()
            .iter()
            .filter_map(|child| child.as_string_opt::<i32>())
        {
            let range = usize::try_from(ends[row]).unwrap_or(0)
                ..usize::try_from(ends[row + 1]).unwrap_or(0);
            for item in range {
                if list.is_valid(row) && child.is_valid(item) && looks_like_pan(child.value(item)) {
                    *reason = Some(card_reason(name));
                }
            }
        }
    }
}

/// A hash in hex may hold a run of digits that passes by chance; one with letters is no number.
fn is_card(field: &str, text: &str) -> bool {
    let hash = field == "iccid_hash" && text.bytes().any(|byte| (b'a'..=b'f').contains(&byte));
    !hash && looks_like_pan(text)
}

fn card_reason(field: &str) -> (Reason, String) {
    (
        Reason::CardData,
        format!("{field} looks like a card number"),
    )
}
