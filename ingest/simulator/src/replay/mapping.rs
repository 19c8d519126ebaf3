//! The mapping file: how a recording's columns become events. Owns its TOML form and the checks
//! that need no data; what a mapping does to a row is in `plan`.

use std::collections::BTreeMap;
use std::path::Path;

use schemas::{ContractField, EventKind};
use serde::Deserialize;
use tabular::Layout;

use super::attempts::AttemptRule;
use super::builtin;
use super::condition::Condition;
use super::field::FieldSpec;
use super::time::TimeSpec;

/// How one collection of recorded files becomes events.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// Name, part of every event's identity: a second replay repeats the same `event_id`s.
    pub name: String,
    /// What was recorded, in one line.
    pub title: String,
    /// Licence of the recording.
    pub licence: String,
    /// Who is to be credited.
    pub credit: String,
    #[serde(rename = "source")]
    pub(super) sources: Vec<Source>,
}

/// A mapping that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// Neither a ready mapping nor a readable file.
    #[error("no mapping {name}: not one of {} and not a readable file ({reason})", known.join(", "))]
    NotFound {
        /// What was asked for.
        name: String,
        /// Names of the ready mappings.
        known: Vec<&'static str>,
        /// What the system said about the file.
        reason: String,
    },
    /// The file is not a mapping.
    #[error("mapping {origin}: {reason}")]
    Invalid {
        /// Name or path.
        origin: String,
        /// What is wrong, naming key or field.
        reason: String,
    },
}

/// Files of one layout inside a mapping.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    /// Base names this source reads, `*` standing for anything; compression endings left out.
    pub(super) files: Vec<String>,
    #[serde(default)]
    pub(super) text: Layout,
    pub(super) time: TimeSpec,
    pub(super) terminal: TerminalSpec,
    pub(super) position: Option<PositionSpec>,
    /// Fields of every event that has them.
    #[serde(default)]
    pub(super) fields: BTreeMap<String, FieldSpec>,
    /// Events every row gives whose conditions hold.
    #[serde(default)]
    pub(super) emit: Vec<Emit>,
    /// What counts as attempt and as failure.
    #[serde(default)]
    pub(super) attempts: Vec<AttemptRule>,
}

/// Which terminal a row speaks of.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TerminalSpec {
    /// Start of every terminal id.
    pub(super) prefix: String,
    /// Columns that together name the device; empty for one device.
    #[serde(default)]
    pub(super) columns: Vec<String>,
    /// Also tells devices apart by the H3 cell of this resolution, for recordings without device.
    pub(super) cell_resolution: Option<u8>,
    #[serde(default)]
    pub(super) id: IdForm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum IdForm {
    /// Twelve hex digits of a hash: the recording's own identifiers stay out of the events.
    #[default]
    Hashed,
    /// The values as they are, joined by hyphens.
    Plain,
}

/// Where a row was measured.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PositionSpec {
    pub(super) lat: String,
    pub(super) lon: String,
    pub(super) datum: String,
    pub(super) position_source: String,
    /// Pairs of latitude and longitude that stand for "unknown".
    #[serde(default)]
    pub(super) missing_pairs: Vec<(f64, f64)>,
}

/// An event of rows whose conditions hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Emit {
    pub(super) kind: EmitKind,
    #[serde(default)]
    pub(super) when: Vec<Condition>,
    #[serde(default)]
    pub(super) fields: BTreeMap<String, FieldSpec>,
}

/// Declines come from attempt rules alone, so that they agree with the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EmitKind {
    Heartbeat,
    Signal,
}

impl EmitKind {
    pub(super) const fn event(self) -> EventKind {
        match self {
            Self::Heartbeat => EventKind::Heartbeat,
            Self::Signal => EventKind::Signal,
        }
    }
}

/// Fields the replayer fills itself.
pub(super) const OWN_FIELDS: [&str; 6] = [
    "event_id",
    "terminal_id",
    "event_time",
    "lat",
    "lon",
    "attempt_id",
];
/// Fields that `position` and `attempts` fill.
pub(super) const DERIVED_FIELDS: [&str; 6] = [
    "datum",
    "position_source",
    "attempts",
    "approvals",
    "no_answer",
    "outcome",
];

impl Mapping {
    /// Loads a ready mapping by name, or a mapping file by path.
    ///
    /// # Errors
    /// When neither exists, or the text is not a valid mapping.
    pub fn load(name_or_path: &str) -> Result<Self, MappingError> {
        if let Some(ready) = builtin::find(name_or_path) {
            return Self::parse(ready.toml, ready.name);
        }
        let text = std::fs::read_to_string(Path::new(name_or_path)).map_err(|error| {
            MappingError::NotFound {
                name: name_or_path.to_owned(),
                known: builtin::builtin_mappings()
                    .iter()
                    .map(|ready| ready.name)
                    .collect(),
                reason: error.to_string(),
            }
        })?;
        Self::parse(&text, name_or_path)
    }

    /// Reads a mapping from its TOML text; `origin` names it in errors.
    ///
    /// # Errors
    /// When the text is not TOML, has an unknown key, or maps to a field no event has.
    pub fn parse(text: &str, origin: &str) -> Result<Self, MappingError> {
        let invalid = |reason| MappingError::Invalid {
            origin: origin.to_owned(),
            reason,
        };
        let mapping: Self =
            toml::from_str(text).map_err(|error| invalid(error.to_string().trim().to_owned()))?;
        let faults = mapping.faults();
        match faults.is_empty() {
            true => Ok(mapping),
            false => Err(invalid(faults.join("; "))),
        }
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.name.is_empty() {
            faults.push("name is empty".into());
        }
        if self.sources.is_empty() {
            faults.push("there is no [[source]]".into());
        }
        for (at, source) in self.sources.iter().enumerate() {
            let place = format!("source {} ({})", at + 1, source.files.join(", "));
            faults.extend(
                source
                    .faults()
                    .into_iter()
                    .map(|fault| format!("{place}: {fault}")),
            );
        }
        faults
    }
}

impl Source {
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.files.is_empty() {
            faults.push("files is empty".into());
        }
        if let Some(delimiter) = self
            .text
            .delimiter
            .filter(|delimiter| !delimiter.is_ascii())
        {
            faults.push(format!("delimiter {delimiter:?} is not an ASCII character"));
        }
        if self.emit.is_empty() && self.attempts.is_empty() {
            faults.push(
                "neither [[source.emit]] nor [[source.attempts]]: no row gives an event".into(),
            );
        }
        faults.extend(self.time.faults());
        self.terminal_faults(&mut faults);
        self.position_faults(&mut faults);
        for (name, spec) in &self.fields {
            faults.extend(field_faults("fields", name, spec, &EventKind::ALL));
        }
        for emit in &self.emit {
            let place = format!("emit {}", emit.kind.event());
            for (name, spec) in &emit.fields {
                faults.extend(field_faults(&place, name, spec, &[emit.kind.event()]));
            }
        }
        for rule in &self.attempts {
            faults.extend(rule.faults());
        }
        faults
    }

    fn terminal_faults(&self, faults: &mut Vec<String>) {
        let resolution = self.terminal.cell_resolution;
        if resolution.is_some_and(|resolution| resolution > 15) {
            faults.push("terminal.cell_resolution is above 15".into());
        }
        if resolution.is_some() && self.position.is_none() {
            faults.push("terminal.cell_resolution needs a [source.position]".into());
        }
    }

    fn position_faults(&self, faults: &mut Vec<String>) {
        let Some(position) = &self.position else {
            return;
        };
        for (field, value) in [
            ("datum", &position.datum),
            ("position_source", &position.position_source),
        ] {
            let symbols = &contract_field(EventKind::Signal, field).symbols;
            if !symbols.contains(value) {
                faults.push(format!(
                    "position.{field} {value:?} is not one of {}",
                    symbols.join(", ")
                ));
            }
        }
    }
}

fn contract_field(kind: EventKind, name: &str) -> &'static ContractField {
    kind.contract()
        .field(name)
        .expect("every event has the fields of a position")
}

/// Checks that a mapped field exists in an event of `kinds`, is not one of ours, and can hold the value.
pub(super) fn field_faults(
    place: &str,
    name: &str,
    spec: &FieldSpec,
    kinds: &[EventKind],
) -> Vec<String> {
    if OWN_FIELDS.contains(&name) || DERIVED_FIELDS.contains(&name) {
        return vec![format!(
            "{place}.{name} is filled by the replayer and cannot be mapped"
        )];
    }
    let fields: Vec<_> = kinds
        .iter()
        .filter_map(|kind| kind.contract().field(name))
        .collect();
    match fields.first() {
        None => {
            let kinds: Vec<String> = kinds.iter().map(ToString::to_string).collect();
            vec![format!(
                "{place}.{name} is not a field of {} events",
                kinds.join(", ")
            )]
        }
        Some(field) => spec
            .faults(field)
            .into_iter()
            .map(|fault| format!("{place}.{name}: {fault}"))
            .collect(),
    }
}
