//! Authorization: what each room version allows.

use std::sync::Arc;

use ruma::{CanonicalJsonObject, OwnedEventId, RoomVersionId};
use serde_json::{Value, json};

use super::rooms::{TestRoom, signer_of, user, versions};
use crate::{Denied, Pdu, PowerLevels, UserPowerLevel, check_auth_events};

/// An attempt in a furnished room; the range says in which versions it is allowed.
struct Case {
    name: &'static str,
    join_rule: &'static str,
    sender: &'static str,
    kind: &'static str,
    state_key: Option<String>,
    content: Value,
    allowed: std::ops::RangeInclusive<u8>,
}

const ALL: std::ops::RangeInclusive<u8> = 1..=12;
#[expect(clippy::reversed_empty_ranges, reason = "in no version")]
const NEVER: std::ops::RangeInclusive<u8> = 1..=0;

fn number(version: &RoomVersionId) -> u8 {
    version.as_str().parse().unwrap()
}

fn member(
    sender: &'static str,
    target: &str,
    membership: &str,
    extra: &Value,
) -> (&'static str, Option<String>, Value) {
    let mut content = json!({ "membership": membership });
    for (key, value) in extra.as_object().unwrap() {
        content[key] = value.clone();
    }
    (sender, Some(user(target).to_string()), content)
}

#[test]
fn membership_rules() {
    let via = json!({ "join_authorised_via_users_server": user("mia") });
    let none = json!({});
    for (name, join_rule, (sender, state_key, content), allowed) in [
        ("join a public room", "public", member("dora", "dora", "join", &none), ALL),
        ("join a private room", "invite", member("dora", "dora", "join", &none), NEVER),
        ("join for another", "public", member("bob", "dora", "join", &none), NEVER),
        ("stay in a private room", "invite", member("bob", "bob", "join", &none), ALL),
        ("invite", "invite", member("bob", "dora", "invite", &none), ALL),
        ("invite a member", "invite", member("bob", "mia", "invite", &none), NEVER),
        ("invite from outside", "invite", member("dora", "erin", "invite", &none), NEVER),
        ("leave", "invite", member("bob", "bob", "leave", &none), ALL),
        ("leave from outside", "invite", member("dora", "dora", "leave", &none), NEVER),
        ("kick as moderator", "invite", member("mia", "bob", "leave", &none), ALL),
        ("kick as nobody", "invite", member("bob", "carol.other.test", "leave", &none), NEVER),
        ("kick someone above", "invite", member("mia", "alice", "leave", &none), NEVER),
        ("ban as moderator", "invite", member("mia", "bob", "ban", &none), ALL),
        ("ban as nobody", "invite", member("bob", "mia", "ban", &none), NEVER),
        ("knock", "knock", member("dora", "dora", "knock", &none), 7..=12),
        ("knock in a private room", "invite", member("dora", "dora", "knock", &none), NEVER),
        ("knock as a member", "knock", member("bob", "bob", "knock", &none), NEVER),
        ("knock where both", "knock_restricted", member("dora", "dora", "knock", &none), 10..=12),
        ("restricted join", "restricted", member("dora", "dora", "join", &via), 8..=12),
        ("restricted join, unnamed", "restricted", member("dora", "dora", "join", &none), NEVER),
        ("restricted join where both", "knock_restricted", member("dora", "dora", "join", &via), 10..=12),
        ("unknown membership", "public", member("bob", "bob", "fly", &none), NEVER),
        (
            "null third-party invite",
            "invite",
            member("bob", "dora", "invite", &json!({ "third_party_invite": null })),
            NEVER,
        ),
    ] {
        run(&Case { name, join_rule, sender, kind: "m.room.member", state_key, content, allowed });
    }
}

#[test]
fn other_rules() {
    let levels = |change: Value| {
        let mut content = json!({ "users": { user("mia"): 50 } });
        content["users"][user("alice").as_str()] = json!(100);
        for (key, value) in change.as_object().unwrap() {
            content[key] = value.clone();
        }
        content
    };
    let event = |name, sender, kind, state_key: Option<&str>, content, allowed| Case {
        name,
        join_rule: "public",
        sender,
        kind,
        state_key: state_key.map(ToOwned::to_owned),
        content,
        allowed,
    };
    for case in [
        event("a message", "bob", "m.room.message", None, json!({}), ALL),
        event("a message from outside", "dora", "m.room.message", None, json!({}), NEVER),
        event("state without power", "bob", "m.room.topic", Some(""), json!({}), NEVER),
        event("state with power", "mia", "m.room.topic", Some(""), json!({}), ALL),
        event("state of another user", "mia", "m.odd", Some("@bob:hearth.test"), json!({}), NEVER),
        event("own state", "mia", "m.odd", Some("@mia:hearth.test"), json!({}), ALL),
        event("aliases of my server", "bob", "m.room.aliases", Some("hearth.test"), json!({}), 1..=5),
        event("aliases of another server", "mia", "m.room.aliases", Some("other.test"), json!({}), 6..=12),
        event("third-party invite", "bob", "m.room.third_party_invite", Some("t"), json!({}), ALL),
        // The levels of before have alice in `users` up to version 11, so only 12 sees a creator there.
        event("same levels", "alice", "m.room.power_levels", Some(""), levels(json!({})), 1..=11),
        event("a level as text", "alice", "m.room.power_levels", Some(""), levels(json!({ "ban": " +60 " })), 1..=9),
        event("a level above mine", "alice", "m.room.power_levels", Some(""), levels(json!({ "ban": 101 })), NEVER),
        event(
            "a notification level above mine",
            "alice",
            "m.room.power_levels",
            Some(""),
            levels(json!({ "notifications": { "room": 101 } })),
            1..=5,
        ),
        event("levels as nobody", "bob", "m.room.power_levels", Some(""), levels(json!({})), NEVER),
        event("no user id", "alice", "m.room.power_levels", Some(""), levels(json!({ "users": { "x": 1 } })), NEVER),
    ] {
        run(&case);
    }
}

fn run(case: &Case) {
    for (version, _) in versions() {
        let (mut room, tip) = TestRoom::furnished(&version, case.join_rule);
        let pdu = room.build(&[tip], case.sender, case.kind, case.state_key.as_deref(), &case.content);
        let verdict = room.check(&pdu);
        assert_eq!(
            verdict.is_ok(),
            case.allowed.contains(&number(&version)),
            "{} in {version}: {verdict:?}",
            case.name
        );
    }
}

/// The room after `mia` made `bob` her equal, and whether alice may then remove either.
#[test]
fn only_from_version_12_on_creators_stand_above_all_levels() {
    for (version, _) in versions() {
        let (mut room, tip) = TestRoom::furnished(&version, "public");
        let mut levels = json!({ "users": { user("mia"): 100 } });
        if number(&version) < 12 {
            levels["users"][user("alice").as_str()] = json!(100);
        }
        let tip = room.send(&[tip], "alice", "m.room.power_levels", Some(""), levels).unwrap();
        assert_eq!(room.member(&[tip], "alice", "mia", "leave").is_ok(), number(&version) == 12, "{version}");
    }
}

#[test]
fn additional_creators_have_power_without_limit_and_must_be_user_ids() {
    let (mut room, _) = TestRoom::new(&RoomVersionId::V12);
    let mut create = |creators: Value| {
        room.room_id = None;
        let content = json!({ "room_version": "12", "additional_creators": creators });
        room.build(&[], "alice", "m.room.create", Some(""), &content)
    };
    let good = create(json!([user("mia")]));
    let rules = crate::rules(&RoomVersionId::V12).unwrap();
    let power = PowerLevels::new(&good, None, &rules).unwrap();
    assert_eq!(power.user(&user("mia")), UserPowerLevel::Infinite);
    assert_eq!(power.user(&user("bob")), UserPowerLevel::Int(ruma::int!(0)));
    assert!(check_auth_events(&good, &rules, |_| None).is_ok());
    for bad in [json!("x"), json!([1]), json!(["x"])] {
        assert!(check_auth_events(&create(bad), &rules, |_| None).is_err());
    }
}

#[test]
fn an_unfederated_room_is_for_one_server() {
    for (version, _) in versions() {
        let (mut room, _) = TestRoom::new(&version);
        let mut content = json!({ "room_version": version, "m.federate": false, "creator": user("alice") });
        room.room_id = room.room_id.filter(|_| number(&version) < 12);
        content["extra"] = json!(1);
        let create = room.send(&[], "alice", "m.room.create", Some(""), content).unwrap();
        room.room_id = Some(room.events[&create].room_id.clone());
        let mut tip = room.member(&[create], "alice", "alice", "join").unwrap();
        tip = room.send(&[tip], "alice", "m.room.join_rules", Some(""), json!({ "join_rule": "public" })).unwrap();
        assert!(room.member(&[tip.clone()], "carol.other.test", "carol.other.test", "join").is_err());
        assert!(room.member(&[tip], "bob", "bob", "join").is_ok());
    }
}

#[test]
fn without_join_rules_the_invited_may_join() {
    for (version, _) in versions() {
        let (mut room, tip) = TestRoom::new(&version);
        assert!(room.member(&[tip.clone()], "bob", "bob", "join").is_err());
        let tip = room.member(&[tip], "alice", "bob", "invite").unwrap();
        assert!(room.member(&[tip], "bob", "bob", "join").is_ok(), "{version}");
    }
}

#[test]
fn a_third_party_invite_needs_a_signature_of_its_key() {
    for (version, _) in versions() {
        let (mut room, tip) = TestRoom::furnished(&version, "invite");
        let identity = signer_of("id.test");
        let content = json!({ "display_name": "e", "public_key": identity.public_key_base64() });
        let tip = room.send(&[tip], "mia", "m.room.third_party_invite", Some("tok"), content).unwrap();
        let attempt = |room: &mut TestRoom, sender: &str, mxid: &str, token: &str, by: &crate::Signer| {
            let mut signed: CanonicalJsonObject =
                serde_json::from_value(json!({ "mxid": user(mxid), "token": token })).unwrap();
            by.sign_json(&mut signed).unwrap();
            let content =
                json!({ "membership": "invite", "third_party_invite": { "display_name": "e", "signed": signed } });
            let pdu = room.build(&[tip.clone()], sender, "m.room.member", Some("@erin:hearth.test"), &content);
            room.check(&pdu).is_ok()
        };
        assert!(attempt(&mut room, "mia", "erin", "tok", &identity), "{version}");
        assert!(!attempt(&mut room, "mia", "bob", "tok", &identity));
        assert!(!attempt(&mut room, "mia", "erin", "other", &identity));
        assert!(!attempt(&mut room, "bob", "erin", "tok", &identity));
        let stranger = crate::Signer::new("id.test".try_into().unwrap(), "ed25519:1".try_into().unwrap(), &[7; 32]);
        assert!(!attempt(&mut room, "mia", "erin", "tok", &stranger));
    }
}

#[test]
fn a_redaction_needs_power_or_the_same_server_in_versions_1_and_2_only() {
    for (version, _) in versions() {
        let (mut room, tip) = TestRoom::furnished(&version, "public");
        let target = room.send(&[tip], "mia", "m.room.message", None, json!({})).unwrap();
        let mut redact = |sender| {
            let content = json!({ "redacts": target });
            room.send(&[target.clone()], sender, "m.room.redaction", None, content).is_ok()
        };
        assert!(redact("mia"));
        assert!(redact("bob"), "same server");
        assert_eq!(redact("carol.other.test"), number(&version) > 2, "{version}");
    }
}

#[test]
fn auth_events_must_be_the_right_ones_of_this_room() {
    for (version, rules) in versions() {
        let (mut room, tip) = TestRoom::furnished(&version, "public");
        let (mut other, other_tip) = TestRoom::new(&version);
        if number(&version) < 12 {
            other.room_id = Some(ruma::RoomId::parse("!other:hearth.test").unwrap());
        }
        let topic = room.send(&[tip.clone()], "mia", "m.room.topic", Some(""), json!({})).unwrap();
        let good = room.build(&[tip.clone()], "bob", "m.room.message", None, &json!({}));
        let foreign = other.build(&[other_tip], "alice", "m.room.join_rules", Some(""), &json!({}));
        let create = room.events.values().find(|pdu| pdu.prev_events.is_empty()).unwrap().event_id.clone();
        let all: Vec<Arc<Pdu>> = room.events.values().cloned().chain([Arc::new(foreign.clone())]).collect();
        let verdict = |change: &dyn Fn(&mut Vec<OwnedEventId>), rejected: bool| -> Result<(), Denied> {
            let mut pdu = good.clone();
            change(&mut pdu.auth_events);
            check_auth_events(&pdu, &rules, |id| {
                let mut found = (**all.iter().find(|pdu| pdu.event_id == *id)?).clone();
                found.rejected = rejected;
                Some(Arc::new(found))
            })
        };
        assert!(verdict(&|_| {}, false).is_ok(), "{version}");
        assert!(verdict(&|_| {}, true).is_err());
        assert!(verdict(&|ids| ids.push(topic.clone()), false).is_err());
        assert!(verdict(&|ids| ids.push(ids[0].clone()), false).is_err());
        assert!(verdict(&|ids| ids.push(foreign.event_id.clone()), false).is_err());
        assert!(verdict(&|ids| ids.push("$nowhere".try_into().unwrap()), false).is_err());
        if number(&version) < 12 {
            assert!(verdict(&|ids| ids.retain(|id| *id != create), false).is_err());
        } else {
            assert!(verdict(&|ids| ids.push(create.clone()), false).is_err());
            let mut stray = good.clone();
            stray.room_id = ruma::RoomId::parse(topic.as_str().replacen('$', "!", 1)).unwrap();
            stray.auth_events.clear();
            assert!(check_auth_events(&stray, &rules, room.fetch()).is_err());
        }
    }
}

#[test]
fn a_room_id_names_the_server_of_its_creator_before_version_12() {
    for (version, rules) in versions().take(11) {
        let (mut room, _) = TestRoom::new(&version);
        room.room_id = Some(ruma::RoomId::parse("!room:other.test").unwrap());
        let content = json!({ "room_version": version, "creator": user("alice") });
        let create = room.build(&[], "alice", "m.room.create", Some(""), &content);
        assert!(check_auth_events(&create, &rules, |_| None).is_err());
    }
}

#[test]
fn power_levels_answer_for_local_decisions() {
    for (version, rules) in versions() {
        let (mut room, tip) = TestRoom::furnished(&version, "public");
        let content = json!({ "users": { user("mia"): 50 }, "events": { "m.poll": 10 }, "notifications": { "room": 20 }, "kick": 30 });
        let levels = room.build(&[tip.clone()], "alice", "m.room.power_levels", Some(""), &content);
        let create = &room.events[room.state_before(&[tip]).get(&("m.room.create".into(), String::new())).unwrap()];
        let power = PowerLevels::new(&**create, Some(&levels), &rules).unwrap();
        assert_eq!(power.notification("room"), ruma::int!(20));
        assert_eq!(power.notification("x"), ruma::int!(50));
        assert_eq!(power.event(&"m.poll".into(), false), ruma::int!(10));
        assert_eq!(power.event(&"m.other".into(), true), ruma::int!(50));
        assert_eq!((power.kick(), power.ban()), (ruma::int!(30), ruma::int!(50)));
        let none = PowerLevels::new(&**create, None, &rules).unwrap();
        let creator = none.user(&user("alice"));
        assert_eq!(creator == UserPowerLevel::Infinite, number(&version) == 12);
        assert!(creator >= UserPowerLevel::Int(ruma::int!(100)));
    }
}
