use event::Draft;
use kv::{Read, Tx, View};
use ruma::{OwnedUserId, RoomId, UserId, events::TimelineEventType};

use super::{DelayError, Delayed, DelayedEnd, Outcome, Result};
use crate::{
    Membership, Once, RoomError, Rooms,
    check::check_content,
    tables::{DELAYED, DELAYED_DUE, DELAYED_OF, DELAYED_TXNS},
};

/// Characters of an id: whoever knows it may change what becomes of the event.
const ID_LEN: usize = 32;

/// What a local user wants to send later.
#[derive(Debug, Clone)]
pub struct Later {
    /// Who sends.
    pub sender: OwnedUserId,
    /// What.
    pub draft: Draft,
    /// Makes a repetition answer the first id.
    pub once: Option<Once>,
    /// How long to wait, in milliseconds.
    pub delay: u64,
}

impl Rooms {
    /// Keeps an event to be sent later; answers its id.
    ///
    /// # Errors
    /// [`DelayError::TooLong`], [`DelayError::TooMany`], [`DelayError::NotDelayable`]; [`RoomError::UnknownRoom`],
    /// [`RoomError::NotJoined`], [`RoomError::BadContent`].
    pub async fn schedule(&self, room: &RoomId, later: &Later) -> Result<String> {
        let fresh = self.check_delay(room, later).await?;
        let (now, id) = (self.clock.now(), base::random::alphanumeric(ID_LEN));
        let scope = |once: &Once| format!("{room}/{}/{}", later.draft.kind, once.id);
        let row = Delayed {
            user: later.sender.clone(),
            room: room.to_owned(),
            kind: later.draft.kind.to_string(),
            state_key: later.draft.state_key.clone(),
            content: later.draft.content.get().to_owned(),
            delay: later.delay,
            since: now,
            once: later.once.as_ref().map(|once| (once.device.clone(), scope(once))),
            end: None,
        };
        let id = kv::retry(|| async {
            let mut tx = self.db.begin();
            if let Some((device, scope)) = &row.once {
                let key = (&*row.user, &**device, scope.as_str());
                if let Some(id) = tx.get(&DELAYED_TXNS, key).await? {
                    // The first one may not be durable yet.
                    tx.commit().await?;
                    return Ok::<_, DelayError>(id);
                }
                tx.put(&DELAYED_TXNS, key, &id);
            }
            if !fresh {
                return Err(DelayError::TooMany(self.config.max_delayed_events));
            }
            tx.put(&DELAYED, &*id, &row);
            tx.put(&DELAYED_OF, (&*row.user, &*id), &());
            tx.put(&DELAYED_DUE, (row.due(), &*id), &());
            tx.commit().await?;
            Ok(id.clone())
        })
        .await?;
        self.alarm.notify_one();
        Ok(id)
    }

    /// Checks what can be checked now; answers whether the user may have one more waiting.
    async fn check_delay(&self, room: &RoomId, later: &Later) -> Result<bool> {
        let max = self.config.max_event_delay_secs.saturating_mul(1000);
        if later.delay > max {
            return Err(DelayError::TooLong(max));
        }
        // Others have to sign these first, or to say who lets the user in.
        if later.draft.kind == TimelineEventType::RoomMember {
            let membership = crate::membership_in(later.draft.content.get());
            if !matches!(membership, Some(Membership::Leave | Membership::Ban)) {
                return Err(DelayError::NotDelayable("joins, invites and knocks cannot be delayed"));
            }
        }
        check_content(&later.draft)?;
        let view = self.db.view();
        let num = self.num(&view, room).await?;
        if self.membership(&view, &later.sender, num).await? != Membership::Join {
            return Err(RoomError::NotJoined.into());
        }
        let max = self.config.max_delayed_events;
        let waiting = view.scan(&DELAYED_OF, DELAYED_OF.under(&(&*later.sender,))).by(max + 1).first(max).await?;
        Ok(waiting.len() < max)
    }

    /// The events of `user` that wait, the next one first, with their ids.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn delayed_of(&self, view: &View, user: &UserId) -> kv::Result<Vec<(String, Delayed)>> {
        let ids = view.scan(&DELAYED_OF, DELAYED_OF.under(&(user,))).collect().await?;
        let rows = view.get_many(&DELAYED, ids.iter().map(|((_, id), ())| id.as_str())).await?;
        let found = ids.iter().zip(rows).filter_map(|(((_, id), ()), row)| Some((id.clone(), row?)));
        let mut found: Vec<_> = found.collect();
        found.sort_by_key(|(_, row)| row.due());
        Ok(found)
    }

    /// One event of `user` that waits, or did not long ago.
    ///
    /// # Errors
    /// [`DelayError::Unknown`].
    pub async fn delayed(&self, view: &View, user: &UserId, id: &str) -> Result<Delayed> {
        let row = view.get(&DELAYED, id).await?.filter(|row| row.user == user);
        row.ok_or(DelayError::Unknown)
    }
}

/// Notes within `tx` that the waiting of an event is over.
pub(super) fn end(tx: &mut Tx, id: &str, row: &Delayed, at: u64, outcome: Outcome) {
    tx.delete(&DELAYED_DUE, (row.due(), id));
    tx.delete(&DELAYED_OF, (&*row.user, id));
    let row = Delayed { end: Some(DelayedEnd { at, outcome }), ..row.clone() };
    tx.put(&DELAYED_DUE, (row.due(), id), &());
    tx.put(&DELAYED, id, &row);
}
