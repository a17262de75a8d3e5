use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use base::Millis;
use event::verify::KeyMap;
use ruma::{OwnedServerName, OwnedServerSigningKeyId, ServerName};

use super::{KeyError, KeyRow, MAX_KEYS, PublicKey, Rows, ServerKeys, Wanted};

impl ServerKeys {
    /// The key with which a server signs now, fetched if need be.
    ///
    /// # Errors
    /// [`KeyError::Unknown`] when nobody has it or it is not valid now.
    pub async fn valid_now(
        &self,
        server: &ServerName,
        key_id: &OwnedServerSigningKeyId,
    ) -> Result<PublicKey, KeyError> {
        let now = self.0.clock.now();
        if let Some(public) = self.valid(server, key_id, now).await? {
            return Ok(public);
        }
        self.hunt(one(server, key_id, now), false).await?;
        let unknown = || KeyError::Unknown { server: server.to_owned(), key_id: key_id.clone() };
        self.valid(server, key_id, now).await?.ok_or_else(unknown)
    }

    /// Whether the key is at hand, so that [`ServerKeys::valid_now`] needs no network.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn has_valid(&self, server: &ServerName, key_id: &OwnedServerSigningKeyId) -> Result<bool, KeyError> {
        Ok(self.valid(server, key_id, self.0.clock.now()).await?.is_some())
    }

    /// Asks the server again when a signature does not fit its key, in case it has a new one of the same name. At
    /// most once a minute; `None` when nothing is new.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn changed(
        &self,
        server: &ServerName,
        key_id: &OwnedServerSigningKeyId,
        before: &PublicKey,
    ) -> Result<Option<PublicKey>, KeyError> {
        let now = self.0.clock.now();
        if self.is_own(server) {
            return Ok(None);
        }
        self.hunt(one(server, key_id, now), true).await?;
        Ok(self.valid(server, key_id, now).await?.filter(|public| public != before))
    }

    /// The keys for the verification of events: which server, which key, the event's `origin_server_ts` (0 in room
    /// versions that take any key). Those that are missing are fetched together, for at most [`super::WAIT`]; those
    /// that nobody has are missing in the answer.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn for_events(
        &self,
        needed: &[(OwnedServerName, OwnedServerSigningKeyId, Millis)],
    ) -> Result<KeyMap, KeyError> {
        let mut wanted = Wanted::new();
        // An event from the future needs a key that is valid now.
        let now = self.0.clock.now();
        for (server, key_id, at) in needed {
            let keys = wanted.entry(server.clone()).or_default();
            if keys.len() < MAX_KEYS || keys.contains_key(key_id) {
                let until = keys.entry(key_id.clone()).or_default();
                *until = (*until).max((*at).min(now));
            }
        }
        let missing = self.missing(&wanted).await?;
        if !missing.is_empty() {
            self.hunt(missing, false).await?;
        }
        let mut map = KeyMap::new();
        for (server, keys) in wanted {
            let rows = self.rows(&server).await?;
            let found = keys.into_keys().filter_map(|id| Some((id.clone(), rows.get(&id)?.for_events())));
            let found: HashMap<_, _> = found.collect();
            map.insert(server, found);
        }
        Ok(map)
    }

    /// Of what is wanted, that which is not at hand.
    pub(super) async fn missing(&self, wanted: &Wanted) -> Result<Wanted, KeyError> {
        let mut missing = Wanted::new();
        for (server, keys) in wanted {
            if self.is_own(server) {
                continue;
            }
            let rows = self.rows(server).await?;
            if !self.satisfies(&rows, keys) {
                let keys = keys.iter().filter(|(id, until)| !is_good(rows.get(*id), **until));
                let keys = keys.map(|(id, until)| (id.clone(), *until)).collect();
                missing.insert(server.clone(), keys);
            }
        }
        Ok(missing)
    }

    /// Whether these rows are all that is wanted.
    pub(super) fn satisfies(&self, rows: &Rows, keys: &BTreeMap<OwnedServerSigningKeyId, Millis>) -> bool {
        let now = self.0.clock.now();
        match keys.is_empty() {
            true => rows.values().any(|row| row.is_valid(now)),
            false => keys.iter().all(|(id, until)| is_good(rows.get(id), *until)),
        }
    }

    /// What is known of the keys of a server.
    pub(super) async fn rows(&self, server: &ServerName) -> Result<Rows, KeyError> {
        if self.is_own(server) {
            return Ok(Arc::new(self.0.own.rows(self.0.clock.now()).collect()));
        }
        Ok(self.0.rows(server).await?)
    }

    async fn valid(
        &self,
        server: &ServerName,
        key_id: &OwnedServerSigningKeyId,
        now: Millis,
    ) -> Result<Option<PublicKey>, KeyError> {
        let rows = self.rows(server).await?;
        Ok(rows.get(key_id).filter(|row| row.is_valid(now)).map(|row| row.public))
    }
}

/// Whether a key needs no fetching: what has ended does not get better by it.
fn is_good(row: Option<&KeyRow>, until: Millis) -> bool {
    row.is_some_and(|row| row.expired.is_some() || until <= row.valid_until)
}

fn one(server: &ServerName, key_id: &OwnedServerSigningKeyId, until: Millis) -> Wanted {
    Wanted::from([(server.to_owned(), BTreeMap::from([(key_id.clone(), until)]))])
}
