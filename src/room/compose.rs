//! Building and appending events of local users.

use std::{collections::HashMap, sync::Arc};

use event::{Draft, Pdu, RoomVersionRules};
use kv::Tx;
use ruma::{
    EventId, MilliSecondsSinceUnixEpoch, OwnedDeviceId, OwnedEventId, OwnedTransactionId, OwnedUserId, RoomId, UInt,
    UserId,
    events::{StateEventType, TimelineEventType},
};

use serde_json::{Value, value::RawValue};

use crate::{
    Result, RoomError, RoomInfo, Rooms, Tip,
    check::check_content,
    lookup::rules,
    num::{EventNum, RoomNum},
    policy::PolicyServer,
    sent::{note_sent, sent_before},
};

/// Most events that a new one follows.
const MAX_PREV: usize = 20;

/// A transaction id and where it counts: on one device, for one endpoint with its path.
#[derive(Debug, Clone)]
pub struct Once {
    /// The device that sends.
    pub device: OwnedDeviceId,
    /// The id that the client chose.
    pub id: OwnedTransactionId,
}

/// What a local user wants to send.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Who sends.
    pub sender: OwnedUserId,
    /// What.
    pub draft: Draft,
    /// Makes a repetition answer the first event.
    pub once: Option<Once>,
    /// Dated by an application service; otherwise now. Milliseconds since the Unix epoch.
    pub dated: Option<u64>,
}

impl Outgoing {
    /// `draft` from `sender`, dated now, without transaction id.
    pub fn new(sender: &UserId, draft: Draft) -> Self {
        Self { sender: sender.to_owned(), draft, once: None, dated: None }
    }

    /// Where a transaction id counts: in this room, for events of this type, or redactions of this event.
    pub(crate) fn scope(&self, room: RoomNum, once: &Once) -> String {
        let target = self.draft.redacts.as_deref().map_or("", EventId::as_str);
        format!("{}/{}{target}/{}", room.0, self.draft.kind, once.id)
    }
}

/// What a transaction must not find out for itself: it would differ when it runs again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub now: u64,
    pub random: [u8; 16],
}

impl Moment {
    /// Random bytes for the `n`-th event of a room: events of one transaction must not share them.
    pub(crate) fn random_of(&self, n: u64) -> [u8; 16] {
        (u128::from_be_bytes(self.random) ^ u128::from(n)).to_be_bytes()
    }
}

impl Rooms {
    pub(crate) fn moment(&self) -> Moment {
        Moment { now: self.clock.now(), random: base::random::bytes() }
    }

    /// Builds, authorizes and appends one local event; nothing is written unless all of it is.
    ///
    /// # Errors
    /// [`RoomError::UnknownRoom`], [`RoomError::Denied`], [`RoomError::TooLarge`], [`RoomError::BadContent`].
    pub async fn send(&self, room_id: &RoomId, out: &Outgoing) -> Result<OwnedEventId> {
        check_content(&out.draft)?;
        let moment = self.moment();
        let room = self.num(&self.db.view(), room_id).await?;
        if let Some(policy) = self.policy_for(room, out).await? {
            return self.send_recommended(room, &policy, out, moment).await;
        }
        let turn = self.turns.of(room).await;
        let (event_id, pending) = kv::retry(|| async {
            let mut tx = self.db.begin();
            let (known, mut tip) = self.known(&tx, room, out, moment.now).await?;
            let event_id = match known {
                Some(event_id) => event_id,
                None => self.compose(&mut tx, room, &mut tip, out, moment).await?.event_id.clone(),
            };
            // One that was there already may not be durable yet.
            Ok::<_, RoomError>((event_id, tx.submit().await?))
        })
        .await?;
        drop(turn);
        pending.durable().await?;
        Ok(event_id)
    }

    /// As [`Rooms::send`], with the signature of the room's policy server. What has come meanwhile is not followed: the
    /// event was signed as it is.
    pub(crate) async fn send_recommended(
        &self,
        room: RoomNum,
        policy: &PolicyServer,
        out: &Outgoing,
        moment: Moment,
    ) -> Result<OwnedEventId> {
        let info = self.info(&self.db.view(), room).await?;
        let drafted = kv::retry(|| async {
            let tx = self.db.begin();
            let (known, tip) = self.known(&tx, room, out, moment.now).await?;
            if let Some(event_id) = known {
                // It may not be durable yet.
                tx.commit().await?;
                return Ok::<_, RoomError>(Err(event_id));
            }
            Ok(Ok(self.drafted(&tx, room, &info, &tip, out, moment).await?))
        })
        .await?;
        let pdu = match drafted {
            Ok(pdu) => self.recommended(policy, &rules(&info.version)?, &pdu).await?,
            Err(event_id) => return Ok(event_id),
        };
        self.ingest_own(room, &pdu, out).await
    }

    /// The event that makes it needless to send `out`, if there is one: it was sent before, or the state says it.
    async fn known(&self, tx: &Tx, room: RoomNum, out: &Outgoing, now: u64) -> Result<(Option<OwnedEventId>, Tip)> {
        let tip = self.tip(tx, room).await?;
        let known = match sent_before(tx, room, out, now).await? {
            Some(event_id) => Some(event_id),
            None => self.stands_already(tx, room, &tip, out).await?,
        };
        Ok((known, tip))
    }

    /// The current state event, if it says what `out` says and has the same sender: setting it again changes nothing.
    pub(crate) async fn stands_already(
        &self,
        tx: &Tx,
        room: RoomNum,
        tip: &Tip,
        out: &Outgoing,
    ) -> Result<Option<OwnedEventId>> {
        let Some(state_key) = &out.draft.state_key else { return Ok(None) };
        let kind = out.draft.kind.to_string();
        let Some(current) = self.state_event(tx, room, tip.state, &kind, state_key).await? else { return Ok(None) };
        let json = |raw: &RawValue| serde_json::from_str::<Value>(raw.get()).ok();
        let same = current.sender == out.sender && json(&current.content) == json(&out.draft.content);
        Ok(same.then(|| current.event_id.clone()))
    }

    /// Builds and authorizes one local event on `tip` and appends it within `tx`.
    pub(crate) async fn compose(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        tip: &mut Tip,
        out: &Outgoing,
        moment: Moment,
    ) -> Result<Arc<Pdu>> {
        let info = self.info(tx, room).await?;
        let pdu = self.drafted(tx, room, &info, tip, out, moment).await?;
        let transaction = note_sent(tx, room, out, &pdu, moment.now);
        self.append(tx, room, &info, tip, &pdu, transaction).await?;
        Ok(pdu)
    }

    /// Builds and authorizes one local event on `tip`.
    async fn drafted(
        &self,
        tx: &Tx,
        room: RoomNum,
        info: &RoomInfo,
        tip: &Tip,
        out: &Outgoing,
        moment: Moment,
    ) -> Result<Arc<Pdu>> {
        self.check_creators(tx, room, tip, &out.draft).await?;
        let pdu = self.build(tx, room, info, tip, out, moment).await?;
        self.check_references(tx, room, tip, out, &pdu).await?;
        Ok(pdu)
    }

    pub(crate) async fn build(
        &self,
        tx: &Tx,
        room: RoomNum,
        info: &RoomInfo,
        tip: &Tip,
        out: &Outgoing,
        moment: Moment,
    ) -> Result<Arc<Pdu>> {
        let (draft, rules) = (&out.draft, &rules(&info.version)?);
        let wanted = event::auth_types(&draft.kind, &out.sender, draft.state_key.as_deref(), &draft.content, rules)?;
        let auth = self.auth_state(tx, room, tip, wanted).await?;
        let prev = previous(tip);
        let auth_events: Vec<_> = auth.values().map(|pdu| pdu.event_id.clone()).collect();
        let hashes = self.reference_hashes(tx, room, rules, &prev, &auth).await?;
        let ids: Vec<_> = prev.iter().map(|(_, id)| id.clone()).collect();
        let place = event::Place {
            room_id: Some(&info.id),
            sender: &out.sender,
            prev_events: &ids,
            auth_events: &auth_events,
            hashes: &hashes,
            depth: tip.next_depth(),
            origin_server_ts: timestamp(out.dated.unwrap_or(moment.now)),
            random: moment.random_of(tip.next_event),
        };
        let pdu = draft.build(&place, &self.signer, rules)?;
        // Version 12 leaves the create event out of auth_events, but the rules look at it.
        let create = self.state_event(tx, room, tip.state, "m.room.create", "").await?;
        event::authorize(&pdu, rules, |kind, key| match kind {
            StateEventType::RoomCreate => create.clone(),
            _ => auth.get(&(kind.clone(), key.to_owned())).cloned(),
        })?;
        Ok(Arc::new(pdu))
    }

    /// The events at the keys that authorize an event, where the current state has them.
    async fn auth_state(
        &self,
        tx: &Tx,
        room: RoomNum,
        tip: &Tip,
        wanted: Vec<(StateEventType, String)>,
    ) -> Result<HashMap<(StateEventType, String), Arc<Pdu>>> {
        let mut found = HashMap::new();
        for (kind, key) in wanted {
            if let Some(pdu) = self.state_event(tx, room, tip.state, &kind.to_string(), &key).await? {
                found.insert((kind, key), pdu);
            }
        }
        Ok(found)
    }

    /// What room versions 1 and 2 want beside the ids of other events.
    async fn reference_hashes(
        &self,
        tx: &Tx,
        room: RoomNum,
        rules: &RoomVersionRules,
        prev: &[(EventNum, OwnedEventId)],
        auth: &HashMap<(StateEventType, String), Arc<Pdu>>,
    ) -> Result<Vec<(OwnedEventId, String)>> {
        if rules.event_id_format != ruma::room_version_rules::EventIdFormatVersion::V1 {
            return Ok(Vec::new());
        }
        let mut pdus: Vec<_> = auth.values().cloned().collect();
        for (num, _) in prev {
            pdus.push(self.pdu(tx, room, *num).await?);
        }
        Ok(pdus.iter().map(|pdu| (pdu.event_id.clone(), event::reference_hash(pdu.json(), rules))).collect())
    }
}

/// The extremities that the next event follows: the deepest, if there are too many.
fn previous(tip: &Tip) -> Vec<(EventNum, OwnedEventId)> {
    let mut all: Vec<_> = tip.extremities.iter().collect();
    all.sort_by_key(|extremity| std::cmp::Reverse(extremity.depth));
    all.into_iter().take(MAX_PREV).map(|extremity| (extremity.num, extremity.id.clone())).collect()
}

pub(crate) fn timestamp(millis: u64) -> MilliSecondsSinceUnixEpoch {
    MilliSecondsSinceUnixEpoch(UInt::new(millis).unwrap_or(UInt::MAX))
}

/// Whether events of this type are sent by a membership change rather than as plain state.
pub(crate) fn is_member(kind: &TimelineEventType) -> bool {
    *kind == TimelineEventType::RoomMember
}
