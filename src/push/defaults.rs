//! The rules that every user begins with. Client-server API, "Predefined Rules"; MSC3930 for polls.

use ruma::{
    UserId,
    push::{
        Action, ConditionalPushRule, ConditionalPushRuleInit, EventMatchConditionData, PushCondition,
        RoomMemberCountConditionData, RoomMemberCountIs, Ruleset, SoundTweakValue, Tweak,
    },
    uint,
};

/// Default rules by the bit that stands for them in stored signatures: append only, never reorder.
pub const BITS: &[&str] = &[
    ".m.rule.master",
    ".m.rule.suppress_notices",
    ".m.rule.invite_for_me",
    ".m.rule.member_event",
    ".m.rule.is_user_mention",
    ".m.rule.is_room_mention",
    ".m.rule.tombstone",
    ".m.rule.reaction",
    ".m.rule.room.server_acl",
    ".m.rule.suppress_edits",
    ".org.matrix.msc3930.rule.poll_response",
    ".m.rule.call",
    ".m.rule.encrypted_room_one_to_one",
    ".m.rule.room_one_to_one",
    ".m.rule.message",
    ".m.rule.encrypted",
    ".org.matrix.msc3930.rule.poll_start_one_to_one",
    ".org.matrix.msc3930.rule.poll_start",
    ".org.matrix.msc3930.rule.poll_end_one_to_one",
    ".org.matrix.msc3930.rule.poll_end",
];

/// The bit of `.m.rule.is_user_mention`.
pub const MENTION: u32 = 1 << 4;
/// The bits of rules that differ from user to user.
pub const PERSONAL: u32 = MENTION | 1 << 2;

/// The bit of a default rule.
pub fn bit(rule_id: &str) -> Option<u32> {
    let position = BITS.iter().position(|id| *id == rule_id)?;
    1_u32.checked_shl(u32::try_from(position).ok()?)
}

/// The rules that `user` begins with, in order.
pub fn ruleset(user: &UserId) -> Ruleset {
    let mut rules = Ruleset::server_default(user);
    rules.override_.insert(poll("poll_response", "response", false, Vec::new()));
    let sound = || vec![Action::Notify, Action::SetTweak(Tweak::Sound(SoundTweakValue::Default))];
    for what in ["start", "end"] {
        rules.underride.insert(poll(&format!("poll_{what}_one_to_one"), what, true, sound()));
        rules.underride.insert(poll(&format!("poll_{what}"), what, false, vec![Action::Notify]));
    }
    rules
}

fn poll(name: &str, kind: &str, for_two: bool, actions: Vec<Action>) -> ConditionalPushRule {
    let two = RoomMemberCountConditionData::new(RoomMemberCountIs::from(uint!(2)));
    let kind = format!("org.matrix.msc3381.poll.{kind}");
    let is = EventMatchConditionData::new("type".to_owned(), kind);
    let mut conditions = Vec::new();
    if for_two {
        conditions.push(PushCondition::RoomMemberCount(two));
    }
    conditions.push(PushCondition::EventMatch(is));
    let rule_id = format!(".org.matrix.msc3930.rule.{name}");
    ConditionalPushRuleInit { actions, default: true, enabled: true, rule_id, conditions }.into()
}

#[cfg(test)]
mod tests {
    use ruma::user_id;

    use super::*;

    #[test]
    fn every_default_rule_has_a_bit_of_its_own() {
        let rules = ruleset(user_id!("@a:b"));
        let ids: Vec<_> = rules.iter().map(|rule| rule.rule_id()).collect();
        assert_eq!(ids, BITS);
        assert_eq!(bit(".m.rule.is_user_mention"), Some(MENTION));
    }
}
