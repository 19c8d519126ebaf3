//! Tables as people hand them over: one way to read CSV, JSON and Parquet behind every door.
//!
//! Owns what a file is (by what it begins with, and by its ending), its columns and rows, where a row
//! is as an editor shows it, and the typed readings of a cell: id, name, whole number, number,
//! boolean, date, instant. Never knows which columns a door wants, nor what becomes of a bad row.
//!
//! It lies beside `schemas/lake` because those who read files (the simulator's replay, the ingester's
//! registry, the analysis' statistics, the command line) share only what lies here: `schemas` itself
//! does no I/O and needs no Parquet, and none of the four may depend on another. What an id or a
//! network code may hold is said by [`schemas::ids`]; this crate says how files spell it.
//!
//! | a file | is |
//! |---|---|
//! | begins with `PAR1` | Parquet; only the columns asked for are read, others may be structs or lists |
//! | `.json`, `.ndjson`, `.jsonl`, or begins with `{"` or `[{` | JSON: an array of objects, or objects that follow each other |
//! | anything else | text with a header: `.tsv` and `.tab` by tabs, else by commas; by tabs or semicolons where the header has no comma |
//! | gzip or zstd | unpacked, whatever it is called |
//! | UTF-16, a spreadsheet, an archive | refused by its name |
//!
//! | a cell | read as id, name or whole number |
//! |---|---|
//! | `10023.0` of a floating-point column, in text too | `10023`; beyond 2^53 refused, for such columns skip numbers there |
//! | `8.6012E+14`, `="00123"`, `'00456` | refused: a spreadsheet shortened or marked it |
//! | no-break, ideographic and zero-width characters, a byte order mark | cut off the ends; inside an id or a name refused |
//!
//! ```
//! use tabular::{Layout, Row, Source};
//! let source = Source::inside("shops.csv", b"id,name,till\r\n7.0,Kiosk,yes\r\n\r\nM2,\"Bar,\nMarket\",no\r\n");
//! let table = source.open(&Layout::default())?;
//! let chosen = [table.find("id")?.expect("there"), table.find("name")?.expect("there")];
//! let mut rows = table.rows(&chosen)?;
//! let (mut row, mut read) = (Row::default(), Vec::new());
//! while rows.read(&mut row)? {
//!     let id = row.cell(0).id().expect("an id").to_owned();
//!     read.push((row.number(), id, row.cell(1).text().to_owned()));
//! }
//! assert_eq!(read[0], (2, "7".into(), "Kiosk".into()));
//! assert_eq!(read[1], (4, "M2".into(), "Bar,\nMarket".into()));
//! # Ok::<(), tabular::ReadError>(())
//! ```

mod cell;
mod date;
mod error;
mod form;
mod json;
mod lines;
mod misread;
mod moment;
mod parquet;
mod pattern;
mod row;
mod source;
mod split;
mod table;
mod text;
mod time;

pub use cell::{Cell, Spelling};
pub use error::{ReadError, RowFault};
pub use misread::Misread;
pub use moment::{Grain, Moment};
pub use pattern::Pattern;
pub use row::Row;
pub use source::Source;
pub use table::{Column, Rows, Table};
pub use text::{Layout, Quoting};
pub use time::{EpochUnit, epoch_ms, in_calendar, local_instant, rfc3339};

#[cfg(test)]
mod tests;
