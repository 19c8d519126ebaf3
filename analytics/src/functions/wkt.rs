//! Well-known text of polygons: owns how it is read and written, longitude first.

use std::fmt::Write;

use geo::{Coord, LineString, MultiPolygon, Polygon};

/// Writes polygons.
pub(super) fn write(polygons: &MultiPolygon) -> String {
    if polygons.0.is_empty() {
        return "MULTIPOLYGON EMPTY".into();
    }
    let polygons: Vec<String> = polygons.iter().map(rings).collect();
    format!("MULTIPOLYGON ({})", polygons.join(", "))
}

fn rings(polygon: &Polygon) -> String {
    let all = std::iter::once(polygon.exterior()).chain(polygon.interiors());
    let rings: Vec<String> = all.map(|ring| ring_text(ring.coords())).collect();
    format!("({})", rings.join(", "))
}

fn ring_text<'a>(corners: impl Iterator<Item = &'a Coord>) -> String {
    let mut text = String::from("(");
    for (index, corner) in corners.enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(text, "{comma}{:.7} {:.7}", corner.x, corner.y)
            .expect("writing to a string succeeds");
    }
    text.push(')');
    text
}

/// Reads `POLYGON` or `MULTIPOLYGON`; a further coordinate of a corner, its height, is passed over.
///
/// # Errors
/// With what was expected where.
pub(super) fn read(text: &str) -> Result<MultiPolygon, String> {
    let mut reader = Reader { text, at: 0 };
    let kind = reader.word().to_ascii_uppercase();
    let is_many = match kind.as_str() {
        "POLYGON" => false,
        "MULTIPOLYGON" => true,
        _ => return Err("expected POLYGON or MULTIPOLYGON at character 1".into()),
    };
    let mut next = reader.word().to_ascii_uppercase();
    if matches!(next.as_str(), "Z" | "M" | "ZM") {
        next = reader.word().to_ascii_uppercase();
    }
    let polygons = match next.as_str() {
        "EMPTY" => Vec::new(),
        "" if is_many => reader.list(Reader::polygon)?,
        "" => vec![reader.polygon()?],
        _ => return Err(reader.expected("'(' or EMPTY")),
    };
    match reader.rest().is_empty() {
        true => Ok(MultiPolygon::new(polygons)),
        false => Err(reader.expected("the end")),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    /// What is left, without leading space.
    fn rest(&mut self) -> &'a str {
        let rest = self.text[self.at..].trim_start();
        self.at = self.text.len() - rest.len();
        rest
    }

    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|char: char| !char.is_ascii_alphabetic());
        let word = &rest[..end.unwrap_or(rest.len())];
        self.at += word.len();
        word
    }

    fn takes(&mut self, char: char) -> bool {
        let found = self.rest().starts_with(char);
        if found {
            self.at += char.len_utf8();
        }
        found
    }

    fn expected(&mut self, what: &str) -> String {
        let at = self.text[..self.text.len() - self.rest().len()]
            .chars()
            .count();
        format!("expected {what} at character {}", at + 1)
    }

    /// Reads a list in parentheses.
    fn list<T>(&mut self, one: fn(&mut Self) -> Result<T, String>) -> Result<Vec<T>, String> {
        if !self.takes('(') {
            return Err(self.expected("'('"));
        }
        let mut all = vec![one(self)?];
        while self.takes(',') {
            all.push(one(self)?);
        }
        match self.takes(')') {
            true => Ok(all),
            false => Err(self.expected("',' or ')'")),
        }
    }

    fn polygon(&mut self) -> Result<Polygon, String> {
        let mut rings = self.list(Self::ring)?.into_iter();
        let outer = rings.next().expect("a list has one at least");
        Ok(Polygon::new(outer, rings.collect()))
    }

    fn ring(&mut self) -> Result<LineString, String> {
        Ok(LineString::new(self.list(Self::corner)?))
    }

    fn corner(&mut self) -> Result<Coord, String> {
        let (x, y) = (self.number()?, self.number()?);
        while self
            .rest()
            .starts_with(|char: char| !matches!(char, ',' | ')'))
        {
            self.number()?;
        }
        Ok(Coord { x, y })
    }

    fn number(&mut self) -> Result<f64, String> {
        let rest = self.rest();
        let end = rest.find(|char: char| char.is_whitespace() || "(),".contains(char));
        let word = &rest[..end.unwrap_or(rest.len())];
        match word.parse::<f64>() {
            Ok(number) if number.is_finite() => {
                self.at += word.len();
                Ok(number)
            }
            _ => Err(self.expected("a number")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_however_it_is_spaced() {
        let text = "multipolygon Z(((0 0 7,4 0 7, 4 4 7,0 0 7),( 1 1 0 , 2 1 0,2 2 0, 1 1 0)) ,((9 9 1,8 9 1,8 8 1,9 9 1)))";
        let polygons = read(text).expect("readable");
        assert_eq!(polygons.0.len(), 2);
        assert_eq!(polygons.0[0].interiors().len(), 1);
        assert_eq!(read(&write(&polygons)), Ok(polygons));
        for empty in ["POLYGON EMPTY", "MULTIPOLYGON EMPTY"] {
            assert_eq!(read(empty).expect("readable").0.len(), 0, "{empty}");
        }
    }

    #[test]
    fn a_fault_is_told_with_its_place() {
        for (text, fault) in [
            (
                "POINT (1 2)",
                "expected POLYGON or MULTIPOLYGON at character 1",
            ),
            ("POLYGON (xx(1 2))", "expected '(' at character 10"),
            ("POLYGON ((1 2, x 3))", "expected a number at character 16"),
            ("POLYGON ((1 2, 2 3)", "expected ',' or ')' at character 20"),
            ("POLYGON ((1 2, 2 3)) x", "expected the end at character 22"),
            ("POLYGON", "expected '(' at character 8"),
        ] {
            assert_eq!(read(text), Err(fault.to_owned()), "{text}");
        }
    }
}
