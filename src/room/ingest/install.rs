//! Joining a room through another server: its state as that server has it, then the join.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use event::{Pdu, RoomVersionRules};
use kv::{Read, Tx};
use ruma::{
    OwnedEventId, RoomId, RoomVersionId,
    events::{StateEventType, TimelineEventType},
};
use serde::Deserialize;

use super::{outlier::by_auth, receive::gap_width};
use crate::{
    Result, RoomError, RoomInfo, Rooms, Tip,
    append::Landing,
    lookup::rules,
    num::{EventNum, Place, RoomNum},
    row::{Extremity, Verdict},
    state::{Root, keys},
    tables::{ROOM_IDS, ROOMS},
};

/// What another server answers to a join.
#[derive(Debug, Clone)]
pub struct RemoteState {
    /// The version of the room.
    pub version: RoomVersionId,
    /// The state before the join.
    pub state: Vec<Arc<Pdu>>,
    /// The auth chain of that state and of the join.
    pub auth_chain: Vec<Arc<Pdu>>,
}

/// A room that was joined through another server.
#[derive(Debug, Clone, Copy)]
pub struct Joined {
    /// Its number.
    pub room: RoomNum,
    /// The number of the join.
    pub event: EventNum,
}

#[derive(Deserialize)]
struct CreateContent {
    #[serde(default)]
    room_version: Option<RoomVersionId>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

/// The events of a join, checked against each other.
struct Checked<'a> {
    info: RoomInfo,
    rules: RoomVersionRules,
    /// All events in an order in which they can be stored, with their verdicts.
    events: Vec<(Arc<Pdu>, Verdict)>,
    /// The state before the join.
    state: Vec<&'a Arc<Pdu>>,
}

impl Rooms {
    /// Enters a room with the state that another server sent, by `join`, which must be signed by everybody who has
    /// to. If this server was in the room before, what it knew stays readable, before a gap.
    ///
    /// # Errors
    /// [`RoomError::InvalidState`] when the state has no proper create event or does not allow the join.
    pub async fn install(&self, room_id: &RoomId, remote: &RemoteState, join: &Arc<Pdu>) -> Result<Joined> {
        let checked = check(room_id, remote)?;
        allow(&checked, join)?;
        let fresh = self.fresh_num().await?;
        let (joined, pending) = kv::retry(|| async {
            let mut tx = self.db.begin();
            let room = tx.get(&ROOM_IDS, room_id).await?.unwrap_or(fresh);
            let joined = self.install_in(&mut tx, room, &checked, join).await?;
            Ok::<_, RoomError>((joined, tx.submit().await?))
        })
        .await?;
        pending.durable().await?;
        // What an invite told of the room may have been kept.
        self.caches.infos.remove(&joined.room);
        Ok(joined)
    }

    async fn install_in(&self, tx: &mut Tx, room: RoomNum, checked: &Checked<'_>, join: &Arc<Pdu>) -> Result<Joined> {
        let info = &checked.info;
        tx.put(&ROOM_IDS, &info.id, &room);
        tx.put(&ROOMS, room, info);
        let mut tip = self.tip_or_new(tx, room).await?;
        let mut nums = HashMap::with_capacity(checked.events.len());
        for (pdu, verdict) in &checked.events {
            let num = match self.locate(tx, &pdu.event_id).await? {
                Some(at) if at.room == room => at.num,
                Some(_) => return Err(RoomError::InvalidState("an event of the state is of another room".into())),
                None => {
                    let num = EventNum(tip.next_event);
                    tip.next_event += 1;
                    self.write_outlier(tx, room, info, pdu, num, verdict.clone()).await?;
                    num
                }
            };
            nums.insert(pdu.event_id.clone(), num);
        }
        self.index_late(tx, room).await?;
        let before = self.build_state(tx, room, &checked.state, &nums).await?;
        self.enter(tx, room, info, tip, before, join).await
    }

    async fn build_state(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        state: &[&Arc<Pdu>],
        nums: &HashMap<OwnedEventId, EventNum>,
    ) -> Result<Root> {
        let mut entries = BTreeMap::new();
        for pdu in state {
            let (Some(state_key), Some(num)) = (&pdu.state_key, nums.get(&pdu.event_id)) else { continue };
            entries.insert(keys::intern(tx, room, &pdu.kind.to_string(), state_key).await?, num.0);
        }
        let entries: Vec<_> = entries.into_iter().collect();
        Ok(self.trees(room).build(tx, &entries))
    }

    /// Puts the join at the end of the room, after a gap.
    async fn enter(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        info: &RoomInfo,
        mut tip: Tip,
        before: Root,
        join: &Arc<Pdu>,
    ) -> Result<Joined> {
        let num = match self.locate(tx, &join.event_id).await? {
            Some(at) => at.num,
            None => EventNum(tip.next_event),
        };
        tip.next_event = tip.next_event.max(num.0 + 1);
        let rank = if tip.place == Place::START { tip.place.rank } else { tip.place.rank.saturating_add(gap_width()) };
        tip.place = Place { rank, ordinal: 0 };
        self.open_gap(tx, room, rank, &join.prev_events);
        let old = std::mem::replace(&mut tip.state, before);
        let slot = tx.stamp();
        self.record_differences(tx, room, &mut tip, old, slot).await?;
        let (replaces, after) = self.step_state(tx, room, before, join, num).await?;
        let extremities = vec![Extremity { num, id: join.event_id.clone(), depth: join.depth }];
        let place = tip.place;
        let landing = Landing { num, place, before, after, replaces, state: after, extremities, transaction: None };
        self.land(tx, room, info, &mut tip, join, landing).await?;
        Ok(Joined { room, event: num })
    }
}

/// Checks what another server sent: one create event of this room and version, every event against its auth events.
fn check<'a>(room_id: &RoomId, remote: &'a RemoteState) -> Result<Checked<'a>> {
    let invalid = |text: &str| RoomError::InvalidState(text.to_owned());
    let rules = rules(&remote.version)?;
    let mut all: Vec<_> =
        remote.auth_chain.iter().chain(&remote.state).filter(|pdu| pdu.room_id == room_id).cloned().collect();
    // From room version 12 on no event names the create event, though all rest on it.
    all.sort_by_key(|pdu| pdu.kind != TimelineEventType::RoomCreate);
    let create = remote.state.iter().find(|pdu| pdu.is_state(&TimelineEventType::RoomCreate, ""));
    let create = create.ok_or_else(|| invalid("the state has no create event"))?;
    let content: CreateContent =
        serde_json::from_str(create.content.get()).map_err(|_| invalid("the create event is malformed"))?;
    if content.room_version.unwrap_or(RoomVersionId::V1) != remote.version || create.room_id != room_id {
        return Err(invalid("the create event is of another room or version"));
    }
    let info = RoomInfo {
        id: room_id.to_owned(),
        version: remote.version.clone(),
        kind: content.kind,
        creator: create.sender.clone(),
        complete: true,
    };
    let events = judged(&all, &rules);
    let good: HashMap<_, _> = events
        .iter()
        .filter(|(_, verdict)| *verdict == Verdict::Accepted)
        .map(|(pdu, _)| (&pdu.event_id, ()))
        .collect();
    let state: Vec<_> = remote.state.iter().filter(|pdu| good.contains_key(&pdu.event_id)).collect();
    if !good.contains_key(&create.event_id) {
        return Err(invalid("the create event is not valid"));
    }
    drop(good);
    Ok(Checked { info, rules, events, state })
}

/// Gives every event its verdict by its auth events. Those whose auth events are missing are left out.
fn judged(all: &[Arc<Pdu>], rules: &RoomVersionRules) -> Vec<(Arc<Pdu>, Verdict)> {
    let mut seen: HashMap<OwnedEventId, Arc<Pdu>> = HashMap::with_capacity(all.len());
    let mut events = Vec::with_capacity(all.len());
    for pdu in by_auth(all) {
        let known = |id: &ruma::EventId| seen.get(id).cloned();
        if !pdu.auth_events.iter().all(|id| seen.contains_key(id)) {
            tracing::info!(event = %pdu.event_id, "an event of a remote state lacks auth events");
            continue;
        }
        let create =
            event::create_event_id(&pdu.room_id).filter(|_| rules.authorization.room_create_event_id_as_room_id);
        let auth: Vec<_> = pdu.auth_events.iter().cloned().chain(create).filter_map(|id| known(&id)).collect();
        let check = event::check_auth_events(&pdu, rules, known).and_then(|()| {
            event::authorize(&pdu, rules, |kind, key| {
                auth.iter().find(|pdu| pdu.is_state(&kind.to_string().into(), key)).cloned()
            })
        });
        let verdict = check.map_or_else(|denied| Verdict::RejectedByAuth(denied.0), |()| Verdict::Accepted);
        let mut stored = pdu.clone();
        if verdict != Verdict::Accepted {
            let mut rejected = (*pdu).clone();
            rejected.rejected = true;
            stored = Arc::new(rejected);
        }
        seen.insert(pdu.event_id.clone(), stored.clone());
        events.push((stored, verdict));
    }
    events
}

/// Whether the state allows the join.
fn allow(checked: &Checked<'_>, join: &Pdu) -> Result<()> {
    let by_key: HashMap<(String, &str), &Arc<Pdu>> = checked
        .state
        .iter()
        .filter_map(|pdu| Some(((pdu.kind.to_string(), pdu.state_key.as_deref()?), *pdu)))
        .collect();
    let fetch = |kind: &StateEventType, key: &str| by_key.get(&(kind.to_string(), key)).map(|pdu| (*pdu).clone());
    event::authorize(join, &checked.rules, fetch)
        .map_err(|denied| RoomError::InvalidState(format!("the room's state does not allow the join: {}", denied.0)))
}
