//! Other rooms that link to the old one link to the new one too (MSC4168).

use event::Draft;
use kv::Tx;
use ruma::{RoomId, events::TimelineEventType as Kind};
use serde_json::{Map, Value, json};

use super::{Work, attempt};
use crate::{Membership, Outgoing, Result, Tip, create::raw};

impl Work<'_> {
    /// Adds the new room to the spaces that the old one was in, and names it as the parent of its children, where
    /// the user may do that.
    pub(super) async fn relink_spaces(&mut self, tx: &mut Tx, before: &Tip) -> Result<()> {
        for (parent, _) in self.old_links(tx, before, "m.space.parent").await? {
            self.relink(tx, &parent, "m.space.child").await?;
        }
        if self.old.info.kind.as_deref() == Some("m.space") {
            for (child, _) in self.old_links(tx, before, "m.space.child").await? {
                self.relink(tx, &child, "m.space.parent").await?;
            }
        }
        Ok(())
    }

    /// Repeats the link of `kind` that `room` has to the old room for the new one.
    async fn relink(&mut self, tx: &mut Tx, room: &str, kind: &str) -> Result<()> {
        let rooms = self.rooms;
        let Ok(room) = <&RoomId>::try_from(room) else { return Ok(()) };
        let Ok(room) = rooms.num(tx, room).await else { return Ok(()) };
        if room == self.old.num || room == self.new.num {
            return Ok(());
        }
        let mut tip = rooms.tip(tx, room).await?;
        if rooms.member_in(tx, room, &tip, self.upgrade.user.as_str()).await? != Membership::Join {
            return Ok(());
        }
        let link = rooms.state_event(tx, room, tip.state, kind, self.old.info.id.as_str()).await?;
        let link = link.and_then(|pdu| serde_json::from_str::<Map<String, Value>>(pdu.content.get()).ok());
        let Some(mut link) = link.filter(|link| link.get("via").is_some_and(Value::is_array)) else { return Ok(()) };

        let mut fresh = link.clone();
        fresh.insert("via".into(), json!([rooms.server()]));
        let (new, old) = (self.new.info.id.clone(), self.old.info.id.clone());
        let draft = |key: &RoomId, content: &Map<String, Value>| Ok(Draft::state(Kind::from(kind), key, raw(content)?));
        let out: Result<_> = draft(&new, &fresh).map(|draft| Outgoing::new(&self.upgrade.user, draft));
        let added = attempt(rooms, tx, room, &mut tip, &out?, self.moment).await?;
        if added && link.get("canonical") == Some(&Value::Bool(true)) {
            link.insert("canonical".into(), json!(false));
            let out: Result<_> = draft(&old, &link).map(|draft| Outgoing::new(&self.upgrade.user, draft));
            attempt(rooms, tx, room, &mut tip, &out?, self.moment).await?;
        }
        Ok(())
    }
}
