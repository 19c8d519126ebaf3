//! What a terminal's modem shows: noise, bias, rounding, indices and marks for "unknown".

use schemas::radio::{IndexKind, Quantity, Rat, strength_quantity, valid_range};

use crate::catalog::{Model, SignalStyle};
use crate::dice::Dice;
use crate::radio::{rsrq_db, strength_offset_db};
use crate::row::SignalRow;

/// The true radio conditions at a terminal.
#[derive(Debug, Clone, Copy)]
pub struct Conditions {
    /// Level of an LTE reference signal, dBm.
    pub level_dbm: f64,
    /// Signal to interference and noise, dB.
    pub sinr_db: f64,
    /// Load of the network, 0 to 1.
    pub load: f64,
}

/// Marks for "unknown" that firmwares write into dBm and dB fields; the last is Android's.
const SENTINELS: [f32; 3] = [99.0, 255.0, 2_147_483_647.0];

/// Draws one reading.
pub fn reading(dice: &mut Dice, model: &Model, rat: Rat, now: Conditions) -> SignalRow {
    let strength_dbm = strength(dice, model, rat, now);
    let quality_db = rsrq_db(now.sinr_db, now.load) + dice.normal();
    let sinr_db = now.sinr_db + 1.5 * dice.normal();
    let mut row = empty(rat);
    match rat {
        Rat::Gsm => row.rssi_dbm = within(rat, Quantity::Rssi, strength_dbm),
        Rat::Umts => {
            row.rscp_dbm = within(rat, Quantity::Rscp, strength_dbm);
            row.ecno_db = within(rat, Quantity::Ecno, halves(quality_db + 4.0));
        }
        Rat::Lte | Rat::Nr | Rat::Nbiot | Rat::Ltem => {
            row.rsrp_dbm = within(rat, Quantity::Rsrp, strength_dbm);
            row.rsrq_db = within(rat, Quantity::Rsrq, halves(quality_db));
            row.sinr_db = within(rat, Quantity::Sinr, sinr_db.round());
            row.rssi_dbm = within(rat, Quantity::Rssi, strength_dbm + 27.0);
        }
    }
    match model.style {
        SignalStyle::Values => {}
        SignalStyle::Csq => only_csq(&mut row, rat, strength_dbm),
        SignalStyle::Cesq => only_cesq(&mut row, rat, strength_dbm),
    }
    if dice.chance(model.sentinel_share) {
        blank(dice, &mut row);
    }
    row
}

/// Draws the strength alone, as a decline quotes it; `None` outside what the modem can show.
pub fn quoted_strength(dice: &mut Dice, model: &Model, rat: Rat, now: Conditions) -> Option<f32> {
    let shown = within(rat, strength_quantity(rat), strength(dice, model, rat, now));
    shown.is_finite().then_some(shown)
}

fn strength(dice: &mut Dice, model: &Model, rat: Rat, now: Conditions) -> f64 {
    let shown = now.level_dbm + strength_offset_db(rat) + model.bias_db;
    (shown + model.noise_db * dice.normal()).round()
}

fn empty(rat: Rat) -> SignalRow {
    SignalRow {
        rat,
        rssi_dbm: f32::NAN,
        rscp_dbm: f32::NAN,
        ecno_db: f32::NAN,
        rsrp_dbm: f32::NAN,
        rsrq_db: f32::NAN,
        sinr_db: f32::NAN,
        raw: None,
        neighbours: [None; 3],
    }
}

/// A modem shows nothing beyond its range.
fn within(rat: Rat, quantity: Quantity, value: f64) -> f32 {
    let value = value as f32;
    match valid_range(rat, quantity) {
        Some(range) if range.contains(&value) => value,
        _ => f32::NAN,
    }
}

fn halves(value: f64) -> f64 {
    (value * 2.0).round() / 2.0
}

fn only_csq(row: &mut SignalRow, rat: Rat, strength_dbm: f64) {
    let wide_db = if rat == Rat::Gsm { 0.0 } else { 27.0 };
    let index = IndexKind::Csq.encode((strength_dbm + wide_db) as f32);
    *row = empty(rat);
    row.raw = Some((IndexKind::Csq, index as i16));
}

/// The strength goes into the index; quality stays a value.
fn only_cesq(row: &mut SignalRow, rat: Rat, strength_dbm: f64) {
    let kind = match rat {
        Rat::Gsm => IndexKind::CesqRxlev,
        Rat::Umts => IndexKind::CesqRscp,
        Rat::Lte | Rat::Nbiot | Rat::Ltem => IndexKind::CesqRsrp,
        Rat::Nr => IndexKind::CesqSsRsrp,
    };
    row.raw = Some((kind, kind.encode(strength_dbm as f32) as i16));
    (row.rssi_dbm, row.rscp_dbm, row.rsrp_dbm) = (f32::NAN, f32::NAN, f32::NAN);
}

/// Writes "unknown" where a value should be.
fn blank(dice: &mut Dice, row: &mut SignalRow) {
    let mark = SENTINELS[dice.index(SENTINELS.len())];
    match &mut row.raw {
        Some((kind, index)) => *index = kind.unknown() as i16,
        None => match row.rat {
            Rat::Gsm => row.rssi_dbm = mark,
            Rat::Umts => row.rscp_dbm = mark,
            Rat::Lte | Rat::Nr | Rat::Nbiot | Rat::Ltem if dice.chance(0.5) => row.sinr_db = mark,
            Rat::Lte | Rat::Nr | Rat::Nbiot | Rat::Ltem => row.rsrp_dbm = mark,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::MODELS;

    #[test]
    fn values_are_valid_or_marks_for_unknown() {
        let mut dice = Dice::new(&[3]);
        for model in MODELS {
            for rat in Rat::ALL {
                for level in -145..-50 {
                    let now = Conditions {
                        level_dbm: f64::from(level),
                        sinr_db: f64::from(level + 110).clamp(-20.0, 30.0),
                        load: 0.5,
                    };
                    let row = reading(&mut dice, model, rat, now);
                    for (quantity, value) in [
                        (Quantity::Rssi, row.rssi_dbm),
                        (Quantity::Rscp, row.rscp_dbm),
                        (Quantity::Ecno, row.ecno_db),
                        (Quantity::Rsrp, row.rsrp_dbm),
                        (Quantity::Rsrq, row.rsrq_db),
                        (Quantity::Sinr, row.sinr_db),
                    ] {
                        if !value.is_nan() {
                            let verdict = schemas::radio::check(rat, quantity, value);
                            assert_ne!(
                                verdict,
                                schemas::radio::ReadingCheck::OutOfRange,
                                "{rat} {quantity} {value}"
                            );
                        }
                    }
                }
            }
        }
    }
}
