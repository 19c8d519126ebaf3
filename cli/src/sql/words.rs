//! What the shell can complete: keywords, tables, columns and functions, and the words in a line.

use std::collections::BTreeSet;

use analytics::{LakeSession, functions};

/// The keywords worth typing less of.
const KEYWORDS: &[&str] = &[
    "all",
    "and",
    "as",
    "asc",
    "between",
    "by",
    "case",
    "cast",
    "cross",
    "desc",
    "describe",
    "distinct",
    "else",
    "end",
    "except",
    "exists",
    "explain",
    "explain analyze",
    "false",
    "filter",
    "from",
    "full",
    "group by",
    "having",
    "in",
    "inner",
    "intersect",
    "interval",
    "is",
    "is not null",
    "is null",
    "join",
    "left",
    "like",
    "limit",
    "not",
    "null",
    "nulls last",
    "offset",
    "on",
    "or",
    "order by",
    "outer",
    "over",
    "partition by",
    "right",
    "select",
    "show tables",
    "then",
    "true",
    "union all",
    "using",
    "values",
    "when",
    "where",
    "with",
    "within group",
];

/// Everything that can be completed, sorted.
#[derive(Debug, Default)]
pub(super) struct Words(BTreeSet<String>);

impl Words {
    /// Gathers the words of a lake.
    pub(super) async fn of(lake: &LakeSession) -> Self {
        let mut words: BTreeSet<String> = KEYWORDS.iter().map(|&word| word.to_owned()).collect();
        let context = lake.context();
        for name in context.catalog_names() {
            let Some(catalog) = context.catalog(&name) else {
                continue;
            };
            for schema_name in catalog.schema_names() {
                let Some(schema) = catalog.schema(&schema_name) else {
                    continue;
                };
                for table in schema.table_names() {
                    let Ok(Some(provider)) = schema.table(&table).await else {
                        continue;
                    };
                    words.extend(
                        provider
                            .schema()
                            .fields()
                            .iter()
                            .map(|field| field.name().clone()),
                    );
                    words.insert(if schema_name == "public" {
                        table
                    } else {
                        format!("{schema_name}.{table}")
                    });
                }
            }
        }
        let state = context.state();
        words.extend(functions::catalog().iter().map(|doc| doc.name.to_owned()));
        words.extend(state.scalar_functions().keys().cloned());
        words.extend(state.aggregate_functions().keys().cloned());
        words.extend(state.window_functions().keys().cloned());
        Self(words)
    }

    /// Returns where the word before `cursor` begins, and what it may become.
    pub(super) fn complete(&self, line: &str, cursor: usize) -> (usize, Vec<String>) {
        let before = &line[..cursor];
        let is_word = |char: char| char.is_alphanumeric() || matches!(char, '_' | '.');
        let start = before.rfind(|char| !is_word(char)).map_or(0, |at| {
            at + before[at..].chars().next().map_or(0, char::len_utf8)
        });
        let typed = before[start..].to_lowercase();
        if typed.is_empty() {
            return (start, Vec::new());
        }
        let fits = self
            .0
            .iter()
            .filter(|word| word.to_lowercase().starts_with(&typed));
        (start, fits.cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        Words(
            ["declines", "decline_count", "lake.declines", "select"]
                .map(str::to_owned)
                .into(),
        )
    }

    #[test]
    fn the_word_before_the_cursor_is_completed_whatever_its_case() {
        let line = "SELECT * from DECL where";
        assert_eq!(
            words().complete(line, 18),
            (14, vec!["decline_count".into(), "declines".into()])
        );
        assert_eq!(
            words().complete("from lake.d", 11),
            (5, vec!["lake.declines".into()])
        );
    }

    #[test]
    fn nothing_is_offered_before_anything_is_typed() {
        assert_eq!(words().complete("select 'é' ", 12).1, Vec::<String>::new());
    }
}
