//! Sales by hour of the week, by kind of merchant; and the load they and everybody else put on the network.

/// A kind of merchant and its habits.
#[derive(Debug)]
pub struct MerchantKind {
    /// What the registry calls it, before a number.
    pub name: &'static str,
    /// Category code of ISO 18245.
    pub category_code: &'static str,
    /// Weight among merchants.
    pub share: f64,
    /// Opening hour, local.
    pub opens: u8,
    /// Closing hour, local; 24 is midnight.
    pub closes: u8,
    /// Sales against an average merchant.
    pub activity: f64,
    /// Weight of each weekday, Monday first; 0 is closed.
    pub weekdays: [f64; 7],
    /// Hours with most sales, local.
    pub peaks: [u8; 2],
}

/// Every kind of merchant.
pub const MERCHANT_KINDS: &[MerchantKind] = &[
    kind(
        "Grocery",
        "5411",
        0.24,
        (8, 21),
        1.6,
        [0.9, 0.9, 0.9, 1.0, 1.2, 1.4, 0.7],
        [11, 18],
    ),
    kind(
        "Restaurant",
        "5812",
        0.22,
        (11, 24),
        1.0,
        [0.7, 0.8, 0.9, 1.0, 1.3, 1.5, 0.8],
        [13, 20],
    ),
    kind(
        "Fuel",
        "5541",
        0.08,
        (6, 23),
        1.5,
        [1.1, 1.0, 1.0, 1.0, 1.2, 1.0, 0.7],
        [8, 18],
    ),
    kind(
        "Pharmacy",
        "5912",
        0.09,
        (9, 20),
        0.9,
        [1.2, 1.1, 1.1, 1.1, 1.2, 0.9, 0.4],
        [11, 18],
    ),
    kind(
        "Clothing",
        "5651",
        0.12,
        (10, 20),
        0.6,
        [0.8, 0.8, 0.9, 1.0, 1.2, 1.8, 0.5],
        [12, 18],
    ),
    kind(
        "Services",
        "7299",
        0.13,
        (9, 19),
        0.5,
        [1.2, 1.2, 1.2, 1.2, 1.3, 0.9, 0.0],
        [11, 16],
    ),
    kind(
        "Market stall",
        "5499",
        0.08,
        (7, 15),
        0.7,
        [0.6, 0.9, 0.9, 0.9, 1.1, 1.7, 0.9],
        [9, 11],
    ),
    kind(
        "Night shop",
        "5921",
        0.04,
        (12, 24),
        0.8,
        [0.7, 0.7, 0.8, 1.0, 1.6, 1.6, 0.6],
        [19, 22],
    ),
];

const fn kind(
    name: &'static str,
    category_code: &'static str,
    share: f64,
    (opens, closes): (u8, u8),
    activity: f64,
    weekdays: [f64; 7],
    peaks: [u8; 2],
) -> MerchantKind {
    MerchantKind {
        name,
        category_code,
        share,
        opens,
        closes,
        activity,
        weekdays,
        peaks,
    }
}

impl MerchantKind {
    /// Tells whether it is open in a local hour of the week, counted from Monday 00:00.
    pub const fn is_open(&self, hour_of_week: usize) -> bool {
        let hour = (hour_of_week % 24) as u8;
        self.weekdays[hour_of_week / 24 % 7] > 0.0 && hour >= self.opens && hour < self.closes
    }

    fn weight(&self, hour_of_week: usize) -> f64 {
        if !self.is_open(hour_of_week) {
            return 0.0;
        }
        let hour = (hour_of_week % 24) as f64;
        let near = |peak: u8| (-(hour - f64::from(peak)).powi(2) / 4.5).exp();
        self.weekdays[hour_of_week / 24 % 7] * (0.35 + near(self.peaks[0]) + near(self.peaks[1]))
    }
}

/// Share of an average day's sales in each local hour of the week, for every kind of merchant.
pub struct SalesSchedule {
    per_kind: Vec<[f32; 168]>,
}

impl SalesSchedule {
    /// Computes the table.
    pub fn new() -> Self {
        let per_kind = MERCHANT_KINDS.iter().map(|kind| {
            let weekly: f64 = (0..168).map(|hour| kind.weight(hour)).sum();
            let daily = weekly / 7.0;
            std::array::from_fn(|hour| (kind.activity * kind.weight(hour) / daily) as f32)
        });
        Self {
            per_kind: per_kind.collect(),
        }
    }

    /// Returns the share of an average merchant's day that falls in this hour.
    pub fn share(&self, kind: u8, hour_of_week: usize) -> f64 {
        f64::from(self.per_kind[usize::from(kind)][hour_of_week % 168])
    }
}

/// Load of the mobile networks by local hour, 0 to 1: evenings are busy, nights empty.
pub const LOAD_BY_HOUR: [f32; 24] = [
    0.22, 0.14, 0.10, 0.08, 0.08, 0.12, 0.22, 0.38, 0.52, 0.58, 0.62, 0.68, 0.74, 0.72, 0.66, 0.66,
    0.72, 0.82, 0.92, 1.00, 0.98, 0.86, 0.62, 0.40,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_holds_seven_average_days_and_closed_hours_hold_nothing() {
        let schedule = SalesSchedule::new();
        for (at, kind) in MERCHANT_KINDS.iter().enumerate() {
            let week: f64 = (0..168).map(|hour| schedule.share(at as u8, hour)).sum();
            assert!(
                (week - 7.0 * kind.activity).abs() < 1e-3,
                "{}: {week}",
                kind.name
            );
            let closed = (0..168).filter(|hour| !kind.is_open(*hour));
            assert!(
                closed
                    .map(|hour| schedule.share(at as u8, hour))
                    .sum::<f64>()
                    == 0.0
            );
        }
    }

    #[test]
    fn the_shares_of_merchant_kinds_make_a_whole() {
        let total: f64 = MERCHANT_KINDS.iter().map(|kind| kind.share).sum();
        assert!((total - 1.0).abs() < 1e-9, "{total}");
        let activity: f64 = MERCHANT_KINDS
            .iter()
            .map(|kind| kind.share * kind.activity)
            .sum();
        assert!(
            (activity - 1.0).abs() < 0.1,
            "an average merchant has an average day: {activity}"
        );
    }
}
