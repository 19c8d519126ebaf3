use super::*;
use crate::EventKind;

fn contract_symbols(column: &str) -> Vec<String> {
    let signal = EventKind::Signal.contract();
    signal
        .field(column)
        .expect("a signal column")
        .symbols
        .clone()
}

#[test]
fn names_are_those_of_the_contract() {
    assert_eq!(
        Rat::ALL.map(|rat| rat.to_string()).to_vec(),
        contract_symbols("rat")
    );
    let kinds = IndexKind::ALL.map(|kind| kind.to_string()).to_vec();
    assert_eq!(kinds, contract_symbols("raw_kind"));
    for rat in Rat::ALL {
        assert_eq!(rat.as_str().parse(), Ok(rat));
    }
    for kind in IndexKind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(kind));
    }
}

#[test]
fn the_contract_states_the_widest_range_of_all_rats() {
    let signal = EventKind::Signal.contract();
    for quantity in Quantity::ALL {
        let ranges: Vec<_> = Rat::ALL
            .into_iter()
            .filter_map(|rat| valid_range(rat, quantity))
            .collect();
        let low = ranges
            .iter()
            .map(|range| *range.start())
            .fold(f32::INFINITY, f32::min);
        let high = ranges
            .iter()
            .map(|range| *range.end())
            .fold(f32::NEG_INFINITY, f32::max);
        assert_eq!(quantity.widest_range(), low..=high, "{quantity}");
        let field = signal.field(quantity.column()).expect("a signal column");
        assert_eq!(
            field.range,
            (Some(low.into()), Some(high.into())),
            "{quantity}"
        );
    }
    for number in CellNumber::ALL {
        let ranges = Rat::ALL
            .into_iter()
            .filter_map(|rat| valid_number_range(rat, number));
        let high = ranges
            .map(|range| *range.end())
            .max()
            .expect("some rat has it");
        let field = signal.field(number.column()).expect("a signal column");
        assert_eq!(field.range.1, Some(high as f64), "{}", number.column());
    }
}

#[test]
fn every_rat_has_its_strength_and_a_threshold_inside_its_range() {
    for rat in Rat::ALL {
        let range = valid_range(rat, strength_quantity(rat)).expect("every rat has a strength");
        assert!(range.contains(&weak_threshold_dbm(rat)), "{rat}");
    }
}

#[test]
fn a_legitimate_value_is_never_a_sentinel() {
    for (quantity, sentinel) in [
        (Quantity::Rsrp, 0.0),
        (Quantity::Rsrp, -1.0),
        (Quantity::Rsrp, 2_147_483_647.0),
        (Quantity::Rssi, 99.0),
        (Quantity::Rsrq, 255.0),
        (Quantity::Sinr, 127.0),
        (Quantity::Ecno, 99.0),
    ] {
        assert!(is_sentinel(quantity, sentinel), "{quantity} {sentinel}");
    }
    for (quantity, value) in [
        (Quantity::Sinr, 0.0),
        (Quantity::Sinr, -1.0),
        (Quantity::Rsrq, -1.0),
        (Quantity::Ecno, 0.0),
        (Quantity::Rsrp, -90.0),
    ] {
        assert!(!is_sentinel(quantity, value), "{quantity} {value}");
    }
}

#[test]
fn a_value_is_judged_by_its_rat() {
    use ReadingCheck::{OutOfRange, Sentinel, Valid};
    for (rat, quantity, value, expected) in [
        (Rat::Lte, Quantity::Rsrp, -141.0, Valid),
        (Rat::Lte, Quantity::Rsrp, -141.5, OutOfRange),
        (Rat::Nr, Quantity::Rsrp, -150.0, Valid),
        (Rat::Nbiot, Quantity::Rsrp, -150.0, Valid),
        (Rat::Lte, Quantity::Rsrp, -1126.0, OutOfRange),
        (Rat::Lte, Quantity::Rsrp, f32::NAN, OutOfRange),
        (Rat::Lte, Quantity::Rsrp, 255.0, Sentinel),
        (Rat::Gsm, Quantity::Rsrp, -90.0, OutOfRange),
        (Rat::Gsm, Quantity::Rsrp, 0.0, Sentinel),
        (Rat::Gsm, Quantity::Rssi, -48.0, Valid),
        (Rat::Gsm, Quantity::Rssi, -47.0, OutOfRange),
        (Rat::Nr, Quantity::Sinr, 40.0, Valid),
        (Rat::Lte, Quantity::Sinr, 40.0, OutOfRange),
    ] {
        assert_eq!(
            check(rat, quantity, value),
            expected,
            "{rat} {quantity} {value}"
        );
    }
}

#[test]
fn a_cell_number_is_judged_by_its_rat() {
    use ReadingCheck::{OutOfRange, Sentinel, Valid};
    for (rat, number, value, expected) in [
        (Rat::Gsm, CellNumber::Tac, 0, OutOfRange),
        (Rat::Gsm, CellNumber::Tac, 65_535, Sentinel),
        (Rat::Lte, CellNumber::Tac, 65_535, Valid),
        (Rat::Lte, CellNumber::Tac, 2_147_483_647, Sentinel),
        (Rat::Lte, CellNumber::RadioCellId, 268_435_456, OutOfRange),
        (Rat::Nr, CellNumber::RadioCellId, 268_435_456, Valid),
        (Rat::Nr, CellNumber::RadioCellId, i64::MAX, Sentinel),
        (Rat::Umts, CellNumber::Pci, 511, Valid),
        (Rat::Lte, CellNumber::Pci, 504, OutOfRange),
        (Rat::Gsm, CellNumber::Pci, 5, OutOfRange),
    ] {
        assert_eq!(
            check_number(rat, number, value),
            expected,
            "{rat} {number:?} {value}"
        );
    }
}

#[test]
fn a_reading_is_weak_when_faint_or_drowned() {
    let strong = Strength {
        strength_dbm: Some(-80.0),
        ..Strength::default()
    };
    let drowned = Strength {
        sinr_db: Some(-3.5),
        ..strong
    };
    let faint = Strength {
        strength_dbm: Some(-110.5),
        ..Strength::default()
    };
    assert_eq!(is_weak(Rat::Lte, strong), Some(false));
    assert_eq!(is_weak(Rat::Lte, drowned), Some(true));
    assert_eq!(is_weak(Rat::Gsm, drowned), Some(false));
    assert_eq!(is_weak(Rat::Nr, faint), Some(true));
    assert_eq!(is_weak(Rat::Lte, Strength::default()), None);
}

/// RATs a modem prints the index for.
fn rats(kind: IndexKind) -> &'static [Rat] {
    match kind {
        IndexKind::Csq => &Rat::ALL,
        IndexKind::CesqRxlev => &[Rat::Gsm],
        IndexKind::CesqRscp | IndexKind::CesqEcno => &[Rat::Umts],
        IndexKind::CesqRsrq | IndexKind::CesqRsrp => &[Rat::Lte, Rat::Nbiot, Rat::Ltem],
        IndexKind::CesqSsRsrp | IndexKind::CesqSsRsrq | IndexKind::CesqSsSinr => &[Rat::Nr],
    }
}

#[test]
fn every_index_reads_inside_its_rats_range_and_intervals_join() {
    for kind in IndexKind::ALL {
        let mut previous_high = f32::NEG_INFINITY;
        for index in 0..=kind.last() {
            let IndexReading::Value {
                quantity,
                low,
                high,
                middle,
                censored,
            } = kind.decode(index)
            else {
                panic!("{kind} {index} has a value");
            };
            assert_eq!(low, previous_high, "{kind} {index}");
            assert!(low <= middle && middle <= high, "{kind} {index}");
            assert_eq!(censored == Censored::No, (1..kind.last()).contains(&index));
            assert_eq!(quantity, kind.quantity());
            for rat in rats(kind) {
                assert_eq!(
                    check(*rat, quantity, middle),
                    ReadingCheck::Valid,
                    "{kind} {index}"
                );
            }
            previous_high = high;
        }
        assert_eq!(previous_high, f32::INFINITY, "{kind}");
    }
}

#[test]
fn only_the_kinds_own_sentinel_is_unknown() {
    for kind in IndexKind::ALL {
        assert_eq!(kind.decode(kind.unknown()), IndexReading::Unknown);
        for index in [-1, kind.last() + 1, 256, i32::MAX, i32::MIN] {
            assert_eq!(
                kind.decode(index),
                IndexReading::OutOfRange,
                "{kind} {index}"
            );
        }
    }
    assert_eq!(IndexKind::Csq.decode(255), IndexReading::OutOfRange);
    assert_eq!(IndexKind::CesqRsrp.decode(99), IndexReading::OutOfRange);
}

/// Edges as TS 27.007 states them.
#[test]
fn published_edges_are_met() {
    for (kind, index, expected) in [
        (IndexKind::Csq, 0, -113.0),
        (IndexKind::Csq, 1, -111.0),
        (IndexKind::Csq, 30, -53.0),
        (IndexKind::Csq, 31, -51.0),
        (IndexKind::CesqRxlev, 63, -48.0),
        (IndexKind::CesqRscp, 96, -25.0),
        (IndexKind::CesqEcno, 49, 0.0),
        (IndexKind::CesqRsrq, 34, -3.0),
        (IndexKind::CesqRsrq, 1, -19.25),
        (IndexKind::CesqRsrp, 97, -44.0),
        (IndexKind::CesqRsrp, 1, -139.5),
        (IndexKind::CesqSsRsrp, 126, -31.0),
        (IndexKind::CesqSsSinr, 127, 40.0),
    ] {
        let IndexReading::Value { middle, .. } = kind.decode(index) else {
            panic!("{kind} {index} has a value");
        };
        assert_eq!(middle, expected, "{kind} {index}");
    }
}

proptest::proptest! {
    #[test]
    fn an_encoded_value_decodes_to_an_interval_that_holds_it(
        kind in proptest::sample::select(IndexKind::ALL.to_vec()),
        value in -170.0f32..60.0,
    ) {
        let IndexReading::Value { low, high, .. } = kind.decode(kind.encode(value)) else {
            panic!("{kind} encodes to an index with a value");
        };
        proptest::prop_assert!(low <= value && value < high, "{kind} {value}: [{low}, {high})");
    }
}
