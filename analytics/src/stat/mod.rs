//! The statistics as methods of a table: typed rows from a file, a table of results back.
//!
//! Owns the columns of `notspot stat`: which a method reads, which it answers with, and what they
//! mean. Never knows a formula, those are [`statistics`], nor where a result is written to.
//!
//! Input is CSV, or Parquet or JSON by the ending of the file, each `.gz` or `.zst` too but Parquet.
//! What a column holds is decided by the method, not by the file: `12`, `"12"` and `12.0` are one
//! count and one id. Columns that no method asks for are ignored. Empty is undefined.
//!
//! Results are in a fixed order (by cell, id, model or terminal; clusters by rank), whatever the
//! order of the input.

pub mod effect;
mod error;
pub mod fdr;
pub mod gi_star;
mod input;
pub mod models;
mod output;
pub mod rates;
pub mod scan;
pub mod terminals;

pub use error::StatError;
pub use output::{Column, Results};
