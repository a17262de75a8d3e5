//! How often somebody who has a session may guess its user's password.

use std::{collections::HashMap, sync::Arc};

use base::Millis;
use parking_lot::Mutex;
use ruma::{OwnedUserId, UserId};

/// Tries without success.
const MOST: u32 = 10;
/// They are forgotten after so many milliseconds without a further one.
const WITHIN: Millis = 60 * 60 * 1000;
/// Users whose tries are counted at a time; beyond that those whose time is over are forgotten.
const USERS: usize = 10_000;

/// Tries since the last success. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tries(Arc<Mutex<HashMap<OwnedUserId, (u32, Millis)>>>);

impl Tries {
    /// Counts one more try, before it is known how it ends: of many at once no more get through either.
    ///
    /// # Errors
    /// When there were too many, for how many milliseconds there is no further one.
    pub fn begin(&self, user: &UserId, now: Millis) -> Result<(), Millis> {
        let mut tries = self.0.lock();
        if tries.len() >= USERS {
            tries.retain(|_, (_, last)| now < last.saturating_add(WITHIN));
        }
        let (count, last) = tries.entry(user.to_owned()).or_default();
        let again = last.saturating_add(WITHIN);
        if now >= again {
            *count = 0;
        } else if *count >= MOST {
            return Err(again - now);
        }
        (*count, *last) = (*count + 1, now);
        Ok(())
    }

    /// Forgets a user's tries, as the last one succeeded.
    pub fn succeed(&self, user: &UserId) {
        self.0.lock().remove(user);
    }
}
