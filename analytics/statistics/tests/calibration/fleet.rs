//! Synthetic fleets at the level of a window's place counts.
//!
//! Nothing here is the law of the methods: terminals differ lastingly by lognormal odds, some of their
//! days are bad, a failure is often tried again at once and fails again, places differ by lognormal odds,
//! and weak signal comes with failures. Planted are bad terminals, one bad model and weak zones of one carrier.

use std::collections::{BTreeMap, BTreeSet};
use std::f64::consts::TAU;
use std::fmt;

use h3o::{CellIndex, LatLng, Resolution};
use statistics::proof::{ENOUGH_DAYS, Place, Proof};
use statistics::rng::Stream;
use statistics::zones::Zone;

use crate::tally::{Outcome, Verdicts};

const PLMNS: [(&str, f64); 3] = [("268-01", 0.45), ("268-03", 0.35), ("268-06", 0.20)];
const MODELS: [(&str, f64); 8] = [
    ("A 1", 0.25),
    ("A 2", 0.20),
    ("B 1", 0.15),
    ("B 2", 0.12),
    ("C 1", 0.10),
    ("D 1", 0.08),
    ("E 1", 0.06),
    ("F 1", 0.04),
];
const BAD_MODEL: usize = 3;
/// Failure rate of an ordinary terminal in an ordinary place.
const BASE_RATE: f64 = 0.008;
const TERMINALS_PER_CELL: f64 = 8.0;
const SALES_PER_DAY: f64 = 25.0;
const PLACE_SD: f64 = 0.5;
const TERMINAL_SD: f64 = 0.35;
/// Inside a weak zone, from house to house.
const INDOOR_SD: f64 = 0.7;
const BAD_DAY_SHARE: f64 = 0.03;
const BAD_DAY_ODDS: f64 = 8.0;
/// Chance that a failure is tried again at once and fails again.
const AGAIN: f64 = 0.35;
const BAD_TERMINAL_SHARE: f64 = 0.02;

/// How many and how long.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub terminals: usize,
    pub days: u32,
    pub is_planted: bool,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.is_planted { "planted" } else { "null" };
        write!(f, "{what}, {} × {} d", self.terminals, self.days)
    }
}

/// A fleet with its truth.
pub struct Fleet {
    terminals: Vec<Terminal>,
    bad_terminals: BTreeSet<String>,
    bad_models: BTreeSet<&'static str>,
    /// Cells of the planted zones, each with its carrier.
    weak: Vec<(usize, BTreeSet<CellIndex>)>,
}

/// One terminal, which stands where it is.
struct Terminal {
    name: String,
    merchant: String,
    stratum: String,
    cell: CellIndex,
    plmn: usize,
    model: usize,
    counts: Counts,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    attempts: u32,
    failures: u32,
    usual_attempts: u32,
    usual_failures: u32,
    pairs_of_days: u64,
    readings: u32,
    weak_readings: u32,
    signal: u32,
    days: u32,
    daypart_attempts: [u32; 4],
    daypart_failures: [u32; 4],
}

/// What lasts about a terminal.
struct Nature {
    logit: f64,
    /// Mean strength, dB above the threshold of weak.
    strength: f64,
    sales_per_day: f64,
}

fn normal(stream: &mut Stream) -> f64 {
    (-2.0 * stream.uniform().ln()).sqrt() * (TAU * stream.uniform()).cos()
}

fn pick(stream: &mut Stream, shares: &[(&str, f64)]) -> usize {
    let mut left = stream.uniform();
    let found = shares.iter().position(|(_, share)| {
        left -= share;
        left < 0.0
    });
    found.unwrap_or(0)
}

fn expit(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

impl Fleet {
    pub fn new(setting: Setting, seed: u64) -> Self {
        let mut stream = Stream::new(
            seed,
            setting.terminals as u64 * 100 + u64::from(setting.days),
        );
        let ground = Ground::new(&mut stream, setting);
        let mut fleet = Self {
            terminals: Vec::with_capacity(setting.terminals),
            bad_terminals: BTreeSet::new(),
            bad_models: BTreeSet::new(),
            weak: ground.weak.clone(),
        };
        if setting.is_planted {
            fleet.bad_models.insert(MODELS[BAD_MODEL].0);
        }
        let mut merchant = 0;
        let mut at = ground.cells[0];
        while fleet.terminals.len() < setting.terminals {
            // Mostly one terminal a shop, sometimes several.
            if merchant == 0 || stream.uniform() < 0.65 {
                merchant += 1;
                at = ground.somewhere(&mut stream);
            }
            let name = format!("t{:06}", fleet.terminals.len());
            let is_bad = setting.is_planted && stream.uniform() < BAD_TERMINAL_SHARE;
            if is_bad {
                fleet.bad_terminals.insert(name.clone());
            }
            let (plmn, model) = (pick(&mut stream, &PLMNS), pick(&mut stream, &MODELS));
            let nature = ground.nature(&mut stream, (at, plmn, model), is_bad);
            fleet.terminals.push(Terminal {
                counts: count(&mut stream, &nature, setting.days),
                stratum: format!("{at}/{}", PLMNS[plmn].0),
                merchant: format!("m{merchant:06}"),
                cell: at,
                name,
                plmn,
                model,
            });
        }
        fleet
    }

    pub fn places(&self) -> Vec<Place<'_>> {
        let place = |terminal: &'_ Terminal| Place {
            cell: terminal.cell,
            plmn: PLMNS[terminal.plmn].0,
            terminal: "",
            merchant: "",
            model: MODELS[terminal.model].0,
            firmware: None,
            device: MODELS[terminal.model].0,
            rat: "lte",
            stratum: "",
            attempts: terminal.counts.attempts,
            failures: terminal.counts.failures,
            usual_attempts: terminal.counts.usual_attempts,
            usual_failures: terminal.counts.usual_failures,
            pairs_of_days: terminal.counts.pairs_of_days,
            readings: terminal.counts.readings,
            weak_readings: terminal.counts.weak_readings,
            signal: terminal.counts.signal,
            days: terminal.counts.days,
            replaced: 0,
            is_current: true,
            daypart_attempts: terminal.counts.daypart_attempts,
            daypart_failures: terminal.counts.daypart_failures,
        };
        let places = self.terminals.iter().map(|terminal| Place {
            terminal: &terminal.name,
            merchant: &terminal.merchant,
            stratum: &terminal.stratum,
            ..place(terminal)
        });
        places.collect()
    }

    /// Compares verdicts with the truth.
    pub fn score(&self, proof: &Proof) -> Outcome {
        let flagged = proof.terminals.flagged();
        let is_bad = |name: &&&str| self.bad_terminals.contains(**name);
        let found = flagged.iter().filter(is_bad).count();
        let untestable = proof
            .terminals
            .rows
            .iter()
            .filter(|row| row.because.is_some());
        let terminals = Verdicts {
            said: flagged.len(),
            wrong: flagged.len() - found,
            bad: self.bad_terminals.len(),
            found,
            not_testable: untestable.count(),
            all: self.terminals.len(),
        };
        let condemned = proof.models.flagged();
        let found = self
            .bad_models
            .iter()
            .filter(|model| condemned.contains(**model))
            .count();
        let unproved = proof
            .models
            .rows
            .iter()
            .filter(|model| model.row.low.is_none());
        let models = Verdicts {
            said: condemned.len(),
            wrong: condemned.len() - found,
            bad: self.bad_models.len(),
            found,
            not_testable: unproved.count(),
            all: MODELS.len(),
        };
        [terminals, models, self.score_zones(proof)]
    }

    /// A zone is true when it shares a cell with a planted one of its carrier, or all with its edge.
    fn score_zones(&self, proof: &Proof) -> Verdicts {
        let zones = &proof.zones.zones;
        let meets = |zone: &Zone, (plmn, cells): &(usize, BTreeSet<CellIndex>)| {
            let is_carrier = zone.plmns.iter().any(|known| known == PLMNS[*plmn].0);
            is_carrier && zone.cells.iter().any(|cell| cells.contains(cell))
        };
        let is_true = |zone: &&Zone| self.weak.iter().any(|weak| meets(zone, weak));
        let right = zones.iter().filter(is_true).count();
        let is_found =
            |weak: &&(usize, BTreeSet<CellIndex>)| zones.iter().any(|zone| meets(zone, weak));
        Verdicts {
            said: zones.len(),
            wrong: zones.len() - right,
            bad: self.weak.len(),
            found: self.weak.iter().filter(is_found).count(),
            not_testable: 0,
            all: 0,
        }
    }
}

/// Where terminals stand.
struct Ground {
    cells: Vec<CellIndex>,
    /// Effect and strength of each cell and carrier.
    effects: BTreeMap<(CellIndex, usize), (f64, f64)>,
    models: Vec<f64>,
    weak: Vec<(usize, BTreeSet<CellIndex>)>,
}

impl Ground {
    fn new(stream: &mut Stream, setting: Setting) -> Self {
        let wanted = (setting.terminals as f64 / TERMINALS_PER_CELL).ceil() as usize;
        let middle = LatLng::new(38.7, -9.1).expect("a place on earth");
        let middle = middle.to_cell(Resolution::Eight);
        let radius = (0..).find(|radius| 1 + 3 * radius * (radius + 1) >= wanted);
        let radius = u32::try_from(radius.expect("a radius")).expect("small");
        let mut cells = middle.grid_disk::<Vec<_>>(radius);
        cells.sort_unstable();
        let mut effects = BTreeMap::new();
        for &cell in &cells {
            // What carriers share, and what they do not.
            let shared = normal(stream);
            for plmn in 0..PLMNS.len() {
                let effect = PLACE_SD * (0.6 * shared + 0.8 * normal(stream));
                let strength = 22.0 - 8.0 * effect + 3.0 * normal(stream);
                effects.insert((cell, plmn), (effect, strength));
            }
        }
        let mut ground = Self {
            models: MODELS.iter().map(|_| 0.05 * normal(stream)).collect(),
            weak: Vec::new(),
            cells,
            effects,
        };
        if setting.is_planted {
            ground.models[BAD_MODEL] = 2.5_f64.ln();
            for _ in 0..(setting.terminals / 500).clamp(1, 8) {
                ground.plant(stream);
            }
        }
        ground
    }

    fn plant(&mut self, stream: &mut Stream) {
        let centre = self.cells[stream.below(self.cells.len() as u64) as usize];
        let (plmn, odds) = (pick(stream, &PLMNS), 6.0 + 8.0 * stream.uniform());
        let mut cells = BTreeSet::new();
        for cell in centre.grid_disk::<Vec<_>>(1) {
            if let Some((effect, strength)) = self.effects.get_mut(&(cell, plmn)) {
                *effect += odds.ln();
                *strength = 3.0 + 2.0 * normal(stream);
                cells.insert(cell);
            }
        }
        self.weak.push((plmn, cells));
    }

    /// A cell: some are crowded, some hold one shop.
    fn somewhere(&self, stream: &mut Stream) -> CellIndex {
        let at = stream.uniform().powf(1.5) * self.cells.len() as f64;
        // Crowds are not all on one side: the order of cells is turned about.
        self.cells[(at as usize * 37) % self.cells.len()]
    }

    fn nature(
        &self,
        stream: &mut Stream,
        (cell, plmn, model): (CellIndex, usize, usize),
        is_bad: bool,
    ) -> Nature {
        let (effect, strength) = self.effects[&(cell, plmn)];
        let is_weak = self
            .weak
            .iter()
            .any(|(of, cells)| *of == plmn && cells.contains(&cell));
        let sd = if is_weak { INDOOR_SD } else { TERMINAL_SD };
        let own = sd * normal(stream);
        let mut logit = (BASE_RATE / (1.0 - BASE_RATE)).ln() + effect + own + self.models[model];
        let mut strength = strength - 4.0 * own;
        if is_bad {
            logit += (5.0 + 15.0 * stream.uniform()).ln();
            // Half of them by their antenna.
            strength -= if stream.uniform() < 0.5 { 12.0 } else { 0.0 };
        }
        Nature {
            logit,
            strength,
            sales_per_day: SALES_PER_DAY * (0.8 * normal(stream) - 0.3).exp(),
        }
    }
}

/// Counts the days of a terminal.
fn count(stream: &mut Stream, nature: &Nature, days: u32) -> Counts {
    let mut counts = Counts::default();
    let mut worst = (0, 0);
    for _ in 0..days {
        let sales = stream.binomial((2.0 * nature.sales_per_day).ceil() as u64, 0.5);
        let is_bad_day = stream.uniform() < BAD_DAY_SHARE;
        let odds = if is_bad_day { BAD_DAY_ODDS } else { 1.0 };
        let rate = expit(nature.logit + f64::ln(odds) + 0.3 * normal(stream));
        let (mut attempts, mut failures) = (sales, 0);
        for _ in 0..stream.binomial(sales, rate) {
            failures += 1;
            while stream.uniform() < AGAIN {
                (attempts, failures) = (attempts + 1, failures + 1);
            }
        }
        counts.take_day(stream, attempts as u32, failures as u32);
        let today = (failures as u32, attempts as u32);
        worst = if today.0 > worst.0 { today } else { worst };
        let readings = 24;
        let weak = expit(-(nature.strength + 1.5 * normal(stream)) / 3.0);
        counts.readings += readings;
        counts.weak_readings += stream.binomial(readings.into(), weak) as u32;
    }
    (counts.usual_attempts, counts.usual_failures) = (counts.attempts, counts.failures);
    if days >= ENOUGH_DAYS {
        counts.usual_attempts -= worst.1;
        counts.usual_failures -= worst.0;
    }
    // Classes as narrow as those of a window: 5 dB, from where strength begins to matter.
    counts.signal = 5 - (nature.strength / 5.0).clamp(0.0, 5.0) as u32;
    counts
}

impl Counts {
    fn take_day(&mut self, stream: &mut Stream, attempts: u32, failures: u32) {
        self.days += u32::from(attempts > 0);
        self.attempts += attempts;
        self.failures += failures;
        self.pairs_of_days += u64::from(failures) * u64::from(failures.saturating_sub(1));
        let mut parts = [0; 4];
        stream.multinomial(failures.into(), &[0.1, 0.3, 0.35, 0.25], &mut parts);
        let mut tried = [0; 4];
        let good = u64::from(attempts - failures);
        stream.multinomial(good, &[0.1, 0.3, 0.35, 0.25], &mut tried);
        for part in 0..4 {
            self.daypart_failures[part] += parts[part] as u32;
            self.daypart_attempts[part] += (parts[part] + tried[part]) as u32;
        }
    }
}
