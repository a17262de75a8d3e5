//! Numbers for the event types and state keys of a room.

use kv::{Read, Tx};

use super::node::StateKey;
use crate::{
    num::RoomNum,
    tables::{STATE_KEYS, STATE_NEXT, STATE_TYPES},
};

/// The keys that all state events of `kind` have.
///
/// # Errors
/// When storage fails.
pub async fn of_type(read: &impl Read, room: RoomNum, kind: &str) -> kv::Result<Option<std::ops::Range<StateKey>>> {
    let number = read.peek(&STATE_TYPES, (room, kind)).await?;
    Ok(number.map(|n| u64::from(n) << 32..u64::from(n + 1) << 32))
}

/// The number of (`kind`, `state_key`), if the room ever had such a state event.
///
/// # Errors
/// When storage fails.
pub async fn find(read: &impl Read, room: RoomNum, kind: &str, state_key: &str) -> kv::Result<Option<StateKey>> {
    let Some(number) = read.peek(&STATE_TYPES, (room, kind)).await? else { return Ok(None) };
    let below = read.peek(&STATE_KEYS, (room, number, state_key)).await?;
    Ok(below.map(|key| u64::from(number) << 32 | u64::from(key)))
}

/// The number of (`kind`, `state_key`), given now if the room has none.
///
/// # Errors
/// When storage fails.
pub async fn intern(tx: &mut Tx, room: RoomNum, kind: &str, state_key: &str) -> kv::Result<StateKey> {
    let number = match tx.get(&STATE_TYPES, (room, kind)).await? {
        Some(number) => number,
        None => {
            let number = next(tx, room, 0).await?;
            tx.put(&STATE_TYPES, (room, kind), &number);
            number
        }
    };
    let below = match tx.get(&STATE_KEYS, (room, number, state_key)).await? {
        Some(key) => key,
        None => {
            let key = next(tx, room, number).await?;
            tx.put(&STATE_KEYS, (room, number, state_key), &key);
            key
        }
    };
    Ok(u64::from(number) << 32 | u64::from(below))
}

async fn next(tx: &mut Tx, room: RoomNum, kind: u32) -> kv::Result<u32> {
    let number = tx.get(&STATE_NEXT, (room, kind)).await?.unwrap_or(1);
    tx.put(&STATE_NEXT, (room, kind), &(number + 1));
    Ok(number)
}
