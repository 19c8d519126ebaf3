//! The window's counts, as the methods take them.

use chrono::NaiveDate;
use h3o::CellIndex;
use rayon::prelude::*;

use super::counted::{Counted, DayCounts, NONE, Seat};
use super::effects;
use super::swaps::Replaced;
use crate::analyze::AnalyzeError;
use crate::session::LakeSession;

/// From so many days on the worst one is left out where a terminal is judged.
const ENOUGH_DAYS: u32 = 4;

/// One terminal at one cell over one carrier and RAT.
#[derive(Debug, Clone)]
pub(super) struct Place<'c> {
    pub(super) cell: CellIndex,
    pub(super) plmn: &'c str,
    pub(super) terminal: &'c str,
    pub(super) merchant: &'c str,
    pub(super) model: &'c str,
    pub(super) firmware: Option<&'c str>,
    /// Model and firmware together.
    pub(super) device: &'c str,
    pub(super) rat: &'c str,
    /// How often the terminal had been replaced.
    replaced: u16,
    /// Cell and carrier together.
    pub(super) stratum: &'c str,
    pub(super) attempts: u32,
    pub(super) failures: u32,
    /// The same without the day that has most failures.
    pub(super) usual_attempts: u32,
    pub(super) usual_failures: u32,
    pub(super) readings: u32,
    pub(super) weak_readings: u32,
    /// Class of radio technology and strength.
    pub(super) signal: u32,
    pub(super) days: u32,
    /// Whether these are counts of the device that stands there now.
    pub(super) is_current: bool,
    /// Since when it does, if another one did before.
    pub(super) device_since: Option<NaiveDate>,
    pub(super) daypart_attempts: [u32; 4],
    pub(super) daypart_failures: [u32; 4],
}

/// Every place of the window, in the order of cell, carrier and terminal.
#[derive(Debug)]
pub(super) struct Places<'c>(pub(super) Vec<Place<'c>>);

impl<'c> Places<'c> {
    /// Returns the places that were counted; one without attempt and reading says nothing.
    pub(super) fn of(counted: &'c Counted) -> Self {
        let text = |number| counted.texts.text(number);
        let current = counted.current();
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
                replaced: seat.replaced,
                stratum: text(seat.stratum),
                attempts,
                failures: seat.failures,
                usual_attempts: usual_attempts.max(usual_failures),
                usual_failures,
                readings: seat.readings,
                weak_readings: seat.weak_readings,
                signal: signal_class(seat),
                days: seat.days,
                is_current: device.is_none_or(|device| device.is(seat.replaced, text(seat.model))),
                device_since: device.and_then(|device| device.since),
                daypart_attempts: std::array::from_fn(|part| {
                    seat.daypart_attempts[part].max(seat.daypart_failures[part])
                }),
                daypart_failures: seat.daypart_failures,
            };
            if seat.attempts > 0 || place.failures > 0 || place.readings > 0 {
                places.push(place);
            }
        }
        places.par_sort_unstable_by(|one, other| one.rank().cmp(&other.rank()));
        Self(places)
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

impl<'c> Place<'c> {
    fn rank(&self) -> impl Ord + use<'c> {
        let firmware = (self.firmware.is_none(), self.firmware);
        (
            self.cell,
            self.plmn,
            self.terminal,
            self.model,
            firmware,
            self.rat,
            self.replaced,
        )
    }
}

/// Reads what the places of the window counted.
pub(super) async fn read(
    lake: &LakeSession,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Counted, AnalyzeError> {
    let treated = effects::treated(lake, from, to).await?;
    let mut counted = Counted::new(Replaced::of(&treated));
    for day in from.iter_days().take_while(|day| *day <= to) {
        counted.take(lake, day).await?;
    }
    counted.end();
    Ok(counted)
}
