//! The create event and the rows that a room begins with.

use std::sync::Arc;

use event::{Draft, Pdu, RoomVersionRules};
use kv::{Read, Tx};
use ruma::{
    OwnedRoomId, OwnedUserId, RoomId, RoomVersionId, UserId, events::TimelineEventType,
    room_version_rules::RoomIdFormatVersion,
};
use serde_json::{Map, Value, json};

use super::raw;
use crate::{
    Result, RoomError, RoomInfo, Rooms, Tip,
    compose::{Moment, timestamp},
    num::RoomNum,
    tables::{ROOM_IDS, ROOMS},
};

/// Rooms that differ by nothing but their time, created by one user at the same time.
const MAX_ALIKE: usize = 1000;

/// What is settled of a new room before its first transaction.
#[derive(Debug)]
pub(crate) struct Founding {
    /// Its number.
    pub num: RoomNum,
    /// Its id, unless that comes from the create event.
    pub id: Option<OwnedRoomId>,
    /// Who creates it.
    pub creator: OwnedUserId,
    /// Its version.
    pub version: RoomVersionId,
    /// The rules of that version.
    pub rules: RoomVersionRules,
    /// The content of its create event.
    pub content: Map<String, Value>,
}

impl Rooms {
    /// Settles what the transaction of a new room must not find out for itself.
    pub(crate) async fn founding(
        &self,
        creator: &UserId,
        version: RoomVersionId,
        rules: RoomVersionRules,
        mut content: Map<String, Value>,
    ) -> Result<Founding> {
        content.insert("room_version".into(), json!(version));
        if rules.authorization.use_room_create_sender {
            content.remove("creator");
        } else {
            content.insert("creator".into(), json!(creator));
        }
        let id = match rules.room_id_format {
            RoomIdFormatVersion::V1 => Some(self.fresh_id()?),
            _ => None,
        };
        Ok(Founding { num: self.fresh_num().await?, id, creator: creator.to_owned(), version, rules, content })
    }

    fn fresh_id(&self) -> Result<OwnedRoomId> {
        RoomId::parse(format!("!{}:{}", base::random::alphanumeric(18), self.server()))
            .map_err(|error| RoomError::InvalidParam(error.to_string()))
    }

    /// Writes the create event of a new room and what never changes about it.
    pub(crate) async fn found(&self, tx: &mut Tx, founding: &Founding, moment: Moment) -> Result<(RoomInfo, Tip)> {
        let create = self.fresh_create_event(tx, founding, moment).await?;
        let info = RoomInfo {
            id: create.room_id.clone(),
            version: founding.version.clone(),
            kind: founding.content.get("type").and_then(Value::as_str).map(str::to_owned),
            creator: founding.creator.clone(),
            complete: true,
        };
        tx.put(&ROOM_IDS, &info.id, &founding.num);
        tx.put(&ROOMS, founding.num, &info);
        self.begin_index(tx, founding.num);
        let mut tip = Tip::empty();
        self.append(tx, founding.num, &info, &mut tip, &create, None).await?;
        Ok((info, tip))
    }

    /// A create event whose room does not exist. Where the id of the room comes from the event, two rooms that a user
    /// creates alike within a millisecond would be one: the later one is dated a little later.
    async fn fresh_create_event(&self, tx: &Tx, founding: &Founding, mut moment: Moment) -> Result<Arc<Pdu>> {
        for _ in 0..MAX_ALIKE {
            let create = self.create_event(founding, moment)?;
            if !tx.has(&ROOM_IDS, &create.room_id).await? {
                return Ok(create);
            }
            moment.now += 1;
        }
        Err(RoomError::InvalidState("too many rooms like this one were created at once: try again".into()))
    }

    fn create_event(&self, founding: &Founding, moment: Moment) -> Result<Arc<Pdu>> {
        let place = event::Place {
            room_id: founding.id.as_deref(),
            sender: &founding.creator,
            prev_events: &[],
            auth_events: &[],
            hashes: &[],
            depth: 1,
            origin_server_ts: timestamp(moment.now),
            random: moment.random_of(0),
        };
        let draft = Draft::state(TimelineEventType::RoomCreate, "", raw(&founding.content)?);
        let pdu = draft.build(&place, &self.signer, &founding.rules)?;
        // Nothing but the content of the request can be wrong here.
        event::check_auth_events(&pdu, &founding.rules, |_| None)
            .map_err(|denied| RoomError::InvalidState(denied.0))?;
        Ok(Arc::new(pdu))
    }
}
