//! What each metric says: the HELP and unit of `/metrics`.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Counters, and what each counts.
const COUNTERS: [(&str, Unit, &str); 17] = [
    (
        "notspot_ingest_records_consumed_total",
        Unit::Count,
        "Messages taken from Kafka.",
    ),
    (
        "notspot_ingest_bytes_consumed_total",
        Unit::Bytes,
        "Payload of the messages taken from Kafka.",
    ),
    (
        "notspot_ingest_records_written_total",
        Unit::Count,
        "Rows committed to a fact table.",
    ),
    (
        "notspot_ingest_bytes_written_total",
        Unit::Bytes,
        "Size of the Parquet files written.",
    ),
    (
        "notspot_ingest_files_written_total",
        Unit::Count,
        "Parquet files written.",
    ),
    (
        "notspot_ingest_dead_letters_total",
        Unit::Count,
        "Messages that went to the quarantine, by reason.",
    ),
    (
        "notspot_ingest_unknown_fields_total",
        Unit::Count,
        "Messages with a field that their contract does not know, by field.",
    ),
    (
        "notspot_ingest_tombstones_total",
        Unit::Count,
        "Messages without a payload, which are counted and not stored.",
    ),
    (
        "notspot_ingest_offset_holes_total",
        Unit::Count,
        "Offsets without a message: transaction markers, compaction.",
    ),
    (
        "notspot_ingest_offset_gap_records_total",
        Unit::Count,
        "Messages that Kafka deleted before they were read.",
    ),
    (
        "notspot_ingest_flush_total",
        Unit::Count,
        "Flushes, by what made them due.",
    ),
    (
        "notspot_ingest_commits_total",
        Unit::Count,
        "Commits to fact tables, by how they ended.",
    ),
    (
        "notspot_ingest_commit_retries_total",
        Unit::Count,
        "Commits whose end was unclear and looked up.",
    ),
    (
        "notspot_ingest_schema_fetch_total",
        Unit::Count,
        "Questions to the schema registry, by answer.",
    ),
    (
        "notspot_ingest_rebalances_total",
        Unit::Count,
        "Partitions given or taken away by the group.",
    ),
    (
        "notspot_ingest_kafka_errors_total",
        Unit::Count,
        "Errors of the Kafka client, by code.",
    ),
    (
        "notspot_ingest_object_store_requests_total",
        Unit::Count,
        "Requests to the store of a lake in a bucket, by their end.",
    ),
];

/// Gauges, and what each shows.
const GAUGES: [(&str, Unit, &str); 11] = [
    (
        "notspot_ingest_build_info",
        Unit::Count,
        "Always 1; its label is the version of the program.",
    ),
    (
        "notspot_ingest_memory_budget_bytes",
        Unit::Bytes,
        "Memory the program may take by its settings.",
    ),
    (
        "notspot_ingest_buffered_bytes",
        Unit::Bytes,
        "Payload that is taken and not committed yet.",
    ),
    (
        "notspot_ingest_assigned_partitions",
        Unit::Count,
        "Partitions this ingester reads.",
    ),
    (
        "notspot_ingest_committed_offset",
        Unit::Count,
        "Next offset to be stored, by partition.",
    ),
    (
        "notspot_ingest_consumer_lag_records",
        Unit::Count,
        "Messages in Kafka that are not stored yet, by partition.",
    ),
    (
        "notspot_ingest_log_start_margin_records",
        Unit::Count,
        "Messages between the oldest Kafka keeps and the next to be stored; 0 is loss.",
    ),
    (
        "notspot_ingest_last_commit_timestamp_seconds",
        Unit::Seconds,
        "Time of the last commit, since the Unix epoch.",
    ),
    (
        "notspot_ingest_table_version",
        Unit::Count,
        "Version of a fact table after the last commit.",
    ),
    (
        "notspot_ingest_table_active_files",
        Unit::Count,
        "Files of a fact table after the last commit.",
    ),
    (
        "notspot_ingest_freshness_seconds",
        Unit::Seconds,
        "Age of the newest event of the last commit.",
    ),
];

/// Histograms, and what each measures.
const HISTOGRAMS: [(&str, Unit, &str); 4] = [
    (
        "notspot_ingest_flush_duration_seconds",
        Unit::Seconds,
        "Time a stage of a flush took.",
    ),
    (
        "notspot_ingest_file_size_bytes",
        Unit::Bytes,
        "Size of a Parquet file written.",
    ),
    (
        "notspot_ingest_commit_attempts",
        Unit::Count,
        "Attempts until a commit was made.",
    ),
    (
        "notspot_ingest_object_store_request_duration_seconds",
        Unit::Seconds,
        "Time a request to the store of a lake in a bucket took.",
    ),
];

/// Tells the recorder what each metric says.
pub(super) fn describe() {
    for (name, unit, help) in COUNTERS {
        describe_counter!(name, unit, help);
    }
    for (name, unit, help) in GAUGES {
        describe_gauge!(name, unit, help);
    }
    for (name, unit, help) in HISTOGRAMS {
        describe_histogram!(name, unit, help);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Finds the names of metrics in the sources of a folder.
    fn named(folder: &Path, names: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).expect("the sources are there") {
            let path = entry.expect("a source").path();
            if path.is_dir() {
                named(&path, names);
            } else if path != Path::new(env!("CARGO_MANIFEST_DIR")).join("src/observe/described.rs")
            {
                let text = fs::read_to_string(&path).expect("a source");
                let after = text.split("\"notspot_ingest_").skip(1);
                names.extend(after.filter_map(|rest| {
                    Some(format!("notspot_ingest_{}", rest.split_once('"')?.0))
                }));
            }
        }
    }

    #[test]
    fn every_metric_is_described() {
        let mut names = BTreeSet::new();
        for folder in ["src", "../schemas/lake/src"] {
            named(
                &Path::new(env!("CARGO_MANIFEST_DIR")).join(folder),
                &mut names,
            );
        }
        let all = COUNTERS.iter().chain(&GAUGES).chain(&HISTOGRAMS);
        let described: BTreeSet<String> = all.map(|(name, _, _)| (*name).to_owned()).collect();
        assert_eq!(names, described);
    }
}
