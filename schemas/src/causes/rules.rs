//! The rules that give a failure its causes: their names, their order, and the constants they use.
//!
//! Queries get all of it as parameters (`analytics::causes`), the roll-up by name: nothing spells a
//! rule twice. A failure with a host's answer has one cause. One without an answer, outages and fixed lines
//! taken out, is shared between the terminal, its model, its place and the link of the moment, in this
//! order, each taking of what is left the part that it explains.

use super::{CauseClass, SubCause};

/// Seconds for which the last signal before a failure tells of the link.
pub const SIGNAL_HOLDS_S: i32 = 120;
/// Phases in which a terminal that failed had no network yet.
pub const UNREGISTERED_PHASES: [&str; 2] = ["register", "bearer"];
/// Codes of every profile that say there is no route to the issuer: in a region that is not open, that is why.
pub const NO_ROUTE_CODES: [&str; 2] = ["31", "92"];
/// Access technologies without radio to a carrier.
pub const FIXED_ACCESS: [&str; 2] = ["wifi", "ethernet"];
/// Outcome of an attempt that got no answer.
pub const NO_ANSWER: &str = "no_answer";
/// EMV codes of a decision that the terminal took because it could not go online.
pub const OFFLINE_CODES: [&str; 2] = ["Y3", "Z3"];

/// Why a failure has the cause it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CauseRule {
    /// No answer during an outage of the host.
    HostOutage,
    /// No answer during an outage of the carrier.
    CarrierOutage,
    /// No answer during an outage of the region.
    RegionOutage,
    /// No answer during an outage of a release of the application.
    ReleaseOutage,
    /// No answer over a fixed line or Wi-Fi.
    FixedLine,
    /// The terminal fails more than its peers.
    BadTerminal,
    /// The model and firmware fail more than others in the same cells.
    BadModel,
    /// The place is a weak zone of the carrier.
    WeakZone,
    /// The place is weak on every carrier seen there.
    NotSpot,
    /// The place fails though its signal is good.
    FailureZone,
    /// The terminal had no network.
    NoRegistration,
    /// The last signal was weak.
    WeakSignal,
    /// The last signal was good or old: the link was lost for a moment.
    TransientLink,
    /// Nothing is known of the link.
    NoEvidence,
    /// The host answered that there is no route, and the region is not open to the acquirer.
    RegionNotOpen,
    /// The host's code says it.
    ResponseCode,
}

impl CauseRule {
    /// Every rule, in the order in which they are tried.
    pub const ALL: [Self; 16] = [
        Self::HostOutage,
        Self::CarrierOutage,
        Self::RegionOutage,
        Self::ReleaseOutage,
        Self::FixedLine,
        Self::BadTerminal,
        Self::BadModel,
        Self::WeakZone,
        Self::NotSpot,
        Self::FailureZone,
        Self::NoRegistration,
        Self::WeakSignal,
        Self::TransientLink,
        Self::NoEvidence,
        Self::RegionNotOpen,
        Self::ResponseCode,
    ];

    /// Returns the name columns and reports use; that of a zone is its kind's.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HostOutage => "host_outage",
            Self::CarrierOutage => "carrier_outage",
            Self::RegionOutage => "region_outage",
            Self::ReleaseOutage => "release_outage",
            Self::FixedLine => "fixed_line",
            Self::BadTerminal => "bad_terminal",
            Self::BadModel => "bad_model",
            Self::WeakZone => "weak_zone",
            Self::NotSpot => "not_spot",
            Self::FailureZone => "failure_zone",
            Self::NoRegistration => "no_registration",
            Self::WeakSignal => "weak_signal",
            Self::TransientLink => "transient_link",
            Self::NoEvidence => "no_evidence",
            Self::RegionNotOpen => "region_not_open",
            Self::ResponseCode => "response_code",
        }
    }

    /// Finds a rule by its name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == name)
    }

    /// Returns the class that the rule gives; `None` where the response code says it.
    pub const fn class(self) -> Option<CauseClass> {
        Some(match self {
            Self::HostOutage
            | Self::CarrierOutage
            | Self::RegionOutage
            | Self::ReleaseOutage
            | Self::FixedLine => CauseClass::TechnicalFault,
            Self::BadTerminal | Self::BadModel => CauseClass::Device,
            Self::WeakZone | Self::NotSpot => CauseClass::Geography,
            Self::NoRegistration | Self::WeakSignal | Self::TransientLink => CauseClass::Signal,
            Self::RegionNotOpen => CauseClass::ProviderLimit,
            Self::FailureZone | Self::NoEvidence => CauseClass::Unknown,
            Self::ResponseCode => return None,
        })
    }

    /// Returns the finer cause, the rule's own name where it has no other; `None` where the response
    /// code says it.
    pub const fn sub_cause(self) -> Option<&'static str> {
        Some(match self {
            Self::HostOutage => SubCause::AcquirerHost.as_str(),
            Self::ReleaseOutage => SubCause::Upgrade.as_str(),
            Self::RegionNotOpen => SubCause::RegionNotOpen.as_str(),
            Self::ResponseCode => return None,
            other => other.as_str(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_found_by_their_names_and_only_a_code_leaves_the_class_open() {
        for rule in CauseRule::ALL {
            assert_eq!(CauseRule::named(rule.as_str()), Some(rule));
            assert_eq!(rule.class().is_none(), rule == CauseRule::ResponseCode);
            assert_eq!(rule.class().is_none(), rule.sub_cause().is_none());
        }
        assert_eq!(CauseRule::named("weather"), None);
        assert!(CauseRule::ALL.is_sorted());
    }
}
