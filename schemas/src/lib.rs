//! What an event is on the wire, in a column and in the lake.
//!
//! Owns the words every other crate uses. Does no I/O and never knows Kafka, Delta's log or a
//! query engine.
//!
//! | word | meaning | here |
//! |---|---|---|
//! | terminal | one payment device; `terminal_id` is the operator's id, never a card or a person | [`contract`] |
//! | heartbeat | a terminal's periodic sign of life, with counters since its previous one | [`EventKind::Heartbeat`] |
//! | signal reading | one radio measurement on one RAT of one network | [`EventKind::Signal`], [`radio`] |
//! | decline | a sale attempt that did not go through | [`EventKind::Decline`] |
//! | attempt | one try at a sale; heartbeats count them, declines are their failures | [`EventKind`] |
//! | out-of-range failure | an attempt without an answer from the host; an answer proves the link worked | [`causes::CountsAsOutOfRange`] |
//! | cause class | what a failure is put down to, by code and profile | [`causes`] |
//! | cell | an H3 cell, `cell_r9` at resolution 9; a radio cell is always "radio cell" | [`position`] |
//! | datum | what latitude and longitude refer to, as declared by the source | [`Datum`] |
//! | carrier | a mobile network by its code, `310-410` | [`Plmn`] |
//! | RAT | radio access technology: gsm, umts, lte, nr, nbiot, ltem | [`Rat`] |
//! | weak | below the RAT's threshold of strength or quality | [`radio::is_weak`] |
//! | sentinel | a number that stands for "unknown" | [`radio::is_sentinel`] |
//! | quarantine | where a message goes that could not be accepted, with its reason | [`quarantine::Reason`] |
//! | registry | terminals and merchants as reference data | [`registry`] |
//! | lake | the folder or bucket of Delta tables | [`lake`], [`Table`] |
//!
//! Our types take latitude first. dBm and dB are logarithms: compare them, take percentiles, never
//! a mean.

pub mod card_data;
pub mod causes;
pub mod contract;
pub mod events;
pub mod ids;
pub mod interventions;
pub mod json_schema;
pub mod lake;
pub mod position;
pub mod quarantine;
pub mod radio;
pub mod registry;
pub mod spelling;

pub use contract::{Contract, ContractField, FieldKind};
pub use events::EventKind;
pub use ids::Plmn;
pub use lake::Table;
pub use position::{Datum, LatLon};
pub use radio::Rat;

/// Time zone of every timestamp column.
pub const UTC: &str = "UTC";
