//! Rows checked, numbered and added up to seats: one terminal at one merchant in one cell of one carrier.

use std::collections::HashSet;
use std::ops::AddAssign;

use h3o::CellIndex;
use rayon::prelude::*;

use super::{PlaceCounts, ZoneOptions, ZonesError, expected};
use crate::levels::Levels;

const MOST: u64 = 1 << 53;

/// Counts that add up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sums {
    pub(super) attempts: u64,
    pub(super) failures: u64,
    pub(super) expected: f64,
    pub(super) readings: u64,
    pub(super) weak_readings: u64,
    pub(super) daypart_failures: [u64; 4],
    pub(super) daypart_attempts: [u64; 4],
}

impl AddAssign<&Self> for Sums {
    fn add_assign(&mut self, other: &Self) {
        self.attempts += other.attempts;
        self.failures += other.failures;
        self.expected += other.expected;
        self.readings += other.readings;
        self.weak_readings += other.weak_readings;
        for part in 0..4 {
            self.daypart_failures[part] += other.daypart_failures[part];
            self.daypart_attempts[part] += other.daypart_attempts[part];
        }
    }
}

/// One terminal in one cell of one carrier. Expected failures are not yet scaled to the carrier.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seat {
    pub(super) cell: CellIndex,
    pub(super) plmn: u32,
    pub(super) terminal: u32,
    pub(super) merchant: u32,
    pub(super) days: u32,
    pub(super) sums: Sums,
}

impl Seat {
    fn key(&self) -> (u32, CellIndex, u32, u32) {
        (self.plmn, self.cell, self.terminal, self.merchant)
    }
}

/// All seats, sorted by carrier, cell, terminal and merchant.
pub(super) struct Fleet<'a> {
    pub(super) plmns: Vec<&'a str>,
    pub(super) seats: Vec<Seat>,
    /// Whether expected failures exist: neither no attempt failed, nor all did.
    pub(super) has_rates: bool,
    /// Distinct terminals that were left out.
    pub(super) flagged: usize,
}

impl<'a> Fleet<'a> {
    /// Takes the rows, of which it keeps nothing: there may be millions.
    pub(super) fn of(mut rows: Vec<PlaceCounts<'a>>, flagged: &[&str]) -> Self {
        let flagged: HashSet<&str> = flagged.iter().copied().collect();
        let mut left_out: HashSet<&str> = HashSet::new();
        rows.retain(|row| {
            let is_out = flagged.contains(row.terminal);
            if is_out {
                left_out.insert(row.terminal);
            }
            !is_out
        });
        rows.par_sort_unstable_by_key(sort_key);
        let plmns = Levels::of(rows.iter().map(|row| row.plmn));
        let terminals = Levels::of(rows.iter().map(|row| row.terminal));
        let merchants = Levels::of(rows.iter().map(|row| row.merchant));
        let rates = expected::rates_without_place(&rows, &plmns);
        let mut seats: Vec<Seat> = (0..rows.len())
            .into_par_iter()
            .map(|at| Seat {
                cell: rows[at].cell,
                plmn: plmns.of_row[at],
                terminal: terminals.of_row[at],
                merchant: merchants.of_row[at],
                days: rows[at].days,
                sums: sums(&rows[at], rates.as_ref().map_or(0.0, |rates| rates[at])),
            })
            .collect();
        seats.par_sort_by_key(Seat::key);
        seats.dedup_by(|next, kept| {
            let same = next.key() == kept.key();
            if same {
                kept.sums += &next.sums;
                kept.days = kept.days.max(next.days);
            }
            same
        });
        Self {
            plmns: plmns.names,
            seats,
            has_rates: rates.is_some(),
            flagged: left_out.len(),
        }
    }
}

impl Fleet<'_> {
    /// Seats of a carrier in a cell.
    pub(super) fn seats_of(&self, plmn: u32, cell: CellIndex) -> impl Iterator<Item = &Seat> {
        let key = move |seat: &Seat| (seat.plmn, seat.cell);
        let from = self.seats.partition_point(|seat| key(seat) < (plmn, cell));
        let same = self.seats[from..].iter();
        same.take_while(move |seat| key(seat) == (plmn, cell))
    }
}

fn sort_key<'r>(row: &PlaceCounts<'r>) -> impl Ord + use<'r> {
    let names = (row.terminal, row.merchant, row.model, row.rat);
    let counts = (row.attempts, row.failures, row.readings, row.weak_readings);
    let dayparts = (row.days, row.daypart_failures, row.daypart_attempts);
    (row.plmn, row.cell, names, counts, dayparts)
}

fn sums(row: &PlaceCounts<'_>, rate: f64) -> Sums {
    Sums {
        attempts: row.attempts,
        failures: row.failures,
        expected: row.attempts as f64 * rate,
        readings: row.readings,
        weak_readings: row.weak_readings,
        daypart_failures: row.daypart_failures,
        daypart_attempts: row.daypart_attempts,
    }
}

/// Refuses rows and options that mean nothing.
pub(super) fn check(rows: &[PlaceCounts<'_>], options: &ZoneOptions) -> Result<(), ZonesError> {
    check_options(options)?;
    let mut total = 0_u64;
    for row in rows {
        let pairs = [
            ("failures", row.failures, row.attempts),
            ("weak readings", row.weak_readings, row.readings),
        ];
        let quarters = (0..4).map(|part| {
            let (failures, attempts) = (row.daypart_failures[part], row.daypart_attempts[part]);
            ("failures of a quarter of the day", failures, attempts)
        });
        for (what, part, whole) in pairs.into_iter().chain(quarters) {
            if part > whole {
                return Err(ZonesError::PartAboveWhole {
                    terminal: row.terminal.to_owned(),
                    cell: row.cell,
                    what,
                    part,
                    whole,
                });
            }
        }
        let quarters = row.daypart_attempts.iter();
        let more = quarters.fold(row.attempts.saturating_add(row.readings), |sum, count| {
            sum.saturating_add(*count)
        });
        total = total.saturating_add(more);
    }
    if total > MOST {
        return Err(ZonesError::TooMuch);
    }
    check_resolutions(rows)
}

fn check_resolutions(rows: &[PlaceCounts<'_>]) -> Result<(), ZonesError> {
    let Some(expected) = rows.first().map(|row| row.cell.resolution()) else {
        return Ok(());
    };
    match rows.iter().find(|row| row.cell.resolution() != expected) {
        None => Ok(()),
        Some(row) => Err(ZonesError::MixedResolutions {
            cell: row.cell,
            found: row.cell.resolution(),
            expected,
        }),
    }
}

fn check_options(options: &ZoneOptions) -> Result<(), ZonesError> {
    let fault = |option, value| Err(ZonesError::Option { option, value });
    if !(options.rate_ratio > 1.0 && options.rate_ratio.is_finite()) {
        return fault("rate_ratio", options.rate_ratio);
    }
    if !(options.q > 0.0 && options.q < 1.0) {
        return fault("q", options.q);
    }
    if !(0.0..=1.0).contains(&options.weak_share) {
        return fault("weak_share", options.weak_share);
    }
    Ok(())
}
