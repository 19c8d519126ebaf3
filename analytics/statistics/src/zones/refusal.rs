//! What a candidate lacks, as a word for tables and as a sentence for people.

use super::judge::Candidate;
use super::leave_out::Left;
use super::{Zone, ZoneOptions};

/// Why a candidate is no zone: the first rule that it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Fewer terminals than asked for.
    FewTerminals,
    /// Fewer merchants than asked for.
    FewMerchants,
    /// Fewer attempts than asked for.
    FewAttempts,
    /// Fewer days than asked for.
    FewDays,
    /// Raised in fewer quarters of the day than asked for.
    FewDayparts,
    /// The rate is not high enough.
    LowRate,
    /// The excess could be chance.
    Chance,
    /// It does not hold without some terminal.
    OneTerminal,
    /// It does not hold without some merchant.
    OneMerchant,
    /// It does not hold without as many terminals as could be bad ones that met there.
    BadTerminals,
}

impl Refusal {
    /// Returns the word of the reason in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FewTerminals => "few_terminals",
            Self::FewMerchants => "few_merchants",
            Self::FewAttempts => "few_attempts",
            Self::FewDays => "few_days",
            Self::FewDayparts => "few_dayparts",
            Self::LowRate => "low_rate",
            Self::Chance => "chance",
            Self::OneTerminal => "one_terminal",
            Self::OneMerchant => "one_merchant",
            Self::BadTerminals => "bad_terminals",
        }
    }

    fn words(self, candidate: &Candidate, options: &ZoneOptions) -> String {
        let zone = &candidate.zone;
        match self {
            Self::FewTerminals => few("terminals", zone.terminals, options.min_terminals),
            Self::FewMerchants if zone.merchants == 1 => "one merchant only".to_owned(),
            Self::FewMerchants => few("merchants", zone.merchants, options.min_merchants),
            Self::FewAttempts => few("attempts", zone.attempts, options.min_attempts),
            Self::FewDays => few("days", zone.days, options.min_days),
            Self::FewDayparts => few(
                "quarters of the day with a raised rate",
                zone.dayparts,
                options.min_dayparts,
            ),
            Self::LowRate => format!(
                "low rate: {:.1} times the usual one of {}",
                zone.rate_ratio, options.rate_ratio
            ),
            Self::Chance => could_be_chance(zone.q, options),
            Self::BadTerminals => format!(
                "could be bad terminals that met by chance: {} of its {}",
                candidate.bad, zone.terminals
            ),
            Self::OneTerminal => "does not survive losing one terminal".to_owned(),
            Self::OneMerchant => "does not survive losing one merchant".to_owned(),
        }
    }
}

fn few<N: std::fmt::Display>(what: &str, found: N, asked: N) -> String {
    format!("too few {what}: {found} of {asked}")
}

pub(super) fn could_be_chance(q: Option<f64>, options: &ZoneOptions) -> String {
    match q {
        Some(q) => format!("could be chance: q {q:.2}, at most {} is enough", options.q),
        None => "could be chance".to_owned(),
    }
}

/// The first rule of counts that a candidate breaks: it is not tested.
pub(super) fn by_counts(zone: &Zone, options: &ZoneOptions) -> Option<Refusal> {
    rules_of_counts(zone, options)
        .into_iter()
        .find_map(|(reason, breaks)| breaks.then_some(reason))
}

fn rules_of_counts(zone: &Zone, options: &ZoneOptions) -> [(Refusal, bool); 5] {
    [
        (
            Refusal::FewTerminals,
            zone.terminals < options.min_terminals,
        ),
        (
            Refusal::FewMerchants,
            zone.merchants < options.min_merchants,
        ),
        (Refusal::FewAttempts, zone.attempts < options.min_attempts),
        (Refusal::FewDays, zone.days < options.min_days),
        (Refusal::FewDayparts, zone.dayparts < options.min_dayparts),
    ]
}

/// The q-values of one candidate among all; `None` when it is not tested.
#[derive(Clone, Copy)]
pub(super) struct Qs {
    pub(super) full: Option<f64>,
    pub(super) without_bad: Option<f64>,
    pub(super) without_terminal: Option<f64>,
    pub(super) without_merchant: Option<f64>,
}

/// Whether rate and test hold without any one terminal, and without any one merchant.
#[derive(Clone, Copy)]
pub(super) struct Survives {
    terminal: bool,
    merchant: bool,
}

impl Survives {
    pub(super) fn all(self) -> bool {
        self.terminal && self.merchant
    }
}

pub(super) fn survives(candidate: &Candidate, qs: Qs, options: &ZoneOptions) -> Survives {
    let holds = |left: Option<Left>, q: Option<f64>| {
        left.is_some_and(|left| left.ratio >= options.rate_ratio)
            && q.is_some_and(|q| q <= options.q)
    };
    Survives {
        terminal: holds(candidate.without_terminal, qs.without_terminal),
        merchant: holds(candidate.without_merchant, qs.without_merchant),
    }
}

/// Every rule that a candidate breaks, those of counts first. What is not tested is not called chance,
/// and losing one part is only looked at where the whole holds.
pub(super) fn broken(candidate: &Candidate, qs: Qs, options: &ZoneOptions) -> Vec<Refusal> {
    let zone = &candidate.zone;
    let counts = rules_of_counts(zone, options).into_iter();
    let mut broken: Vec<Refusal> = counts
        .filter_map(|(reason, breaks)| breaks.then_some(reason))
        .collect();
    let is_chance = broken.is_empty() && qs.full.is_none_or(|q| q > options.q);
    broken.extend((zone.rate_ratio < options.rate_ratio).then_some(Refusal::LowRate));
    broken.extend(is_chance.then_some(Refusal::Chance));
    if broken.is_empty() {
        let survives = survives(candidate, qs, options);
        broken.extend((!survives.terminal).then_some(Refusal::OneTerminal));
        broken.extend((!survives.merchant).then_some(Refusal::OneMerchant));
    }
    if broken.is_empty() && qs.without_bad.is_none_or(|q| q > options.q) {
        broken.push(Refusal::BadTerminals);
    }
    broken
}

/// What is missing, for people.
pub(super) fn missing(broken: &[Refusal], candidate: &Candidate, options: &ZoneOptions) -> String {
    let words = broken.iter().map(|reason| reason.words(candidate, options));
    words.collect::<Vec<_>>().join("; ")
}
