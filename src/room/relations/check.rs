//! What a local user may refer to.

use kv::Read;

use super::{Class, Relation};
use crate::{
    Outgoing, Result, RoomError, Rooms,
    num::RoomNum,
    tables::{ANNOTATIONS, EVENTS},
};

impl Rooms {
    /// Refuses a second equal annotation, and a thread whose root refers to another event itself.
    pub(crate) async fn check_relation(&self, read: &impl Read, room: RoomNum, out: &Outgoing) -> Result<()> {
        let Some(relation) = Relation::of_content(out.draft.content.get()) else { return Ok(()) };
        let class = relation.class();
        if !matches!(class, Class::Annotation | Class::Thread) {
            return Ok(());
        }
        let Some(parent) = self.locate(read, &relation.parent).await?.filter(|parent| parent.room == room) else {
            return Ok(());
        };
        if class == Class::Annotation {
            let name = relation.annotation(&out.draft.kind.to_string());
            if read.has(&ANNOTATIONS, (room, parent.num, &*out.sender, name)).await? {
                return Err(RoomError::DuplicateAnnotation);
            }
            return Ok(());
        }
        let root = read.peek(&EVENTS, (room, parent.num)).await?;
        match root.as_ref().and_then(|root| Relation::of_content(root.event.content())) {
            Some(_) => Err(RoomError::BadThreadRoot),
            None => Ok(()),
        }
    }
}
