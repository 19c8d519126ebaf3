//! `similar_to`, which is what `similar to` is: patterns of the SQL standard.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_datafusion_err};
use regex::Regex;

use super::{Arg, FunctionDoc, Returns, SqlFunction};

pub(super) fn function() -> SqlFunction {
    let doc = FunctionDoc {
        name: "similar_to",
        usage: "similar_to(text, pattern[, escape]) or text SIMILAR TO pattern",
        doc: "whether all of the text is as the pattern says: % any text, _ any character, | ( ) * + ? { } [ ] as in PostgreSQL",
    };
    let takes = [2, 3].map(|texts| vec![Arg::Text; texts]);
    SqlFunction::new(doc, takes, Returns::Is(DataType::Boolean), kernel)
}

fn kernel(args: &[ArrayRef]) -> Result<ArrayRef> {
    let (texts, patterns) = (args[0].as_string::<i32>(), args[1].as_string::<i32>());
    let escapes = args.get(2).map(|escapes| escapes.as_string::<i32>());
    let mut known: Option<(&str, Option<&str>, Regex)> = None;
    let mut answers = Vec::with_capacity(texts.len());
    for (row, (text, pattern)) in texts.iter().zip(patterns).enumerate() {
        let escape = escapes.map(|escapes| escapes.is_valid(row).then(|| escapes.value(row)));
        let (Some(text), Some(pattern), Some(escape)) =
            (text, pattern, escape.unwrap_or(Some("\\")))
        else {
            answers.push(None);
            continue;
        };
        let same = |(last, with, _): &(&str, Option<&str>, Regex)| {
            *last == pattern && *with == Some(escape)
        };
        if !known.as_ref().is_some_and(same) {
            known = Some((pattern, Some(escape), compiled(pattern, escape)?));
        }
        answers.push(known.as_ref().map(|(_, _, regex)| regex.is_match(text)));
    }
    Ok(Arc::new(BooleanArray::from(answers)))
}

fn compiled(pattern: &str, escape: &str) -> Result<Regex> {
    let mut chars = escape.chars();
    let (escape, None) = (chars.next(), chars.next()) else {
        return Err(exec_datafusion_err!(
            "the escape of a pattern is one character, not {escape:?}"
        ));
    };
    let regex = regex_of(pattern, escape)
        .and_then(|regex| Regex::new(&regex).map_err(|error| error.to_string()));
    regex.map_err(|fault| exec_datafusion_err!("similar to cannot use {pattern:?}: {fault}"))
}

/// Writes a pattern as the regular expression it means.
fn regex_of(pattern: &str, escape: Option<char>) -> std::result::Result<String, String> {
    let mut regex = String::from("^(?s:");
    let mut chars = pattern.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            _ if Some(char) == escape => {
                let next = chars.next().ok_or("it ends with its escape")?;
                regex.push_str(&regex::escape(&next.to_string()));
            }
            '%' => regex.push_str(".*"),
            '_' => regex.push('.'),
            '[' => {
                regex.push('[');
                set(&mut chars, &mut regex, escape)?;
            }
            '|' | '*' | '+' | '?' | '{' | '}' | ')' => regex.push(char),
            '(' => regex.push_str("(?:"),
            other => regex.push_str(&regex::escape(&other.to_string())),
        }
    }
    regex.push_str(")$");
    Ok(regex)
}

/// Copies a set of characters; classes such as `[:digit:]` mean the same to both.
fn set(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    regex: &mut String,
    escape: Option<char>,
) -> std::result::Result<(), String> {
    let mut is_first = true;
    while let Some(char) = chars.next() {
        match char {
            '^' if is_first => {
                regex.push('^');
                continue;
            }
            ']' if !is_first => {
                regex.push(']');
                return Ok(());
            }
            '[' if chars.peek() == Some(&':') => {
                regex.push('[');
                for char in chars.by_ref() {
                    regex.push(char);
                    if char == ']' {
                        break;
                    }
                }
            }
            '-' => regex.push('-'),
            _ if Some(char) == escape => {
                let next = chars.next().ok_or("it ends with its escape")?;
                regex.push_str(&regex::escape(&next.to_string()));
            }
            other => {
                if "[]&~^\\".contains(other) {
                    regex.push('\\');
                }
                regex.push(other);
            }
        }
        is_first = false;
    }
    Err("a [ is not closed".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_similar(text: &str, pattern: &str) -> bool {
        compiled(pattern, "\\").expect("a pattern").is_match(text)
    }

    #[test]
    fn a_pattern_means_what_postgresql_says() {
        // PostgreSQL, 9.7.2, and what its regular expressions would say otherwise.
        for (text, pattern, expected) in [
            ("abc", "abc", true),
            ("abc", "a", false),
            ("abc", "%(b|d)%", true),
            ("abc", "(b|c)%", false),
            ("Vela 500", "Vela%", true),
            ("Vela\n500", "Vela_500", true),
            ("a.c", "a.c", true),
            ("abc", "a.c", false),
            ("a%c", "a\\%c", true),
            ("abc", "a\\%c", false),
            ("$5", "$[0-9]", true),
            ("ab12", "[a-c]+[[:digit:]]{2}", true),
            ("x]", "x[]]", true),
            ("é", "_", true),
        ] {
            assert_eq!(is_similar(text, pattern), expected, "{text} {pattern}");
        }
    }

    #[test]
    fn a_pattern_that_cannot_be_one_is_an_error() {
        for pattern in ["[a", "a\\", "(a", "*"] {
            assert!(compiled(pattern, "\\").is_err(), "{pattern}");
        }
        assert!(compiled("a", "##").is_err());
        assert!(compiled("a#%", "#").expect("a pattern").is_match("a%"));
    }
}
