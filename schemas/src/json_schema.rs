//! JSON Schema (draft 2020-12) of the JSON encoding, generated from the Avro contracts.
//!
//! The files `schemas/contracts/*.schema.json` are this module's output and a test holds them to
//! it. After a change of a contract write them anew:
//! `cargo run -p notspot-schemas --example write_json_schemas`.

use serde_json::{Map, Value, json};

use crate::contract::{Contract, ContractField, FieldKind, TEXT_CHARS_MAX};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";
const ID_PREFIX: &str = "urn:notspot:contract:";

/// Returns the JSON Schema of one event of a contract.
///
/// Fields the contract does not know are allowed, so that senders may be newer: the ingester counts them by
/// name, or refuses such events if its settings say so.
pub fn json_schema(contract: &Contract) -> Value {
    let mut schema = record(&contract.fields);
    schema.insert("$schema".into(), json!(DRAFT));
    let id = format!("{ID_PREFIX}{}", contract.name.to_lowercase());
    schema.insert("$id".into(), json!(id));
    schema.insert("title".into(), json!(contract.name));
    schema.insert("description".into(), json!(contract.doc));
    Value::Object(schema)
}

/// Returns the text of the committed file: indented, with a newline at the end.
pub fn json_schema_text(contract: &Contract) -> String {
    let text = serde_json::to_string_pretty(&json_schema(contract));
    text.expect("a JSON value has a text") + "\n"
}

fn record(fields: &[ContractField]) -> Map<String, Value> {
    let properties: Map<String, Value> = fields
        .iter()
        .map(|field| (field.name.clone(), property(field)))
        .collect();
    let required: Vec<&str> = fields
        .iter()
        .filter(|field| !field.nullable)
        .map(|field| field.name.as_str())
        .collect();
    let mut schema = Map::new();
    schema.insert("type".into(), json!("object"));
    schema.insert("additionalProperties".into(), json!(true));
    schema.insert("properties".into(), Value::Object(properties));
    schema.insert("required".into(), json!(required));
    schema
}

fn property(field: &ContractField) -> Value {
    let mut schema = Map::new();
    schema.insert("description".into(), json!(field.doc));
    schema.insert("x-unit".into(), json!(field.unit));
    schema.insert("type".into(), types(field));
    let (low, high) = bounds(field);
    insert_some(&mut schema, "minimum", low);
    insert_some(&mut schema, "maximum", high);
    insert_some(
        &mut schema,
        "pattern",
        field.pattern.map(|pattern| json!(pattern.regex())),
    );
    insert_some(&mut schema, "enum", symbols(field));
    match &field.kind {
        FieldKind::Text if field.pattern.is_none() && field.symbols.is_empty() => {
            schema.insert("maxLength".into(), json!(TEXT_CHARS_MAX));
        }
        FieldKind::Records(fields) => {
            schema.insert("items".into(), Value::Object(record(fields)));
        }
        // Milliseconds, or RFC 3339 text; `format` speaks of text alone.
        FieldKind::TimestampMillis => {
            schema.insert("format".into(), json!("date-time"));
        }
        _ => {}
    }
    Value::Object(schema)
}

fn types(field: &ContractField) -> Value {
    let mut types = match field.kind {
        FieldKind::Text => vec!["string"],
        FieldKind::Boolean => vec!["boolean"],
        FieldKind::Int | FieldKind::Long => vec!["integer"],
        FieldKind::Float | FieldKind::Double => vec!["number"],
        FieldKind::TimestampMillis => vec!["integer", "string"],
        FieldKind::Records(_) => vec!["array"],
    };
    if field.nullable {
        types.push("null");
    }
    match types.as_slice() {
        [only] => json!(only),
        several => json!(several),
    }
}

/// The bounds as JSON numbers, whole for integers.
fn bounds(field: &ContractField) -> (Option<Value>, Option<Value>) {
    let whole = matches!(field.kind, FieldKind::Int | FieldKind::Long);
    let number = |bound: f64| {
        if whole {
            json!(bound as i64)
        } else {
            json!(bound)
        }
    };
    (field.range.0.map(number), field.range.1.map(number))
}

/// The closed set of values, with null where it is allowed: `enum` would forbid it otherwise.
fn symbols(field: &ContractField) -> Option<Value> {
    if field.symbols.is_empty() {
        return None;
    }
    let null = field.nullable.then_some(Value::Null);
    Some(
        field
            .symbols
            .iter()
            .map(|symbol| json!(symbol))
            .chain(null)
            .collect(),
    )
}

fn insert_some(schema: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        schema.insert(key.into(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EventKind;

    #[test]
    fn committed_schemas_are_the_generated_ones() {
        for (kind, committed) in [
            (
                EventKind::Heartbeat,
                include_str!("../contracts/heartbeat.schema.json"),
            ),
            (
                EventKind::Signal,
                include_str!("../contracts/signal.schema.json"),
            ),
            (
                EventKind::Decline,
                include_str!("../contracts/decline.schema.json"),
            ),
        ] {
            let generated = json_schema_text(kind.contract());
            assert!(
                committed == generated,
                "{kind}.schema.json is not what the contract generates: \
                 run `cargo run -p notspot-schemas --example write_json_schemas`",
            );
        }
    }

    #[test]
    fn a_nullable_enumeration_allows_null() {
        let schema = json_schema(EventKind::Heartbeat.contract());
        let datum = &schema["properties"]["datum"];
        assert_eq!(datum["enum"], json!(["WGS84", "GCJ02", "BD09", null]));
        assert_eq!(datum["type"], json!(["string", "null"]));
        let required = schema["required"].as_array().expect("a list");
        assert_eq!(
            required,
            &["event_id", "terminal_id", "event_time"].map(|name| json!(name))
        );
    }

    #[test]
    fn ranges_and_units_come_along() {
        let schema = json_schema(EventKind::Signal.contract());
        let rsrp = &schema["properties"]["rsrp_dbm"];
        assert_eq!(
            (&rsrp["minimum"], &rsrp["maximum"]),
            (&json!(-156.0), &json!(-31.0))
        );
        assert_eq!(rsrp["x-unit"], "dBm");
        let neighbour = &schema["properties"]["neighbours"]["items"];
        assert_eq!(neighbour["required"], json!(["rat"]));
        assert_eq!(neighbour["properties"]["pci"]["maximum"], json!(1007));
    }
}
