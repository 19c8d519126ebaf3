//! The built program as people meet it: help, errors, the demo, its map in a browser.

mod demo;
mod devices;
mod disk;
mod errors;
mod groups;
mod help;
mod interventions;
mod kafka;
mod map;
mod null_maps;
mod quarantine;
mod recordings;
mod registry;
mod replay;
mod schemas;
mod shell;
mod stat;
mod stops;
mod store;
mod support;
mod truths;
