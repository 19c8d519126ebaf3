//! The map page: owns one self-contained HTML file of cells over country borders.
//! Knows no session and no clock; what it shows is in the document it is given.

mod borders;
mod payload;

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use h3o::LatLng;

use crate::map::MapCell;

/// Upper bounds of the out-of-range rate of each colour class but the last, which is open.
///
/// Absolute rates, so that two maps of two weeks or two countries can be compared.
pub const RATE_CLASS_BOUNDS: [f64; 4] = [0.01, 0.03, 0.10, 0.30];

/// Everything the map page shows.
#[derive(Debug, Clone)]
pub struct MapDocument {
    /// Heading of the page.
    pub title: String,
    /// One line below the heading: which fleet, simulated or real.
    pub subtitle: String,
    /// First UTC day of the events shown.
    pub first_day: NaiveDate,
    /// Last UTC day of the events shown.
    pub last_day: NaiveDate,
    /// When the page was made.
    pub generated_at: DateTime<Utc>,
    /// Attempts below which a cell stays grey, for all carriers and for each alone.
    pub minimum_attempts: u64,
    /// Names of carriers for people, by PLMN; one without a name is shown by its PLMN.
    pub carrier_names: BTreeMap<String, String>,
    /// The cells and the numbers behind them.
    pub cells: Vec<MapCell>,
    /// What a simulation planted; empty for a real fleet.
    pub truths: Vec<MapTruth>,
    /// Towns named on the map; may be empty.
    pub places: Vec<MapPlace>,
    /// Sources to be credited beside the borders.
    pub credits: Vec<String>,
}

/// Something a simulation planted.
#[derive(Debug, Clone)]
pub struct MapTruth {
    /// Its name in the answer key.
    pub name: String,
    /// What kind of truth it is, such as `weak_zone`.
    pub kind: String,
    /// One sentence on what was planted.
    pub detail: String,
    /// Where it is, when it has a place: centre and radius in metres.
    pub area: Option<(LatLng, f64)>,
}

/// A town named on the map.
#[derive(Debug, Clone)]
pub struct MapPlace {
    /// Name, in the local spelling.
    pub name: String,
    /// Where it is.
    pub position: LatLng,
    /// Terminals there; the town with more of them is named first.
    pub terminals: u64,
}

/// Renders the page: one file that needs no network.
pub fn render(document: &MapDocument) -> String {
    fill(
        include_str!("map_page/page.html"),
        &[
            ("title", &escape_html(&document.title)),
            ("style", include_str!("map_page/page.css")),
            ("projection", include_str!("map_page/projection.js")),
            ("drawing", include_str!("map_page/drawing.js")),
            ("panel", include_str!("map_page/panel.js")),
            ("script", include_str!("map_page/page.js")),
            ("data", &escape_json(&payload::json(document))),
        ],
    )
}

/// Replaces each `{{name}}` of the template once, left to right; what is put in is not read again.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut page = String::with_capacity(template.len());
    let mut pieces = template.split("{{");
    page.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let (name, rest) = piece
            .split_once("}}")
            .expect("the template closes its markers");
        let (_, value) = values
            .iter()
            .find(|(known, _)| *known == name)
            .expect("the template only names values that are given");
        page.push_str(value);
        page.push_str(rest);
    }
    page
}

fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Keeps JSON from ending the script element it stands in, whatever a merchant is called.
fn escape_json(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(title: &str) -> MapDocument {
        MapDocument {
            title: title.into(),
            subtitle: "a fleet".into(),
            first_day: NaiveDate::from_ymd_opt(2026, 11, 1).expect("a date"),
            last_day: NaiveDate::from_ymd_opt(2026, 11, 23).expect("a date"),
            generated_at: DateTime::UNIX_EPOCH,
            minimum_attempts: 100,
            carrier_names: BTreeMap::new(),
            cells: vec![payload::cell_at(48.85, 2.35)],
            truths: Vec::new(),
            places: Vec::new(),
            credits: Vec::new(),
        }
    }

    #[test]
    fn text_of_the_data_cannot_leave_its_place_in_the_page() {
        let page = render(&document("</script><script>alert(1)</script>{{data}}"));
        assert!(!page.contains("<script>alert"));
        assert_eq!(page.matches("</script>").count(), 2);
        assert!(page.contains("&lt;/script&gt;"));
    }

    #[test]
    fn the_page_refers_to_nothing_outside_itself() {
        let page = render(&document("map"));
        for outside in [
            "src=\"",
            "href=\"http",
            "url(",
            "@import",
            "fetch(",
            "import(",
        ] {
            assert!(!page.contains(outside), "the page holds {outside}");
        }
        assert!(page.contains("default-src 'none'"));
    }

    #[test]
    fn a_page_only_carries_the_borders_around_its_cells() {
        let page = render(&document("map"));
        // The whole world is 700 kB.
        assert!(page.len() < 400_000, "{} bytes", page.len());
    }
}
