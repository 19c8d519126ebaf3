use std::collections::BTreeSet;

use super::*;

fn entry(profile: &str, code: &str) -> &'static CodeEntry {
    classify(profile, code).unwrap_or_else(|| panic!("{profile} {code} is listed"))
}

#[test]
fn every_shipped_profile_is_found_by_name_and_has_codes() {
    assert!(profiles().is_sorted_by_key(|profile| &profile.name));
    for listed in profiles() {
        let found = profile(&listed.name).expect("a listed profile");
        assert!(
            found.version >= 1 && found.entries().count() > 1,
            "{}",
            found.name
        );
    }
    assert!(profile("no_such_profile").is_none());
}

#[test]
fn entries_are_trimmed_and_agree_with_themselves() {
    for profile in profiles() {
        for entry in profile.entries() {
            let place = format!("{} {}", profile.name, entry.code);
            assert_eq!(entry.code.trim(), entry.code, "{place}");
            assert!(!entry.meaning.trim().is_empty(), "{place}");
            let clean = entry.cause_class.is_none();
            assert!(
                !clean || entry.approved == Approved::Yes,
                "{place} is unexplained"
            );
            if entry.counts_as_out_of_range == CountsAsOutOfRange::Yes {
                assert_eq!(entry.link_worked, LinkWorked::No, "{place}");
            }
            if entry.cause_class == Some(CauseClass::Cardholder) {
                assert_eq!(
                    entry.counts_as_out_of_range,
                    CountsAsOutOfRange::No,
                    "{place}"
                );
            }
        }
    }
}

#[test]
fn names_of_classes_and_sub_causes_are_those_of_the_tables() {
    for class in CauseClass::ALL {
        assert_eq!(class.to_string().parse(), Ok(class));
    }
    let used: BTreeSet<SubCause> = profiles()
        .iter()
        .flat_map(CodeProfile::entries)
        .filter_map(|entry| entry.sub_cause)
        .collect();
    // No code says that a region is not open; context does.
    let unused: Vec<_> = SubCause::ALL
        .into_iter()
        .filter(|cause| !used.contains(cause))
        .collect();
    assert_eq!(unused, [SubCause::RegionNotOpen, SubCause::AcquirerHost]);
}

#[test]
fn a_code_means_what_its_profile_says() {
    use CauseClass::{CardOrLegal, Cardholder, MerchantConfig};
    for (profile, code, class) in [
        (UNIONPAY, "57", CardOrLegal),
        (ISO8583_1987, "57", CardOrLegal),
        (GICC, "57", MerchantConfig),
        (UNIONPAY, "58", MerchantConfig),
        (GICC, "58", MerchantConfig),
        (UNIONPAY, "64", Cardholder),
        (ISO8583_1987, "64", CardOrLegal),
        (RAPYD, "A1", MerchantConfig),
        (RAPYD, "A3", MerchantConfig),
    ] {
        assert_eq!(
            entry(profile, code).cause_class,
            Some(class),
            "{profile} {code}"
        );
    }
    assert_ne!(entry(UNIONPAY, "57").meaning, entry(GICC, "57").meaning);
}

#[test]
fn approvals_with_a_defect_are_approvals() {
    for code in ["A2", "A4", "A5", "A6"] {
        let entry = entry(UNIONPAY, code);
        assert_eq!(entry.approved, Approved::Yes, "{code}");
        assert_eq!(
            entry.cause_class,
            Some(CauseClass::TechnicalFault),
            "{code}"
        );
    }
    assert_eq!(entry(UNIONPAY, "00").cause_class, None);
}

#[test]
fn an_offline_approval_for_want_of_a_link_is_a_hidden_out_of_range_failure() {
    let hidden = entry(EMV, "Y3");
    assert_eq!(hidden.approved, Approved::Offline);
    assert_eq!(hidden.counts_as_out_of_range, CountsAsOutOfRange::Yes);
    assert_eq!(
        entry(EMV, "Z3").counts_as_out_of_range,
        CountsAsOutOfRange::Yes
    );
    for by_choice in ["Y1", "Z1"] {
        assert_eq!(
            entry(EMV, by_choice).counts_as_out_of_range,
            CountsAsOutOfRange::No
        );
    }
}

#[test]
fn a_host_answer_is_never_an_out_of_range_failure() {
    for profile in [
        UNIONPAY,
        ISO8583_1987,
        ISO8583_1993,
        GICC,
        RAPYD,
        ACQUIRER_PRIVATE,
    ] {
        for entry in super::profile(profile)
            .expect("a shipped profile")
            .entries()
        {
            assert_eq!(
                entry.link_worked,
                LinkWorked::Yes,
                "{profile} {}",
                entry.code
            );
            assert_ne!(entry.counts_as_out_of_range, CountsAsOutOfRange::Yes);
        }
    }
}

#[test]
fn a_terminal_outside_its_registered_place_is_no_signal_problem() {
    let fence = entry(ACQUIRER_PRIVATE, "E010404000003");
    assert_eq!(fence.cause_class, Some(CauseClass::ProviderLimit));
    assert_eq!(fence.sub_cause, Some(SubCause::Geofence));
    assert_eq!(fence.counts_as_out_of_range, CountsAsOutOfRange::Context);
}

#[test]
fn the_terminals_own_errors_are_known() {
    for error in [
        "NO_REG",
        "NO_BEARER",
        "DNS",
        "TCP_CONNECT",
        "TLS",
        "SEND_FAIL",
        "RECV_TIMEOUT",
        "E1",
    ] {
        let entry = entry(TERMINAL_LOCAL, error);
        assert_eq!(
            entry.counts_as_out_of_range,
            CountsAsOutOfRange::Yes,
            "{error}"
        );
    }
    assert_eq!(
        entry(TERMINAL_LOCAL, " RS ").sub_cause,
        Some(SubCause::LostMessage)
    );
}

#[test]
fn a_broken_table_names_its_profile_and_row() {
    let header =
        "code,meaning,approved,cause_class,sub_cause,counts_as_out_of_range,link_worked,note";
    for (rows, message) in [
        ("# nothing", "the first line must be"),
        (
            "05,no,no,cardholder,,no,yes,\n05,no,no,cardholder,,no,yes,",
            "row 2: code \"05\"",
        ),
        (" 05,no,no,cardholder,,no,yes,", "row 1: code \" 05\""),
        ("05,no,no,weather,,no,yes,", "unknown variant `weather`"),
        ("05,no,no,cardholder", "line: 3"),
    ] {
        let version = if rows.starts_with('#') {
            ""
        } else {
            "# version: 7\n"
        };
        let table = format!("{version}{header}\n{rows}\n");
        let error = CodeProfile::read("mine", table.as_bytes())
            .expect_err(rows)
            .to_string();
        assert!(error.starts_with("code profile mine"), "{error}");
        assert!(error.contains(message), "{error}");
    }
}
