//! Where a statement ends: semicolons, but not those in quotes and comments.

/// What the text is at some place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Code,
    /// Until this quote; a doubled one leaves and enters again.
    Quote(char),
    LineComment,
    BlockComment,
}

/// Cuts a text into its statements, without the semicolons and without empty ones.
pub(super) fn split(text: &str) -> Vec<&str> {
    let (ends, _) = scan(text);
    let mut statements = Vec::new();
    let mut from = 0;
    for end in ends.into_iter().chain([text.len()]) {
        let statement = text[from..end].trim();
        if !is_blank(statement) {
            statements.push(statement);
        }
        from = (end + 1).min(text.len());
    }
    statements
}

/// Tells whether a text ends with a statement's semicolon.
pub(super) fn is_complete(text: &str) -> bool {
    let (ends, inside) = scan(text);
    let rest = ends.last().map_or(text, |end| &text[end + 1..]);
    !matches!(inside, Inside::Quote(_) | Inside::BlockComment) && is_blank(rest)
}

/// Whether there is nothing but space and comments.
fn is_blank(text: &str) -> bool {
    let mut inside = Inside::Code;
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        let next = chars.peek().copied();
        let before = inside;
        inside = step(inside, char, next);
        if opens_or_closes_comment(before, inside) {
            chars.next();
            continue;
        }
        let code = before == Inside::Code && inside == Inside::Code && !char.is_whitespace();
        if code || matches!(inside, Inside::Quote(_)) {
            return false;
        }
    }
    true
}

/// Returns the places of the semicolons that end statements, and what the end of the text is inside of.
fn scan(text: &str) -> (Vec<usize>, Inside) {
    let mut ends = Vec::new();
    let mut inside = Inside::Code;
    let mut chars = text.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        if inside == Inside::Code && char == ';' {
            ends.push(at);
            continue;
        }
        let next = chars.peek().map(|(_, next)| *next);
        let before = inside;
        inside = step(inside, char, next);
        if opens_or_closes_comment(before, inside) {
            chars.next();
        }
    }
    (ends, inside)
}

fn step(inside: Inside, char: char, next: Option<char>) -> Inside {
    match (inside, char, next) {
        (Inside::Code, '\'' | '"', _) => Inside::Quote(char),
        (Inside::Code, '-', Some('-')) => Inside::LineComment,
        (Inside::Code, '/', Some('*')) => Inside::BlockComment,
        (Inside::Quote(quote), _, _) if char == quote => Inside::Code,
        (Inside::LineComment, '\n', _) | (Inside::BlockComment, '*', Some('/')) => Inside::Code,
        _ => inside,
    }
}

/// Whether the step took two characters.
fn opens_or_closes_comment(before: Inside, after: Inside) -> bool {
    matches!(
        (before, after),
        (Inside::Code, Inside::LineComment | Inside::BlockComment)
            | (Inside::BlockComment, Inside::Code)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_semicolons_in_code_end_a_statement() {
        let text =
            "select ';', \"a;b\" -- no; not here\n from t; /* nor; here */ select 'it''s;' ;; ";
        assert_eq!(
            split(text),
            [
                "select ';', \"a;b\" -- no; not here\n from t",
                "/* nor; here */ select 'it''s;'"
            ]
        );
    }

    #[test]
    fn a_statement_is_complete_with_its_semicolon() {
        for complete in [
            "select 1;",
            "select 1; -- done",
            "select 1;\n",
            " ",
            "-- nothing",
        ] {
            assert!(is_complete(complete), "{complete:?}");
        }
        for open in [
            "select 1",
            "select ';",
            "select 1; select",
            "/* ;",
            "select 1 -- ;",
        ] {
            assert!(!is_complete(open), "{open:?}");
        }
    }

    #[test]
    fn text_of_any_script_is_cut_at_characters() {
        assert_eq!(
            split("select 'é;日本'; select 'ü'"),
            ["select 'é;日本'", "select 'ü'"]
        );
    }
}
