//! How fast events are made, and how fast they are made and encoded: compare the lines of one run.

use std::hint::black_box;

use arrow::record_batch::RecordBatch;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use schemas::EventKind;
use simulator::publish::{
    Encoding, EventSink, MessageEncoder, NullSink, PublishError, PublishSummary, SchemaIds,
};
use simulator::{Scenario, simulate};

/// Encodes and discards.
struct EncodingSink([MessageEncoder; 3]);

impl EncodingSink {
    fn new(encoding: Encoding) -> Self {
        let encoders = MessageEncoder::for_all(encoding, SchemaIds::embedded());
        Self(encoders.expect("the contracts can be encoded"))
    }
}

impl EventSink for EncodingSink {
    fn send(&mut self, kind: EventKind, batch: &RecordBatch) -> Result<(), PublishError> {
        black_box(self.0[kind as usize].encode(batch)?.len());
        Ok(())
    }

    fn finish(&mut self) -> Result<PublishSummary, PublishError> {
        Ok(PublishSummary::default())
    }
}

fn scenario() -> Scenario {
    let mut scenario = Scenario::load("demo").expect("shipped");
    scenario
        .apply_override("window.days=14")
        .expect("a setting");
    scenario
}

fn run(scenario: &Scenario, sink: &mut dyn EventSink) -> u64 {
    let answer_key = simulate(scenario, sink, &mut |_| {}).expect("the scenario fits");
    answer_key.counts.events()
}

fn simulate_events(criterion: &mut Criterion) {
    let scenario = scenario();
    let events = run(&scenario, &mut NullSink::default());
    let mut group = criterion.benchmark_group("simulate");
    group.throughput(Throughput::Elements(events));
    group.sample_size(10);
    group.bench_function("discarded", |bencher| {
        bencher.iter(|| run(&scenario, &mut NullSink::default()));
    });
    group.bench_function("json", |bencher| {
        bencher.iter(|| run(&scenario, &mut EncodingSink::new(Encoding::Json)));
    });
    group.bench_function("avro", |bencher| {
        bencher.iter(|| run(&scenario, &mut EncodingSink::new(Encoding::Avro)));
    });
    group.finish();
}

criterion_group!(benches, simulate_events);
criterion_main!(benches);
