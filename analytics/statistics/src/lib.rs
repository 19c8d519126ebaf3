//! The statistics of weak zones, device models, terminals and interventions.
//!
//! Pure functions of slices: no session, no clock, no I/O, no randomness without a seed. What is
//! undefined is `None`, never NaN; neither the order of the input nor the number of threads
//! changes a result.
