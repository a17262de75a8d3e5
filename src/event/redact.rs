//! Redaction: what is left of an event, per room version, and who may redact what.

use std::sync::Arc;

use bytes::Bytes;
use ruma::{
    events::{TimelineEventType, room::power_levels::UserPowerLevel},
    room_version_rules::{RedactionRules, RoomVersionRules},
};

use crate::{
    auth::power::PowerLevels,
    pdu::{FormatError, Pdu},
    scan::{Fields, Layout},
};

/// What happens to one key of `content`.
enum Keep {
    Yes,
    No,
    /// Keep the object, but of its keys only `signed`.
    Signed,
}

/// Whether a top-level key survives redaction.
fn keeps_key(key: &[u8], rules: &RedactionRules) -> bool {
    match key {
        b"auth_events" | b"content" | b"depth" | b"event_id" | b"hashes" | b"origin_server_ts" | b"prev_events"
        | b"room_id" | b"sender" | b"signatures" | b"state_key" | b"type" => true,
        b"origin" | b"membership" | b"prev_state" => rules.keep_origin_membership_prev_state,
        _ => false,
    }
}

/// Whether a key of the content of an event of this type survives redaction.
fn keeps_content_key(kind: &str, key: &[u8], rules: &RedactionRules) -> Keep {
    let keep = match (kind, key) {
        ("m.room.member", b"third_party_invite") if rules.keep_room_member_third_party_invite_signed => {
            return Keep::Signed;
        }
        ("m.room.member", b"membership") | ("m.room.join_rules", b"join_rule") => true,
        ("m.room.member", b"join_authorised_via_users_server") => {
            rules.keep_room_member_join_authorised_via_users_server
        }
        ("m.room.create", key) => rules.keep_room_create_content || key == b"creator",
        ("m.room.join_rules", b"allow") => rules.keep_room_join_rules_allow,
        (
            "m.room.power_levels",
            b"ban" | b"events" | b"events_default" | b"kick" | b"redact" | b"state_default" | b"users"
            | b"users_default",
        )
        | ("m.room.history_visibility", b"history_visibility") => true,
        ("m.room.power_levels", b"invite") => rules.keep_room_power_levels_invite,
        ("m.room.redaction", b"redacts") => rules.keep_room_redaction_redacts,
        ("m.room.aliases", b"aliases") => rules.keep_room_aliases_aliases,
        _ => false,
    };
    if keep { Keep::Yes } else { Keep::No }
}

/// Appends the entry of an object, with the comma that it may need.
pub(crate) fn push_entry(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(key);
    out.extend_from_slice(b"\":");
    out.extend_from_slice(value);
}

fn push_content(out: &mut Vec<u8>, content: &[u8], kind: &str, rules: &RedactionRules) {
    out.push(b'{');
    for (key, value) in Fields::of(content) {
        let raw = value.of(content);
        match keeps_content_key(kind, key, rules) {
            Keep::No => {}
            Keep::Yes => push_entry(out, key, raw),
            // Something else than an object is dropped, as Synapse does.
            Keep::Signed if raw.first() == Some(&b'{') => {
                push_entry(out, key, b"{");
                for (key, value) in Fields::of(raw).filter(|(key, _)| *key == b"signed") {
                    push_entry(out, key, value.of(raw));
                }
                out.push(b'}');
            }
            Keep::Signed => {}
        }
    }
    out.push(b'}');
}

/// The redacted form of a canonical event of the given type. Without `signatures` it is what is
/// signed and what the reference hash is taken of.
pub(crate) fn redacted_json(json: &[u8], kind: &str, rules: &RedactionRules, signatures: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len());
    out.push(b'{');
    for (key, value) in Fields::of(json) {
        if !keeps_key(key, rules) || (!signatures && key == b"signatures") {
            continue;
        }
        if key == b"content" {
            push_entry(&mut out, key, b"");
            push_content(&mut out, value.of(json), kind, rules);
        } else {
            push_entry(&mut out, key, value.of(json));
        }
    }
    out.push(b'}');
    out
}

impl Pdu {
    /// The redacted form of this event; the event id stays, and [`Pdu::redacted`] is set.
    ///
    /// # Errors
    /// Never for an event that was parsed or built here; the type says so because the result is
    /// assembled by the same function as a received event.
    pub fn redact(&self, rules: &RoomVersionRules) -> Result<Pdu, FormatError> {
        let kind = self.kind.to_string();
        let json = Bytes::from(redacted_json(self.json(), &kind, &rules.redaction, true));
        let layout = Layout::scan(&json).map_err(FormatError::Field)?;
        let mut pdu = Pdu::assemble(json, layout, self.event_id.clone(), rules)?;
        pdu.rejected = self.rejected;
        pdu.redacted = true;
        Ok(pdu)
    }
}

/// Whether `redaction` may take effect on `target`: its sender has the power to redact, or both
/// senders are of the same server. In room versions 1 and 2 authorization has decided that already.
///
/// A redaction that may not must wait: it is neither applied nor shown. Redactions of create
/// events are no exception here; they change nothing from room version 11 on.
#[must_use]
pub fn may_redact(redaction: &Pdu, target: &Pdu, power: &PowerLevels<Arc<Pdu>>, rules: &RoomVersionRules) -> bool {
    if redaction.kind != TimelineEventType::RoomRedaction
        || redaction.redacts.as_deref() != Some(&*target.event_id)
        || redaction.room_id != target.room_id
        || redaction.rejected
    {
        return false;
    }
    if rules.authorization.special_case_room_redaction || redaction.sender.server_name() == target.sender.server_name()
    {
        return true;
    }
    let needed = power.redact();
    power.user(&redaction.sender) >= UserPowerLevel::Int(needed)
}
