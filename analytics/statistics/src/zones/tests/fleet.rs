//! A made-up fleet: shops round streets, terminals that differ, and what is planted.

use h3o::{CellIndex, LatLng, Resolution};

use super::super::PlaceCounts;
use crate::rng::Stream;
use crate::special::normal_quantile;

pub(super) const CARRIERS: [&str; 3] = ["001-01", "001-02", "001-03"];
const KM_PER_DEGREE: f64 = 111.2;
const LAT: f64 = 41.0;
/// Share of the shops at each circle.
const CIRCLE_SHARE: f64 = 0.065;

/// A circle where carriers fail.
#[derive(Clone, Copy)]
pub(super) struct Circle {
    pub(super) carriers: &'static [usize],
    pub(super) east_km: f64,
    pub(super) north_km: f64,
    pub(super) radius_km: f64,
    pub(super) rate: f64,
    pub(super) is_weak: bool,
}

pub(super) struct Made {
    pub(super) cell: CellIndex,
    pub(super) east_km: f64,
    pub(super) north_km: f64,
    pub(super) carrier: usize,
    pub(super) terminal: String,
    pub(super) merchant: String,
    pub(super) model: String,
    rat: &'static str,
    pub(super) attempts: u64,
    pub(super) failures: u64,
    readings: u64,
    weak_readings: u64,
    days: u32,
    quarters: [[u64; 4]; 2],
}

pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) terminals: usize,
    pub(super) streets: u64,
    pub(super) days: u32,
    /// Standard deviation of the log odds of terminals, and of cells.
    pub(super) terminal_sd: f64,
    pub(super) cell_sd: f64,
    pub(super) circles: Vec<Circle>,
}

impl Plan {
    pub(super) fn null(seed: u64) -> Self {
        Self {
            seed,
            terminals: 1200,
            streets: 40,
            days: 21,
            terminal_sd: 0.6,
            cell_sd: 0.3,
            circles: Vec::new(),
        }
    }
}

fn normal(stream: &mut Stream) -> f64 {
    normal_quantile(stream.uniform())
}

pub(super) fn cell_at(east_km: f64, north_km: f64) -> CellIndex {
    let lon = 2.0 + east_km / (KM_PER_DEGREE * LAT.to_radians().cos());
    LatLng::new(LAT + north_km / KM_PER_DEGREE, lon)
        .expect("a place")
        .to_cell(Resolution::Eight)
}

impl Circle {
    pub(super) fn holds(&self, made: &Made) -> bool {
        self.carriers.contains(&made.carrier) && self.reaches(made)
    }

    pub(super) fn reaches(&self, made: &Made) -> bool {
        (made.east_km - self.east_km).hypot(made.north_km - self.north_km) <= self.radius_km
    }
}

/// Makes the terminals. Circles are planted where shops are many, as anyone would look for them.
pub(super) fn make(plan: &Plan) -> Vec<Made> {
    let mut stream = Stream::new(plan.seed, 1);
    let mut fleet = Vec::new();
    let mut shop = 0;
    while fleet.len() < plan.terminals {
        let (east_km, north_km) = place(plan, &mut stream);
        let units = 1 + stream.below(3).min(stream.below(3));
        for _ in 0..units {
            fleet.push(terminal(
                plan,
                &mut stream,
                (east_km, north_km),
                shop,
                fleet.len(),
            ));
        }
        shop += 1;
    }
    fleet
}

fn place(plan: &Plan, stream: &mut Stream) -> (f64, f64) {
    if !plan.circles.is_empty() && stream.uniform() < CIRCLE_SHARE * plan.circles.len() as f64 {
        let circle = plan.circles[stream.below(plan.circles.len() as u64) as usize];
        let mut away = || 0.7 * circle.radius_km * normal(stream);
        return (circle.east_km + away(), circle.north_km + away());
    }
    let mut street = Stream::new(plan.seed ^ 0x57ee, stream.below(plan.streets));
    let (east, north) = (street.uniform() * 40.0, street.uniform() * 40.0);
    let reach = if stream.uniform() < 0.7 { 0.6 } else { 4.0 };
    (
        east + reach * normal(stream),
        north + reach * normal(stream),
    )
}

fn terminal(
    plan: &Plan,
    stream: &mut Stream,
    (east_km, north_km): (f64, f64),
    shop: usize,
    number: usize,
) -> Made {
    let cell = cell_at(east_km, north_km);
    let model = stream.below(6);
    let carrier = stream.below(3) as usize;
    let mut made = Made {
        cell,
        east_km,
        north_km,
        carrier,
        terminal: format!("t{number:05}"),
        merchant: format!("m{shop:05}"),
        model: format!("model-{model}"),
        rat: if stream.uniform() < 0.8 { "lte" } else { "gsm" },
        attempts: 0,
        failures: 0,
        readings: 24 * u64::from(plan.days),
        weak_readings: 0,
        days: plan.days,
        quarters: [[0; 4]; 2],
    };
    let circle = plan.circles.iter().find(|circle| circle.holds(&made));
    let base: f64 = circle.map_or(0.03, |circle| circle.rate);
    let mut place = Stream::new(plan.seed ^ u64::from(cell), carrier as u64);
    let model_effect = [0.0, -0.3, 0.2, 0.4, -0.2, 0.0][model as usize];
    let logit = (base / (1.0 - base)).ln()
        + plan.terminal_sd * normal(stream)
        + plan.cell_sd * normal(&mut place)
        + model_effect;
    let weak = circle.is_some_and(|circle| circle.is_weak);
    made.weak_readings = stream.binomial(made.readings, if weak { 0.4 } else { 0.02 });
    let activity = 0.35 - 0.65 * stream.uniform().ln();
    add_attempts(&mut made, stream, 40.0 * activity.min(5.0), logit);
    made
}

fn add_attempts(made: &mut Made, stream: &mut Stream, per_day: f64, logit: f64) {
    let attempts = (per_day * f64::from(made.days)) as u64;
    for (quarter, share) in [0.1, 0.35, 0.4, 0.15].into_iter().enumerate() {
        let attempts = (attempts as f64 * share) as u64;
        let failures = stream.binomial(attempts, 1.0 / (1.0 + (-logit).exp()));
        made.quarters[0][quarter] = failures;
        made.quarters[1][quarter] = attempts;
        made.attempts += attempts;
        made.failures += failures;
    }
}

/// Replaces the failures of a terminal by those of a rate.
pub(super) fn fail_at(made: &mut Made, rate: f64, seed: u64) {
    let mut stream = Stream::new(seed, made.attempts);
    (made.attempts, made.failures) = (0, 0);
    for quarter in 0..4 {
        let attempts = made.quarters[1][quarter];
        made.quarters[0][quarter] = stream.binomial(attempts, rate);
        made.attempts += attempts;
        made.failures += made.quarters[0][quarter];
    }
}

/// A pocket: terminals taken out of a fleet and put into some cells, in turn.
pub(super) struct Pocket<'a> {
    pub(super) cells: &'a [CellIndex],
    pub(super) terminals: usize,
    pub(super) carrier: usize,
    pub(super) rate: f64,
    /// Standard deviation of the log odds of its terminals.
    pub(super) sd: f64,
}

impl Pocket<'_> {
    /// Moves the terminals `from..` there; each is its own merchant's. Its signal is weak.
    pub(super) fn plant(&self, fleet: &mut [Made], from: usize, seed: u64) {
        let mut stream = Stream::new(seed, 77);
        let moved = &mut fleet[from..from + self.terminals];
        for (number, made) in moved.iter_mut().enumerate() {
            made.cell = self.cells[number % self.cells.len()];
            (made.carrier, made.merchant) = (self.carrier, format!("p{from}-{number}"));
            made.weak_readings = stream.binomial(made.readings, 0.4);
            let logit = (self.rate / (1.0 - self.rate)).ln() + self.sd * normal(&mut stream);
            fail_at(made, 1.0 / (1.0 + (-logit).exp()), seed + number as u64);
        }
    }
}

/// Gives a terminal so many attempts, none of which fails.
pub(super) fn work(made: &mut Made, attempts: u64) {
    let morning = attempts / 2;
    made.quarters = [[0; 4], [0, morning, attempts - morning, 0]];
    (made.attempts, made.failures) = (attempts, 0);
}

/// Makes the signal of a terminal good, or weak.
pub(super) fn hear(made: &mut Made, weak_share: f64, seed: u64) {
    made.weak_readings = Stream::new(seed, made.readings).binomial(made.readings, weak_share);
}

pub(super) fn rows(fleet: &[Made]) -> Vec<PlaceCounts<'_>> {
    let row = |made| {
        let &Made {
            cell,
            ref terminal,
            ref merchant,
            ref model,
            rat,
            ..
        } = made;
        PlaceCounts {
            cell,
            plmn: CARRIERS[made.carrier],
            terminal,
            merchant,
            model,
            rat,
            attempts: made.attempts,
            failures: made.failures,
            readings: made.readings,
            weak_readings: made.weak_readings,
            days: made.days,
            daypart_failures: made.quarters[0],
            daypart_attempts: made.quarters[1],
        }
    };
    fleet.iter().map(row).collect()
}
