//! Every field of every contract says what it holds, in which unit and range.

use schemas::{ContractField, EventKind, FieldKind};

fn check(place: &str, fields: &[ContractField]) {
    for field in fields {
        let place = format!("{place}.{}", field.name);
        assert!(field.doc.trim().len() > 10, "{place} says what it holds");
        assert!(!field.unit.is_empty(), "{place} has a unit");
        match &field.kind {
            FieldKind::Int | FieldKind::Long | FieldKind::Float | FieldKind::Double => {
                // Without an end one number that means "not known" outweighs a fleet.
                let (Some(low), Some(high)) = field.range else {
                    panic!("{place} has a range with two ends");
                };
                assert!(low < high, "{place} has a range that holds values");
            }
            FieldKind::Records(fields) => check(&place, fields),
            FieldKind::Text | FieldKind::Boolean | FieldKind::TimestampMillis => {
                assert_eq!(field.range, (None, None), "{place} is not a number");
            }
        }
    }
}

#[test]
fn every_field_has_a_meaning_a_unit_and_if_a_number_a_range() {
    for kind in EventKind::ALL {
        let contract = kind.contract();
        assert!(!contract.doc.is_empty());
        check(&contract.name, &contract.fields);
    }
}

#[test]
fn a_field_of_several_events_is_the_same_in_all() {
    let heartbeat = EventKind::Heartbeat.contract();
    for kind in [EventKind::Signal, EventKind::Decline] {
        for field in &kind.contract().fields {
            let Some(same) = heartbeat.field(&field.name) else {
                continue;
            };
            assert_eq!(
                same.arrow().data_type(),
                field.arrow().data_type(),
                "{}",
                field.name
            );
            assert_eq!(
                (same.range, &same.unit),
                (field.range, &field.unit),
                "{}",
                field.name
            );
            assert_eq!(
                (&same.symbols, &same.pattern),
                (&field.symbols, &field.pattern)
            );
        }
    }
}

#[test]
fn embedded_schema_ids_are_fixed() {
    assert_eq!(EventKind::ALL.map(EventKind::embedded_schema_id), [1, 2, 3]);
}
