use ruma::push::{
    Action, EventMatchConditionData, NewConditionalPushRule, NewPatternedPushRule, NewPushRule, NewSimplePushRule,
    PushCondition, RuleKind,
};
use serde_json::{Value, json};

use super::rig::{Rig, unread, user};
use crate::PushError;

fn content(id: &str) -> NewPushRule {
    NewPushRule::Content(NewPatternedPushRule::new(id.into(), "x".into(), vec![Action::Notify]))
}

async fn ids(rig: &Rig, kind: &str) -> Vec<String> {
    let rules = rig.rules.json(&user("alice")).await.unwrap();
    let list = rules["global"][kind].as_array().unwrap();
    list.iter().map(|rule| rule["rule_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn users_who_changed_nothing_have_the_default_rules() {
    let rig = Rig::new().await;
    let event = rig.rules.event(&rig.db.view(), &user("alice")).await.unwrap();
    let event: Value = serde_json::from_str(&event).unwrap();
    assert_eq!(event["type"], "m.push_rules");
    assert_eq!(event["content"]["global"]["override"][0]["rule_id"], ".m.rule.master");
    assert_eq!(event["content"]["global"]["room"], json!([]));
    assert_eq!(event["content"]["global"]["override"][4]["conditions"][0]["value"], user("alice").as_str());
}

#[tokio::test]
async fn rules_stand_where_they_were_put() {
    let rig = Rig::flaky().await;
    let alice = user("alice");
    for id in ["a", "b"] {
        rig.rules.put(&alice, content(id), None, None).await.unwrap();
    }
    assert_eq!(ids(&rig, "content").await, ["b", "a", ".m.rule.contains_user_name"]);
    rig.rules.put(&alice, content("c"), Some("b"), None).await.unwrap();
    rig.rules.put(&alice, content("d"), None, Some("a")).await.unwrap();
    assert_eq!(ids(&rig, "content").await, ["b", "c", "d", "a", ".m.rule.contains_user_name"]);
    let over = NewPushRule::Override(NewConditionalPushRule::new("o".into(), Vec::new(), Vec::new()));
    rig.rules.put(&alice, over, None, None).await.unwrap();
    assert_eq!(ids(&rig, "override").await[..2], [".m.rule.master", "o"]);
}

#[tokio::test]
async fn what_is_no_rule_of_a_user_is_refused() {
    let rig = Rig::new().await;
    let alice = user("alice");
    for bad in [".mine", "a/b", "a\\b", ""] {
        assert!(matches!(rig.rules.put(&alice, content(bad), None, None).await, Err(PushError::Invalid(_))), "{bad}");
    }
    let unknown = rig.rules.put(&alice, content("a"), Some("z"), None).await;
    assert!(matches!(unknown, Err(PushError::Invalid(_))));
    let relative = rig.rules.put(&alice, content("a"), Some(".m.rule.message"), None).await;
    assert!(matches!(relative, Err(PushError::Invalid(_))));
    let gone = rig.rules.remove(&alice, &RuleKind::Content, "a").await;
    assert!(matches!(gone, Err(PushError::UnknownRule)));
    let default = rig.rules.remove(&alice, &RuleKind::Underride, ".m.rule.message").await;
    assert!(matches!(default, Err(PushError::Invalid(_))));
    let kind = RuleKind::from("sideride");
    assert!(matches!(rig.rules.one(&alice, &kind, ".m.rule.message").await, Err(PushError::UnknownRule)));
    assert!(matches!(rig.rules.one(&alice, &RuleKind::Room, "!x:y").await, Err(PushError::UnknownRule)));
}

#[tokio::test]
async fn actions_without_meaning_are_kept_and_unknown_ones_refused() {
    let rig = Rig::new().await;
    let alice = user("alice");
    let actions: Vec<Action> = serde_json::from_value(json!(["dont_notify", "notify", "coalesce"])).unwrap();
    rig.rules.set_actions(&alice, &RuleKind::Underride, ".m.rule.call", &actions).await.unwrap();
    let rule = rig.rules.one(&alice, &RuleKind::Underride, ".m.rule.call").await.unwrap();
    assert_eq!(serde_json::to_value(rule.actions()).unwrap(), json!(["dont_notify", "notify", "coalesce"]));
    let unknown: Vec<Action> = serde_json::from_value(json!(["explode"])).unwrap();
    let refused = rig.rules.set_actions(&alice, &RuleKind::Underride, ".m.rule.call", &unknown).await;
    assert!(matches!(refused, Err(PushError::Invalid(_))));
}

#[tokio::test]
async fn rules_that_would_make_every_sender_wait_are_refused() {
    let rig = Rig::new().await;
    let alice = user("alice");
    let put = async |id: &str, conditions: Vec<PushCondition>| {
        let rule = NewConditionalPushRule::new(id.into(), conditions, vec![Action::Notify]);
        rig.rules.put(&alice, NewPushRule::Override(rule), None, None).await
    };
    let of = |key: &str, pattern: String| PushCondition::EventMatch(EventMatchConditionData::new(key.into(), pattern));
    let many = |n: usize| vec![of("type", "x".into()); n];
    assert!(matches!(put("many", many(33)).await, Err(PushError::Invalid(_))));
    put("many", many(32)).await.unwrap();
    assert!(matches!(put("long", vec![of(&"k".repeat(8192), "x".into())]).await, Err(PushError::Invalid(_))));
    for n in 0..199 {
        put(&n.to_string(), many(1)).await.unwrap();
    }
    let refused = put("one too many", many(1)).await.unwrap_err();
    assert!(refused.to_string().contains("at most 200"), "{refused}");
    // Rules for one room, as clients make them to mute it, are not tried on events of others.
    put("elsewhere", vec![of("room_id", "!other:hearth.test".into()), of("type", "x".into())]).await.unwrap();
    put("mute", vec![of("room_id", rig.id.to_string())]).await.unwrap();
}

#[tokio::test]
async fn rules_that_change_during_a_join_count_in_that_room() {
    let rig = Rig::slow().await;
    let bob = user("bob");
    let rule = NewPatternedPushRule::new("k".into(), "cake".into(), Vec::new());
    let ((), changed) = futures::join!(rig.join("bob"), rig.rules.put(&bob, NewPushRule::Content(rule), None, None));
    changed.unwrap();
    rig.join("carol").await;
    for body in ["cake", "tea"] {
        rig.say("alice", body).await;
    }
    assert_eq!(rig.total("bob").await, unread(1, 0));
}

#[tokio::test]
async fn an_upgraded_room_takes_its_rule_along() {
    let rig = Rig::new().await;
    let alice = user("alice");
    let (from, to) = (ruma::room_id!("!old:x"), ruma::room_id!("!new:x"));
    rig.rules.copy_room(&alice, from, to).await.unwrap();
    let rule = NewSimplePushRule::new(from.to_owned(), vec![Action::Notify]);
    rig.rules.put(&alice, NewPushRule::Room(rule), None, None).await.unwrap();
    rig.rules.copy_room(&alice, from, to).await.unwrap();
    assert_eq!(ids(&rig, "room").await, [from.as_str(), to.as_str()]);
    rig.rules.set_enabled(&alice, &RuleKind::Room, from.as_str(), false).await.unwrap();
    rig.rules.copy_room(&alice, from, ruma::room_id!("!newer:x")).await.unwrap();
    let newer = rig.rules.one(&alice, &RuleKind::Room, "!newer:x").await.unwrap();
    assert!(!newer.as_ref().enabled());
}
