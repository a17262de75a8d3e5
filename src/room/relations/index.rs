//! Keeping the index of relations true as events come and go.

use event::StoredEvent;
use kv::{Read, Tx};
use ruma::{EventId, UserId};

use super::{Child, Class, InThread, Relation, Thread, Waits};
use crate::{
    EventRow, Result, Rooms,
    num::{EventNum, Place, RoomNum},
    tables::{ANNOTATIONS, CHILDREN, EDITS, EVENTS, THREAD_LIST, THREAD_OF, THREAD_USERS, THREADS, WAITING},
};

/// How far the thread of an event is looked for. Client-server API, "Threading": servers go three relations up.
const MAX_HOPS: u8 = 3;

impl Rooms {
    /// Indexes what the new event `num` refers to.
    pub(crate) async fn index_relation(&self, tx: &mut Tx, room: RoomNum, num: EventNum, row: &EventRow) -> Result<()> {
        let Some(relation) = Relation::of_content(row.event.content()) else { return Ok(()) };
        match self.locate(tx, &relation.parent).await? {
            Some(parent) if parent.room == room => self.link(tx, room, parent.num, num, row).await,
            Some(_) => Ok(()),
            None => {
                tx.put(&WAITING, (room, &*relation.parent, num), &Waits::Relation);
                Ok(())
            }
        }
    }

    /// Writes down that the event `num` refers to `parent`.
    pub(crate) async fn link(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        parent: EventNum,
        num: EventNum,
        row: &EventRow,
    ) -> Result<()> {
        let Some(relation) = Relation::of_content(row.event.content()) else { return Ok(()) };
        let (Some(place), Some(child)) = (row.meta.place, child(num, &row.event, &relation)) else { return Ok(()) };
        let class = relation.class();
        self.place_in_thread(tx, room, parent, num, class).await?;
        match class {
            // State is never an edit.
            Class::Replace if row.event.state_key().is_some() => return Ok(()),
            Class::Replace => self.edited(tx, room, parent, &child).await?,
            Class::Thread => self.thread_grows(tx, room, parent, &child, place).await?,
            Class::Annotation => {
                let name = relation.annotation(row.event.kind());
                tx.put(&ANNOTATIONS, (room, parent, &*child.sender, name), &num);
            }
            Class::Reference | Class::Other => {}
        }
        tx.put(&CHILDREN, (room, class.code(), parent, place), &child);
        Ok(())
    }

    /// Takes back what [`Rooms::link`] wrote, when `row` is about to lose its content.
    pub(crate) async fn unlink(&self, tx: &mut Tx, room: RoomNum, num: EventNum, row: &EventRow) -> Result<()> {
        let (Some(relation), Some(place)) = (Relation::of_content(row.event.content()), row.meta.place) else {
            return Ok(());
        };
        let parent = match self.locate(tx, &relation.parent).await? {
            Some(parent) if parent.room == room => parent.num,
            _ => {
                tx.delete(&WAITING, (room, &*relation.parent, num));
                return Ok(());
            }
        };
        let class = relation.class();
        tx.delete(&CHILDREN, (room, class.code(), parent, place));
        match class {
            Class::Replace => self.edit_gone(tx, room, parent, num).await,
            Class::Thread => self.thread_shrinks(tx, room, parent, num, row.event.sender()).await,
            Class::Annotation => {
                if let Ok(sender) = <&UserId>::try_from(row.event.sender()) {
                    let key = (room, parent, sender, relation.annotation(row.event.kind()));
                    if tx.get(&ANNOTATIONS, key).await? == Some(num) {
                        tx.delete(&ANNOTATIONS, key);
                    }
                }
                Ok(())
            }
            Class::Reference | Class::Other => Ok(()),
        }
    }

    /// The root of the thread that an event is in, over at most three relations; `None` for the main timeline.
    /// Answers for events of the same transaction and for redacted ones too.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn thread_root_of(&self, read: &impl Read, room: RoomNum, num: EventNum) -> Result<Option<EventNum>> {
        Ok(read.peek(&THREAD_OF, (room, num)).await?.map(|thread| thread.root))
    }

    async fn place_in_thread(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        parent: EventNum,
        num: EventNum,
        class: Class,
    ) -> Result<()> {
        let thread = match class {
            Class::Thread => Some(InThread { root: parent, hops: 1 }),
            _ => tx.peek(&THREAD_OF, (room, parent)).await?.map(|up| InThread { hops: up.hops + 1, ..up }),
        };
        if let Some(thread) = thread.filter(|thread| thread.hops <= MAX_HOPS) {
            tx.put(&THREAD_OF, (room, num), &thread);
        }
        Ok(())
    }

    /// Makes `edit` the one that is shown, if it is valid and newer.
    async fn edited(&self, tx: &mut Tx, room: RoomNum, parent: EventNum, edit: &Child) -> Result<()> {
        let Some(original) = tx.peek(&EVENTS, (room, parent)).await? else { return Ok(()) };
        if !is_valid_edit(&original.event, edit) {
            return Ok(());
        }
        let current = match tx.get(&EDITS, (room, parent)).await? {
            Some(num) => tx.peek(&EVENTS, (room, num)).await?,
            None => None,
        };
        let newer = current.is_none_or(|old| (old.event.origin_server_ts(), old.event.event_id()) < edit.order());
        if newer {
            tx.put(&EDITS, (room, parent), &edit.num);
        }
        Ok(())
    }

    async fn edit_gone(&self, tx: &mut Tx, room: RoomNum, parent: EventNum, num: EventNum) -> Result<()> {
        if tx.get(&EDITS, (room, parent)).await? != Some(num) {
            return Ok(());
        }
        tx.delete(&EDITS, (room, parent));
        let Some(original) = tx.peek(&EVENTS, (room, parent)).await? else { return Ok(()) };
        let edits = tx.scan(&CHILDREN, CHILDREN.under(&(room, Class::Replace.code(), parent))).collect().await?;
        let valid = edits.iter().map(|(_, edit)| edit).filter(|edit| is_valid_edit(&original.event, edit));
        if let Some(newest) = valid.max_by_key(|edit| edit.order()) {
            tx.put(&EDITS, (room, parent), &newest.num);
        }
        Ok(())
    }

    async fn thread_grows(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        root: EventNum,
        child: &Child,
        place: Place,
    ) -> Result<()> {
        let old = tx.get(&THREADS, (room, root)).await?;
        let mut thread = old.unwrap_or(Thread { count: 0, latest: child.num, place });
        thread.count += 1;
        if place >= thread.place {
            tx.delete(&THREAD_LIST, (room, thread.place, root));
            tx.put(&THREAD_LIST, (room, place, root), &());
            thread.latest = child.num;
            thread.place = place;
        }
        tx.put(&THREADS, (room, root), &thread);
        let own = tx.get(&THREAD_USERS, (room, root, &*child.sender)).await?.unwrap_or(0);
        tx.put(&THREAD_USERS, (room, root, &*child.sender), &(own + 1));
        Ok(())
    }

    async fn thread_shrinks(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        root: EventNum,
        num: EventNum,
        sender: &str,
    ) -> Result<()> {
        let Some(mut thread) = tx.get(&THREADS, (room, root)).await? else { return Ok(()) };
        if let Ok(sender) = <&UserId>::try_from(sender) {
            match tx.get(&THREAD_USERS, (room, root, sender)).await? {
                Some(own) if own > 1 => tx.put(&THREAD_USERS, (room, root, sender), &(own - 1)),
                _ => tx.delete(&THREAD_USERS, (room, root, sender)),
            }
        }
        thread.count = thread.count.saturating_sub(1);
        if thread.latest == num {
            tx.delete(&THREAD_LIST, (room, thread.place, root));
            let range = CHILDREN.under(&(room, Class::Thread.code(), root));
            let Some(((_, _, _, place), latest)) = tx.scan_back(&CHILDREN, range).by(1).next().await? else {
                tx.delete(&THREADS, (room, root));
                return Ok(());
            };
            tx.put(&THREAD_LIST, (room, place, root), &());
            thread.latest = latest.num;
            thread.place = place;
        }
        tx.put(&THREADS, (room, root), &thread);
        Ok(())
    }
}

impl Child {
    /// The later one of two edits by this order is shown.
    fn order(&self) -> (u64, &str) {
        (self.sent, self.id.as_str())
    }
}

fn child(num: EventNum, event: &StoredEvent, relation: &Relation<'_>) -> Option<Child> {
    Some(Child {
        num,
        id: EventId::parse(event.event_id()).ok()?,
        sender: UserId::parse(event.sender()).ok()?,
        kind: event.kind().to_owned(),
        rel_type: (relation.class() == Class::Other).then(|| relation.rel_type.clone().into_owned()),
        sent: event.origin_server_ts(),
    })
}

/// Client-server API, "Validity of replacement events".
fn is_valid_edit(original: &StoredEvent, edit: &Child) -> bool {
    original.sender() == edit.sender
        && original.kind() == edit.kind
        && original.state_key().is_none()
        && Relation::of_content(original.content()).is_none_or(|relation| relation.class() != Class::Replace)
}
