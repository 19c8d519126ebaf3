//! Lines of a text, however they end: LF, CR LF, or CR alone as old spreadsheets write.

use std::collections::VecDeque;
use std::io::BufRead;

use crate::ReadError;
use crate::form::BYTE_ORDER_MARK;

/// Longest line of a table; a file without line ends is not taken into memory whole.
const LINE_BYTES_MAX: usize = 64 << 20;

/// The lines of a text, counted as editors count them.
pub(crate) struct Lines {
    reader: Box<dyn BufRead>,
    /// Whether the last end was a CR, of which an LF may be the second half.
    after_cr: bool,
    /// Lines given back.
    ahead: VecDeque<Vec<u8>>,
    next_number: u64,
}

impl Lines {
    pub(crate) const fn new(reader: Box<dyn BufRead>) -> Self {
        Self {
            reader,
            after_cr: false,
            ahead: VecDeque::new(),
            next_number: 1,
        }
    }

    /// Puts the next line without its end in `line` and returns its number; `None` at the end of the file.
    pub(crate) fn next(&mut self, line: &mut Vec<u8>) -> Result<Option<u64>, ReadError> {
        line.clear();
        if let Some(given_back) = self.ahead.pop_front() {
            line.extend_from_slice(&given_back);
        } else if !self.fill(line)? {
            return Ok(None);
        }
        if self.next_number == 1 && line.starts_with(BYTE_ORDER_MARK) {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        self.next_number += 1;
        Ok(Some(self.next_number - 1))
    }

    fn fill(&mut self, line: &mut Vec<u8>) -> Result<bool, ReadError> {
        loop {
            let mut buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(!line.is_empty());
            }
            if std::mem::take(&mut self.after_cr) && buffer[0] == b'\n' {
                self.reader.consume(1);
                buffer = self.reader.fill_buf()?;
                if buffer.is_empty() {
                    return Ok(!line.is_empty());
                }
            }
            if let Some(end) = memchr::memchr2(b'\n', b'\r', buffer) {
                line.extend_from_slice(&buffer[..end]);
                self.after_cr = buffer[end] == b'\r';
                self.reader.consume(end + 1);
                return Ok(true);
            }
            let taken = buffer.len();
            line.extend_from_slice(buffer);
            self.reader.consume(taken);
            if line.len() > LINE_BYTES_MAX {
                return Err(ReadError::LongLine(self.next_number));
            }
        }
    }

    /// Takes lines back, to be read again in this order.
    pub(crate) fn give_back(&mut self, lines: Vec<Vec<u8>>) {
        self.next_number -= lines.len() as u64;
        for line in lines.into_iter().rev() {
            // Blank lines come back as what they were: a line, not the end of the file.
            self.ahead.push_front(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn lines(text: &'static [u8], capacity: usize) -> Vec<(u64, String)> {
        let mut lines = Lines::new(Box::new(BufReader::with_capacity(capacity, text)));
        let (mut line, mut found) = (Vec::new(), Vec::new());
        while let Some(number) = lines.next(&mut line).expect("memory can be read") {
            found.push((number, String::from_utf8_lossy(&line).into_owned()));
        }
        found
    }

    #[test]
    fn every_end_of_a_line_ends_it_wherever_the_buffer_ends() {
        let expected = [(1, "a,b"), (2, ""), (3, "1"), (4, "2"), (5, ""), (6, "3")];
        let expected = expected.map(|(number, text)| (number, text.to_owned()));
        for text in [
            &b"a,b\n\n1\n2\n\n3"[..],
            b"a,b\r\n\r\n1\r\n2\r\n\r\n3\r\n",
            b"a,b\r\r1\r2\r\r3\r",
            b"\xef\xbb\xbfa,b\r\n\r\n1\n2\r\r\n3\r\n",
        ] {
            for capacity in [3, 4, 5, 64] {
                assert_eq!(lines(text, capacity), expected, "{text:?} {capacity}");
            }
        }
    }

    #[test]
    fn lines_given_back_keep_their_numbers() {
        let mut lines = Lines::new(Box::new(&b"a\nb\n\nc"[..]));
        let mut line = Vec::new();
        let mut next = |lines: &mut Lines| {
            let number = lines.next(&mut line).expect("memory can be read");
            (number, String::from_utf8_lossy(&line).into_owned())
        };
        next(&mut lines);
        let taken = [next(&mut lines), next(&mut lines)];
        lines.give_back(taken.map(|(_, text)| text.into_bytes()).into());
        assert_eq!(next(&mut lines), (Some(2), "b".into()));
        assert_eq!(next(&mut lines), (Some(3), String::new()));
        assert_eq!(next(&mut lines), (Some(4), "c".into()));
        assert_eq!(next(&mut lines).0, None);
    }
}
