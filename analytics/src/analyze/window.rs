//! What a window of days shows: terminals against peers, models within places, cells and zones.
//!
//! What the counts prove, and in which order, is [`statistics::proof`]'s; here it is read, named and
//! written. Last come what interventions changed and what would help, which read what was published before.

mod actions;
mod carriers;
mod counted;
mod devices;
mod effects;
mod explained;
mod places;
mod signal;
mod swaps;
mod zones;

use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::{DateTime, NaiveDate, Utc};
use schemas::Table;
use serde::{Serialize, Serializer};
use statistics::proof::{Models, ProofError, prove};
use statistics::zones::ZoneOptions;
use url::Url;

use super::publish::{DerivedTable, rows_to_batches};
use super::steps::Steps;
use super::{AnalyzeError, METHOD_VERSION};
use crate::session::LakeSession;
use carriers::Carriers;
use places::Places;

/// What every row of a window says of where it comes from.
#[derive(Debug, Clone)]
struct Origin(Arc<Run>);

#[derive(Debug, Serialize)]
struct Run {
    method_version: i32,
    window_from: String,
    data_until: Option<String>,
    window_to: String,
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// Tables that decide what a window shows.
const INPUTS: [Table; 6] = [
    Table::TerminalDays,
    Table::RadioCellDays,
    Table::Outages,
    Table::Terminals,
    Table::Merchants,
    Table::Interventions,
];
/// The steps of a window.
pub(super) const STEPS: usize = 5;
/// Written last: it is the mark that the window is done.
const LAST: Table = Table::Actions;

/// Computes and publishes the window, unless nothing it reads has changed.
///
/// Returns what was cut short by a bound of a method; `None` where nothing was computed.
pub(super) async fn publish(
    lake: &mut LakeSession,
    (from, to): (NaiveDate, NaiveDate),
    now: DateTime<Utc>,
    steps: &mut Steps<'_>,
) -> Result<Option<Vec<String>>, AnalyzeError> {
    let app_id = format!("analyze/{METHOD_VERSION}/{from}/{to}");
    let made_from = inputs(lake).await?;
    let done = DerivedTable::open(lake.location(), LAST).await?;
    if done.made_from(&app_id).await? == Some(made_from) {
        return Ok(None);
    }
    steps.next(format!("signal of {from} to {to}"))?;
    // Before the places, which need the memory that this gives back.
    let heard = signal::Heard::read(lake, from, to).await?;
    let signal = tokio::task::spawn_blocking(move || heard.compare())
        .await
        .expect("the statistics do not panic")?;
    steps.next("places of the window")?;
    let treated = effects::treated(lake, from, to).await?;
    let counted = places::read(lake, from, to, &treated).await?;
    let origin = Origin(Arc::new(Run {
        method_version: METHOD_VERSION,
        window_from: from.to_string(),
        data_until: data_until(lake, from, to).await?,
        window_to: to.to_string(),
    }));
    let known = zones::Known::read(lake, to).await?;
    steps.next("terminals, models and zones of the window")?;
    let of_window = origin.clone();
    let stop = steps.stop().clone();
    let found = tokio::task::spawn_blocking(move || -> Result<_, AnalyzeError> {
        let places = Places::of(&counted);
        let proof = prove(&places.0, &ZoneOptions::default(), &stop)?;
        let terminals = devices::terminals(&places, &proof.terminals, &signal, &of_window)?;
        let mut notes = cut_short(&proof.models);
        notes.extend(signal.note());
        let mut models = devices::models(&places, proof.models, &signal, &of_window);
        let carriers = Carriers::of(&proof.zones.cells);
        let mut zones = zones::name(&proof.zones, &carriers, &known, &of_window, to);
        explained::share_out(&places, &proof.terminals, &mut models, &mut zones);
        Ok((terminals, models, zones, carriers, notes))
    })
    .await
    .expect("the statistics do not panic")?;
    let (terminals, models, zones, carriers, notes) = found;
    let publication = Publication {
        location: lake.location().clone(),
        to,
        made_from: (app_id, made_from),
        now,
    };
    publication
        .replace_by(Table::TerminalFlags, terminals)
        .await?;
    publication.replace(Table::DeviceModels, &models).await?;
    publication.replace(Table::WeakZones, &zones.weak).await?;
    publication
        .replace(Table::FailureZones, &zones.failure)
        .await?;
    publication
        .replace(Table::ZoneCandidates, &zones.candidates)
        .await?;
    publication.replace(Table::Cells, &zones.cells).await?;
    drop((models, zones));
    lake.refresh_derived().await?;
    steps.next("effects of interventions")?;
    let effects = effects::find(lake, &treated, &origin, (from, to), steps).await?;
    publication
        .replace(Table::InterventionEffects, &effects)
        .await?;
    steps.next("actions")?;
    let actions = actions::find(lake, &origin, (from, to), carriers).await?;
    publication.replace(LAST, &actions).await?;
    Ok(Some(notes))
}

struct Publication {
    location: Url,
    to: NaiveDate,
    made_from: (String, i64),
    now: DateTime<Utc>,
}

impl Publication {
    async fn replace<T: Serialize + Sync>(
        &self,
        table: Table,
        rows: &[T],
    ) -> Result<(), AnalyzeError> {
        self.replace_by(table, rows_to_batches(table, rows.iter())?)
            .await
    }

    async fn replace_by(&self, table: Table, files: Vec<RecordBatch>) -> Result<(), AnalyzeError> {
        DerivedTable::open(&self.location, table)
            .await?
            .replace(
                &[self.to],
                files.into_iter().map(Ok),
                [self.made_from.clone()],
                self.now.timestamp_millis(),
            )
            .await?;
        Ok(())
    }
}

/// Returns a number that changes with the version of any input.
///
/// Not their sum: an analysis as of a moment reads some tables at lower versions, and writes others.
async fn inputs(lake: &LakeSession) -> Result<i64, AnalyzeError> {
    let inputs = lake.tables().await?;
    let versions = inputs
        .iter()
        .filter(|state| INPUTS.contains(&state.table))
        .map(|state| state.version.map_or(0, |version| version + 1));
    let mixed = versions.fold(0_u64, |mixed, version| {
        mixed
            .wrapping_mul(0x0000_0100_0000_01b3)
            .wrapping_add(version)
    });
    // A version of Delta is not negative.
    Ok(i64::try_from(mixed & (u64::MAX >> 1)).expect("63 bits"))
}

/// Returns when the newest heartbeat of the window's days came.
async fn data_until(
    lake: &LakeSession,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Option<String>, AnalyzeError> {
    let sql = format!(
        "select cast(max(ingest_time) as text) as t from lake.heartbeats \
         where event_date between date '{from}' and date '{to}'"
    );
    let answer = lake.collect(&sql).await?;
    let batch = answer.batches.iter().find(|batch| batch.num_rows() > 0);
    let Some(batch) = batch else { return Ok(None) };
    let texts = super::columns::texts(batch, "t")?;
    Ok(super::columns::text(&texts, 0).map(str::to_owned))
}

/// Tells of a comparison of models that ended by its bound.
fn cut_short(models: &Models) -> Vec<String> {
    let condemned = models.flagged().len();
    let note = format!("{condemned} models were condemned one by one; more may stand out");
    models.is_cut_short.then_some(note).into_iter().collect()
}

impl From<ProofError> for AnalyzeError {
    fn from(error: ProofError) -> Self {
        match error {
            ProofError::Stopped(stopped) => stopped.into(),
            error => Self::Method {
                method: "the proof of the window",
                reason: error.to_string(),
            },
        }
    }
}
