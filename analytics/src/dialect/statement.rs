//! What a statement's text stands for: owns the forms that are rewritten before a plan is made.

use std::ops::ControlFlow;

use datafusion::common::{DataFusionError, Result};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, LimitClause, ObjectNamePart, OrderByKind, Query, Select,
    SelectItem, SetExpr, Statement as Sql, Value, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::{Refusal, aliases};

/// Schema of what is asked about by a plain name.
const PLAIN: &str = "public";

/// Rewrites a statement as the engine and our functions know it.
///
/// # Errors
/// When it means what cannot be done here.
pub(super) fn rewrite(statement: &mut Statement) -> Result<()> {
    match statement {
        Statement::Explain(explain) => rewrite(&mut explain.statement),
        Statement::Statement(sql) => {
            zone_is_fixed(sql)?;
            whole(sql);
            match VisitMut::visit(sql.as_mut(), &mut Rewriter) {
                ControlFlow::Break(error) => Err(error),
                ControlFlow::Continue(()) => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// Refuses another zone for the session: only some of the engine's functions would heed it.
fn zone_is_fixed(sql: &Sql) -> Result<()> {
    let text = sql.to_string().to_lowercase();
    let of_zone = ["time zone", "timezone", "time_zone"];
    if text.starts_with("set ") && of_zone.iter().any(|name| text.contains(name)) {
        let text = "times are in UTC here: write event_time at time zone 'Asia/Tokyo', or at time zone a column";
        return Err(Refusal(text.into()).into());
    }
    Ok(())
}

/// Rewrites what concerns a statement as a whole.
fn whole(sql: &mut Sql) {
    match sql {
        // A session's views are gone with it.
        Sql::CreateView(view) => view.temporary = false,
        Sql::ShowColumns { show_options, .. } => {
            let table = show_options
                .show_in
                .as_mut()
                .and_then(|place| place.parent_name.as_mut());
            if let Some(table) = table
                && table.0.len() == 1
            {
                // Else columns of the tables of every schema that has one of the name.
                let plain = ObjectNamePart::Identifier(Ident::new(PLAIN));
                table.0.insert(0, plain);
            }
        }
        _ => {}
    }
}

struct Rewriter;

impl VisitorMut for Rewriter {
    type Break = DataFusionError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<DataFusionError> {
        ordered_by_column(query);
        done(first_rows(query))
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<DataFusionError> {
        done(self.named(select))
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<DataFusionError> {
        done(meant(expr).map(|meant| {
            if let Some(meant) = meant {
                *expr = meant;
            }
        }))
    }
}

fn done(result: Result<()>) -> ControlFlow<DataFusionError> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    }
}

/// An order by the very text of a column is one by that column, whose name may be another than the
/// engine's: it would not find it among those of `select distinct`.
fn ordered_by_column(query: &mut Query) {
    let (SetExpr::Select(select), Some(order)) = (query.body.as_ref(), &mut query.order_by) else {
        return;
    };
    let columns: Option<Vec<String>> = select.projection.iter().map(column_text).collect();
    let (Some(columns), OrderByKind::Expressions(orders)) = (columns, &mut order.kind) else {
        return;
    };
    for order in orders {
        let is_name = matches!(
            order.expr,
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_)
        );
        let text = order.expr.to_string();
        let column = columns.iter().position(|column| *column == text);
        if let (false, Some(at)) = (is_name, column) {
            order.expr = Expr::value(Value::Number((at + 1).to_string(), false));
        }
    }
}

/// The text of a column; `None` for a star, which stands for many.
fn column_text(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
            Some(expr.to_string())
        }
        _ => None,
    }
}

/// `fetch first 5 rows only` is `limit 5`.
fn first_rows(query: &mut Query) -> Result<()> {
    let Some(fetch) = query.fetch.take() else {
        return Ok(());
    };
    if fetch.with_ties || fetch.percent {
        let text = "fetch first takes a number of rows here, without percent and with ties: \
                    rank() over (order by …) finds those";
        return Err(Refusal(text.into()).into());
    }
    let one = || Expr::value(Value::Number("1".into(), false));
    let rows = Some(fetch.quantity.unwrap_or_else(one));
    match &mut query.limit_clause {
        Some(LimitClause::LimitOffset { limit, .. }) => *limit = rows,
        clause => {
            *clause = Some(LimitClause::LimitOffset {
                limit: rows,
                offset: None,
                limit_by: Vec::new(),
            });
        }
    }
    Ok(())
}

impl Rewriter {
    /// Columns keep the text they were asked for by, where what is asked of the engine differs from it
    /// or the engine would name two alike.
    fn named(&mut self, select: &mut Select) -> Result<()> {
        let without_casts: Vec<String> = select.projection.iter().map(without_casts).collect();
        for (at, item) in select.projection.iter_mut().enumerate() {
            let SelectItem::UnnamedExpr(expr) = item else {
                continue;
            };
            let text = expr.to_string();
            let mut meant = expr.clone();
            if let ControlFlow::Break(error) = VisitMut::visit(&mut meant, self) {
                return Err(error);
            }
            let own = &without_casts[at];
            let is_like_another = text != *own
                && without_casts
                    .iter()
                    .enumerate()
                    .any(|(other, text)| other != at && text == own);
            if meant != *expr || is_like_another {
                *item = SelectItem::ExprWithAlias {
                    expr: meant,
                    alias: Ident::with_quote('"', text.replace('"', "")),
                };
            }
        }
        Ok(())
    }
}

/// The text of a column without its casts, which are no part of the engine's names.
fn without_casts(item: &SelectItem) -> String {
    struct Strip;
    impl VisitorMut for Strip {
        type Break = ();
        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Expr::Cast { expr: inner, .. } = expr {
                *expr = inner.as_ref().clone();
            }
            ControlFlow::Continue(())
        }
    }
    let mut item = item.clone();
    let _ = VisitMut::visit(&mut item, &mut Strip);
    item.to_string()
}

/// Returns what an expression stands for; `None` when the engine takes it as it is.
fn meant(expr: &Expr) -> Result<Option<Expr>> {
    let text = match expr {
        Expr::Extract { field, expr, .. } => {
            let field = field.to_string();
            format!("date_part('{}', {expr})", field.trim_matches(['\'', '"']))
        }
        Expr::AtTimeZone {
            timestamp,
            time_zone,
        } => format!("timezone({time_zone}, {timestamp})"),
        Expr::SimilarTo {
            negated,
            expr,
            pattern,
            escape_char,
        } => {
            let not = if *negated { "NOT " } else { "" };
            let escape = escape_char.as_ref().map(|escape| format!(", {escape}"));
            let escape = escape.unwrap_or_default();
            format!("({not}similar_to({expr}, {pattern}{escape}))")
        }
        // The engine takes it for the exclusive or of bits, at another rank than a power has.
        Expr::BinaryOp {
            op: BinaryOperator::BitwiseXor | BinaryOperator::PGExp,
            ..
        } => {
            let text = format!("{expr}: ^ is no power here, write power(x, y)");
            return Err(Refusal(text).into());
        }
        Expr::Function(call) => match aliases::meaning(call)? {
            Some(text) => text,
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    let mut parser = Parser::new(&GenericDialect {}).try_with_sql(&text)?;
    Ok(Some(parser.parse_expr()?))
}

#[cfg(test)]
mod tests {
    use datafusion::sql::parser::DFParser;

    use super::*;

    fn rewritten(sql: &str) -> Result<String> {
        let mut statements = DFParser::parse_sql(sql)?;
        let mut statement = statements.pop_front().expect("a statement");
        rewrite(&mut statement)?;
        Ok(statement.to_string())
    }

    #[test]
    fn what_would_mean_something_else_is_refused_with_what_works() {
        for (typed, form) in [
            ("SELECT avg(x) ^ 2 FROM t", "power(x, y)"),
            ("SET timezone = 'Asia/Tokyo'", "at time zone"),
            ("SET TIME ZONE 'Asia/Tokyo'", "at time zone"),
            (
                "SET datafusion.execution.time_zone = '+09:00'",
                "at time zone",
            ),
        ] {
            let said = rewritten(typed).expect_err(typed).to_string();
            assert!(said.contains(form), "{typed}: {said}");
        }
        assert!(rewritten("SET datafusion.execution.batch_size = 100").is_ok());
    }

    #[test]
    fn what_has_another_name_here_is_rewritten_wherever_it_stands() {
        for (typed, meant) in [
            (
                "SELECT a FROM t WHERE b SIMILAR TO 'x%'",
                "SELECT a FROM t WHERE (similar_to(b, 'x%'))",
            ),
            (
                "SELECT a FROM t ORDER BY mod(a, 2)",
                "SELECT a FROM t ORDER BY ((a) % (2))",
            ),
            (
                "SELECT DISTINCT b, a::DATE AS d FROM t ORDER BY a::DATE DESC, b",
                "SELECT DISTINCT b, a::DATE AS d FROM t ORDER BY 2 DESC, b",
            ),
            (
                "SELECT x FROM (SELECT a AT TIME ZONE z AS x FROM t) AS s",
                "SELECT x FROM (SELECT timezone(z, a) AS x FROM t) AS s",
            ),
            (
                "SELECT count_if(a > 1) FILTER (WHERE b) OVER (PARTITION BY c) AS n FROM t",
                "SELECT count(CASE WHEN a > 1 THEN 1 END) FILTER (WHERE (b)) OVER (PARTITION BY c) AS n FROM t",
            ),
            (
                "SELECT mode() WITHIN GROUP (ORDER BY a) AS m FROM t",
                "SELECT mode(a) AS m FROM t",
            ),
            (
                "SELECT a FROM t FETCH FIRST 5 ROWS ONLY",
                "SELECT a FROM t LIMIT 5",
            ),
            (
                "SELECT sum(a) AS s FROM t GROUP BY ALL",
                "SELECT sum(a) AS s FROM t GROUP BY ALL",
            ),
        ] {
            assert_eq!(rewritten(typed).expect("rewritten"), meant, "{typed}");
        }
    }

    #[test]
    fn a_column_keeps_the_text_it_was_asked_for_by() {
        let sql = rewritten("SELECT rate(f, a) FROM t").expect("rewritten");
        assert!(sql.contains("AS \"rate(f, a)\""), "{sql}");
        let sql = rewritten("SELECT t, t::date FROM x").expect("rewritten");
        assert_eq!(sql, "SELECT t, t::DATE AS \"t::DATE\" FROM x");
        let sql = "SELECT a, count(*) FROM t";
        assert_eq!(rewritten(sql).expect("as it is"), sql);
    }

    #[test]
    fn a_rate_of_columns_adds_up_and_one_of_sums_divides() {
        let sql = rewritten("SELECT rate(f, a) AS r, rate(sum(f), sum(a)) AS s FROM t");
        let sql = sql.expect("rewritten");
        let sums = "(CAST(sum(f) FILTER (WHERE ((f) IS NOT NULL AND (a) IS NOT NULL)) AS DOUBLE)";
        assert!(sql.contains(sums), "{sql}");
        assert!(
            sql.contains("(CAST(sum(f) AS DOUBLE) / nullif(sum(a), 0)) AS s"),
            "{sql}"
        );
    }

    #[test]
    fn what_has_no_form_here_is_refused() {
        for sql in [
            "SELECT arg_max(a, b) OVER (PARTITION BY c) FROM t",
            "SELECT percentile_disc(0.9) WITHIN GROUP (ORDER BY a DESC) FROM t",
            "SELECT a FROM t FETCH FIRST 5 PERCENT ROWS ONLY",
        ] {
            assert!(rewritten(sql).is_err(), "{sql}");
        }
    }
}
