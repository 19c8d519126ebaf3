//! What changes with the hour: power, place, release, radio conditions, service and sales.

use schemas::causes::CauseClass;

use super::{Context, DAY_MS, HOUR_MS, NEVER, State};
use crate::dice;
use crate::radio::{failure_probability, sinr_db};
use crate::schedule::{LOAD_BY_HOUR, MERCHANT_KINDS};
use crate::world::{Access, Effect, Terminal};

/// Part of the radio's failures that comes as absences of service, minutes long; the rest strikes single attempts.
const ABSENCE_SHARE: f64 = 0.5;
/// Mean length of an absence.
const ABSENCE_MS: f64 = 7.0 * 60_000.0;
/// 1970 began on a Thursday; weeks here begin on Monday.
const HOURS_BEFORE_1970: i64 = 3 * 24;
/// Mean time between unplanned boots.
const UNPLANNED_BOOT_HOURS: f64 = 40.0 * 24.0;

const POWER_ON: u8 = 0;
const WATCHDOG: u8 = 1;
const SOFTWARE_UPDATE: u8 = 3;
const NO_SERVICE: u8 = 0;
const BEARER_LOST: u8 = 1;
const POWER_OFF: u8 = 2;

impl State {
    /// Looks at the clock once an hour; everything random is drawn anew, as it has no memory.
    pub(super) fn begin_hour(&mut self, context: &mut Context<'_>, at_ms: i64) {
        self.next_hour_ms = at_ms + HOUR_MS;
        let world = context.world;
        let terminal = &world.terminals[self.index as usize];
        let kind = world.merchant_of(terminal).kind;
        let local_ms = at_ms + context.zone_offsets_ms[usize::from(terminal.time_zone)];
        let hour_of_week =
            ((local_ms.div_euclid(HOUR_MS) + HOURS_BEFORE_1970).rem_euclid(168)) as usize;
        self.apply_plants(context, terminal, at_ms);
        self.switch_power(terminal, kind, hour_of_week, at_ms);
        if !self.powered {
            self.next_sale_ms = NEVER;
            return;
        }
        self.feel_radio(context, terminal, LOAD_BY_HOUR[hour_of_week % 24], at_ms);
        self.draw_absence(context, terminal, at_ms);
        let hourly = context.schedule.share(kind, hour_of_week)
            * context.fleet.sales_per_day
            * f64::from(terminal.activity);
        self.sales_per_ms = hourly / HOUR_MS as f64;
        self.draw_next_sale(at_ms);
    }

    /// Draws the next sale of this hour; the next hour draws its own.
    pub(super) fn draw_next_sale(&mut self, after_ms: i64) {
        self.next_sale_ms = NEVER;
        if self.sales_per_ms > 0.0 {
            let wait_ms = self
                .dice
                .exponential(1.0 / self.sales_per_ms)
                .min(DAY_MS as f64);
            let sale_ms = after_ms + wait_ms as i64;
            if sale_ms < self.next_hour_ms {
                self.next_sale_ms = sale_ms;
            }
        }
    }

    fn apply_plants(&mut self, context: &Context<'_>, terminal: &Terminal, at_ms: i64) {
        let (mut place, mut release) = (self.index, None);
        for (at, effect) in context.world.plants_at(terminal, at_ms) {
            match effect {
                Effect::Moved { to, .. } => place = *to,
                Effect::Release { .. } => release = Some(at as u16),
                _ => {}
            }
        }
        if place != self.place {
            self.place = place;
            self.boot(at_ms, POWER_ON);
        }
        if release != self.release {
            self.release = release;
            self.boot(at_ms, SOFTWARE_UPDATE);
        }
    }

    fn boot(&mut self, at_ms: i64, reason: u8) {
        self.boot += 1;
        self.seq = 0;
        self.booted_ms = at_ms;
        self.reboot_reason = reason;
    }

    /// Terminals on battery are switched off after closing.
    fn switch_power(&mut self, terminal: &Terminal, kind: u8, hour_of_week: usize, at_ms: i64) {
        let shop = &MERCHANT_KINDS[usize::from(kind)];
        let wanted = !terminal.model().battery || shop.is_open(hour_of_week);
        if wanted && !self.powered {
            self.boot(at_ms, POWER_ON);
            self.disconnect_reason = Some(POWER_OFF);
            self.next_heartbeat_ms = at_ms + 5_000 + (self.dice.unit() * 600_000.0) as i64;
        } else if wanted && self.dice.chance(1.0 / UNPLANNED_BOOT_HOURS) {
            self.boot(at_ms, WATCHDOG);
        } else if !wanted && self.powered {
            self.retry_ms = NEVER;
        }
        self.powered = wanted;
    }

    fn feel_radio(&mut self, context: &Context<'_>, terminal: &Terminal, load: f32, at_ms: i64) {
        if terminal.access != Access::Cellular {
            return;
        }
        let world = context.world;
        let place = &world.terminals[self.place as usize];
        let load = f64::from(load);
        let weather_db = 1.2
            * dice::normal(dice::hash(&[
                world.seed,
                u64::from(self.index),
                at_ms.div_euclid(HOUR_MS) as u64,
            ]));
        let sound_dbm = f64::from(place.levels[usize::from(terminal.carrier)]) / 10.0 + weather_db;
        let other_dbm = f64::from(place.other_level) / 10.0;
        let weakened_db = world.attenuation_db(terminal, terminal.carrier, at_ms);
        let failure = |dimmed_db: f64| {
            let level_dbm = sound_dbm - dimmed_db;
            let sinr = sinr_db(level_dbm, other_dbm - dimmed_db, load);
            (
                level_dbm,
                sinr,
                failure_probability(terminal.rat, level_dbm, sinr, load),
            )
        };
        let (level_dbm, sinr, probability) = failure(weakened_db);
        let (_, _, sound_probability) = failure(0.0);
        // A fault's multiplier says what comes of its antenna; the loss only shows.
        self.now.level_dbm = level_dbm - world.antenna_loss_db(terminal, at_ms);
        self.now.sinr_db = sinr;
        self.now.load = load;
        self.radio_failure = probability as f32;
        self.planted_failure_share = (1.0 - sound_probability / probability).max(0.0) as f32;
    }

    /// Draws the hour's absence of service, planted or not; one that is running goes on.
    fn draw_absence(&mut self, context: &Context<'_>, terminal: &Terminal, at_ms: i64) {
        if terminal.access != Access::Cellular {
            return;
        }
        if let Some((plant, start_ms, end_ms)) = planted_absence(context, terminal, at_ms) {
            self.begin_absence(start_ms.max(at_ms), end_ms, CauseClass::TechnicalFault);
            self.outage_plant = Some(plant);
            return;
        }
        if self.outage_end_ms != NEVER {
            return;
        }
        let absent_share = ABSENCE_SHARE * f64::from(self.radio_failure);
        let per_hour = absent_share / (1.0 - absent_share) * HOUR_MS as f64 / ABSENCE_MS;
        if self.dice.chance(1.0 - (-per_hour).exp()) {
            let start_ms = at_ms + (self.dice.unit() * HOUR_MS as f64) as i64;
            let length_ms = self
                .dice
                .exponential(ABSENCE_MS)
                .clamp(5_000.0, 4.0 * HOUR_MS as f64);
            let planted = self.dice.chance(f64::from(self.planted_failure_share));
            let cause = if planted {
                CauseClass::Geography
            } else {
                CauseClass::Signal
            };
            self.begin_absence(start_ms, start_ms + length_ms as i64, cause);
        }
    }

    fn begin_absence(&mut self, start_ms: i64, end_ms: i64, cause: CauseClass) {
        // A planted absence may swallow one that is running.
        self.outage_start_ms = self.outage_start_ms.min(start_ms);
        self.outage_end_ms = end_ms;
        self.outage_cause = cause;
        self.outage_plant = None;
        let lost_bearer = self.dice.chance(0.3);
        self.disconnect_reason = Some(if lost_bearer { BEARER_LOST } else { NO_SERVICE });
    }
}

/// The carrier outage that overlaps the coming hour, if any.
fn planted_absence(
    context: &Context<'_>,
    terminal: &Terminal,
    at_ms: i64,
) -> Option<(u16, i64, i64)> {
    terminal.plants().find_map(|at| {
        let plant = &context.world.plants[at];
        let overlaps = plant.from_ms < at_ms + HOUR_MS && at_ms < plant.to_ms;
        let absent = matches!(plant.effect, Effect::NoService);
        (absent && overlaps).then_some((at as u16, plant.from_ms, plant.to_ms))
    })
}
