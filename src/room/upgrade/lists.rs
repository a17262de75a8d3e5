//! Aliases and the directory: they lead to the new room from now on.

use kv::{Read, Tx};
use ruma::events::TimelineEventType as Kind;
use serde_json::{Value, json};

use super::{Which, Work};
use crate::{
    Result, Tip,
    directory::{ALIASES, Alias, PUBLISHED, ROOM_ALIASES, publish},
};

impl Work<'_> {
    /// Moves local aliases, the canonical alias and the place in the directory.
    pub(super) async fn move_lists(&mut self, tx: &mut Tx, before: &Tip) -> Result<()> {
        let (old, new) = (self.old.info.id.clone(), self.new.info.id.clone());
        for alias in self.rooms.aliases(tx, &old).await? {
            let Some(row) = tx.get(&ALIASES, &alias).await? else { continue };
            tx.put(&ALIASES, &alias, &Alias { room: new.clone(), ..row });
            tx.delete(&ROOM_ALIASES, (&old, &alias));
            tx.put(&ROOM_ALIASES, (&new, &alias), &());
        }
        if let Some(content) = self.old_content(tx, before, "m.room.canonical_alias", "").await?
            && content != Value::Object(serde_json::Map::new())
        {
            self.put(tx, Which::New, Kind::RoomCanonicalAlias, "", &content).await?;
            self.put(tx, Which::Old, Kind::RoomCanonicalAlias, "", &json!({})).await?;
        }
        if tx.has(&PUBLISHED, self.old.num).await? {
            publish(tx, self.old.num, false);
            publish(tx, self.new.num, true);
        }
        Ok(())
    }
}
