use proptest::prelude::*;

use super::*;

/// Published test numbers of the schemes.
const TEST_NUMBERS: [&str; 12] = [
    "4111111111111111",
    "4222222222222",
    "5555555555554444",
    "2223003122003222",
    "378282246310005",
    "371449635398431",
    "6011111111111117",
    "3530111333300000",
    "30569309025904",
    "36227206271667",
    "6200000000000005",
    "2200000000000004",
];

#[test]
fn the_schemes_test_numbers_are_found_wherever_they_stand() {
    for pan in TEST_NUMBERS {
        for text in [
            pan.to_owned(),
            format!("card {pan}, approved"),
            format!("pan={pan}"),
            format!("T{pan}x"),
            format!("12 {pan} 7"),
            format!("10.00-{pan}"),
        ] {
            assert!(looks_like_pan(&text), "{text}");
        }
    }
}

#[test]
fn grouped_digits_are_found() {
    for text in [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "3782 822463 10005",
        "amount 10 card 4111 1111 1111 1111",
        "2026-11-24 4111 1111 1111 1111",
        "6200 0000 0000 0005",
    ] {
        assert!(looks_like_pan(text), "{text}");
    }
}

#[test]
fn other_long_numbers_are_left_alone() {
    for text in [
        "",
        "10-50",
        "4111111111111112",
        "4111111111111111000000",
        "04111111111111111",
        "1111 4111  1111 1111 1111",
        // An IMEI: Luhn holds, no card has 15 digits and 35.
        "490154203237518",
        "356938035643809",
        // An ICCID, a Chinese merchant number, an epoch in ms.
        "8944500102198304826",
        "898110058120001",
        "1795498210000",
        "2026-11-24T05:16:50.123456789Z",
        "192.168.100.200:4111",
    ] {
        assert!(!looks_like_pan(text), "{text}");
    }
}

#[test]
fn uuids_and_hashes_are_left_alone() {
    for text in [
        // The first 16 digits read on would be 4111 1111 1111 1111.
        "41111111-1111-1111-8000-000000000000",
        "00000000-0000-0000-4111-111111111111",
        "urn:uuid:41111111-1111-1111-8000-000000000000",
        "ab4111111111111111cd",
        "9f4111111111111111e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b93",
    ] {
        assert!(!looks_like_pan(text), "{text}");
    }
    // Not a UUID: one character more.
    assert!(looks_like_pan("41111111-1111-1111-8000-0000000000000"));
}

#[test]
fn masking_keeps_the_length_and_the_last_four_digits() {
    let payload = br#"{"amount_band":"4111 1111-1111 1111","note":"378282246310005"}"#;
    let expected = br#"{"amount_band":"**** ****-**** 1111","note":"***********0005"}"#;
    let masked = mask_pans(payload);
    assert_eq!(masked.as_ref(), expected);
    assert!(matches!(masked, Cow::Owned(_)));
}

#[test]
fn a_payload_without_card_numbers_is_not_copied() {
    let payload = br#"{"event_id":"41111111-1111-1111-8000-000000000000",
        "event_time":1795498210000,"lat": 31.4111111111111111,"lon":-0.4111111111111111}"#;
    assert!(matches!(mask_pans(payload), Cow::Borrowed(_)));
    let in_text = br#"{"amount_band":"1.4111111111111111"}"#;
    assert!(matches!(mask_pans(in_text), Cow::Owned(_)));
}

#[test]
fn bytes_that_are_no_text_are_masked_too() {
    let mut payload = vec![0, 0, 0, 0, 3, 0xff, 0x20];
    payload.extend_from_slice(b"4111111111111111\xfe");
    let masked = mask_pans(&payload);
    assert_eq!(&masked[7..], b"************1111\xfe");
}

/// Prefix and length of every issuer, with the Luhn digit added.
fn valid_pan() -> impl Strategy<Value = String> {
    let issuers = ISSUERS.iter().chain([&MAESTRO]).flat_map(|issuer| {
        issuer.lengths.iter().flat_map(|length| {
            let ends = [*issuer.prefixes.start(), *issuer.prefixes.end()];
            ends.map(|prefix| (prefix.to_string(), *length))
        })
    });
    let choices: Vec<(String, usize)> = issuers.collect();
    (prop::sample::select(choices), "[0-9]{19}").prop_map(|((prefix, length), filler)| {
        let mut digits = format!("{prefix}{filler}");
        digits.truncate(length - 1);
        let check = (b'0'..=b'9').map(char::from).find(|check| {
            let digits: Vec<u8> = digits
                .bytes()
                .chain([*check as u8])
                .map(|byte| byte - b'0')
                .collect();
            passes_luhn(&digits)
        });
        digits.push(check.expect("one of ten digits completes the sum"));
        digits
    })
}

proptest! {
    #[test]
    fn every_valid_card_number_is_found_and_masked(pan in valid_pan(), before in "[^0-9]{0,5}", after in "[^0-9]{0,5}") {
        let text = format!("x{before}|{pan}|{after}");
        prop_assert!(looks_like_pan(&text), "{}", text);
        let masked = String::from_utf8(mask_pans(text.as_bytes()).into_owned()).expect("still text");
        prop_assert!(!masked.contains(&pan));
        prop_assert!(!looks_like_pan(&masked), "{}", masked);
    }

    #[test]
    fn digits_that_fail_luhn_are_no_card_number(digits in "[0-9]{13,19}") {
        let values: Vec<u8> = digits.bytes().map(|byte| byte - b'0').collect();
        prop_assume!(!passes_luhn(&values));
        prop_assert!(!looks_like_pan(&digits));
    }

    #[test]
    fn no_uuid_is_a_card_number(id in "[0-9]{8}-[0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{12}") {
        prop_assert!(!looks_like_pan(&id));
    }

    #[test]
    fn any_bytes_keep_their_length(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(mask_pans(&payload).len(), payload.len());
    }
}

proptest::proptest! {
    /// Found by `ingest/fuzz/run`: the last digits of one number were the first of another.
    #[test]
    fn what_is_masked_holds_no_card_number(groups in proptest::collection::vec("[0-9]{1,6}[ -]", 4..16)) {
        let masked = mask_pans(groups.concat().as_bytes()).into_owned();
        proptest::prop_assert_eq!(&mask_pans(&masked)[..], &masked[..]);
    }
}
