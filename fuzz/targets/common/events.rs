//! Well-signed events out of bytes: any type, content, place and authorization, so that a fuzzer gets past formats,
//! hashes and signatures to the rules.

use event::{Draft, Pdu, Place, RoomVersionRules};
use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedEventId, RoomId, UInt, UserId,
    events::{StateEventType, TimelineEventType},
};
use serde_json::value::RawValue;

/// Bytes that make an event.
pub const PART: usize = 12;

const KINDS: [&str; 12] = [
    "m.room.message",
    "m.room.member",
    "m.room.power_levels",
    "m.room.topic",
    "m.room.redaction",
    "m.room.join_rules",
    "m.room.create",
    "m.room.server_acl",
    "m.room.history_visibility",
    "m.room.third_party_invite",
    "m.room.tombstone",
    "org.matrix.dummy_event",
];
const SENDERS: [&str; 4] = ["@bob:b.test", "@eve:b.test", "@alice:a.test", "@nobody:c.test"];
const KEYS: [Option<&str>; 6] =
    [None, Some(""), Some("@bob:b.test"), Some("@alice:a.test"), Some("@eve:b.test"), Some("\u{0}")];
const CONTENTS: [&str; 22] = [
    r#"{"msgtype":"m.text","body":"x"}"#,
    r#"{"membership":"join"}"#,
    r#"{"membership":"leave"}"#,
    r#"{"membership":"ban"}"#,
    r#"{"membership":"knock"}"#,
    r#"{"membership":"invite"}"#,
    r#"{"membership":"invite","third_party_invite":{"signed":{"mxid":"@eve:b.test","token":"t","signatures":{}}}}"#,
    r#"{"membership":"join","join_authorised_via_users_server":"@bob:b.test"}"#,
    r#"{"users":{"@bob:b.test":100,"@alice:a.test":100}}"#,
    r#"{"users":{"@eve:b.test":50},"ban":"50"}"#,
    r#"{"users":{"@alice:a.test":100},"users_default":50,"state_default":0}"#,
    r#"{"users":{},"events":{"m.room.message":9007199254740991}}"#,
    r#"{"join_rule":"public"}"#,
    r#"{"join_rule":"invite"}"#,
    r#"{"join_rule":"knock_restricted","allow":[{"type":"m.room_membership","room_id":"!x:y"}]}"#,
    r#"{"allow":["*"],"deny":["a.test"]}"#,
    r#"{"history_visibility":"joined"}"#,
    r#"{"creator":"@bob:b.test","room_version":"10","additional_creators":["@eve:b.test"]}"#,
    r#"{"public_key":"AAAA","public_keys":[{"public_key":"!"}],"display_name":1}"#,
    r#"{"m.relates_to":{"rel_type":"m.thread","event_id":"$x"}}"#,
    r#"{"redacts":"$x","replacement_room":"!y:b.test"}"#,
    "{}",
];

/// The previous events are those that the caller proposes.
const FOLLOWS: u8 = 1;
/// One more previous event is of nobody.
const UNKNOWN: u8 = 2;
/// The auth events are those that the rules select.
const SELECTED: u8 = 4;
/// One more auth event is any.
const ONE_MORE: u8 = 8;
/// The state key is one that goes with the type.
const NATURAL_KEY: u8 = 16;

/// Where events may be put.
pub struct Scene<'a> {
    pub room: &'a RoomId,
    pub rules: &'a RoomVersionRules,
    /// Events to refer to.
    pub known: &'a [OwnedEventId],
    /// What an event follows that is no liar.
    pub ends: &'a [OwnedEventId],
    pub depth: u64,
}

/// What is sent, before its place is chosen.
pub struct Wish {
    pub draft: Draft,
    pub sender: &'static UserId,
    /// The state that the rules select as authorization.
    pub wanted: Vec<(StateEventType, String)>,
}

fn pick<T: Copy>(from: &[T], byte: u8) -> T {
    from[usize::from(byte) % from.len()]
}

/// What a part asks for.
pub fn wish(part: &[u8], scene: &Scene<'_>) -> Option<Wish> {
    let sender = <&UserId>::try_from(pick(&SENDERS, part[1])).ok()?;
    let kind = TimelineEventType::from(pick(&KINDS, part[0] & 0x3f));
    let state_key = match (part[6] & NATURAL_KEY != 0, &kind) {
        (false, _) => pick(&KEYS, part[2]).map(str::to_owned),
        (true, TimelineEventType::RoomMessage | TimelineEventType::RoomRedaction) => None,
        (true, TimelineEventType::RoomMember) => Some(pick(&SENDERS, part[2]).to_owned()),
        (true, TimelineEventType::RoomThirdPartyInvite) => Some("t".to_owned()),
        (true, _) => Some(String::new()),
    };
    let content = RawValue::from_string(pick(&CONTENTS, part[3]).to_owned()).ok()?;
    let wanted = event::auth_types(&kind, sender, state_key.as_deref(), &content, scene.rules).unwrap_or_default();
    let redacts = scene.known.get(usize::from(part[10]) % scene.known.len().max(1)).cloned();
    Some(Wish { draft: Draft { kind, state_key, content, redacts }, sender, wanted })
}

/// The event; `selected` are the auth events that the rules select.
pub fn event(part: &[u8], wish: &Wish, selected: Vec<OwnedEventId>, scene: &Scene<'_>) -> Option<Pdu> {
    let at = |byte: u8| scene.known.get(usize::from(byte) % scene.known.len().max(1)).cloned();
    let flags = part[6];
    let mut prev: Vec<_> = match flags & FOLLOWS {
        0 => part[4..6].iter().filter_map(|byte| at(*byte)).collect(),
        _ => scene.ends.to_vec(),
    };
    if flags & UNKNOWN != 0 {
        prev.push(OwnedEventId::try_from("$nobodyhasthisevent000000000000000000000000").ok()?);
    }
    let mut auth = match flags & SELECTED {
        0 => part[7..10].iter().filter_map(|byte| at(*byte)).collect(),
        _ => selected,
    };
    if flags & ONE_MORE != 0 {
        auth.extend(at(part[7]));
    }
    prev.dedup();
    let place = Place {
        room_id: Some(scene.room),
        sender: wish.sender,
        prev_events: &prev,
        auth_events: &auth,
        hashes: &[],
        depth: if part[11] < 8 { u64::from(part[11]) } else { scene.depth + 1 },
        origin_server_ts: MilliSecondsSinceUnixEpoch(UInt::from(u32::from(part[11]))),
        random: [part[11]; 16],
    };
    wish.draft.build(&place, &room::rig::signer(wish.sender.server_name().as_str(), 1), scene.rules).ok()
}
