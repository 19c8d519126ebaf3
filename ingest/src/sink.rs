//! From checked rows to a table version: owns fact files and commits; nothing else writes them.

pub mod commit;
pub mod order;
