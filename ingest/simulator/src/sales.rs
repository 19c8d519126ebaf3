//! What is sold and how it is paid: owns the attributes of one sale.

use crate::dice::Dice;
use crate::scenario::CodeProfile;

/// Card schemes of the two markets.
const SCHEMES: [&str; 5] = ["unionpay", "visa", "mastercard", "amex", "maestro"];
const CARD_TYPES: [&str; 4] = ["credit", "debit", "prepaid", "foreign"];
const ENTRY_MODES: [&str; 5] = ["chip", "contactless", "magstripe", "manual", "qr"];
const TRANSACTION_TYPES: [&str; 6] = [
    "purchase",
    "refund",
    "transfer",
    "bill_payment",
    "top_up",
    "pre_auth",
];
const CHANNELS: [&str; 3] = ["card", "qr", "contactless_phone"];
const AMOUNT_BANDS: [&str; 5] = ["0-10", "10-50", "50-200", "200-1000", "1000-"];

const CHIP: u8 = 0;
const QR: u8 = 4;

/// One sale, as its attempts describe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sale {
    scheme: u8,
    card_type: u8,
    entry_mode: u8,
    transaction_type: u8,
    channel: u8,
    amount_band: u8,
}

impl Sale {
    /// Draws a sale; `qr_share` of them are paid by QR.
    pub fn draw(dice: &mut Dice, profile: CodeProfile, qr_share: f64) -> Self {
        let schemes = match profile {
            CodeProfile::Unionpay => [0.93, 0.04, 0.03, 0.0, 0.0],
            CodeProfile::Iso8583 => [0.01, 0.48, 0.38, 0.03, 0.10],
        };
        let scheme = dice.weighted(schemes) as u8;
        let card_type = dice.weighted([0.30, 0.58, 0.06, 0.06]) as u8;
        let amount_band = dice.weighted([0.34, 0.38, 0.20, 0.07, 0.01]) as u8;
        let transaction_type = dice.weighted([0.955, 0.015, 0.002, 0.012, 0.010, 0.006]) as u8;
        let (entry_mode, channel) = if dice.chance(qr_share) {
            (QR, 1)
        } else {
            match dice.weighted([0.36, 0.42, 0.16, 0.05, 0.01]) {
                0 => (CHIP, 0),
                1 => (1, 0),
                2 => (1, 2),
                3 => (2, 0),
                _ => (3, 0),
            }
        };
        Self {
            scheme,
            card_type,
            entry_mode,
            transaction_type,
            channel,
            amount_band,
        }
    }

    /// Returns the card scheme.
    pub fn scheme(self) -> &'static str {
        SCHEMES[usize::from(self.scheme)]
    }

    /// Returns the kind of card; a QR code shows none.
    pub fn card_type(self) -> Option<&'static str> {
        (!self.is_qr()).then(|| CARD_TYPES[usize::from(self.card_type)])
    }

    /// Returns how the card was read.
    pub fn entry_mode(self) -> &'static str {
        ENTRY_MODES[usize::from(self.entry_mode)]
    }

    /// Returns the kind of transaction.
    pub fn transaction_type(self) -> &'static str {
        TRANSACTION_TYPES[usize::from(self.transaction_type)]
    }

    /// Returns what was presented.
    pub fn channel(self) -> &'static str {
        CHANNELS[usize::from(self.channel)]
    }

    /// Returns the amount's band.
    pub fn amount_band(self) -> &'static str {
        AMOUNT_BANDS[usize::from(self.amount_band)]
    }

    /// Tells whether a QR code was shown.
    pub const fn is_qr(self) -> bool {
        self.entry_mode == QR
    }

    /// Tells whether the chip may decide offline: read by chip, and a small amount.
    pub const fn may_go_offline(self) -> bool {
        self.entry_mode == CHIP && self.amount_band < 2
    }

    /// Tells whether a chip was read.
    pub const fn is_chip(self) -> bool {
        self.entry_mode == CHIP
    }
}
