//! The lake's layout: owns table names, columns, partitioning, properties and paths.
//! Nothing else in the project spells them; this module does no I/O.

mod derived;
mod offsets;

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use chrono::NaiveDate;
use h3o::{CellIndex, Resolution};

use crate::events::EventKind;

pub use offsets::{
    WithoutEvent, app_id, first_offset_app_id, last_time_app_id, place_of, topic_partition,
};

/// Version of the layout this build reads and writes.
pub const LAYOUT_VERSION: u32 = 1;
/// Resolution of the stored cell column, `cell_r9`.
pub const STORED_RESOLUTION: Resolution = Resolution::Nine;
/// Resolution analyses work at, `cell_r8`.
pub const ANALYSIS_RESOLUTION: Resolution = Resolution::Eight;
/// Default resolution of `partition_cell`.
pub const DEFAULT_PARTITION_RESOLUTION: Resolution = Resolution::Two;
/// Directory value Hive-style readers take for a null partition value.
pub const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// Table property holding [`LAYOUT_VERSION`].
pub const PROPERTY_LAYOUT_VERSION: &str = "notspot.layoutVersion";
/// Table property holding the resolution of `partition_cell`.
pub const PROPERTY_PARTITION_RESOLUTION: &str = "notspot.partitionResolution";

/// A table of the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// Heartbeats as received, one row an event.
    Heartbeats,
    /// Signal readings as received, one row an event.
    SignalReadings,
    /// Declines as received, one row an event.
    Declines,
    /// Messages that could not be accepted.
    Quarantine,
    /// Offsets that were passed and have neither a row nor a quarantined message.
    OffsetsWithoutEvent,
    /// The registry of terminals.
    Terminals,
    /// The registry of merchants.
    Merchants,
    /// Derived: one row per terminal, day, place, carrier, RAT and firmware.
    TerminalDays,
    /// Derived: one row per terminal, day, place, model with firmware and radio cell it heard.
    RadioCellDays,
    /// Derived: one row per five minutes, host, carrier and partition cell.
    FailureSlots,
    /// Derived: one row per hour, host, carrier, application version and place with active terminals.
    ActivityHours,
    /// Derived: one row per outage, by the day it began.
    Outages,
    /// Derived: one row per cell of resolution 8 and carrier, of the analysed window.
    Cells,
    /// Derived: one row per weak zone or not-spot of the analysed window.
    WeakZones,
    /// Derived: one row per failure zone without weak signal of the analysed window.
    FailureZones,
    /// Derived: one row per place that looks like a zone and is not proven, of the analysed window.
    ZoneCandidates,
    /// Derived: one row per device model and firmware of the analysed window.
    DeviceModels,
    /// Derived: one row per terminal held against its peers in the analysed window.
    TerminalFlags,
    /// What was done against failures: one row per intervention, by people.
    Interventions,
    /// Derived: one row per intervention whose effect can be looked for in the analysed window.
    InterventionEffects,
    /// Derived: one row per zone, terminal or merchant and action that helps it.
    Actions,
}

impl Table {
    /// Every table: facts, registry, and what the analysis derives from them.
    pub const ALL: [Self; 21] = [
        Self::Heartbeats,
        Self::SignalReadings,
        Self::Declines,
        Self::Quarantine,
        Self::OffsetsWithoutEvent,
        Self::Terminals,
        Self::Merchants,
        Self::TerminalDays,
        Self::RadioCellDays,
        Self::FailureSlots,
        Self::ActivityHours,
        Self::Outages,
        Self::Cells,
        Self::WeakZones,
        Self::FailureZones,
        Self::ZoneCandidates,
        Self::DeviceModels,
        Self::TerminalFlags,
        Self::Interventions,
        Self::InterventionEffects,
        Self::Actions,
    ];

    /// Returns the table's name in SQL and its folder in the lake.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Heartbeats => "heartbeats",
            Self::SignalReadings => "signal_readings",
            Self::Declines => "declines",
            Self::Quarantine => "quarantine",
            Self::OffsetsWithoutEvent => "offsets_without_event",
            Self::Terminals => "terminals",
            Self::Merchants => "merchants",
            Self::TerminalDays => "terminal_days",
            Self::RadioCellDays => "radio_cell_days",
            Self::FailureSlots => "failure_slots",
            Self::ActivityHours => "activity_hours",
            Self::Outages => "outages",
            Self::Cells => "cells",
            Self::WeakZones => "weak_zones",
            Self::FailureZones => "failure_zones",
            Self::ZoneCandidates => "zone_candidates",
            Self::DeviceModels => "device_models",
            Self::TerminalFlags => "terminal_flags",
            Self::Interventions => "interventions",
            Self::InterventionEffects => "intervention_effects",
            Self::Actions => "actions",
        }
    }

    /// Returns one sentence on what a row is.
    pub const fn doc(self) -> &'static str {
        match self {
            Self::Heartbeats => "one row per heartbeat received, duplicates included",
            Self::SignalReadings => "one row per signal reading received, duplicates included",
            Self::Declines => "one row per decline received, duplicates included",
            Self::Quarantine => "one row per message that could not be accepted",
            Self::OffsetsWithoutEvent => {
                "one row per run of Kafka offsets without a message to keep, both ends included"
            }
            Self::Terminals => "one row per registered terminal",
            Self::Merchants => "one row per registered merchant",
            Self::TerminalDays => "one row per terminal, day, place, carrier, RAT and firmware",
            Self::RadioCellDays => {
                "one row per terminal, day, place, model with firmware and radio cell it heard"
            }
            Self::FailureSlots => "one row per five minutes, host, carrier and partition cell",
            Self::ActivityHours => {
                "one row per hour, host, carrier, application version and place with active terminals"
            }
            Self::Outages => "one row per outage, by the day it began",
            Self::Cells => "one row per cell of resolution 8 and carrier, of the analysed window",
            Self::WeakZones => "one row per weak zone or not-spot of the analysed window",
            Self::FailureZones => {
                "one row per failure zone without weak signal of the analysed window"
            }
            Self::ZoneCandidates => {
                "one row per place that looks like a zone and is not proven, of the analysed window"
            }
            Self::DeviceModels => "one row per device model and firmware of the analysed window",
            Self::TerminalFlags => {
                "one row per terminal held against its peers in the analysed window"
            }
            Self::Interventions => "one row per intervention, what was done where and when",
            Self::InterventionEffects => {
                "one row per intervention with what it changed, of the analysed window"
            }
            Self::Actions => {
                "one row per zone, terminal or merchant and action that helps it, of the analysed window"
            }
        }
    }

    /// Returns the event kind of a fact table.
    pub const fn event_kind(self) -> Option<EventKind> {
        match self {
            Self::Heartbeats => Some(EventKind::Heartbeat),
            Self::SignalReadings => Some(EventKind::Signal),
            Self::Declines => Some(EventKind::Decline),
            _ => None,
        }
    }

    /// Tells whether the analysis writes the table, and can write it again from the others.
    pub const fn is_derived(self) -> bool {
        match self {
            Self::Heartbeats
            | Self::SignalReadings
            | Self::Declines
            | Self::Quarantine
            | Self::OffsetsWithoutEvent
            | Self::Terminals
            | Self::Merchants
            | Self::Interventions => false,
            Self::TerminalDays
            | Self::RadioCellDays
            | Self::FailureSlots
            | Self::ActivityHours
            | Self::Outages
            | Self::Cells
            | Self::WeakZones
            | Self::FailureZones
            | Self::ZoneCandidates
            | Self::DeviceModels
            | Self::TerminalFlags
            | Self::InterventionEffects
            | Self::Actions => true,
        }
    }

    /// Returns the Arrow schema of the table, partition columns included (last).
    pub fn schema(self) -> SchemaRef {
        static SCHEMAS: LazyLock<[SchemaRef; 21]> = LazyLock::new(|| {
            Table::ALL.map(|table| {
                Arc::new(Schema::new(match table {
                    Table::Quarantine => quarantine_fields(),
                    Table::OffsetsWithoutEvent => without_event_fields(),
                    Table::Terminals => terminal_fields(),
                    Table::Merchants => merchant_fields(),
                    Table::TerminalDays => derived::terminal_days(),
                    Table::RadioCellDays => derived::radio_cell_days(),
                    Table::FailureSlots => derived::failure_slots(),
                    Table::ActivityHours => derived::activity_hours(),
                    Table::Outages => derived::outages(),
                    Table::Cells => derived::cells(),
                    Table::WeakZones | Table::FailureZones => derived::zones(),
                    Table::ZoneCandidates => derived::zone_candidates(),
                    Table::DeviceModels => derived::device_models(),
                    Table::TerminalFlags => derived::terminal_flags(),
                    Table::Interventions => intervention_fields(),
                    Table::InterventionEffects => derived::intervention_effects(),
                    Table::Actions => derived::actions(),
                    fact => fact_fields(fact.event_kind().expect("the others are fact tables")),
                }))
            })
        });
        SCHEMAS[self as usize].clone()
    }

    /// Returns the names of the partition columns, in path order.
    pub const fn partition_columns(self) -> &'static [&'static str] {
        match self {
            Self::Heartbeats | Self::SignalReadings | Self::Declines => {
                &["event_date", "partition_cell"]
            }
            Self::Quarantine | Self::OffsetsWithoutEvent => &["ingest_date"],
            Self::Terminals | Self::Merchants | Self::Interventions => &[],
            Self::TerminalDays
            | Self::RadioCellDays
            | Self::FailureSlots
            | Self::ActivityHours
            | Self::Outages => &["event_date"],
            Self::Cells
            | Self::WeakZones
            | Self::FailureZones
            | Self::ZoneCandidates
            | Self::DeviceModels
            | Self::TerminalFlags
            | Self::InterventionEffects
            | Self::Actions => &["window_to"],
        }
    }

    /// Returns the columns rows are sorted by inside a file.
    pub const fn sort_columns(self) -> &'static [&'static str] {
        match self {
            Self::Heartbeats | Self::SignalReadings | Self::Declines => {
                &["cell_r9", "terminal_id", "event_time"]
            }
            Self::Quarantine => &["kafka_topic", "kafka_partition", "kafka_offset"],
            Self::OffsetsWithoutEvent => &["kafka_topic", "kafka_partition", "first_offset"],
            Self::Terminals => &["terminal_id"],
            Self::Merchants => &["merchant_id"],
            Self::TerminalDays => &["cell_r9", "terminal_id"],
            Self::RadioCellDays => &["cell_r9", "terminal_id", "radio_cell_id"],
            Self::FailureSlots => &["slot_time", "host_id"],
            Self::ActivityHours => &["hour_time", "host_id"],
            Self::Outages => &["from_time", "outage_id"],
            Self::Cells => &["cell_r8", "carrier_plmn"],
            Self::WeakZones => &["zone_id"],
            Self::FailureZones => &["zone_id"],
            Self::ZoneCandidates => &["cells_r8", "carriers"],
            Self::DeviceModels => &["model", "firmware"],
            Self::TerminalFlags => &["terminal_id"],
            Self::Interventions => &["started_at", "intervention_id"],
            Self::InterventionEffects => &["intervention_id"],
            Self::Actions => &["target_kind", "target_id", "rank"],
        }
    }

    /// Returns the columns whose minimum and maximum the Delta log keeps per file.
    pub const fn statistics_columns(self) -> &'static [&'static str] {
        match self {
            Self::Heartbeats | Self::SignalReadings | Self::Declines => {
                &["cell_r9", "terminal_id", "event_time", "kafka_offset"]
            }
            Self::Quarantine => &["kafka_topic", "kafka_partition", "kafka_offset", "reason"],
            Self::OffsetsWithoutEvent => &[
                "kafka_topic",
                "kafka_partition",
                "first_offset",
                "last_offset",
            ],
            Self::Terminals => &["terminal_id"],
            Self::Merchants => &["merchant_id"],
            Self::TerminalDays | Self::RadioCellDays => {
                &["source_rows", "terminal_id", "cell_r9", "method_version"]
            }
            Self::FailureSlots => &["source_rows", "slot_time", "method_version"],
            Self::ActivityHours => &["source_rows", "hour_time", "method_version"],
            Self::Outages => &["source_rows", "from_time", "method_version"],
            Self::Cells => &["cell_r8", "method_version"],
            Self::WeakZones => &["zone_id", "method_version"],
            Self::FailureZones => &["zone_id", "method_version"],
            Self::ZoneCandidates => &["center_cell_r8", "method_version"],
            Self::DeviceModels => &["model", "method_version"],
            Self::TerminalFlags => &["terminal_id", "method_version"],
            Self::Interventions => &["intervention_id", "started_at"],
            Self::InterventionEffects => &["intervention_id", "method_version"],
            Self::Actions => &["target_kind", "target_id", "method_version"],
        }
    }

    /// Returns the Delta table properties a new table gets.
    pub fn properties(self, partition_resolution: Resolution) -> Vec<(String, String)> {
        vec![
            (PROPERTY_LAYOUT_VERSION.into(), LAYOUT_VERSION.to_string()),
            (
                PROPERTY_PARTITION_RESOLUTION.into(),
                u8::from(partition_resolution).to_string(),
            ),
            (
                "delta.dataSkippingStatsColumns".into(),
                self.statistics_columns().join(","),
            ),
            ("delta.checkpointInterval".into(), "50".into()),
        ]
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is none of the lake's tables.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown table {0:?}")]
pub struct UnknownTable(String);

impl FromStr for Table {
    type Err = UnknownTable;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|table| table.name() == name)
            .ok_or_else(|| UnknownTable(name.to_owned()))
    }
}

/// Returns the folder of a partition of a fact table, relative to the table.
///
/// `partition_cell` is `None` for events without a position.
pub fn partition_dir(event_date: NaiveDate, partition_cell: Option<CellIndex>) -> String {
    match partition_cell {
        Some(cell) => format!("event_date={event_date}/partition_cell={cell}"),
        None => format!("event_date={event_date}/partition_cell={NULL_PARTITION}"),
    }
}

/// Turns a cell into its column form; the top bit of an H3 index is always 0.
pub fn cell_to_i64(cell: CellIndex) -> i64 {
    i64::try_from(u64::from(cell)).expect("the top bit of an H3 index is 0")
}

/// Reads a cell from its column form.
pub fn cell_from_i64(cell: i64) -> Option<CellIndex> {
    CellIndex::try_from(u64::try_from(cell).ok()?).ok()
}

/// Returns the smallest and largest column value of the stored cells inside `parent`.
///
/// At one resolution H3 indices sort in the order of the hierarchy, so a parent is one range.
/// `None` when `parent` is finer than the stored resolution.
pub fn stored_cell_range(parent: CellIndex) -> Option<(i64, i64)> {
    let first = cell_to_i64(parent.center_child(STORED_RESOLUTION)?);
    // Each resolution is a digit of three bits, finest of the 15 in the lowest bits; 6 is the last child.
    let finer = u8::from(parent.resolution()) + 1..=u8::from(STORED_RESOLUTION);
    let last = finer.fold(first, |cell, resolution| {
        cell | 6 << (3 * (15 - i64::from(resolution)))
    });
    Some((first, last))
}

fn timestamp(name: &str, nullable: bool) -> Field {
    let kind = DataType::Timestamp(TimeUnit::Microsecond, Some(crate::UTC.into()));
    Field::new(name, kind, nullable)
}

fn text(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Utf8, nullable)
}

fn number(name: &str, kind: DataType, nullable: bool) -> Field {
    Field::new(name, kind, nullable)
}

/// Wire columns with times in µs; the declared position beside the WGS-84 one; audit columns.
fn fact_fields(kind: EventKind) -> Fields {
    let mut fields: Vec<Field> = Vec::new();
    for field in &kind.contract().fields {
        let wire = field.arrow();
        match wire.data_type() {
            DataType::Timestamp(..) => fields.push(timestamp(wire.name(), wire.is_nullable())),
            _ => fields.push(wire),
        }
        if field.name == "lon" {
            fields.push(number("lat_declared", DataType::Float64, true));
            fields.push(number("lon_declared", DataType::Float64, true));
        }
    }
    fields.extend([
        number("cell_r9", DataType::Int64, true),
        number("sentinels_nulled", DataType::Int32, false),
        number("out_of_range_nulled", DataType::Int32, false),
        text("kafka_topic_partition", false),
        number("kafka_offset", DataType::Int64, false),
        timestamp("kafka_time", true),
        timestamp("ingest_time", false),
        number("event_date", DataType::Date32, false),
        text("partition_cell", true),
    ]);
    fields.into()
}

fn quarantine_fields() -> Fields {
    vec![
        text("kafka_topic", false),
        number("kafka_partition", DataType::Int32, false),
        number("kafka_offset", DataType::Int64, false),
        timestamp("kafka_time", true),
        text("kafka_key", true),
        text("reason", false),
        text("detail", false),
        number("schema_id", DataType::Int32, true),
        number("payload", DataType::Binary, true),
        number("payload_size_bytes", DataType::Int64, false),
        number("payload_masked", DataType::Boolean, false),
        timestamp("ingest_time", false),
        number("ingest_date", DataType::Date32, false),
    ]
    .into()
}

/// `app_id` names the group, the epoch and the cluster beside topic and partition.
fn without_event_fields() -> Fields {
    vec![
        text("kafka_topic", false),
        number("kafka_partition", DataType::Int32, false),
        text("app_id", false),
        number("first_offset", DataType::Int64, false),
        number("last_offset", DataType::Int64, false),
        text("kind", false),
        timestamp("ingest_time", false),
        number("ingest_date", DataType::Date32, false),
    ]
    .into()
}

fn terminal_fields() -> Fields {
    vec![
        text("terminal_id", false),
        text("merchant_id", true),
        text("acquirer_id", true),
        text("host_id", true),
        text("model", true),
        text("firmware", true),
        text("serial_number", true),
        text("sim_plmn", true),
        text("iccid_hash", true),
        number("lat", DataType::Float64, true),
        number("lon", DataType::Float64, true),
        number("lat_declared", DataType::Float64, true),
        number("lon_declared", DataType::Float64, true),
        text("datum", true),
        number("cell_r9", DataType::Int64, true),
        number("allowed_radius_m", DataType::Float64, true),
        number("heartbeat_interval_s", DataType::Int32, true),
        text("status", true),
        number("installed_on", DataType::Date32, true),
        timestamp("loaded_at", false),
    ]
    .into()
}

fn merchant_fields() -> Fields {
    vec![
        text("merchant_id", false),
        text("name", true),
        text("merchant_category_code", true),
        text("acquirer_id", true),
        text("country_code", true),
        text("region_code", true),
        text("city", true),
        text("time_zone", true),
        text("opens_local", true),
        text("closes_local", true),
        timestamp("loaded_at", false),
    ]
    .into()
}

/// Units are listed in `target_ids`, cells of a zone as they were when it was written down.
fn intervention_fields() -> Fields {
    vec![
        text("intervention_id", false),
        text("kind", false),
        text("target_kind", false),
        text("target_ids", false),
        text("cells_r8", true),
        text("carrier_plmn", true),
        timestamp("started_at", false),
        timestamp("ended_at", true),
        text("note", true),
        timestamp("recorded_at", false),
        text("recorded_by", true),
    ]
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_and_sort_column_is_a_column_of_its_table() {
        for table in Table::ALL {
            let schema = table.schema();
            for column in table
                .partition_columns()
                .iter()
                .chain(table.sort_columns())
                .chain(table.statistics_columns())
            {
                assert!(schema.field_with_name(column).is_ok(), "{table}.{column}");
            }
        }
    }

    #[test]
    fn a_parent_cell_is_one_range_of_stored_cells() {
        let parent = h3o::LatLng::new(48.85, 2.35)
            .expect("Paris is on the globe")
            .to_cell(Resolution::Five);
        let (low, high) = stored_cell_range(parent).expect("r9 is finer than the parent");
        for child in parent.children(STORED_RESOLUTION) {
            assert!((low..=high).contains(&cell_to_i64(child)));
        }
        let beside = parent.grid_disk::<Vec<_>>(1)[1].center_child(STORED_RESOLUTION);
        let beside = cell_to_i64(beside.expect("r9 is finer than the parent"));
        assert!(!(low..=high).contains(&beside));
    }

    #[test]
    fn ranges_of_all_cells_of_a_resolution_follow_each_other_without_overlap() {
        for resolution in [Resolution::Zero, Resolution::One, Resolution::Two] {
            let mut cells: Vec<CellIndex> = CellIndex::base_cells()
                .flat_map(|base| base.children(resolution))
                .collect();
            cells.sort_unstable();
            let ranges = cells
                .into_iter()
                .map(|cell| stored_cell_range(cell).expect("r9 is finer than the parent"));
            let mut previous_high = 0;
            for (low, high) in ranges {
                assert!(previous_high < low && low <= high);
                previous_high = high;
            }
        }
    }

    #[test]
    fn a_pentagon_is_one_range_of_stored_cells() {
        for resolution in [Resolution::Five, Resolution::Seven, Resolution::Nine] {
            for pentagon in resolution.pentagons() {
                let (low, high) = stored_cell_range(pentagon).expect("not finer than r9");
                let last = pentagon.children(STORED_RESOLUTION).last();
                assert_eq!(cell_from_i64(low), pentagon.center_child(STORED_RESOLUTION));
                assert_eq!(cell_from_i64(high), last);
            }
        }
    }

    #[test]
    fn a_cell_finer_than_the_stored_ones_has_no_range() {
        let fine = h3o::LatLng::new(48.85, 2.35)
            .expect("Paris is on the globe")
            .to_cell(Resolution::Ten);
        assert_eq!(stored_cell_range(fine), None);
    }

    proptest::proptest! {
        #[test]
        fn every_stored_cell_lies_in_the_range_of_each_of_its_parents(
            lat in -90.0f64..=90.0,
            lon in -180.0f64..=180.0,
            level in 0u8..=9,
        ) {
            let cell = h3o::LatLng::new(lat, lon)
                .expect("a finite position")
                .to_cell(STORED_RESOLUTION);
            let resolution = Resolution::try_from(level).expect("0 to 9 are resolutions");
            let parent = cell.parent(resolution).expect("not finer than r9");
            let (low, high) = stored_cell_range(parent).expect("not finer than r9");
            proptest::prop_assert!((low..=high).contains(&cell_to_i64(cell)));
            proptest::prop_assert_eq!(cell_from_i64(cell_to_i64(cell)), Some(cell));
            let (first, last) = (cell_from_i64(low), cell_from_i64(high));
            proptest::prop_assert_eq!(first.and_then(|cell| cell.parent(resolution)), Some(parent));
            proptest::prop_assert_eq!(last.and_then(|cell| cell.parent(resolution)), Some(parent));
        }
    }
}
