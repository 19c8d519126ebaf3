//! Runs a scenario: steps through time, lets terminals live, sends what they send in its order.
//!
//! Memory holds the world, a state of fixed size for each terminal, and the events of one step;
//! it does not grow with the days simulated.

use std::collections::BTreeMap;

use chrono::{DateTime, Offset, TimeZone, Utc};
use schemas::causes::CauseClass;

use crate::answer_key::AnswerKey;
use crate::catalog::MODELS;
use crate::fleet;
use crate::publish::{EventSink, PublishError, PublishSummary};
use crate::row::{Payload, Row};
use crate::scenario::Scenario;
use crate::terminal::{Context, State};
use crate::true_causes::TrueCauses;
use crate::truths;
use crate::wire::{BatchBuilder, event_id};
use crate::world::World;

/// Time that passes between two looks at every terminal.
const STEP_MS: i64 = 300_000;
/// Rows of the largest batch a sink gets.
const BATCH_ROWS: usize = 8_192;

/// Why a scenario could not be run.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The country is unknown, or has only small towns.
    #[error(
        "fleet.country {country:?} has no town of {min_town_population} inhabitants or more in the list of cities"
    )]
    NoTowns {
        /// Country asked for.
        country: String,
        /// Population asked for.
        min_town_population: u32,
    },
    /// A plant names a model or firmware there is not.
    #[error("plant.bad_model: no model {model:?} with firmware {firmware:?}")]
    UnknownModel {
        /// Model asked for.
        model: String,
        /// Firmware asked for.
        firmware: String,
    },
    /// The fleet is too small, or the names match nothing.
    #[error("plant.{plant}: no place or too few terminals for it in this fleet")]
    NoRoom {
        /// Kind of plant.
        plant: &'static str,
    },
    /// Events could not be published.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The file of true causes could not be written.
    #[error("cannot write the true causes: {0}")]
    TrueCauses(#[source] std::io::Error),
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SimProgress {
    /// Simulated time reached.
    pub time: DateTime<Utc>,
    /// Share of the window done, 0 to 1.
    pub done: f64,
    /// Events handed to the sink.
    pub events: u64,
}

/// What a run may be given beside its scenario.
#[derive(Default)]
pub struct SimOptions<'a> {
    /// Takes the true cause of each decline.
    pub true_causes: Option<&'a mut dyn TrueCauses>,
}

/// Simulates a scenario into a sink and returns what was planted and counted.
///
/// The sink is finished at the end. The same scenario gives the same batches, byte for byte.
///
/// # Errors
/// When the scenario does not fit its country and fleet, or the sink fails.
pub fn simulate(
    scenario: &Scenario,
    sink: &mut dyn EventSink,
    progress: &mut dyn FnMut(&SimProgress),
) -> Result<AnswerKey, SimError> {
    simulate_with(scenario, sink, SimOptions::default(), progress).map(|(answer_key, _)| answer_key)
}

/// Simulates as [`simulate`] does, with options; returns also what the sink delivered.
///
/// # Errors
/// When the scenario does not fit its country and fleet, or the sink or an option fails.
pub fn simulate_with<'a>(
    scenario: &Scenario,
    sink: &'a mut dyn EventSink,
    options: SimOptions<'a>,
    progress: &mut dyn FnMut(&SimProgress),
) -> Result<(AnswerKey, PublishSummary), SimError> {
    let mut world = fleet::build(scenario)?;
    let plantations = truths::plant(scenario, &mut world)?;
    let world = world;
    let mut run = Run::new(scenario, &world, sink, options);
    run.all(progress)?;
    let delivered = run.sink.finish()?;
    let context = run.context;
    let sound = context.sound.iter();
    let sound = sound.map(|(terminal, sound)| (world.terminal_id(*terminal), *sound));
    let truths = truths::truths(plantations, &context.tallies, &sound.collect());
    Ok((answer_key(scenario, &world, context, truths), delivered))
}

struct Run<'a, 'b> {
    context: Context<'a>,
    states: Vec<State>,
    /// When each terminal next does something; apart from the states, so that a step reads little memory.
    due_ms: Vec<i64>,
    /// Rows to be sent in a later step.
    later: Vec<Row>,
    batches: BatchBuilder<'a>,
    sink: &'b mut dyn EventSink,
    options: SimOptions<'b>,
    events: u64,
}

impl<'a, 'b> Run<'a, 'b> {
    fn new(
        scenario: &'a Scenario,
        world: &'a World,
        sink: &'b mut dyn EventSink,
        options: SimOptions<'b>,
    ) -> Self {
        let context = Context::new(scenario, world);
        let terminals = world.terminals.len() as u32;
        let states = (0..terminals)
            .map(|terminal| State::new(&context, terminal))
            .collect();
        Self {
            due_ms: vec![context.start_ms; world.terminals.len()],
            states,
            later: Vec::new(),
            batches: BatchBuilder::new(world, BATCH_ROWS),
            context,
            sink,
            options,
            events: 0,
        }
    }

    fn all(&mut self, progress: &mut dyn FnMut(&SimProgress)) -> Result<(), SimError> {
        let (start_ms, end_ms) = (self.context.start_ms, self.context.end_ms);
        let mut now_ms = start_ms;
        while now_ms < end_ms {
            let until_ms = (now_ms + STEP_MS).min(end_ms);
            self.look_at_clocks(now_ms);
            self.live_until(until_ms);
            self.publish_until(until_ms)?;
            now_ms = until_ms;
            progress(&SimProgress {
                time: utc(now_ms),
                done: (now_ms - start_ms) as f64 / (end_ms - start_ms) as f64,
                events: self.events,
            });
        }
        self.context.counts.unsent = self.states.iter().map(State::unsent).sum();
        // What was sent before the end arrives, however long it takes.
        self.publish_until(i64::MAX)?;
        self.flush()
    }

    fn look_at_clocks(&mut self, now_ms: i64) {
        let zones = &self.context.world.time_zones;
        for (offset_ms, zone) in self.context.zone_offsets_ms.iter_mut().zip(zones) {
            let offset = zone.offset_from_utc_datetime(&utc(now_ms).naive_utc());
            *offset_ms = i64::from(offset.fix().local_minus_utc()) * 1_000;
        }
    }

    fn live_until(&mut self, until_ms: i64) {
        for (state, due_ms) in self.states.iter_mut().zip(&mut self.due_ms) {
            if *due_ms < until_ms {
                *due_ms = state.live_until(&mut self.context, until_ms);
            }
        }
    }

    /// Publishes what is sent before an instant, ordered by the time it is sent.
    fn publish_until(&mut self, until_ms: i64) -> Result<(), SimError> {
        let mut rows = std::mem::take(&mut self.context.sent);
        rows.append(&mut self.later);
        let (mut rows, later): (Vec<Row>, Vec<Row>) =
            rows.into_iter().partition(|row| row.sent_ms < until_ms);
        self.later = later;
        rows.sort_unstable_by_key(|row| (row.sent_ms, row.terminal, row.number));
        for row in &rows {
            self.record_cause(row)?;
            if self.batches.push(row) == BATCH_ROWS {
                self.flush()?;
            }
        }
        rows.clear();
        self.context.sent = rows;
        Ok(())
    }

    fn record_cause(&mut self, row: &Row) -> Result<(), SimError> {
        if let (Some(causes), Payload::Decline(decline)) =
            (&mut self.options.true_causes, &row.payload)
        {
            let id = event_id(self.context.world.seed, row);
            causes
                .record(id, decline.cause)
                .map_err(SimError::TrueCauses)?;
        }
        Ok(())
    }

    /// All kinds together, so that none runs ahead of the others by more than a batch.
    fn flush(&mut self) -> Result<(), SimError> {
        for (kind, batch) in self.batches.take() {
            self.events += batch.num_rows() as u64;
            self.sink.send(kind, &batch)?;
        }
        Ok(())
    }
}

fn utc(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).expect("windows lie within a few thousand years of 1970")
}

fn answer_key(
    scenario: &Scenario,
    world: &World,
    context: Context<'_>,
    truths: Vec<crate::answer_key::Planted>,
) -> AnswerKey {
    let carriers = world.carriers.iter().map(|carrier| carrier.plmn.clone());
    AnswerKey {
        scenario: scenario.name.clone(),
        description: scenario.description.clone(),
        seed: scenario.seed,
        from: scenario.start(),
        to: scenario.end(),
        country: world.country.clone(),
        terminals: world.terminals.len() as u64,
        merchants: world.merchants.len() as u64,
        counts: context.counts,
        out_of_range_by_cause: by_cause(&context.out_of_range_by_cause),
        declined_by_cause: by_cause(&context.declined_by_cause),
        unplanted: carriers.zip(context.unplanted).collect(),
        unplanted_expected_failures: context.unplanted_expected_failures,
        model_bias_db: MODELS
            .iter()
            .map(|model| (model.name.to_owned(), model.shown_bias_db()))
            .collect(),
        truths,
    }
}

fn by_cause(counts: &[u64]) -> BTreeMap<String, u64> {
    let counted = CauseClass::ALL.iter().zip(counts);
    let seen = counted.filter(|(_, count)| **count > 0);
    seen.map(|(class, count)| (class.as_str().to_owned(), *count))
        .collect()
}
