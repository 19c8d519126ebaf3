//! How an attempt breaks: owns the phase it reaches and what the terminal says of it.

use crate::dice::Dice;

/// A broken attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Break {
    /// How far it came.
    pub phase: &'static str,
    /// The terminal's own words.
    pub local_error: &'static str,
    /// From its start until the terminal gave up, ms.
    pub latency_ms: u32,
}

impl Break {
    /// Tells whether the host may have seen the sale, so that it must be reversed.
    pub fn needs_reversal(self) -> bool {
        self.phase == "receive"
    }
}

/// What broke it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No network was there.
    NoService,
    /// The network was there, but too weak or too noisy.
    Radio,
    /// The terminal's modem or antenna.
    Device,
    /// The application's release.
    Release,
    /// The host.
    Host,
    /// The shop's own Wi-Fi or cable.
    FixedAccess,
}

impl Fault {
    /// Draws how an attempt breaks for this reason.
    pub fn draw(self, dice: &mut Dice) -> Break {
        let kinds = KINDS;
        let kind = match self {
            Self::NoService => pick(dice, &kinds, [0.62, 0.38, 0.0, 0.0, 0.0, 0.0, 0.0]),
            Self::Radio => pick(dice, &kinds, [0.06, 0.12, 0.10, 0.24, 0.16, 0.12, 0.20]),
            Self::Device => pick(dice, &kinds, [0.20, 0.30, 0.05, 0.15, 0.05, 0.15, 0.10]),
            Self::Release => pick(dice, &kinds, [0.0, 0.0, 0.0, 0.05, 0.90, 0.05, 0.0]),
            Self::Host => pick(dice, &kinds, [0.0, 0.0, 0.0, 0.66, 0.06, 0.0, 0.28]),
            Self::FixedAccess => pick(dice, &kinds, [0.0, 0.0, 0.35, 0.40, 0.10, 0.05, 0.10]),
        };
        let (phase, local_error, (shortest_ms, longest_ms)) = kind;
        Break {
            phase,
            local_error,
            latency_ms: dice.between(shortest_ms, longest_ms) as u32,
        }
    }
}

type Kind = (&'static str, &'static str, (f64, f64));

const KINDS: [Kind; 7] = [
    ("register", "NO_REG", (200.0, 3_000.0)),
    ("bearer", "NO_BEARER", (1_000.0, 15_000.0)),
    ("dns", "DNS", (3_000.0, 10_000.0)),
    ("tcp", "TCP_CONNECT", (5_000.0, 30_000.0)),
    ("tls", "TLS", (2_000.0, 15_000.0)),
    ("send", "SEND_FAIL", (3_000.0, 20_000.0)),
    ("receive", "RECV_TIMEOUT", (30_000.0, 60_000.0)),
];

fn pick(dice: &mut Dice, kinds: &[Kind; 7], weights: [f64; 7]) -> Kind {
    kinds[dice.weighted(weights)]
}
