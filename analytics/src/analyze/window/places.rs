//! The window's counts, as the methods take them.

use std::collections::HashMap;

use chrono::NaiveDate;
use rayon::prelude::*;
use statistics::proof::{ENOUGH_DAYS, Place};

use super::counted::{Counted, DayCounts, NONE, Seat};
use super::effects::Treated;
use super::swaps::Replaced;
use crate::analyze::AnalyzeError;
use crate::session::LakeSession;

/// Every place of the window, in the order of cell, carrier and terminal.
#[derive(Debug)]
pub(super) struct Places<'c>(
    pub(super) Vec<Place<'c>>,
    /// Since when the device of a terminal stands there, if another one did before.
    pub(super) HashMap<&'c str, NaiveDate>,
);

impl<'c> Places<'c> {
    /// Returns the places that were counted; one without attempt and reading says nothing.
    pub(super) fn of(counted: &'c Counted) -> Self {
        let text = |number| counted.texts.text(number);
        let current = counted.current();
        let names = (0..).map(|terminal| counted.terminals.text(terminal));
        let since = names
            .zip(&current)
            .filter_map(|(name, device)| Some((name, (*device)?.since?)))
            .collect();
        let mut places: Vec<Place<'c>> = Vec::with_capacity(counted.seats.len());
        for seat in &counted.seats {
            let terminal = counted.terminals.text(seat.terminal);
            let is_known = |number: &u32| *number != NONE;
            // An attempt whose heartbeat was lost is still one when it failed.
            let attempts = seat.attempts.saturating_sub(seat.outage_failures);
            let attempts = attempts.max(seat.failures);
            let worst = match seat.days {
                0..ENOUGH_DAYS => DayCounts::default(),
                _ => seat.worst_day,
            };
            let usual_failures = seat.failures.saturating_sub(worst.failures);
            let usual_attempts = attempts.saturating_sub(worst.attempts);
            let device = current[seat.terminal as usize];
            let place = Place {
                cell: seat.cell,
                plmn: text(seat.plmn),
                terminal,
                // A terminal of nobody's stands for a merchant of its own.
                merchant: Some(seat.merchant).filter(is_known).map_or(terminal, text),
                model: text(seat.model),
                firmware: Some(seat.firmware).filter(is_known).map(text),
                device: text(seat.device),
                rat: text(seat.rat),
                stratum: text(seat.stratum),
                attempts,
                failures: seat.failures,
                usual_attempts: usual_attempts.max(usual_failures),
                usual_failures,
                pairs_of_days: seat.pairs_of_days,
                readings: seat.readings,
                weak_readings: seat.weak_readings,
                signal: signal_class(seat),
                days: seat.days,
                replaced: seat.replaced,
                is_current: device.is_none_or(|device| device.is(seat.replaced, text(seat.model))),
                daypart_attempts: std::array::from_fn(|part| {
                    seat.daypart_attempts[part].max(seat.daypart_failures[part])
                }),
                daypart_failures: seat.daypart_failures,
            };
            if seat.attempts > 0 || place.failures > 0 || place.readings > 0 {
                places.push(place);
            }
        }
        places.par_sort_unstable_by(|one, other| rank(one).cmp(&rank(other)));
        Self(places, since)
    }
}

/// Mean strength that ends each class, in steps of 10 dB below -80 dBm.
///
/// From where failures begin to depend on strength they are narrow.
const CLASS_ENDS: [f64; 6] = [1.0, 2.0, 2.5, 3.0, 3.5, 4.0];

/// Numbers what a seat hears: readings of one radio technology about as strong.
///
/// dBm of one technology are not those of another, so each has classes of its own.
fn signal_class(seat: &Seat) -> u32 {
    const CLASSES: u32 = CLASS_ENDS.len() as u32 + 2;
    let class = match seat.readings {
        0 => CLASSES - 1,
        readings => {
            let mean = f64::from(seat.strength_steps) / f64::from(readings);
            CLASS_ENDS.iter().filter(|end| mean >= **end).count() as u32
        }
    };
    seat.rat * CLASSES + class
}

fn rank<'c>(place: &Place<'c>) -> impl Ord + use<'c> {
    let firmware = (place.firmware.is_none(), place.firmware);
    (
        place.cell,
        place.plmn,
        place.terminal,
        place.model,
        firmware,
        place.rat,
        place.replaced,
    )
}

/// Reads what the places of the window counted.
pub(super) async fn read(
    lake: &LakeSession,
    from: NaiveDate,
    to: NaiveDate,
    treated: &[Treated],
) -> Result<Counted, AnalyzeError> {
    let mut counted = Counted::new(Replaced::of(treated));
    for day in from.iter_days().take_while(|day| *day <= to) {
        counted.take(lake, day).await?;
    }
    counted.end();
    Ok(counted)
}
