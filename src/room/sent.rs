//! Under which transaction ids events were sent. Client-server API, "Transaction identifiers".

use event::Pdu;
use kv::{Range, Read, Tx};
use ruma::OwnedEventId;

use crate::{
    Outgoing, Result, Rooms,
    num::RoomNum,
    row::Transaction,
    tables::{SENT, TRANSACTIONS},
};

/// How long a period is, in milliseconds: ids are known in the one in which they were used and in the one after it.
const PERIOD: u64 = 24 * 60 * 60 * 1000;

fn period(now: u64) -> u32 {
    u32::try_from(now / PERIOD).unwrap_or(u32::MAX)
}

/// Remembers the transaction id of an event.
pub(crate) fn note_sent(tx: &mut Tx, room: RoomNum, out: &Outgoing, pdu: &Pdu, now: u64) -> Option<Transaction> {
    let once = out.once.as_ref()?;
    tx.put(&SENT, (period(now), &*out.sender, &*once.device, out.scope(room, once)), &pdu.event_id);
    Some(Transaction { device: once.device.clone(), id: once.id.clone() })
}

/// The event that this device sent under this transaction id before.
pub(crate) async fn sent_before(tx: &Tx, room: RoomNum, out: &Outgoing, now: u64) -> Result<Option<OwnedEventId>> {
    let Some(once) = &out.once else { return Ok(None) };
    let scope = out.scope(room, once);
    let current = period(now);
    for period in [current, current.saturating_sub(1)] {
        let sent = tx.get(&SENT, (period, &*out.sender, &*once.device, scope.as_str())).await?;
        if sent.is_some() {
            return Ok(sent);
        }
    }
    Ok(None)
}

impl Rooms {
    /// Forgets transaction ids that were used a day ago or longer, two days at the most. Idempotent; run it every few
    /// hours.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn sweep_sent(&self) -> kv::Result<()> {
        let oldest = period(self.clock.now()).saturating_sub(1);
        let expired = Range { end: SENT.under(&(oldest,)).start, ..SENT.all() };
        kv::retry(|| async {
            let mut tx = self.db.begin().relaxed();
            let old = tx.scan(&TRANSACTIONS, TRANSACTIONS.all()).by(1).next().await?.map(|_| TRANSACTIONS.all());
            let expired = tx.scan(&SENT, expired.clone()).by(1).next().await?.map(|_| expired.clone());
            let ranges: Vec<_> = old.into_iter().chain(expired).collect();
            if ranges.is_empty() {
                return Ok(());
            }
            ranges.into_iter().for_each(|range| tx.clear_range(range));
            tx.commit().await
        })
        .await
    }
}
