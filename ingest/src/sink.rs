//! From checked rows to a table version: owns fact files and commits; nothing else writes them.

pub mod commit;
pub(crate) mod files;
pub(crate) mod order;
