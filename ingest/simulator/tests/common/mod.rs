//! What the tests of the simulator share: a sink that keeps everything, and small scenarios.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int32Type, TimestampMillisecondType};
use arrow::record_batch::RecordBatch;
use schemas::EventKind;
use simulator::publish::{EventSink, PublishError, PublishSummary};
use simulator::{AnswerKey, Scenario, simulate};

/// Keeps every batch in memory.
#[derive(Default)]
pub struct Kept {
    pub batches: Vec<(EventKind, RecordBatch)>,
}

impl EventSink for Kept {
    fn send(&mut self, kind: EventKind, batch: &RecordBatch) -> Result<(), PublishError> {
        self.batches.push((kind, batch.clone()));
        Ok(())
    }

    fn finish(&mut self) -> Result<PublishSummary, PublishError> {
        Ok(PublishSummary::default())
    }
}

impl Kept {
    pub fn of(&self, kind: EventKind) -> impl Iterator<Item = &RecordBatch> {
        self.batches
            .iter()
            .filter(move |(of, _)| *of == kind)
            .map(|(_, batch)| batch)
    }
}

/// Loads a shipped scenario with some settings changed.
pub fn scenario(name: &str, overrides: &[&str]) -> Scenario {
    let mut scenario = Scenario::load(name).expect("shipped");
    for assignment in overrides {
        scenario
            .apply_override(assignment)
            .unwrap_or_else(|error| panic!("{error}"));
    }
    scenario
}

/// Runs a scenario and keeps its events.
pub fn run(scenario: &Scenario) -> (AnswerKey, Kept) {
    let mut kept = Kept::default();
    let answer_key = simulate(scenario, &mut kept, &mut |_| {}).expect("the scenario fits");
    (answer_key, kept)
}

/// Texts of a column; empty for null.
pub fn texts(batch: &RecordBatch, column: &str) -> Vec<String> {
    let values = batch[column].as_string::<i32>();
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    values.iter().map(text).collect()
}

/// Milliseconds of a column without nulls.
pub fn millis(batch: &RecordBatch, column: &str) -> Vec<i64> {
    let values = batch[column].as_primitive::<TimestampMillisecondType>();
    assert_eq!(values.null_count(), 0, "{column}");
    values.values().to_vec()
}

/// Whole numbers of a column without nulls.
pub fn ints(batch: &RecordBatch, column: &str) -> Vec<i32> {
    let values = batch[column].as_primitive::<Int32Type>();
    assert_eq!(values.null_count(), 0, "{column}");
    values.values().to_vec()
}
