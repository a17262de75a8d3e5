use std::{collections::HashMap, fmt, sync::Arc};

use base::{Clock, Millis};
use kv::{Db, Read, Tx};
use parking_lot::Mutex;
use ruma::{DeviceId, OwnedDeviceId, OwnedServerName, OwnedUserId, ServerName, UserId};

use crate::{
    Config, DeviceChange, DeviceProjection, Passwords, Result,
    tables::{COUNT, FIRST_ADMIN, SECRETS},
    token,
};

/// The accounts of this server. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) server: OwnedServerName,
    pub(crate) config: Arc<Config>,
    pub(crate) passwords: Passwords,
    pub(crate) projections: Arc<Vec<Box<dyn DeviceProjection>>>,
    /// When each device was last noted as seen, so that most requests write nothing.
    pub(crate) seen: Arc<Mutex<HashMap<(OwnedUserId, OwnedDeviceId), Millis>>>,
    /// Signs what clients bring back unchanged.
    pub(crate) secret: [u8; 32],
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Accounts {
    /// The accounts of `server` in `db`; `projections` run when a device appears, is renamed or goes.
    ///
    /// Makes the token for the first administrator if there is no account.
    ///
    /// # Errors
    /// When storage fails or argon2 does not allow the configured cost.
    pub async fn open(
        db: Db,
        clock: Clock,
        server: OwnedServerName,
        config: Config,
        projections: Vec<Box<dyn DeviceProjection>>,
    ) -> Result<Self> {
        let (fresh, first_admin) = (base::random::bytes(), token::fresh("admin"));
        let secret = kv::retry(|| async {
            let mut tx = db.begin();
            let stored = tx.get(&SECRETS, "sign").await?;
            let secret = stored.unwrap_or(fresh);
            if stored.is_none() {
                tx.put(&SECRETS, "sign", &secret);
            }
            let used = tx.get(&COUNT, ()).await?.is_some();
            if !used && !tx.has(&FIRST_ADMIN, ()).await? {
                tx.put(&FIRST_ADMIN, (), &first_admin);
            }
            tx.commit().await?;
            Ok::<_, kv::Error>(secret)
        })
        .await?;
        Ok(Self {
            passwords: Passwords::new(&config.passwords)?,
            db,
            clock,
            server,
            config: Arc::new(config),
            projections: Arc::new(projections),
            seen: Arc::default(),
            secret,
        })
    }

    /// This server's name.
    pub fn server(&self) -> &ServerName {
        &self.server
    }

    /// The token that makes the first administrator, as long as there is none.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn first_admin_token(&self) -> Result<Option<String>> {
        Ok(self.db.view().get(&FIRST_ADMIN, ()).await?)
    }

    /// How many accounts were ever created here.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn count(&self) -> Result<u64> {
        Ok(self.db.view().get(&COUNT, ()).await?.unwrap_or(0))
    }

    /// Whether all other crates let `user` log in on `device`.
    pub(crate) async fn admitted(&self, tx: &Tx, user: &UserId, device: &DeviceId) -> kv::Result<bool> {
        for projection in self.projections.iter() {
            if !projection.admits(tx, user, device).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Tells the other crates, inside `tx`, what happens to a device.
    pub(crate) async fn project(
        &self,
        tx: &mut Tx,
        user: &UserId,
        device: &DeviceId,
        change: DeviceChange,
    ) -> kv::Result<()> {
        for projection in self.projections.iter() {
            projection.device(tx, user, device, change).await?;
        }
        Ok(())
    }
}
