//! The fixtures under `fixtures/wire-v1` are what their names say, as far as contracts can tell.

use std::fs;
use std::path::{Path, PathBuf};

use schemas::quarantine::Reason;
use schemas::{ContractField, EventKind, FieldKind};
use serde_json::Value;

fn files(folder: &str, kind: EventKind) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/wire-v1")
        .join(folder)
        .join(kind.to_string());
    let entries =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
}

fn reason(path: &Path) -> Reason {
    let stem = path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .expect("a name in UTF-8");
    let (reason, _) = stem
        .split_once("__")
        .unwrap_or_else(|| panic!("{stem} names its reason"));
    reason
        .parse()
        .unwrap_or_else(|error| panic!("{stem}: {error}"))
}

/// What keeps a message from being read by its contract, if anything.
fn fault(fields: &[ContractField], message: &Value) -> Option<String> {
    let Some(object) = message.as_object() else {
        return Some("not an object".into());
    };
    fields
        .iter()
        .find_map(|field| match object.get(&field.name) {
            None | Some(Value::Null) if field.nullable => None,
            None | Some(Value::Null) => Some(format!("{} is missing", field.name)),
            Some(value) => field_fault(field, value).then(|| format!("{} is {value}", field.name)),
        })
}

fn field_fault(field: &ContractField, value: &Value) -> bool {
    match &field.kind {
        FieldKind::Text => value.as_str().is_none_or(|text| {
            !field.symbols.is_empty() && !field.symbols.iter().any(|symbol| symbol == text)
        }),
        FieldKind::Boolean => !value.is_boolean(),
        FieldKind::Int | FieldKind::Long => !value.is_i64(),
        FieldKind::Float | FieldKind::Double => !value.is_number(),
        FieldKind::TimestampMillis => {
            let is_rfc3339 = |text| chrono::DateTime::parse_from_rfc3339(text).is_ok();
            !value.is_i64() && !value.as_str().is_some_and(is_rfc3339)
        }
        FieldKind::Records(fields) => value
            .as_array()
            .is_none_or(|records| records.iter().any(|record| fault(fields, record).is_some())),
    }
}

#[test]
fn good_messages_keep_to_their_contract() {
    for kind in EventKind::ALL {
        for path in files("good", kind) {
            let text = fs::read_to_string(&path).expect("a readable fixture");
            let message = serde_json::from_str(&text).expect("good messages are JSON");
            let fault = fault(&kind.contract().fields, &message);
            assert_eq!(fault, None, "{}", path.display());
        }
    }
}

#[test]
fn bad_messages_are_bad_for_the_reason_they_name() {
    for kind in EventKind::ALL {
        let fields = &kind.contract().fields;
        for path in files("bad", kind) {
            let text = fs::read_to_string(&path).expect("a readable fixture");
            let message: Option<Value> = serde_json::from_str(&text).ok();
            let fault = message
                .as_ref()
                .map_or(Some("not JSON".into()), |message| fault(fields, message));
            let by_contract = match reason(&path) {
                Reason::Undecodable | Reason::UnknownEnum => true,
                // An empty id is text; the contract's pattern refuses it.
                Reason::MissingField => !text.contains("\"terminal_id\": \"\""),
                Reason::ImpossiblePosition | Reason::MissingDatum | Reason::CardData => false,
                other => panic!("{}: no fixture shows {other}", path.display()),
            };
            assert_eq!(
                fault.is_some(),
                by_contract,
                "{}: {fault:?}",
                path.display()
            );
        }
    }
}

#[test]
fn card_data_is_found_in_the_fixtures_that_hold_it_and_in_no_other() {
    for kind in EventKind::ALL {
        for path in files("good", kind).into_iter().chain(files("bad", kind)) {
            let text = fs::read_to_string(&path).expect("a readable fixture");
            let holds = path.display().to_string().contains("card_data__");
            let masked = schemas::card_data::mask_pans(text.as_bytes());
            assert_eq!(
                masked.as_ref() != text.as_bytes(),
                holds,
                "{}",
                path.display()
            );
        }
    }
}
