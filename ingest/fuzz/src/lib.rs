//! What holds for every payload, whatever its bytes: nothing panics, the message becomes a row or is
//! refused with a reason, once, and a good message beside it becomes a row.
//!
//! An input is one byte that chooses kind and encoding, and a payload.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;
use std::{fs, io};

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use ingest::config::Encoding;
use ingest::judge;
use schemas::EventKind;
use simulator::publish::{
    self, EventSink, MessageEncoder, PublishError, PublishSummary, SchemaIds,
};
use simulator::{Scenario, simulate};

/// Events of a kind and encoding to begin with.
const SEEDS: usize = 8;
const ENCODINGS: [(Encoding, publish::Encoding); 2] = [
    (Encoding::Json, publish::Encoding::Json),
    (Encoding::Avro, publish::Encoding::Avro),
];

/// Messages of simulated terminals.
struct Fleet {
    /// By kind and encoding.
    messages: [[Vec<Vec<u8>>; 2]; 3],
    now: DateTime<Utc>,
}

static FLEET: LazyLock<Fleet> = LazyLock::new(|| {
    let mut scenario = Scenario::load("demo").expect("a shipped scenario");
    let small = [
        "fleet.terminals=120",
        "window.days=14",
        "plant.bad_terminals.0.count=1",
    ];
    for setting in small {
        scenario.apply_override(setting).expect("a setting");
    }
    let mut fleet = Fleet {
        messages: Default::default(),
        now: scenario.end(),
    };
    simulate(&scenario, &mut fleet, &mut |_| {}).expect("a fleet");
    fleet
});

impl EventSink for Fleet {
    fn send(&mut self, kind: EventKind, batch: &RecordBatch) -> Result<(), PublishError> {
        for ((_, encoding), kept) in ENCODINGS.iter().zip(&mut self.messages[kind as usize]) {
            let few = batch.slice(0, batch.num_rows().min(SEEDS - kept.len()));
            let mut encoder = MessageEncoder::new(kind, *encoding, SchemaIds::embedded())?;
            kept.extend(encoder.encode(&few)?.iter().map(<[u8]>::to_vec));
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<PublishSummary, PublishError> {
        Ok(PublishSummary::default())
    }
}

/// Returns kind and encoding, as indices, that a first byte chooses.
fn chosen(selector: u8) -> (usize, usize) {
    let selector = usize::from(selector);
    let encodings = ENCODINGS.len();
    (
        selector / encodings % EventKind::ALL.len(),
        selector % encodings,
    )
}

/// Returns inputs that are good events, of every kind and encoding.
pub fn seeds() -> impl Iterator<Item = Vec<u8>> {
    (0..6).flat_map(|selector: u8| {
        let (kind, encoding) = chosen(selector);
        let messages = FLEET.messages[kind][encoding].iter();
        messages.map(move |message| [&[selector], &message[..]].concat())
    })
}

/// Writes the seeds as files for libFuzzer to begin with.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_seeds(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    (0..)
        .zip(seeds())
        .try_for_each(|(number, seed): (usize, _)| {
            fs::write(folder.join(format!("seed-{number}")), seed)
        })
}

/// Tries an input.
///
/// # Panics
/// When something does not hold.
pub fn check(input: &[u8]) {
    let Some((selector, payload)) = input.split_first() else {
        return;
    };
    let (kind, encoding) = chosen(*selector);
    let good = &FLEET.messages[kind][encoding];
    let messages = [&good[0], payload, &good[1]];
    let (kind, encoding) = (EventKind::ALL[kind], ENCODINGS[encoding].0);
    let judged = judge(kind, encoding, &messages, FLEET.now).expect("columns fit together");
    let refused: BTreeSet<usize> = judged.refused.iter().map(|one| one.message).collect();
    assert_eq!(refused.len(), judged.refused.len(), "refused twice");
    assert_eq!(
        judged.rows + refused.len(),
        messages.len(),
        "lost or doubled"
    );
    assert!(
        refused.iter().all(|message| *message == 1),
        "a good message refused"
    );
    let masked = schemas::card_data::mask_pans(payload);
    let again = schemas::card_data::mask_pans(&masked);
    assert!(again == masked, "a card number is left");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_good_and_every_cut_and_changed_byte_of_one_is_accounted_for() {
        let seeds: Vec<Vec<u8>> = seeds().collect();
        assert_eq!(seeds.len(), 6 * SEEDS);
        for seed in &seeds {
            let (kind, encoding) = chosen(seed[0]);
            let (kind, encoding) = (EventKind::ALL[kind], ENCODINGS[encoding].0);
            let judged = judge(kind, encoding, &[&seed[1..]], FLEET.now).expect("columns");
            assert_eq!((judged.rows, judged.refused.len()), (1, 0), "{judged:?}");
        }
        for seed in seeds.iter().step_by(SEEDS) {
            // A frame behind an event, as the next message begins: found by fuzzing.
            check(&[&seed[..], &seed[1..6]].concat());
            for at in 1..seed.len() {
                check(&seed[..at]);
                let mut changed = seed.clone();
                changed[at] ^= 0x5b;
                check(&changed);
            }
        }
    }
}
