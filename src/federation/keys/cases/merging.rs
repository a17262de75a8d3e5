use proptest::prelude::*;

use super::rig::{DAY, HOUR, NOW};
use crate::keys::{
    KeyRow,
    merge::{merge, offers},
};

const DIRECT: bool = true;
const NOTARY: bool = false;

fn key(public: u8, direct: bool, valid_until: u64) -> KeyRow {
    KeyRow { public: [public; 32], valid_until, expired: None, fetched: NOW, direct, document: [0; 32] }
}

fn ended(public: u8, direct: bool, end: u64) -> KeyRow {
    KeyRow { expired: Some(end), ..key(public, direct, 0) }
}

/// What is kept: public key, until when, its end.
fn kept(known: &KeyRow, offer: KeyRow) -> (u8, u64, Option<u64>) {
    let row = merge(Some(known), offer, NOW).unwrap_or_else(|| known.clone());
    (row.public[0], row.valid_until, row.expired)
}

#[test]
fn answers_are_weighed_by_who_gives_them() {
    let (soon, late, past) = (NOW + HOUR, NOW + DAY, NOW - HOUR);
    for (what, known, offer, expected) in [
        ("prolonged", key(1, DIRECT, soon), key(1, DIRECT, late), (1, late, None)),
        ("prolonged by a notary", key(1, DIRECT, soon), key(1, NOTARY, late), (1, late, None)),
        ("not shortened", key(1, DIRECT, late), key(1, DIRECT, soon), (1, late, None)),
        ("not shortened by an old answer", key(1, NOTARY, late), key(1, DIRECT, past), (1, late, None)),
        ("ended by itself", key(1, DIRECT, late), ended(1, DIRECT, past), (1, late, Some(past))),
        ("not ended by a notary", key(1, NOTARY, late), ended(1, NOTARY, past), (1, late, None)),
        ("ended by a notary when it was over", key(1, NOTARY, past), ended(1, NOTARY, past), (1, past, Some(past))),
        ("changed by itself", key(1, DIRECT, late), key(2, DIRECT, soon), (2, soon, None)),
        ("not changed by an answer that is over", key(1, DIRECT, late), key(2, DIRECT, past), (1, late, None)),
        ("not changed by a notary", key(1, DIRECT, late), key(2, NOTARY, late), (1, late, None)),
        ("not changed by a notary when it is over", key(1, DIRECT, past), key(2, NOTARY, late), (1, past, None)),
        ("not changed by a second notary", key(1, NOTARY, late), key(2, NOTARY, late), (1, late, None)),
        ("a notary corrects a notary's key that is over", key(1, NOTARY, past), key(2, NOTARY, late), (2, late, None)),
        ("a notary's key is corrected", key(1, NOTARY, late), key(2, DIRECT, soon), (2, soon, None)),
        ("not changed by an old key", key(1, DIRECT, late), ended(2, DIRECT, past), (1, late, None)),
        ("stays ended for a notary", ended(1, DIRECT, past), key(1, NOTARY, late), (1, 0, Some(past))),
        ("brought back by itself", ended(1, DIRECT, past), key(1, DIRECT, late), (1, late, None)),
        ("not brought back by an old answer", ended(1, DIRECT, past), key(1, DIRECT, past), (1, 0, Some(past))),
        ("its end is corrected", ended(1, NOTARY, past), ended(1, DIRECT, past - 1), (1, 0, Some(past - 1))),
        ("its end is not corrected by a notary", ended(1, DIRECT, past), ended(1, NOTARY, 1), (1, 0, Some(past))),
    ] {
        assert_eq!(kept(&known, offer), expected, "{what}");
    }
}

#[test]
fn a_key_counts_for_seven_days_at_most() {
    let signer = super::rig::signer("a.test", "k", 1);
    let old = super::rig::signer("a.test", "o", 2);
    let json = super::rig::text(&super::rig::document(&signer, &[(&old, NOW + DAY)], NOW + 400 * DAY));
    let document = crate::keys::Document::read(json.as_bytes()).unwrap();
    let offers = offers(&document, [0; 32], true, NOW);
    assert_eq!(offers[0].1.valid_until, NOW + 7 * DAY);
    // An end in the future is an end now.
    assert_eq!(offers[1].1.expired, Some(NOW));
}

/// Answers that are worse than a valid one of the server itself.
fn worse() -> impl Strategy<Value = KeyRow> {
    let time = NOW - 30 * DAY..NOW + 30 * DAY;
    let by_notary = (0u8..3, time.clone(), prop::option::of(time.clone()))
        .prop_map(|(public, until, end)| KeyRow { expired: end, ..key(public, NOTARY, until) });
    let over = (0u8..3, NOW - 30 * DAY..=NOW).prop_map(|(public, until)| key(public, DIRECT, until));
    let of_another = (1u8..3, time).prop_map(|(public, end)| ended(public, DIRECT, end));
    prop_oneof![by_notary, over, of_another]
}

proptest! {
    #[test]
    fn a_valid_key_survives_any_worse_answers(answers in prop::collection::vec(worse(), 0..30), until in NOW + 1..NOW + 7 * DAY) {
        let mut row = key(0, DIRECT, until);
        for answer in answers {
            row = merge(Some(&row), answer, NOW).unwrap_or(row);
            prop_assert!(row.is_valid(NOW) && row.direct);
            prop_assert_eq!(row.public, [0; 32]);
            prop_assert!(row.valid_until >= until);
        }
    }

    #[test]
    fn the_same_answer_twice_changes_nothing(known in worse(), offer in worse()) {
        let once = merge(Some(&known), offer.clone(), NOW).unwrap_or(known);
        let twice = merge(Some(&once), offer, NOW).unwrap_or(once.clone());
        prop_assert_eq!(once, twice);
    }
}
