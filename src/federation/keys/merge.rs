use base::Millis;
use event::verify::{MAX_KEY_VALIDITY_MS, ServerKey};
use ruma::OwnedServerSigningKeyId;
use serde::{Deserialize, Serialize};

use super::{Document, PublicKey};

/// What is known of one key of a server. Times are milliseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRow {
    /// The key.
    pub public: PublicKey,
    /// Until when it counts: as its server says, at most 7 days after it was fetched. 0 for one that was fetched
    /// after its end.
    pub valid_until: Millis,
    /// When its server stopped using it.
    pub expired: Option<Millis>,
    /// When it was last seen in an answer.
    pub fetched: Millis,
    /// Whether its server said so itself, and not a notary.
    pub direct: bool,
    /// The document that it was in.
    pub document: [u8; 32],
}

impl KeyRow {
    /// Whether it may be used at `now`.
    #[must_use]
    pub fn is_valid(&self, now: Millis) -> bool {
        self.expired.is_none() && now < self.valid_until
    }

    /// In the terms of the verification of events.
    #[must_use]
    pub fn for_events(&self) -> ServerKey {
        ServerKey { public: self.public, valid_until_ts: self.valid_until, expired_ts: self.expired }
    }
}

/// What a document that was fetched at `now` says of each of its keys.
pub(super) fn offers(
    document: &Document,
    id: [u8; 32],
    direct: bool,
    now: Millis,
) -> Vec<(OwnedServerSigningKeyId, KeyRow)> {
    let valid_until = document.valid_until.min(now.saturating_add(MAX_KEY_VALIDITY_MS));
    let row =
        |public, valid_until, expired| KeyRow { public, valid_until, expired, fetched: now, direct, document: id };
    let current = document.keys.iter().map(|(id, public)| (id.clone(), row(*public, valid_until, None)));
    // An end that lies ahead is an end now: the key is not used any more.
    let old = document.old.iter().map(|(id, (public, end))| (id.clone(), row(*public, 0, Some((*end).min(now)))));
    current.chain(old).collect()
}

/// What to keep of a key when another answer has come; `None` when it stays as it is.
///
/// A server speaks for itself: it may end a key, bring it back, or change it, as long as the answer holds now. A notary
/// may fill gaps and prolong what it agrees with, but not contradict.
pub(super) fn merge(known: Option<&KeyRow>, offer: KeyRow, now: Millis) -> Option<KeyRow> {
    let Some(known) = known else { return Some(offer) };
    if known.public != offer.public {
        let replaces = offer.is_valid(now) && (offer.direct || !(known.direct || known.is_valid(now)));
        return replaces.then_some(offer);
    }
    let merged = match (known.expired, offer.expired) {
        (None, None) => {
            let later = offer.valid_until >= known.valid_until;
            KeyRow {
                valid_until: known.valid_until.max(offer.valid_until),
                document: if later { offer.document } else { known.document },
                direct: known.direct || offer.direct,
                ..offer
            }
        }
        (None, Some(_)) if offer.direct || !known.is_valid(now) => {
            KeyRow { valid_until: known.valid_until, direct: known.direct || offer.direct, ..offer }
        }
        (Some(_), None) if offer.direct && offer.is_valid(now) => offer,
        (Some(_), Some(_)) if offer.direct => KeyRow { valid_until: known.valid_until, ..offer },
        _ => return None,
    };
    Some(merged)
}
