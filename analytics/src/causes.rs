//! How a failure is shared between its culprits: the one owner of that rule for queries and for the window.
//!
//! A failure without an answer, outside outages and fixed lines, may have several: a bad terminal, of a bad
//! model, in a weak zone. Each explains a part of what fails there, the excess over what would fail
//! anyway: `1 - 1 / odds ratio` of a terminal to its peers or of a model to others in its cells, and
//! `1 - 1 / rate ratio` of a zone to the carrier's ordinary places. A rate is at most
//! 1: where a share `r` of ordinary devices fails, a model explains at most `1 - r` of what its own fail. They are taken one after the other, in the
//! order of proof, each of what the ones before left; the rest is the link's of the moment. So shares of a
//! failure sum to 1, and what could be avoided never adds up to more than failed.

use schemas::causes::rules;

const CULPRITS: &str = include_str!("../sql/culprits.sql");

/// The parts of every failure that culprits explain, 0 where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Explained {
    /// Of the terminal, if it was flagged.
    pub(crate) terminal: f64,
    /// Of its model, if it was flagged.
    pub(crate) model: f64,
    /// Of the zone it stands in.
    pub(crate) place: f64,
    /// What of ordinary devices fails in the zone; 0 outside of zones, where it is small.
    pub(crate) place_rate: f64,
}

/// Shares of a failure; with [`Shares::own`] they sum to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Shares {
    pub(crate) terminal: f64,
    pub(crate) model: f64,
    pub(crate) place: f64,
}

impl Explained {
    /// Shares a failure; [`SHARES`] says the same in SQL.
    pub(crate) fn shares(self) -> Shares {
        let after_terminal = 1.0 - self.terminal;
        let model = self.model.min(1.0 - self.place_rate);
        let after_model = after_terminal * (1.0 - model);
        Shares {
            terminal: self.terminal,
            model: after_terminal * model,
            place: after_model * self.place,
        }
    }
}

#[cfg(test)]
impl Shares {
    /// What is left to the link of the moment.
    pub(crate) fn own(self) -> f64 {
        1.0 - self.terminal - self.model - self.place
    }
}

/// [`Explained::shares`] in SQL, over the columns of `culprits.sql`; null explains nothing.
const SHARES: [(&str, &str); 4] = [
    ("{terminal_share}", "coalesce(terminal_explains, 0.0)"),
    (
        "{model_share}",
        "(1.0 - coalesce(terminal_explains, 0.0)) * {model_part}",
    ),
    (
        "{place_share}",
        "(1.0 - coalesce(terminal_explains, 0.0)) * (1.0 - {model_part}) \
         * coalesce(place_explains, 0.0)",
    ),
    (
        "{own_share}",
        "(1.0 - coalesce(terminal_explains, 0.0)) * (1.0 - {model_part}) \
         * (1.0 - coalesce(place_explains, 0.0))",
    ),
];

/// What a model explains of the failures that its terminals leave.
const MODEL_PART: &str = "least(coalesce(model_explains, 0.0), 1.0 - coalesce(place_rate, 0.0))";

/// Returns what an odds or rate ratio explains of the failures that have it.
pub(crate) fn explained_by(ratio: f64) -> f64 {
    match ratio > 1.0 {
        true => 1.0 - ratio.recip(),
        false => 0.0,
    }
}

/// Puts the rules' constants, the culprits of a window and their shares into a statement.
///
/// `window` is SQL for the last day of the window whose culprits are meant.
pub fn bind(sql: &str, window: &str) -> String {
    let list = |texts: &[&str]| {
        let quoted: Vec<String> = texts.iter().map(|text| format!("'{text}'")).collect();
        quoted.join(", ")
    };
    let mut bound = sql
        .replace("{culprits}", CULPRITS.trim_end())
        .replace("{window}", window)
        .replace("{signal_holds_s}", &rules::SIGNAL_HOLDS_S.to_string())
        .replace("{unregistered_phases}", &list(&rules::UNREGISTERED_PHASES))
        .replace("{no_route_codes}", &list(&rules::NO_ROUTE_CODES))
        .replace("{offline_codes}", &list(&rules::OFFLINE_CODES))
        .replace("{no_answer}", rules::NO_ANSWER);
    for (name, share) in SHARES {
        bound = bound.replace(name, share);
    }
    bound.replace("{model_part}", MODEL_PART)
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;

    #[tokio::test]
    async fn sql_shares_a_failure_as_the_window_does() {
        let context = SessionContext::new();
        for (terminal, model, place, place_rate) in [
            (0.0, 0.0, 0.0, 0.0),
            (0.8, 0.5, 0.9, 0.4),
            (0.0, 0.9, 0.9, 0.4),
            (0.0, 0.75, 0.7, 0.0),
        ] {
            let explained = Explained {
                terminal,
                model,
                place,
                place_rate,
            };
            let sql = bind(
                &format!(
                    "select {{terminal_share}} as t, {{model_share}} as m, {{place_share}} as p, {{own_share}} as o \
                     from (select cast({terminal} as double) as terminal_explains, \
                     nullif(cast({model} as double), 0.0) as model_explains, cast({place} as double) as place_explains, \
                     cast({place_rate} as double) as place_rate)"
                ),
                "",
            );
            let rows = context.sql(&sql).await.expect("SQL").collect().await;
            let rows = rows.expect("a row");
            let said: Vec<f64> = (0..4)
                .map(|at| {
                    let column = rows[0].column(at);
                    arrow::array::AsArray::as_primitive::<arrow::datatypes::Float64Type>(column)
                        .value(0)
                })
                .collect();
            let shares = explained.shares();
            let expected = [shares.terminal, shares.model, shares.place, shares.own()];
            for (said, expected) in said.iter().zip(expected) {
                assert!((said - expected).abs() < 1e-12, "{said} {expected}: {sql}");
            }
            assert!((said.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn the_report_of_causes_tells_every_rule_in_its_order() {
        let report = include_str!("../sql/reports/causes.sql");
        let told = report.split_once("Rules in their order").expect("told").1;
        let mut from = 0;
        for rule in rules::CauseRule::ALL {
            let at = told[from..].find(rule.as_str());
            from += at.unwrap_or_else(|| panic!("{} is not told in its place", rule.as_str()));
        }
    }

    #[test]
    fn a_ratio_explains_its_excess() {
        assert_eq!(explained_by(4.0), 0.75);
        assert_eq!(explained_by(0.5), 0.0);
    }
}
