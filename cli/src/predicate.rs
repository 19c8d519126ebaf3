//! Texts of people and files as SQL spells them.

/// Returns a text as a literal.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Returns the condition that a column has one of these values.
pub fn any_of<T: AsRef<str>>(column: &str, values: &[T]) -> String {
    if values.is_empty() {
        return "false".into();
    }
    let values: Vec<String> = values.iter().map(|value| quoted(value.as_ref())).collect();
    format!("{column} in ({})", values.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_quotes() {
        assert_eq!(
            any_of("model", &["O'Hara", "b"]),
            "model in ('O''Hara', 'b')"
        );
    }

    #[test]
    fn nothing_to_look_for_is_nowhere() {
        assert_eq!(any_of::<&str>("model", &[]), "false");
    }
}
