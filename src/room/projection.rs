use std::sync::Arc;

use event::Pdu;
use futures::future::BoxFuture;
use kv::{Slot, Tx};

use crate::{
    RoomInfo, Rooms, Tip,
    membership::MemberStep,
    num::{EventNum, Place, RoomNum},
    row::EventMeta,
};

/// An event that is being appended, with what its projections need.
#[derive(Debug)]
pub struct Appended<'a> {
    /// The room.
    pub room: RoomNum,
    /// What never changes about the room.
    pub info: &'a RoomInfo,
    /// The event's number.
    pub num: EventNum,
    /// The event.
    pub pdu: &'a Arc<Pdu>,
    /// Its place in the timeline.
    pub place: Place,
    /// Its position in the stream.
    pub slot: Slot,
    /// What is stored beside it.
    pub meta: &'a EventMeta,
    /// The memberships that changed with it: that of a member event, or those that state resolution changed.
    pub members: &'a [MemberStep],
}

/// Derives rows from an event, in the transaction that appends it. Listed once, in `hearth/wire.rs`.
pub trait Projection: Send + Sync {
    /// Writes what follows from `event`. `tip` is the room with the event in it.
    fn apply<'a>(
        &'a self,
        rooms: &'a Rooms,
        tx: &'a mut Tx,
        tip: &'a Tip,
        event: &'a Appended<'a>,
    ) -> BoxFuture<'a, kv::Result<()>>;
}
