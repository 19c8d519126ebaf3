//! Functions under the names of PostgreSQL, DuckDB and TimescaleDB: owns what each is in the words
//! of the engine and of our functions.

use datafusion::error::Result;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectNamePart, Value,
};

use super::Refusal;
use crate::functions::FunctionDoc;

const fn doc(name: &'static str, usage: &'static str, doc: &'static str) -> FunctionDoc {
    FunctionDoc { name, usage, doc }
}

/// What the aliases are, for the list of functions.
pub(crate) const ALIASES: [FunctionDoc; 14] = [
    doc(
        "rate",
        "rate(failures, attempts)",
        "sum(failures) / sum(attempts) as a double, over rows that have both; null without attempts. Of two sums their quotient",
    ),
    doc(
        "time_bucket",
        "time_bucket(width, time[, origin])",
        "begin of the bucket a time falls in; weeks begin on Mondays",
    ),
    doc(
        "strftime",
        "strftime(time, pattern)",
        "to_char under its name in DuckDB",
    ),
    doc(
        "count_if",
        "count_if(condition)",
        "number of rows for which the condition is true",
    ),
    doc(
        "arg_max",
        "arg_max(x, y)",
        "x of the row with the largest y, of rows that have both; also max_by",
    ),
    doc(
        "arg_min",
        "arg_min(x, y)",
        "x of the row with the smallest y, of rows that have both; also min_by",
    ),
    doc("max_by", "max_by(x, y)", "arg_max under another name"),
    doc("min_by", "min_by(x, y)", "arg_min under another name"),
    doc(
        "quantile_cont",
        "quantile_cont(x, p)",
        "percentile_cont under its name in DuckDB",
    ),
    doc(
        "quantile_disc",
        "quantile_disc(x, p)",
        "percentile_disc under its name in DuckDB",
    ),
    doc("mod", "mod(x, y)", "rest of a division, x % y"),
    doc("sign", "sign(x)", "-1, 0 or 1"),
    doc(
        "regexp_extract",
        "regexp_extract(text, pattern[, group])",
        "what the pattern, or its group of a number, matches first; empty without a match",
    ),
    doc(
        "date_part",
        "date_part(part, time) or EXTRACT(part FROM time)",
        "a part of a time, an interval or a duration; epoch of a duration is all of it in seconds",
    ),
];

/// Aggregates among which a quotient is of sums already.
const AGGREGATES: [&str; 6] = ["sum(", "count(", "avg(", "min(", "max(", "count_if("];

/// Returns the expression that a call stands for; `None` for a function the engine knows itself.
pub(super) fn meaning(call: &Function) -> Result<Option<String>> {
    let [ObjectNamePart::Identifier(name)] = &call.name.0[..] else {
        return Ok(None);
    };
    let name = name.value.to_ascii_lowercase();
    let Some(args) = arguments(call) else {
        return Ok(None);
    };
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let tail = Tail::of(call);
    Ok(Some(match (name.as_str(), &args[..]) {
        ("rate", [failures, attempts]) => rate(failures, attempts, &tail),
        ("time_bucket", [width, time]) => bucket(call, width, time, None),
        ("time_bucket", [width, time, origin]) => bucket(call, width, time, Some(origin)),
        ("strftime", [time, pattern]) => format!("to_char({time}, {pattern})"),
        ("count_if" | "countif", [condition]) => {
            tail.call("count", &format!("CASE WHEN {condition} THEN 1 END"))
        }
        ("arg_max" | "argmax" | "max_by", [value, by]) => tail.first(&name, value, by, "DESC")?,
        ("arg_min" | "argmin" | "min_by", [value, by]) => tail.first(&name, value, by, "ASC")?,
        ("quantile_cont", [value, share]) => {
            tail.call("percentile_cont", &format!("{value}, {share}"))
        }
        ("quantile_disc", [value, share]) => {
            tail.call("percentile_disc", &format!("{value}, {share}"))
        }
        ("mode", []) => match ordered(call)? {
            Some(value) => tail.call("mode", &value),
            None => return Ok(None),
        },
        ("percentile_disc", [share]) => match ordered(call)? {
            Some(value) => tail.call("percentile_disc", &format!("{value}, {share}")),
            None => return Ok(None),
        },
        ("mod", [one, other]) => format!("(({one}) % ({other}))"),
        ("sign", [value]) => format!("signum({value})"),
        ("regexp_extract", [text, pattern]) => extracted(text, pattern, "0"),
        ("regexp_extract", [text, pattern, group]) => extracted(text, pattern, group),
        _ => return Ok(None),
    }))
}

/// The arguments of a call as text; `None` where one has a name or is a star.
fn arguments(call: &Function) -> Option<Vec<String>> {
    let FunctionArguments::List(list) = &call.args else {
        return None;
    };
    if !list.clauses.is_empty() || list.duplicate_treatment.is_some() {
        return None;
    }
    let text = |arg: &FunctionArg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.to_string()),
        _ => None,
    };
    list.args.iter().map(text).collect()
}

/// The one expression of `within group (order by …)`.
fn ordered(call: &Function) -> Result<Option<String>> {
    let [order] = &call.within_group[..] else {
        return Ok(None);
    };
    if order.options.asc == Some(false) {
        let name = &call.name;
        return Err(Refusal(format!(
            "{name} orders upwards here: leave out desc, and take 1 - p for a share p"
        ))
        .into());
    }
    Ok(Some(order.expr.to_string()))
}

/// What stands behind the arguments of a call.
struct Tail {
    filter: Option<String>,
    over: Option<String>,
}

impl Tail {
    fn of(call: &Function) -> Self {
        Self {
            filter: call.filter.as_ref().map(ToString::to_string),
            over: call.over.as_ref().map(ToString::to_string),
        }
    }

    /// Writes a call of an aggregate.
    fn call(&self, function: &str, args: &str) -> String {
        self.call_where(function, args, None)
    }

    fn call_where(&self, function: &str, args: &str, only: Option<&str>) -> String {
        let conditions = self.filter.as_deref().into_iter().chain(only);
        let conditions: Vec<String> = conditions.map(|one| format!("({one})")).collect();
        let filter = match conditions.is_empty() {
            true => String::new(),
            false => format!(" FILTER (WHERE {})", conditions.join(" AND ")),
        };
        let over = self.over.as_ref().map(|over| format!(" OVER {over}"));
        format!("{function}({args}){filter}{}", over.unwrap_or_default())
    }

    /// Writes the value of the first row in an order; of rows equal in it the least value.
    fn first(&self, name: &str, value: &str, by: &str, direction: &str) -> Result<String> {
        if self.over.is_some() {
            return Err(Refusal(format!(
                "{name} has no window here: write first_value({value}) over (partition by … order by {by} {})",
                direction.to_lowercase()
            ))
            .into());
        }
        let args = format!("{value} ORDER BY {by} {direction}, {value}");
        let both = format!("({value}) IS NOT NULL AND ({by}) IS NOT NULL");
        Ok(self.call_where("first_value", &args, Some(&both)))
    }
}

fn rate(failures: &str, attempts: &str, tail: &Tail) -> String {
    let lowered = format!("{failures} {attempts}").to_ascii_lowercase();
    if AGGREGATES.iter().any(|name| lowered.contains(name)) {
        return format!("(CAST({failures} AS DOUBLE) / nullif({attempts}, 0))");
    }
    let both = format!("({failures}) IS NOT NULL AND ({attempts}) IS NOT NULL");
    let sum = |of| tail.call_where("sum", of, Some(&both));
    format!(
        "(CAST({} AS DOUBLE) / nullif({}, 0))",
        sum(failures),
        sum(attempts)
    )
}

/// Weeks begin on a Monday and months on a first, as in TimescaleDB and DuckDB.
fn bucket(call: &Function, width: &str, time: &str, origin: Option<&str>) -> String {
    let lowered = width.to_ascii_lowercase();
    let is_months = ["month", "year", "quarter", "decade", "century"];
    let usual = match is_months.iter().any(|unit| lowered.contains(unit)) {
        true => "TIMESTAMP '2000-01-01 00:00:00'",
        false => "TIMESTAMP '2000-01-03 00:00:00'",
    };
    let interval = match is_text(call) {
        true => format!("INTERVAL {width}"),
        false => width.to_owned(),
    };
    format!("date_bin({interval}, {time}, {})", origin.unwrap_or(usual))
}

/// Whether the first argument is a text.
fn is_text(call: &Function) -> bool {
    let FunctionArguments::List(list) = &call.args else {
        return false;
    };
    matches!(
        list.args.first(),
        Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))))
            if matches!(value.value, Value::SingleQuotedString(_))
    )
}

/// The whole match is the first group of the pattern in parentheses.
fn extracted(text: &str, pattern: &str, group: &str) -> String {
    format!(
        "CASE WHEN ({text}) IS NOT NULL THEN \
         coalesce(regexp_match({text}, concat('(', {pattern}, ')'))[({group}) + 1], '') END"
    )
}
