//! Results against committed values of other implementations; how they were made is in
//! `expected/README.md`.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test may panic like the test"
)]

#[path = "reference/csv.rs"]
mod csv;
#[path = "reference/effect.rs"]
mod effect;
#[path = "reference/fdr.rs"]
mod fdr;
#[path = "reference/gi_star.rs"]
mod gi_star;
#[path = "reference/models.rs"]
mod models;
#[path = "reference/rates.rs"]
mod rates;
#[path = "reference/scan.rs"]
mod scan;
#[path = "reference/signal.rs"]
mod signal;
#[path = "reference/special.rs"]
mod special;
#[path = "reference/terminals.rs"]
mod terminals;
