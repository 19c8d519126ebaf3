//! Settings as they are given: merged from file, environment and flags, and what of them cannot be read.

use std::collections::BTreeMap;

use figment::Figment;
use figment::providers::Serialized;
use figment::value::{Dict, Value};

use super::IngestConfig;

/// Merges one setting of the environment or a flag.
pub(super) fn set(figment: Figment, key: &str, text: &str) -> Figment {
    // Names of the client's properties have dots of their own.
    if let Some(property) = key.strip_prefix("kafka.properties.") {
        let properties = BTreeMap::from([(property, text)]);
        return figment.merge(("kafka.properties", properties));
    }
    let value = scalar(key, text);
    figment.merge((key, value))
}

/// Reads a number or a truth value where the setting is one; all else is text, digits too.
fn scalar(key: &str, text: &str) -> Value {
    let default = Figment::from(Serialized::defaults(IngestConfig::default())).find_value(key);
    let parsed = match default {
        Ok(Value::Num(..)) => text.parse::<i64>().ok().map(Value::from),
        // The one number without a default.
        _ if key == "partition_resolution" => text.parse::<i64>().ok().map(Value::from),
        Ok(Value::Bool(..)) => text.parse::<bool>().ok().map(Value::from),
        _ => None,
    };
    parsed.unwrap_or_else(|| Value::from(text))
}

/// Replaces or removes a value; tells whether there was one.
pub(super) fn put(settings: &mut Dict, path: &[&str], value: Option<Value>) -> bool {
    match (path, value) {
        ([], _) => false,
        ([key], None) => settings.remove(*key).is_some(),
        ([key], Some(value)) => {
            let before = settings.insert((*key).to_owned(), value.clone());
            before.is_some_and(|before| before != value)
        }
        ([key, rest @ ..], value) => match settings.get_mut(*key) {
            Some(Value::Dict(_, inner)) => put(inner, rest, value),
            _ => false,
        },
    }
}

/// Says what could not be read, and from where it came.
pub(super) fn figment_faults(error: &figment::Error, all: &Figment) -> Vec<String> {
    let faults = error.clone().into_iter().map(|fault| {
        let path = fault.path.join(".");
        let metadata = all.find_metadata(&path).or(fault.metadata.as_ref());
        let source = metadata.and_then(|metadata| metadata.source.as_ref());
        match (path.is_empty(), source) {
            (false, Some(source)) => format!("{path}: {} ({source})", fault.kind),
            (false, None) => format!("{path}: {}", fault.kind),
            (true, Some(source)) => format!("{source}: {}", fault.kind),
            (true, None) => fault.kind.to_string(),
        }
    });
    faults.collect()
}

/// Compares the keys given with those of the defaults, so that all typos show at once.
pub(super) fn unknown_keys(given: &Dict) -> Vec<String> {
    let known = Figment::from(Serialized::defaults(IngestConfig::default()))
        .extract::<Dict>()
        .expect("the defaults are a table");
    let mut unknown = Vec::new();
    collect_unknown("", given, &known, &mut unknown);
    unknown
}

fn collect_unknown(path: &str, given: &Dict, known: &Dict, unknown: &mut Vec<String>) {
    for (key, value) in given {
        let here = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        if here == "kafka.properties" {
            continue;
        }
        match (value, known.get(key)) {
            (_, None) => unknown.push(format!("{here}: no such setting")),
            (Value::Dict(_, given), Some(Value::Dict(_, known))) => {
                collect_unknown(&here, given, known, unknown);
            }
            _ => {}
        }
    }
}
