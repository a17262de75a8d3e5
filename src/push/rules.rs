//! The push rules of users: account data `m.push_rules`, kept once it differs from the defaults.
//! Client-server API, "Push Rules: API".

use std::{collections::HashSet, sync::Arc};

use account::AccountData;
use base::glob::MAX_PATTERN;
use kv::{Db, Read, Stamp, Tx, View};
use moka::sync::Cache;
use room::{Membership, RoomNum, Rooms};
use ruma::{
    OwnedUserId, RoomId, UserId,
    push::{Action, AnyPushRule, NewPushRule, NewSimplePushRule, PushCondition, RuleKind, Ruleset},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    PushError, Reader, Result, counts, custom, defaults,
    tables::{JOINED, WATCHES},
};

/// The type of the account data.
const KIND: &str = "m.push_rules";
/// Most rules of a user's own.
const MAX_RULES: usize = 5000;
/// Most conditions of a rule.
const MAX_CONDITIONS: usize = 32;
/// Largest conditions of a rule, in bytes as JSON.
const MAX_CONDITIONS_BYTES: usize = 8 << 10;
/// Largest rules of a user, in bytes as JSON: they go to every new client.
const MAX_BYTES: usize = 1 << 20;
/// How many users' rules are kept parsed.
const PARSED: u64 = 10_000;
/// Longest id of a rule, in bytes.
const MAX_ID: usize = 1024;

/// The push rules of this server's users. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Rules {
    db: Db,
    rooms: Rooms,
    /// Parsed rules with the position of the row that they were parsed from; none is that of the defaults.
    parsed: Cache<OwnedUserId, (Option<Stamp>, Arc<Ruleset>)>,
}

#[derive(Deserialize)]
struct Stored {
    global: Ruleset,
}

impl Rules {
    /// The rules in `db`, of members of `rooms`.
    pub fn new(db: Db, rooms: Rooms) -> Self {
        Self { db, rooms, parsed: Cache::new(PARSED) }
    }

    /// A user's rules, parsed anew only when they changed, and whom they ignore.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn reader(&self, view: &View, user: &UserId) -> Result<Reader> {
        let stored = AccountData::stamped_in(view, user, None, KIND).await?;
        let at = stored.as_ref().map(|(at, _)| *at);
        let rules = match self.parsed.get(user) {
            Some((known, rules)) if known == at => rules,
            _ => {
                let rules = Arc::new(parse(stored.as_ref().map(|(_, json)| json.as_str()), user));
                self.parsed.insert(user.to_owned(), (at, rules.clone()));
                rules
            }
        };
        Ok(Reader { user: user.to_owned(), rules, ignored: counts::ignored(view, user).await? })
    }

    /// The rules of a user, defaults included.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn of(&self, user: &UserId) -> Result<Ruleset> {
        Ok(of(&self.db.view(), user).await?)
    }

    /// The `m.push_rules` event of a user as JSON, also for those who never changed a rule.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn event(&self, read: &impl Read, user: &UserId) -> Result<String> {
        let rules = of(read, user).await?;
        Ok(json!({ "type": KIND, "content": content(&rules) }).to_string())
    }

    /// The rules of a user as `GET /pushrules/` shows them.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn json(&self, user: &UserId) -> Result<Value> {
        Ok(content(&self.of(user).await?))
    }

    /// One rule.
    ///
    /// # Errors
    /// [`PushError::UnknownRule`].
    pub async fn one(&self, user: &UserId, kind: &RuleKind, id: &str) -> Result<AnyPushRule> {
        known(kind)?;
        let rules = self.of(user).await?;
        Ok(rules.get(kind.clone(), id).ok_or(PushError::UnknownRule)?.to_owned())
    }

    /// Adds or replaces a rule; without `after` and `before` a new one becomes the most important of its kind.
    ///
    /// # Errors
    /// [`PushError::Invalid`], also for an unknown `after` or `before`.
    pub async fn put(&self, user: &UserId, rule: NewPushRule, after: Option<&str>, before: Option<&str>) -> Result<()> {
        check(&rule)?;
        self.change(user, |rules| {
            let own = rules.iter().filter(|rule| !rule.is_server_default()).count();
            if own >= MAX_RULES {
                return Err(PushError::Invalid(format!("a user has at most {MAX_RULES} push rules of their own")));
            }
            rules.insert(rule.clone(), after, before).map_err(|error| PushError::Invalid(error.to_string()))
        })
        .await
    }

    /// Removes a rule of the user's own.
    ///
    /// # Errors
    /// [`PushError::UnknownRule`], [`PushError::Invalid`] for a default rule.
    pub async fn remove(&self, user: &UserId, kind: &RuleKind, id: &str) -> Result<()> {
        known(kind)?;
        self.change(user, |rules| {
            use ruma::push::RemovePushRuleError as Error;
            rules.remove(kind.clone(), id).map_err(|error| match error {
                Error::NotFound => PushError::UnknownRule,
                error => PushError::Invalid(error.to_string()),
            })
        })
        .await
    }

    /// Switches a rule on or off.
    ///
    /// # Errors
    /// [`PushError::UnknownRule`].
    pub async fn set_enabled(&self, user: &UserId, kind: &RuleKind, id: &str, enabled: bool) -> Result<()> {
        known(kind)?;
        self.change(user, |rules| rules.set_enabled(kind.clone(), id, enabled).map_err(|_| PushError::UnknownRule))
            .await
    }

    /// Says what a rule does.
    ///
    /// # Errors
    /// [`PushError::UnknownRule`], [`PushError::Invalid`].
    pub async fn set_actions(&self, user: &UserId, kind: &RuleKind, id: &str, actions: &[Action]) -> Result<()> {
        known(kind)?;
        check_actions(actions)?;
        self.change(user, |rules| {
            rules.set_actions(kind.clone(), id, actions.to_vec()).map_err(|_| PushError::UnknownRule)
        })
        .await
    }

    /// Gives the rules that `user` has for room `from` to room `to` as well, when the room was upgraded.
    ///
    /// # Errors
    /// When storage fails. Client-server API, "Server behaviour" of room upgrades.
    pub async fn copy_room(&self, user: &UserId, from: &RoomId, to: &RoomId) -> Result<()> {
        let has = |rules: &Ruleset, room: &RoomId| rules.room.get(room.as_str()).is_some();
        let rules = self.of(user).await?;
        if !has(&rules, from) || has(&rules, to) {
            return Ok(());
        }
        self.change(user, |rules| {
            let Some(old) = rules.room.get(from.as_str()).cloned() else { return Ok(()) };
            let rule = NewPushRule::Room(NewSimplePushRule::new(to.to_owned(), old.actions));
            rules.insert(rule, Some(from.as_str()), None).map_err(|error| PushError::Invalid(error.to_string()))?;
            rules.set_enabled(RuleKind::Room, to, old.enabled).map_err(|_| PushError::UnknownRule)
        })
        .await
    }

    async fn change(&self, user: &UserId, change: impl Fn(&mut Ruleset) -> Result<()>) -> Result<()> {
        let watched = kv::retry(|| async {
            let mut tx = self.db.begin();
            let mut rules = of(&tx, user).await?;
            change(&mut rules)?;
            let content = content(&rules).to_string();
            if content.len() > MAX_BYTES {
                return Err(PushError::Invalid(format!("push rules have at most {MAX_BYTES} bytes")));
            }
            AccountData::set_in(&mut tx, user, None, KIND, &content).await?;
            let rooms = self.joined(&tx, user).await?;
            self.watch_in(&mut tx, user, &rooms, &rules).await?;
            tx.commit().await?;
            Ok(rooms)
        })
        .await?;
        self.catch_up(user, &watched).await
    }

    /// Brings the watches of rooms up to date that the user joined while their rules changed: who has not seen the one
    /// may not have seen the other either. A join that commits after the change has, as it decides on the rules.
    async fn catch_up(&self, user: &UserId, watched: &HashSet<RoomNum>) -> Result<()> {
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let missed: HashSet<_> = self.joined(&tx, user).await?.difference(watched).copied().collect();
            if missed.is_empty() {
                return Ok(());
            }
            let rules = of(&tx, user).await?;
            self.watch_in(&mut tx, user, &missed, &rules).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn joined(&self, tx: &Tx, user: &UserId) -> Result<HashSet<RoomNum>> {
        let rooms = self.rooms.user_rooms(tx, user).await?.into_iter();
        Ok(rooms.filter(|(_, row)| row.value.membership == Membership::Join).map(|(room, _)| room).collect())
    }

    async fn watch_in(&self, tx: &mut Tx, user: &UserId, rooms: &HashSet<RoomNum>, rules: &Ruleset) -> Result<()> {
        for room in rooms {
            // Decides: who leaves meanwhile takes the watches along.
            if !tx.has(&JOINED, (*room, user)).await? {
                continue;
            }
            let id = &self.rooms.info(tx, *room).await?.id;
            if custom::watches(rules, id).nth(custom::MAX_WATCHES).is_some() {
                let most =
                    format!("at most {} push rules of a user look at the events of one room", custom::MAX_WATCHES);
                return Err(PushError::Invalid(most));
            }
            watch(tx, user, *room, id, rules).await?;
        }
        Ok(())
    }
}

/// The rules of a user, defaults included. A transaction decides on them.
pub(crate) async fn of(read: &impl Read, user: &UserId) -> kv::Result<Ruleset> {
    let stored = AccountData::get_in(read, user, None, KIND).await?;
    Ok(parse(stored.as_deref(), user))
}

fn parse(stored: Option<&str>, user: &UserId) -> Ruleset {
    let defaults = defaults::ruleset(user);
    let Some(stored) = stored.and_then(|json| serde_json::from_str::<Stored>(json).ok()) else { return defaults };
    let mut rules = stored.global;
    rules.update_with_server_default(defaults);
    rules
}

/// Notes which rules of a member have to be tried on each event of a room.
pub(crate) async fn watch(tx: &mut Tx, user: &UserId, room: RoomNum, id: &RoomId, rules: &Ruleset) -> kv::Result<()> {
    let watches: Vec<_> = custom::watches(rules, id).take(custom::MAX_WATCHES).collect();
    let wanted = if watches.is_empty() { None } else { serde_json::to_string(&watches).ok() };
    if tx.peek(&WATCHES, (room, user)).await? != wanted {
        match wanted {
            Some(wanted) => tx.put(&WATCHES, (room, user), &wanted),
            None => tx.delete(&WATCHES, (room, user)),
        }
    }
    Ok(())
}

/// The content of the account data: every kind is there, also without rules.
fn content(rules: &Ruleset) -> Value {
    let mut global = serde_json::to_value(rules).unwrap_or_default();
    if let Some(kinds) = global.as_object_mut() {
        for kind in ["override", "content", "room", "sender", "underride"] {
            kinds.entry(kind).or_insert_with(|| json!([]));
        }
    }
    json!({ "global": global })
}

/// There are no rules of kinds that do not exist.
fn known(kind: &RuleKind) -> Result<()> {
    match kind {
        RuleKind::Override | RuleKind::Content | RuleKind::Room | RuleKind::Sender | RuleKind::Underride => Ok(()),
        _ => Err(PushError::UnknownRule),
    }
}

/// Refuses rules that users cannot have.
fn check(rule: &NewPushRule) -> Result<()> {
    if rule.rule_id().is_empty() || rule.rule_id().len() > MAX_ID {
        return Err(PushError::Invalid(format!("the id of a push rule has 1 to {MAX_ID} bytes")));
    }
    match rule {
        NewPushRule::Override(rule) | NewPushRule::Underride(rule) => {
            check_conditions(&rule.conditions)?;
            check_actions(&rule.actions)
        }
        NewPushRule::Room(rule) => check_actions(&rule.actions),
        NewPushRule::Sender(rule) => check_actions(&rule.actions),
        NewPushRule::Content(rule) if rule.pattern.chars().count() > MAX_PATTERN => {
            Err(PushError::Invalid(format!("a pattern has at most {MAX_PATTERN} characters")))
        }
        NewPushRule::Content(rule) => check_actions(&rule.actions),
        _ => Err(PushError::Invalid("unknown kind of push rule".into())),
    }
}

/// Refuses conditions that would take long to try.
fn check_conditions(conditions: &[PushCondition]) -> Result<()> {
    let size = serde_json::to_string(conditions).map_or(usize::MAX, |json| json.len());
    if conditions.len() > MAX_CONDITIONS || size > MAX_CONDITIONS_BYTES {
        let most = format!("a push rule has at most {MAX_CONDITIONS} conditions of {MAX_CONDITIONS_BYTES} bytes");
        return Err(PushError::Invalid(most));
    }
    Ok(())
}

/// Refuses unknown actions. `dont_notify` and `coalesce` of older versions of the specification do nothing, but
/// clients that set them want to see them again.
fn check_actions(actions: &[Action]) -> Result<()> {
    for action in actions {
        let is_known = match action {
            Action::Notify | Action::SetTweak(_) => true,
            other => match serde_json::to_value(other) {
                Ok(Value::String(name)) => matches!(name.as_str(), "dont_notify" | "coalesce"),
                _ => false,
            },
        };
        if !is_known {
            return Err(PushError::Invalid("an action is \"notify\" or sets a tweak".into()));
        }
    }
    Ok(())
}
