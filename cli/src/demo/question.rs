//! What to ask the lake about each planted truth: owns the predicates, asks nothing itself.
//!
//! A question compares attempts and failures inside the truth with those elsewhere. The predicates
//! stand over the columns heartbeats and declines share.

use chrono::{DateTime, TimeDelta, Utc};
use simulator::answer_key::Area;
use simulator::{Planted, Truth};

use crate::predicate::{any_of, quoted};

/// Questions about one truth, as SQL predicates.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Question {
    /// Which events are compared at all.
    pub(super) among: String,
    /// Those of the truth.
    pub(super) inside: String,
    /// What counts as a failure, over declines.
    pub(super) failure: String,
    /// Where or what it is, for people.
    pub(super) place: String,
    /// What inside is compared with.
    pub(super) elsewhere: &'static str,
    /// What is counted as a failure, for people.
    pub(super) counted: &'static str,
}

const OUT_OF_RANGE: &str = "is_out_of_range";

/// Returns the question about a truth; heartbeats count what happened since the one before, so that
/// attempts of a short time are looked for until a heartbeat later.
pub(super) fn about(planted: &Planted, heartbeat: TimeDelta) -> Question {
    let time = between(planted.from, planted.to + heartbeat);
    let question = match &planted.truth {
        Truth::WeakZone { plmn, area } => weak(Some(plmn), area, &time),
        Truth::NotSpot { area } => weak(None, area, &time),
        Truth::CarrierOutage { plmn, area } => carrier_outage(plmn, area, &time),
        Truth::BadTerminals { terminal_ids, .. } => Question {
            inside: format!("{} and {time}", any_of("terminal_id", terminal_ids)),
            place: format!("{} terminals", terminal_ids.len()),
            elsewhere: "all other terminals",
            ..Question::default()
        },
        Truth::BadModel {
            model, firmware, ..
        } => Question {
            inside: format!(
                "model = {} and firmware = {}",
                quoted(model),
                quoted(firmware)
            ),
            place: format!("{model} {firmware}"),
            elsewhere: "all other models and firmwares",
            ..Question::default()
        },
        Truth::HostOutage { host_id, .. } => Question {
            among: format!("host_id = {}", quoted(host_id)),
            inside: time,
            place: format!("{host_id}, {}", hours(planted)),
            elsewhere: "the same host at other times",
            ..Question::default()
        },
        Truth::BadRelease { app_version, .. } => Question {
            inside: format!("app_version = {} and {time}", quoted(app_version)),
            place: format!("version {app_version}"),
            elsewhere: "all other versions and times",
            ..Question::default()
        },
        other => refused_or_mended(other, &time),
    };
    Question {
        inside: format!("coalesce({}, false)", question.inside),
        ..question
    }
}

impl Default for Question {
    fn default() -> Self {
        Self {
            among: "true".into(),
            inside: "false".into(),
            failure: OUT_OF_RANGE.into(),
            place: String::new(),
            elsewhere: "everywhere else",
            counted: "out of range",
        }
    }
}

fn weak(plmn: Option<&String>, area: &Area, time: &str) -> Question {
    Question {
        among: plmn.map_or_else(
            || "true".into(),
            |plmn| format!("carrier_plmn = {}", quoted(plmn)),
        ),
        inside: format!("{} and {time}", in_cells(area)),
        place: match plmn {
            Some(plmn) => format!("{plmn} near {}", area.town),
            None => format!("near {}", area.town),
        },
        elsewhere: if plmn.is_some() {
            "the carrier elsewhere"
        } else {
            "everywhere else"
        },
        ..Question::default()
    }
}

fn carrier_outage(plmn: &str, area: &Area, time: &str) -> Question {
    Question {
        among: format!("carrier_plmn = {}", quoted(plmn)),
        inside: format!("{} and {time}", in_cells(area)),
        place: format!("{plmn} around {}", area.town),
        elsewhere: "the carrier elsewhere and at other times",
        ..Question::default()
    }
}

/// Truths a host answers with a refusal, and the branch that is mended.
fn refused_or_mended(truth: &Truth, time: &str) -> Question {
    let refused = |who: String, codes: &[String], place: String| Question {
        inside: format!("{who} and {time}"),
        failure: any_of("response_code", codes),
        place: format!("{place}, code {}", codes.join(" ")),
        counted: "refused so",
        ..Question::default()
    };
    match truth {
        Truth::MovedTerminals {
            terminal_ids,
            codes,
        } => refused(
            any_of("terminal_id", terminal_ids),
            codes,
            format!("{} terminals moved", terminal_ids.len()),
        ),
        Truth::RegionNotOpen {
            acquirer_id,
            region_code,
            codes,
            ..
        } => {
            let who = format!(
                "coalesce(acquirer_id = {} and region_code = {}, false)",
                quoted(acquirer_id),
                quoted(region_code)
            );
            refused(who, codes, format!("{acquirer_id} in {region_code}"))
        }
        Truth::MerchantConfig {
            merchant_ids,
            codes,
        } => refused(
            any_of("merchant_id", merchant_ids),
            codes,
            format!("{} merchants", merchant_ids.len()),
        ),
        Truth::CardLimit {
            merchant_ids,
            card_type,
            codes,
        } => {
            let place = format!("{} merchants, {card_type} cards", merchant_ids.len());
            let question = refused(any_of("merchant_id", merchant_ids), codes, place);
            Question {
                failure: format!("{} and card_type = {}", question.failure, quoted(card_type)),
                ..question
            }
        }
        Truth::RemoteBranch {
            merchant_id,
            terminal_ids,
            phases,
            ..
        } => {
            let before = phases
                .first()
                .map_or_else(|| "false".into(), |phase| between(phase.from, phase.to));
            let after = phases
                .last()
                .map_or_else(|| "false".into(), |phase| between(phase.from, phase.to));
            Question {
                among: format!(
                    "{} and ({before} or {after})",
                    any_of("terminal_id", terminal_ids)
                ),
                inside: before,
                place: format!("branch {merchant_id} before it was mended"),
                elsewhere: "the branch after the last step",
                ..Question::default()
            }
        }
        _ => Question::default(),
    }
}

pub(super) fn in_cells(area: &Area) -> String {
    // The key has hexadecimal text, the lake numbers.
    let numbers: Vec<String> = area
        .cells
        .iter()
        .filter_map(|cell| cell.parse::<h3o::CellIndex>().ok())
        .map(|cell| schemas::lake::cell_to_i64(cell).to_string())
        .collect();
    if numbers.is_empty() {
        "false".into()
    } else {
        format!("cell_r8 in ({})", numbers.join(", "))
    }
}

fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    let time = |time: DateTime<Utc>| format!("timestamp '{}'", time.format("%Y-%m-%dT%H:%M:%SZ"));
    format!("event_time >= {} and event_time < {}", time(from), time(to))
}

fn hours(planted: &Planted) -> String {
    format!(
        "{} to {} UTC",
        planted.from.format("%Y-%m-%d %H:%M"),
        planted.to.format("%H:%M")
    )
}
