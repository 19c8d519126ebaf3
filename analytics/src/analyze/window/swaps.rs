//! Devices swapped under one terminal id: which one stands there now, and since when.
//!
//! A swap is told by an intervention of the kind `replace`, or by another model. The new device starts a
//! verdict of its own: what its predecessor failed is no evidence against it.

use std::collections::HashMap;

use chrono::NaiveDate;
use schemas::interventions::InterventionKind;

use super::effects::Treated;

/// The days on which terminals were replaced, sorted, by terminal.
#[derive(Debug, Default)]
pub(super) struct Replaced(HashMap<String, Vec<NaiveDate>>);

impl Replaced {
    /// Takes the replacements out of what was done.
    pub(super) fn of(treated: &[Treated]) -> Self {
        let mut days: HashMap<String, Vec<NaiveDate>> = HashMap::new();
        let replacements = treated
            .iter()
            .filter(|one| one.kind == InterventionKind::Replace);
        for one in replacements {
            for terminal in &one.terminals {
                days.entry(terminal.clone()).or_default().push(one.start);
            }
        }
        for of_terminal in days.values_mut() {
            of_terminal.sort_unstable();
            of_terminal.dedup();
        }
        Self(days)
    }

    /// Returns how often a terminal had been replaced before a day; the day itself is still the old one's.
    pub(super) fn before(&self, terminal: &str, day: NaiveDate) -> u16 {
        let days = self.0.get(terminal).map_or(&[][..], Vec::as_slice);
        let done = days.iter().filter(|done| **done < day).count();
        u16::try_from(done).unwrap_or(u16::MAX)
    }
}

/// A device that stood under a terminal's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Device<'c> {
    /// How often the terminal had been replaced.
    pub(super) replaced: u16,
    /// Its model; `?` where events do not say, which is the model of the others then.
    pub(super) model: &'c str,
    pub(super) first: NaiveDate,
    pub(super) last: NaiveDate,
}

/// The device that stands there now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Current<'c> {
    replaced: u16,
    model: &'c str,
    /// Its first day, if another device stood there before.
    pub(super) since: Option<NaiveDate>,
}

impl<'c> Current<'c> {
    /// Tells from the devices of one terminal, in any order, which stands there now: that after the last
    /// replacement, and of its models the one seen last.
    pub(super) fn of(devices: &[Device<'c>]) -> Option<Self> {
        let mut merged: Vec<Device<'c>> = Vec::new();
        for device in devices {
            let same = merged
                .iter_mut()
                .find(|known| (known.replaced, known.model) == (device.replaced, device.model));
            match same {
                Some(known) => {
                    known.first = known.first.min(device.first);
                    known.last = known.last.max(device.last);
                }
                None => merged.push(*device),
            }
        }
        let rank = |device: &&Device<'c>| {
            let is_told = device.model != UNKNOWN;
            (
                device.replaced,
                is_told,
                device.last,
                device.first,
                device.model,
            )
        };
        let current = *merged.iter().max_by_key(rank)?;
        let is_other = |device: &Device<'c>| {
            device.replaced != current.replaced
                || device.model != UNKNOWN && device.model != current.model
        };
        Some(Self {
            replaced: current.replaced,
            model: current.model,
            since: merged.iter().any(is_other).then_some(current.first),
        })
    }

    /// Tells whether counts are this device's.
    pub(super) fn is(&self, replaced: u16, model: &str) -> bool {
        self.replaced == replaced && (model == self.model || model == UNKNOWN)
    }
}

/// A model that events do not say.
const UNKNOWN: &str = "?";

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 9, number).expect("a date")
    }

    fn device(replaced: u16, model: &str, first: u32, last: u32) -> Device<'_> {
        Device {
            replaced,
            model,
            first: day(first),
            last: day(last),
        }
    }

    #[test]
    fn another_model_starts_anew_in_any_order_of_rows() {
        let old = device(0, "A", 1, 9);
        let new = [device(0, "B", 9, 12), device(0, "B", 11, 20)];
        for devices in [[old, new[0], new[1]], [new[1], old, new[0]]] {
            let current = Current::of(&devices).expect("a device");
            assert_eq!(current.since, Some(day(9)));
            assert!(current.is(0, "B") && !current.is(0, "A"));
        }
    }

    #[test]
    fn a_replacement_by_the_same_model_starts_anew_and_silence_on_the_model_does_not() {
        let current = Current::of(&[device(0, "A", 1, 9), device(1, "A", 10, 20)]);
        let current = current.expect("a device");
        assert_eq!(current.since, Some(day(10)));
        assert!(current.is(1, "?") && !current.is(0, "A"));
        let quiet = Current::of(&[device(0, "A", 1, 9), device(0, "?", 10, 20)]);
        assert_eq!(quiet.expect("a device").since, None);
        assert_eq!(Current::of(&[]), None);
    }

    #[test]
    fn the_day_of_a_replacement_is_the_old_device_s() {
        let replaced = Replaced(HashMap::from([("t".to_owned(), vec![day(4), day(8)])]));
        let before = [4, 5, 8, 9].map(|number| replaced.before("t", day(number)));
        assert_eq!(before, [0, 1, 1, 2]);
        assert_eq!(replaced.before("other", day(9)), 0);
    }
}
