//! What a user's rules make of events, given which rules these match.

use ruma::{
    OwnedUserId, RoomId, UserId,
    push::{Action, Ruleset},
};

use crate::{
    Unread,
    custom::{self, Test},
    tally::{Signature, Tally},
};

/// A user's rules in one room, most important first.
#[derive(Debug, Clone)]
pub struct Judge<'r> {
    steps: Vec<Step<'r>>,
}

#[derive(Debug, Clone)]
struct Step<'r> {
    test: Test,
    actions: &'r [Action],
}

impl<'r> Judge<'r> {
    /// The rules as they are in `room`.
    pub fn new(rules: &'r Ruleset, room: &RoomId) -> Self {
        let steps = rules
            .iter()
            .filter_map(|rule| Some(Step { test: custom::test(rule, room)?, actions: rule.actions() }))
            .collect();
        Self { steps }
    }

    /// What is to be done about an event; nothing if no rule matches. `sender` matters only to sender rules.
    pub fn actions(&self, signature: &Signature, sender: Option<&UserId>) -> &[Action] {
        let matching = self.steps.iter().find(|step| match &step.test {
            Test::Always => true,
            Test::Default(bit) => signature.defaults & bit != 0,
            Test::Own(id) => signature.own.contains(id),
            Test::Sender(user) => sender == Some(&**user),
        });
        matching.map_or(&[], |step| step.actions)
    }

    /// Those whose events are judged differently.
    pub fn senders(&self) -> impl Iterator<Item = &OwnedUserId> {
        self.steps.iter().filter_map(|step| match &step.test {
            Test::Sender(user) => Some(user),
            _ => None,
        })
    }

    /// How many of the events notify and highlight.
    pub fn count(&self, tally: &Tally, sender: Option<&UserId>) -> Unread {
        let mut unread = Unread::default();
        for (signature, count) in tally.iter() {
            let actions = self.actions(signature, sender);
            if notifies(actions) {
                unread.notifications += count;
                unread.highlights += if highlights(actions) { count } else { 0 };
            }
        }
        unread
    }
}

/// Whether an event with these actions counts as a notification.
pub fn notifies(actions: &[Action]) -> bool {
    actions.iter().any(Action::should_notify)
}

/// Whether an event with these actions counts as a highlight, if it notifies.
pub fn highlights(actions: &[Action]) -> bool {
    actions.iter().any(Action::is_highlight)
}
