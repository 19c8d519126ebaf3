//! Interventions of the window: which there are, whose terminals they are, and the days that tell.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::array::RecordBatch;
use chrono::{Days, NaiveDate};
use schemas::interventions::{InterventionKind, TargetKind};

use crate::analyze::{AnalyzeError, columns};
use crate::session::LakeSession;

/// Days looked at on either side of an intervention, at most.
pub(super) const REACH: Days = Days::new(28);
/// From this share of its terminals on, another intervention bounds the days of one; below, its
/// terminals are left out.
const SHARED: f64 = 0.5;

/// An intervention and its terminals.
#[derive(Debug, Clone)]
pub(in super::super) struct Treated {
    pub(super) id: String,
    pub(in super::super) kind: InterventionKind,
    pub(super) target: TargetKind,
    pub(super) target_ids: String,
    pub(super) started_at: String,
    pub(in super::super) start: NaiveDate,
    pub(super) ended: Option<NaiveDate>,
    cells: BTreeSet<String>,
    carrier: Option<String>,
    pub(in super::super) terminals: BTreeSet<String>,
}

/// The days an intervention is judged by; the day it was done lies between and counts for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) start: NaiveDate,
    pub(super) before_from: NaiveDate,
    pub(super) after_to: NaiveDate,
}

/// What others did to the terminals of an intervention in its days.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Overlap {
    /// Begun on the same day with most of the same terminals: their effects cannot be told apart.
    pub(super) same_day: Vec<String>,
    /// Terminals to leave out.
    pub(super) others: BTreeSet<String>,
}

/// Reads the interventions whose days reach into the window, with their terminals.
pub(super) async fn read(
    lake: &LakeSession,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Vec<Treated>, AnalyzeError> {
    // Those just outside bound the days of those inside.
    let (earliest, next) = (from - REACH - REACH, to + Days::new(1));
    let sql = format!(
        "select intervention_id, kind, target_kind, target_ids, cells_r8, carrier_plmn, \
         cast(started_at as text) as started, \
         cast(started_at as date) as start_day, cast(ended_at as date) as end_day \
         from lake.interventions where started_at >= timestamp '{earliest}T00:00:00Z' \
         and started_at < timestamp '{next}T00:00:00Z' \
         order by started_at, intervention_id"
    );
    let answer = lake.collect(&sql).await?;
    let mut found = Vec::new();
    for batch in &answer.batches {
        rows(batch, &mut found)?;
    }
    merchants(lake, &mut found, earliest, to).await?;
    cells(lake, &mut found, earliest, to).await?;
    Ok(found)
}

fn rows(batch: &RecordBatch, found: &mut Vec<Treated>) -> Result<(), AnalyzeError> {
    let text = |name: &str| columns::texts(batch, name);
    let (ids, kinds, targets) = (
        text("intervention_id")?,
        text("kind")?,
        text("target_kind")?,
    );
    let (target_ids, cells) = (text("target_ids")?, text("cells_r8")?);
    let (carriers, started) = (text("carrier_plmn")?, text("started")?);
    let (starts, ends) = (
        columns::days(batch, "start_day")?,
        columns::days(batch, "end_day")?,
    );
    for row in 0..batch.num_rows() {
        let unknown = |error: &dyn std::fmt::Display| AnalyzeError::Method {
            method: "the effect of interventions",
            reason: format!("{}: {error}", ids.value(row)),
        };
        let target: TargetKind = targets.value(row).parse().map_err(|e| unknown(&e))?;
        let listed = |list: &str| list.split(';').map(str::to_owned).collect();
        found.push(Treated {
            id: ids.value(row).to_owned(),
            kind: kinds.value(row).parse().map_err(|e| unknown(&e))?,
            target,
            target_ids: target_ids.value(row).to_owned(),
            started_at: started.value(row).to_owned(),
            start: starts[row].ok_or_else(|| unknown(&"no start"))?,
            ended: ends[row],
            cells: columns::text(&cells, row).map_or_else(BTreeSet::new, listed),
            carrier: columns::text(&carriers, row).map(str::to_owned),
            terminals: match target {
                TargetKind::Terminal => listed(target_ids.value(row)),
                _ => BTreeSet::new(),
            },
        });
    }
    Ok(())
}

async fn merchants(
    lake: &LakeSession,
    found: &mut [Treated],
    from: NaiveDate,
    to: NaiveDate,
) -> Result<(), AnalyzeError> {
    let mut of_merchant: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, treated) in found.iter().enumerate() {
        if treated.target == TargetKind::Merchant {
            for merchant in treated.target_ids.split(';') {
                of_merchant.entry(merchant.to_owned()).or_default().push(at);
            }
        }
    }
    if of_merchant.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "select distinct merchant_id, terminal_id from lake.terminal_days \
         where event_date between date '{from}' and date '{to}' and merchant_id in ({})",
        quoted(of_merchant.keys())
    );
    for batch in &lake.collect(&sql).await?.batches {
        let merchants = columns::texts(batch, "merchant_id")?;
        let terminals = columns::texts(batch, "terminal_id")?;
        for row in 0..batch.num_rows() {
            for at in of_merchant.get(merchants.value(row)).into_iter().flatten() {
                found[*at].terminals.insert(terminals.value(row).to_owned());
            }
        }
    }
    Ok(())
}

/// Finds who stood in the cells before the start: who came later was not there to be helped.
async fn cells(
    lake: &LakeSession,
    found: &mut [Treated],
    from: NaiveDate,
    to: NaiveDate,
) -> Result<(), AnalyzeError> {
    let mut in_cell: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, treated) in found.iter().enumerate() {
        for cell in &treated.cells {
            in_cell.entry(cell.clone()).or_default().push(at);
        }
    }
    if in_cell.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "select cell, carrier_plmn, terminal_id, min(event_date) as first_day from (\
         select h3_h3_to_string(h3_cell_to_parent(cell_r9, 8)) as cell, carrier_plmn, terminal_id, event_date \
         from lake.terminal_days where event_date between date '{from}' and date '{to}' \
         and carrier_plmn is not null and not has_moved) \
         where cell in ({}) group by cell, carrier_plmn, terminal_id",
        quoted(in_cell.keys())
    );
    for batch in &lake.collect(&sql).await?.batches {
        let text = |name: &str| columns::texts(batch, name);
        let (cells, carriers, terminals) =
            (text("cell")?, text("carrier_plmn")?, text("terminal_id")?);
        let days = columns::days(batch, "first_day")?;
        for (row, first_day) in days.into_iter().enumerate() {
            for at in in_cell.get(cells.value(row)).into_iter().flatten() {
                let treated = &mut found[*at];
                let carrier = treated.carrier.as_deref();
                let is_carriers = carrier.is_none_or(|carrier| carrier == carriers.value(row));
                if is_carriers && first_day.is_some_and(|day| day < treated.start) {
                    treated.terminals.insert(terminals.value(row).to_owned());
                }
            }
        }
    }
    Ok(())
}

fn quoted<'a>(texts: impl Iterator<Item = &'a String>) -> String {
    let texts = texts.map(|text| format!("'{}'", text.replace('\'', "''")));
    texts.collect::<Vec<_>>().join(", ")
}

/// Who was treated by what: finds the interventions that share terminals without comparing all of them.
#[derive(Debug)]
pub(super) struct Shared<'t> {
    all: &'t [Treated],
    by_terminal: HashMap<&'t str, Vec<usize>>,
}

impl<'t> Shared<'t> {
    pub(super) fn of(all: &'t [Treated]) -> Self {
        let mut by_terminal: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, one) in all.iter().enumerate() {
            for terminal in &one.terminals {
                by_terminal.entry(terminal).or_default().push(at);
            }
        }
        Self { all, by_terminal }
    }

    /// Returns the others that share terminals with one, in their order, with how many.
    fn with(&self, one: &Treated) -> impl Iterator<Item = (&'t Treated, usize)> {
        let mut shared: BTreeMap<usize, usize> = BTreeMap::new();
        let of_terminals = one.terminals.iter();
        for at in
            of_terminals.flat_map(|it| self.by_terminal.get(it.as_str()).into_iter().flatten())
        {
            *shared.entry(*at).or_default() += 1;
        }
        let own = one.id.clone();
        let others = shared.into_iter().map(|(at, count)| (&self.all[at], count));
        others.filter(move |(other, _)| other.id != own)
    }

    /// Returns the days of an intervention among all, up to the window's last, and whom to leave out.
    pub(super) fn span(&self, one: &Treated, to: NaiveDate) -> (Span, Overlap) {
        let last = one.ended.map_or(to, |ended| to.min(ended - Days::new(1)));
        let mut span = Span {
            start: one.start,
            before_from: one.start - REACH,
            after_to: last.min(one.start + REACH),
        };
        let mut overlap = Overlap::default();
        let most = SHARED * one.terminals.len() as f64;
        let (same, few): (Vec<_>, Vec<_>) = self
            .with(one)
            .partition(|(_, shared)| *shared as f64 >= most);
        for (other, _) in same {
            if other.start < one.start {
                span.before_from = span.before_from.max(other.start + Days::new(1));
            } else if other.start > one.start {
                span.after_to = span.after_to.min(other.start - Days::new(1));
            } else {
                overlap.same_day.push(other.id.clone());
            }
        }
        for (other, _) in few.into_iter().filter(|(other, _)| span.holds(other.start)) {
            let both = one.terminals.intersection(&other.terminals);
            overlap.others.extend(both.cloned());
        }
        (span, overlap)
    }
}

impl Span {
    pub(super) fn holds(&self, day: NaiveDate) -> bool {
        (self.before_from..=self.after_to).contains(&day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    fn treated(id: &str, start: &str, terminals: &[&str]) -> Treated {
        Treated {
            id: id.into(),
            kind: InterventionKind::Booster,
            target: TargetKind::Terminal,
            target_ids: terminals.join(";"),
            started_at: format!("{start}T00:00:00Z"),
            start: day(start),
            ended: None,
            cells: BTreeSet::new(),
            carrier: None,
            terminals: terminals.iter().map(|id| (*id).to_owned()).collect(),
        }
    }

    #[test]
    fn days_end_where_the_next_work_on_the_same_terminals_begins() {
        let to = day("2026-11-24");
        let all = [
            treated("a", "2026-11-02", &["t1", "t2"]),
            treated("b", "2026-11-10", &["t1", "t2"]),
            treated("c", "2026-11-12", &["t9"]),
            treated("d", "2026-11-20", &["t1", "t2", "t3"]),
        ];
        let (span, overlap) = Shared::of(&all).span(&all[1], to);
        assert_eq!(
            (span.before_from, span.after_to),
            (day("2026-11-03"), day("2026-11-19"))
        );
        assert_eq!(overlap, Overlap::default());
        let (first, _) = Shared::of(&all).span(&all[0], to);
        assert_eq!(
            (first.before_from, first.after_to),
            (day("2026-10-05"), day("2026-11-09"))
        );
        let ended = Treated {
            ended: Some(day("2026-11-16")),
            ..all[2].clone()
        };
        let (span, _) = Shared::of(&all).span(&ended, to);
        assert_eq!(span.after_to, day("2026-11-15"));
    }

    #[test]
    fn work_on_few_of_the_terminals_leaves_those_out_and_the_same_day_is_told() {
        let all = [
            treated("a", "2026-11-10", &["t1", "t2", "t3"]),
            treated("b", "2026-11-12", &["t1"]),
            treated("c", "2026-11-10", &["t1", "t2", "t3"]),
        ];
        let (span, overlap) = Shared::of(&all).span(&all[0], day("2026-11-24"));
        assert_eq!(span.after_to, day("2026-11-24"));
        assert_eq!(overlap.others, BTreeSet::from(["t1".to_owned()]));
        assert_eq!(overlap.same_day, ["c"]);
    }
}
