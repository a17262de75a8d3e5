//! Counts equal evaluating every rule for every member on every event, by ruma's evaluation as the other opinion.

use std::collections::{BTreeMap, BTreeSet};

use account::AccountData;
use ephemeral::{ReceiptKind, Thread};
use proptest::prelude::*;
use room::MemberAction;
use ruma::{
    OwnedEventId, int,
    power_levels::NotificationPowerLevels,
    push::{
        Action, EventMatchConditionData, HighlightTweakValue, NewConditionalPushRule, NewPatternedPushRule,
        NewPushRule, NewSimplePushRule, PushCondition, PushConditionPowerLevelsCtx, PushConditionRoomCtx, RuleKind,
        Tweak,
    },
    room_version_rules::{AuthorizationRules, RoomPowerLevelsRules},
    serde::Raw,
};
use serde_json::{Value, json};

use super::rig::{Rig, in_thread, user};
use crate::{Reader, RoomCounts, Unread, judge};

const NAMES: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// What happens in a room. Users and events are picked by number.
#[derive(Debug, Clone)]
enum Step {
    Say { by: usize, what: usize, mention: usize, thread: Option<usize>, body: usize },
    React { by: usize, to: usize },
    Edit { by: usize, to: usize },
    Redact { by: usize, what: usize },
    Topic,
    Power(bool),
    Rename { by: usize, name: usize },
    Leave(usize),
    Join(usize),
    Read { by: usize, private: bool, thread: usize, upto: usize },
    Rule { by: usize, what: usize },
    Ignore { by: usize, whom: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..NAMES.len();
    let which = 0..1000_usize;
    prop_oneof![
        8 => (who.clone(), 0..6_usize, 0..8_usize, proptest::option::weighted(0.4, which.clone()), 0..4_usize)
            .prop_map(|(by, what, mention, thread, body)| Step::Say { by, what, mention, thread, body }),
        2 => (who.clone(), which.clone()).prop_map(|(by, to)| Step::React { by, to }),
        2 => (who.clone(), which.clone()).prop_map(|(by, to)| Step::Edit { by, to }),
        2 => (who.clone(), which.clone()).prop_map(|(by, what)| Step::Redact { by, what }),
        1 => Just(Step::Topic),
        1 => any::<bool>().prop_map(Step::Power),
        1 => (who.clone(), 0..3_usize).prop_map(|(by, name)| Step::Rename { by, name }),
        1 => (1..NAMES.len()).prop_map(Step::Leave),
        2 => (1..NAMES.len()).prop_map(Step::Join),
        4 => (who.clone(), any::<bool>(), which.clone(), which).prop_map(|(by, private, thread, upto)| {
            Step::Read { by, private, thread, upto }
        }),
        2 => (who.clone(), 0..9_usize).prop_map(|(by, what)| Step::Rule { by, what }),
        1 => (who.clone(), who).prop_map(|(by, whom)| Step::Ignore { by, whom }),
    ]
}

/// An event as it was when it was sent.
struct Sent {
    id: OwnedEventId,
    by: String,
    json: Value,
    thread: Option<usize>,
    names: BTreeMap<usize, String>,
    members: usize,
    bob_may: bool,
    redacted: bool,
    is_message: bool,
}

struct Model {
    rig: Rig,
    sent: Vec<Sent>,
    /// Since which event each of them is in the room, and under which name.
    joined: BTreeMap<usize, (usize, String)>,
    read: BTreeMap<(usize, Option<Option<usize>>), usize>,
    ignored: BTreeMap<usize, BTreeSet<usize>>,
    bob_may: bool,
}

impl Model {
    async fn new() -> Self {
        let rig = Rig::new().await;
        let joined = BTreeMap::from([(0, (0, String::new()))]);
        let mut model =
            Self { rig, sent: Vec::new(), joined, read: BTreeMap::new(), ignored: BTreeMap::new(), bob_may: false };
        model.note(0, None, false).await;
        // Rules whose conditions look at content are there from the start.
        let highlight = vec![Action::Notify, Action::SetTweak(Tweak::Highlight(HighlightTweakValue::Yes))];
        let rule = NewPatternedPushRule::new("word".into(), "c?ke".into(), highlight.clone());
        model.rig.rules.put(&user("carol"), NewPushRule::Content(rule), None, None).await.unwrap();
        #[allow(deprecated)]
        let conditions = vec![PushCondition::ContainsDisplayName];
        let rule = NewConditionalPushRule::new("name".into(), conditions, highlight);
        model.rig.rules.put(&user("dave"), NewPushRule::Override(rule), None, None).await.unwrap();
        let conditions = vec![
            PushCondition::EventMatch(EventMatchConditionData::new("room_id".into(), model.rig.id.to_string())),
            PushCondition::EventMatch(EventMatchConditionData::new("content.body".into(), "tea".into())),
        ];
        let rule = NewConditionalPushRule::new("quiet".into(), conditions, Vec::new());
        model.rig.rules.put(&user("dave"), NewPushRule::Override(rule), None, None).await.unwrap();
        for who in [1, 2] {
            model.join(who).await;
        }
        model
    }

    /// Remembers the newest event.
    async fn note(&mut self, by: usize, thread: Option<usize>, is_message: bool) {
        let (id, json) = self.rig.newest().await;
        if self.sent.last().is_some_and(|last| last.id == id) {
            return;
        }
        self.sent.push(Sent {
            id,
            by: NAMES[by].to_owned(),
            json,
            thread,
            names: self.joined.iter().map(|(who, (_, name))| (*who, name.clone())).collect(),
            members: self.joined.len(),
            bob_may: self.bob_may,
            redacted: false,
            is_message,
        });
    }

    /// Remembers the newest event as something that somebody wrote: they have read what was before it.
    async fn note_written(&mut self, by: usize, thread: Option<usize>, is_message: bool) {
        self.note(by, thread, is_message).await;
        self.read.insert((by, Some(thread)), self.sent.len() - 1);
    }

    async fn join(&mut self, who: usize) {
        if !self.joined.contains_key(&who) {
            self.rig.join(NAMES[who]).await;
            self.joined.insert(who, (self.sent.len(), NAMES[who].to_owned()));
            self.note(who, None, false).await;
        }
    }

    fn pick(&self, n: usize, fits: impl Fn(&Sent) -> bool) -> Option<usize> {
        let fitting: Vec<_> = self.sent.iter().enumerate().filter(|(_, sent)| fits(sent)).map(|(i, _)| i).collect();
        (!fitting.is_empty()).then(|| fitting[n % fitting.len()])
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Say { by, what, mention, thread, body } if self.joined.contains_key(&by) => {
                let thread = thread.and_then(|n| self.pick(n, |sent| sent.is_message && sent.thread.is_none()));
                let (kind, msgtype) = [
                    ("m.room.message", "m.text"),
                    ("m.room.message", "m.notice"),
                    ("m.room.encrypted", "m.text"),
                    ("org.matrix.msc3381.poll.start", "m.text"),
                    ("m.call.invite", "m.text"),
                    ("com.example.odd", "m.text"),
                ][what];
                let body = ["plain", "some Cake, dave", "tea", "cakes bob"][body];
                let mut content = json!({ "msgtype": msgtype, "body": body });
                match mention {
                    0..4 => content["m.mentions"] = json!({ "user_ids": [user(NAMES[mention])] }),
                    4 => content["m.mentions"] = json!({ "room": true }),
                    5 => content["m.mentions"] = json!({ "room": true, "user_ids": [user("bob"), user("dave")] }),
                    _ => {}
                }
                if let Some(root) = thread {
                    content = in_thread(content, &self.sent[root].id);
                }
                self.rig.send(NAMES[by], kind, content).await;
                self.note_written(by, thread, what < 3).await;
            }
            Step::React { by, to } if self.joined.contains_key(&by) => {
                let Some(to) = self.pick(to, |sent| sent.is_message && !sent.redacted) else { return };
                let key = format!("{}", self.sent.len());
                let relation = json!({ "rel_type": "m.annotation", "event_id": self.sent[to].id, "key": key });
                self.rig.send(NAMES[by], "m.reaction", json!({ "m.relates_to": relation })).await;
                self.note_written(by, self.sent[to].thread, false).await;
            }
            Step::Edit { by, to } if self.joined.contains_key(&by) => {
                let Some(to) = self.pick(to, |sent| sent.is_message && sent.by == NAMES[by]) else { return };
                let relation = json!({ "rel_type": "m.replace", "event_id": self.sent[to].id });
                let content = json!({ "msgtype": "m.text", "body": "* cake", "m.relates_to": relation });
                self.rig.send(NAMES[by], "m.room.message", content).await;
                self.note_written(by, self.sent[to].thread, false).await;
            }
            Step::Redact { by, what } if self.joined.contains_key(&by) => {
                let what = self.pick(what, |sent| sent.json["state_key"].is_null() && sent.by == NAMES[by]);
                let Some(what) = what else { return };
                self.rig.redact(NAMES[by], &self.sent[what].id.clone()).await;
                self.sent[what].redacted = true;
                self.note(by, None, false).await;
            }
            Step::Topic => {
                self.rig.state("alice", "m.room.topic", json!({ "topic": self.sent.len() })).await;
                self.note(0, None, false).await;
            }
            Step::Power(bob_may) => {
                let mut users = json!({ user("alice"): 100 });
                if bob_may {
                    users[user("bob").as_str()] = json!(50);
                }
                self.bob_may = bob_may;
                self.rig.state("alice", "m.room.power_levels", json!({ "users": users })).await;
                self.note(0, None, false).await;
            }
            Step::Rename { by, name } if self.joined.contains_key(&by) => {
                let name = ["bob", "dave", "Somebody"][name];
                self.rig.member(NAMES[by], MemberAction::Profile, Some(name)).await;
                self.joined.get_mut(&by).unwrap().1 = name.to_owned();
                self.note(by, None, false).await;
            }
            Step::Leave(who) if self.joined.remove(&who).is_some() => {
                self.rig.member(NAMES[who], MemberAction::Leave, None).await;
                self.note(who, None, false).await;
            }
            Step::Join(who) => self.join(who).await,
            Step::Read { by, private, thread, upto } if self.joined.contains_key(&by) => {
                let kind = if private { ReceiptKind::Private } else { ReceiptKind::Public };
                let (key, thread) = match thread % 3 {
                    0 => (None, Thread::Unthreaded),
                    1 => (Some(None), Thread::Main),
                    _ => {
                        let root = self.pick(thread, |sent| sent.is_message && sent.thread.is_none());
                        let Some(root) = root else { return };
                        (Some(Some(root)), Thread::Root(self.sent[root].id.clone()))
                    }
                };
                let upto = self.pick(upto, |sent| match key {
                    None => true,
                    Some(None) => sent.thread.is_none(),
                    Some(Some(root)) => sent.thread == Some(root) || sent.id == self.sent[root].id,
                });
                let Some(upto) = upto else { return };
                self.rig.read(NAMES[by], kind, thread, &self.sent[upto].id).await;
                let far = self.read.entry((by, key)).or_insert(upto);
                *far = upto.max(*far);
            }
            Step::Rule { by, what } => self.rule(by, what).await,
            Step::Ignore { by, whom } => {
                let ignored = self.ignored.entry(by).or_default();
                if !ignored.remove(&whom) {
                    ignored.insert(whom);
                }
                let list: BTreeMap<_, _> = ignored.iter().map(|whom| (user(NAMES[*whom]), json!({}))).collect();
                let list = json!({ "ignored_users": list }).to_string();
                let data = AccountData::new(self.rig.db.clone());
                data.set(&user(NAMES[by]), None, "m.ignored_user_list", &list).await.unwrap();
            }
            _ => {}
        }
    }

    async fn rule(&self, by: usize, what: usize) {
        let (rules, by, id) = (&self.rig.rules, &user(NAMES[by]), &self.rig.id);
        let notify = || vec![Action::Notify];
        match what {
            0 => rules.set_enabled(by, &RuleKind::Underride, ".m.rule.message", false).await.unwrap(),
            1 => rules.set_enabled(by, &RuleKind::Override, ".m.rule.suppress_notices", false).await.unwrap(),
            2 => rules.set_actions(by, &RuleKind::Override, ".m.rule.reaction", &notify()).await.unwrap(),
            3 => {
                let rule = NewPushRule::Room(NewSimplePushRule::new(id.clone(), notify()));
                rules.put(by, rule, None, None).await.unwrap();
            }
            4 => drop(rules.remove(by, &RuleKind::Room, id.as_str()).await),
            5 => {
                let data = EventMatchConditionData::new("room_id".into(), id.to_string());
                let rule =
                    NewConditionalPushRule::new(id.to_string(), vec![PushCondition::EventMatch(data)], Vec::new());
                rules.put(by, NewPushRule::Override(rule), None, None).await.unwrap();
            }
            6 => drop(rules.remove(by, &RuleKind::Override, id.as_str()).await),
            7 => {
                let loud = vec![Action::Notify, Action::SetTweak(Tweak::Highlight(HighlightTweakValue::Yes))];
                let rule = NewPushRule::Sender(NewSimplePushRule::new(user("bob"), loud));
                rules.put(by, rule, None, None).await.unwrap();
            }
            _ => drop(rules.remove(by, &RuleKind::Content, "word").await),
        }
    }

    /// Every rule on every event that `who` has not read.
    async fn expected(&self, who: usize) -> RoomCounts {
        let Some((since, _)) = self.joined.get(&who) else { return RoomCounts::default() };
        let me = user(NAMES[who]);
        let reader = Reader::of(&self.rig.db.view(), &me).await.unwrap();
        let (mut main, mut threads) = (Unread::default(), BTreeMap::<usize, Unread>::new());
        for (i, sent) in self.sent.iter().enumerate() {
            let read = |key| self.read.get(&(who, key)).is_some_and(|upto| i <= *upto);
            let ignored = self.ignored.get(&who).is_some_and(|all| all.iter().any(|n| NAMES[*n] == sent.by));
            let own = sent.by == NAMES[who];
            if own || ignored || i <= *since || sent.redacted || read(None) || read(Some(sent.thread)) {
                continue;
            }
            let mut context = PushConditionRoomCtx::new(
                self.rig.id.clone(),
                u32::try_from(sent.members).unwrap().into(),
                me.clone(),
                sent.names.get(&who).cloned().unwrap_or_default(),
            );
            let mut users = BTreeMap::from([(user("alice"), int!(100))]);
            if sent.bob_may {
                users.insert(user("bob"), int!(50));
            }
            let rules = RoomPowerLevelsRules::new(&AuthorizationRules::V11, []);
            let levels = PushConditionPowerLevelsCtx::new(users, int!(0), NotificationPowerLevels::new(), rules);
            context.power_levels = Some(levels);
            let raw: Raw<Value> = Raw::new(&sent.json).unwrap();
            let actions = reader.rules.get_actions(&raw, &context).await;
            if judge::notifies(actions) {
                let one = Unread { notifications: 1, highlights: u64::from(judge::highlights(actions)) };
                match sent.thread {
                    None => main = main + one,
                    Some(root) => *threads.entry(root).or_default() = *threads.entry(root).or_default() + one,
                }
            }
        }
        let total = threads.values().fold(main, |all, thread| all + *thread);
        let mut threads: Vec<_> =
            threads.into_iter().map(|(root, unread)| (self.sent[root].id.clone(), unread)).collect();
        threads.sort();
        RoomCounts { main, total, threads }
    }
}

impl PartialOrd for Unread {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Unread {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.notifications, self.highlights).cmp(&(other.notifications, other.highlights))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn counts_equal_evaluating_every_rule_on_every_event(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut model = Model::new().await;
            for step in steps {
                model.take(step).await;
            }
            for (who, name) in NAMES.iter().enumerate() {
                let mut counts = model.rig.counts(name).await;
                counts.threads.sort();
                prop_assert_eq!(&counts, &model.expected(who).await, "{}", name);
                model.rig.forget_traces(name).await;
                let mut looked_for = model.rig.counts(name).await;
                looked_for.threads.sort();
                prop_assert_eq!(looked_for, counts, "{} without traces", name);
            }
            Ok(())
        })?;
    }
}
