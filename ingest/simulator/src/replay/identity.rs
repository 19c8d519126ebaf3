//! Names of replayed events and terminals: a second replay of a recording gives the same ones.

use schemas::EventKind;
use uuid::Uuid;

/// Separates the parts of a hashed name; no recorded text holds it.
const SEPARATOR: &str = "\u{1f}";

fn within(space: &Uuid, parts: &[&str]) -> Uuid {
    Uuid::new_v5(space, parts.join(SEPARATOR).as_bytes())
}

fn replay_space() -> Uuid {
    within(&Uuid::NAMESPACE_OID, &["notspot replay"])
}

/// Names events by mapping, file and row.
#[derive(Debug)]
pub(super) struct FileIdentity(Uuid);

impl FileIdentity {
    pub(super) fn new(mapping: &str, file: &str) -> Self {
        Self(within(&replay_space(), &["file", mapping, file]))
    }

    /// Names one of the events of a row.
    pub(super) fn event(&self, row: u64, kind: EventKind, nth: usize) -> String {
        within(
            &self.0,
            &[&row.to_string(), &kind.to_string(), &nth.to_string()],
        )
        .to_string()
    }

    /// Names one of the failed attempts of a row.
    pub(super) fn attempt(&self, row: u64, nth: usize) -> String {
        within(&self.0, &[&row.to_string(), "attempt", &nth.to_string()]).to_string()
    }

    /// Returns a number of 0 up to 1 that is the row's own.
    #[expect(clippy::cast_precision_loss, reason = "48 bits fit")]
    pub(super) fn fraction(&self, row: u64) -> f64 {
        let (high, _) = within(&self.0, &[&row.to_string(), "fraction"]).as_u64_pair();
        // Below the first 48 bits a uuid holds its version, which is the same in all.
        (high >> 16) as f64 / (1_u64 << 48) as f64
    }
}

/// Names a device by its values: twelve hex digits, the same in every file of a mapping.
pub(super) fn hashed_terminal(mapping: &str, values: &[&str]) -> String {
    let mut parts = vec!["terminal", mapping];
    parts.extend(values);
    within(&replay_space(), &parts).simple().to_string()[..12].to_owned()
}
