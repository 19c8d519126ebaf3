//! The text of statements: owns how files of them are read, and where a statement ends, at semicolons
//! but not at those in quotes and comments.

/// What the text is at some place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Code,
    /// Until this quote; a doubled one leaves and enters again.
    Quote(char),
    LineComment,
    BlockComment,
}

/// Reads statements as editors write them: UTF-8, with or without a byte order mark.
///
/// # Errors
/// When it is another encoding, which is named.
pub(super) fn read(bytes: Vec<u8>) -> Result<String, String> {
    let is_utf16 = bytes.starts_with(&[0xff, 0xfe])
        || bytes.starts_with(&[0xfe, 0xff])
        || bytes.iter().take(64).any(|byte| *byte == 0);
    if is_utf16 {
        return Err("it is written in UTF-16: save it as UTF-8".into());
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("it is not UTF-8, as line {line} shows: save it as UTF-8")
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(text) => text.to_owned(),
        None => text,
    })
}

/// Takes out of code what editors and web pages put into it; texts and comments stay as they are.
///
/// # Errors
/// With the place of a quote or dash that only looks like one.
pub(super) fn clean(text: &str) -> Result<String, String> {
    let mut clean = String::with_capacity(text.len());
    let mut inside = Inside::Code;
    let mut chars = text.chars().peekable();
    let (mut line, mut column) = (1, 0);
    while let Some(char) = chars.next() {
        column += 1;
        let next = chars.peek().copied();
        // A file of an old editor ends its lines, and its comments, by carriage returns alone.
        let char = if char == '\r' && next != Some('\n') {
            '\n'
        } else {
            char
        };
        if inside == Inside::Code {
            if let Some(meant) = looks_like(char) {
                return Err(format!(
                    "line {line}, column {column}: {char} is no quote or sign of SQL, write {meant}"
                ));
            }
            match char {
                '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' => continue,
                char if char.is_whitespace() && !char.is_ascii() => clean.push(' '),
                char => clean.push(char),
            }
        } else {
            clean.push(char);
        }
        if char == '\n' {
            (line, column) = (line + 1, 0);
        }
        let before = inside;
        inside = step(inside, char, next);
        if opens_or_closes_comment(before, inside) {
            clean.extend(chars.next());
            column += 1;
        }
    }
    Ok(clean)
}

/// The character of SQL that a typographic one looks like.
const fn looks_like(char: char) -> Option<&'static str> {
    match char {
        '\u{2018}'..='\u{201b}' | '\u{2032}' | '`' | '\u{b4}' => Some("'"),
        '\u{201c}'..='\u{201f}' | '\u{2033}' | '\u{ab}' | '\u{bb}' => {
            Some("' around a text and \" around a name")
        }
        '\u{2012}'..='\u{2015}' | '\u{2212}' => Some("-"),
        '\u{ff1b}' => Some(";"),
        _ => None,
    }
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
    fn what_editors_add_is_taken_out_and_what_only_looks_right_is_told() {
        for (typed, meant) in [
            ("select\u{a0}1", "select 1"),
            ("select \u{200b}1", "select 1"),
            ("select 'a\u{a0}‘b’' -- “c”", "select 'a\u{a0}‘b’' -- “c”"),
            ("-- old\rselect 1\r", "-- old\nselect 1\n"),
            ("select 1;\r\nselect 2", "select 1;\r\nselect 2"),
        ] {
            assert_eq!(clean(typed).as_deref(), Ok(meant), "{typed:?}");
        }
        let fault = clean("select 1\nfrom t where a = ‘x’").expect_err("a quote");
        assert!(fault.starts_with("line 2, column 18: ‘"), "{fault}");
        assert!(clean("select 3 – 2").is_err());
    }

    #[test]
    fn a_file_is_utf_8_or_its_encoding_is_told() {
        assert_eq!(
            read(b"\xef\xbb\xbfselect 1".to_vec()).as_deref(),
            Ok("select 1")
        );
        for (bytes, named) in [
            (b"\xff\xfes\0e\0".as_slice(), "UTF-16"),
            (b"s\0e\0", "UTF-16"),
            (b"select\n'\xfc'", "line 2"),
        ] {
            let fault = read(bytes.to_vec()).expect_err("no UTF-8");
            assert!(fault.contains(named), "{fault}");
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
