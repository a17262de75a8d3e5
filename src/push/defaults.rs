//! The rules that every user begins with. Client-server API, "Predefined Rules"; MSC3930 for polls. The rules that find
//! names in texts left the specification with version 1.17 (MSC4210); decision 13 says why they are here.

use ruma::{
    UserId,
    push::{
        Action, ConditionalPushRule, ConditionalPushRuleInit, EventMatchConditionData, HighlightTweakValue,
        PatternedPushRuleInit, PushCondition, RoomMemberCountConditionData, RoomMemberCountIs, Ruleset,
        SenderNotificationPermissionConditionData, SoundTweakValue, Tweak,
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
    DISPLAY_NAME_RULE,
    ROOM_RULE,
    USER_NAME_RULE,
];

/// Looks for the user's name in the room in a text.
const DISPLAY_NAME_RULE: &str = ".m.rule.contains_display_name";
/// Looks for `@room` in a text.
pub const ROOM_RULE: &str = ".m.rule.roomnotif";
/// Looks for the first part of the user's id in a text.
const USER_NAME_RULE: &str = ".m.rule.contains_user_name";

/// The bit of `.m.rule.is_user_mention`.
pub const MENTION: u32 = 1 << 4;
/// The bits of the rules that find a user's name in a text.
pub const DISPLAY_NAME: u32 = 1 << 20;
/// See [`DISPLAY_NAME`].
pub const USER_NAME: u32 = 1 << 22;
/// The bits of rules that differ from user to user.
pub const PERSONAL: u32 = MENTION | DISPLAY_NAME | USER_NAME | 1 << 2;

/// The bit of a default rule.
pub fn bit(rule_id: &str) -> Option<u32> {
    let position = BITS.iter().position(|id| *id == rule_id)?;
    1_u32.checked_shl(u32::try_from(position).ok()?)
}

/// The rules that `user` begins with, in order.
pub fn ruleset(user: &UserId) -> Ruleset {
    let mut rules = Ruleset::server_default(user);
    // MSC4306: what users follow does not decide on notifications yet.
    rules.postcontent.clear();
    old_mentions(&mut rules, user);
    rules.override_.insert(poll("poll_response", "response", false, Vec::new()));
    let sound = || vec![Action::Notify, Action::SetTweak(Tweak::Sound(SoundTweakValue::Default))];
    for what in ["start", "end"] {
        rules.underride.insert(poll(&format!("poll_{what}_one_to_one"), what, true, sound()));
        rules.underride.insert(poll(&format!("poll_{what}"), what, false, vec![Action::Notify]));
    }
    rules
}

/// Adds the rules for texts without `m.mentions`, each where it was.
fn old_mentions(rules: &mut Ruleset, user: &UserId) {
    let highlight = Action::SetTweak(Tweak::Highlight(HighlightTweakValue::Yes));
    let loud = vec![Action::Notify, Action::SetTweak(Tweak::Sound(SoundTweakValue::Default)), highlight.clone()];
    let at_room = EventMatchConditionData::new("content.body".to_owned(), "@room".to_owned());
    let allowed = SenderNotificationPermissionConditionData::new("room".into());
    let for_room = vec![PushCondition::EventMatch(at_room), PushCondition::SenderNotificationPermission(allowed)];
    #[allow(deprecated, reason = "clients without m.mentions mean it")]
    let names = vec![PushCondition::ContainsDisplayName];
    for (rule_id, conditions, actions, before) in [
        (DISPLAY_NAME_RULE, names, loud.clone(), ".m.rule.is_room_mention"),
        (ROOM_RULE, for_room, vec![Action::Notify, highlight], ".m.rule.tombstone"),
    ] {
        let rule_id = rule_id.to_owned();
        let rule = ConditionalPushRuleInit { actions, default: true, enabled: true, rule_id, conditions };
        let (last, _) = rules.override_.insert_full(rule.into());
        rules.override_.move_index(last, rules.override_.get_index_of(before).unwrap_or(last));
    }
    let pattern = user.localpart().to_owned();
    let rule_id = USER_NAME_RULE.to_owned();
    rules
        .content
        .insert(PatternedPushRuleInit { actions: loud, default: true, enabled: true, rule_id, pattern }.into());
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
        let mut ids: Vec<_> = rules.iter().map(|rule| rule.rule_id()).collect();
        let place = |id: &str| ids.iter().position(|known| *known == id).unwrap();
        assert_eq!(place(DISPLAY_NAME_RULE), place(".m.rule.is_user_mention") + 1);
        assert_eq!(place(ROOM_RULE), place(".m.rule.tombstone") - 1);
        let mut bits = BITS.to_vec();
        ids.sort_unstable();
        bits.sort_unstable();
        assert_eq!(ids, bits);
        assert_eq!(bit(".m.rule.is_user_mention"), Some(MENTION));
        assert_eq!(bit(DISPLAY_NAME_RULE), Some(DISPLAY_NAME));
        assert_eq!(bit(USER_NAME_RULE), Some(USER_NAME));
    }
}
