use serde::{Deserialize, Serialize};

/// The key of a session in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackedUp {
    /// The first message that it decrypts.
    pub first_message_index: u64,
    /// How often it was forwarded.
    pub forwarded_count: u64,
    /// Whether the device that backed it up verified who sent it.
    pub is_verified: bool,
    /// What is encrypted, a JSON object.
    pub session_data: String,
}

impl BackedUp {
    /// Whether it replaces `old`: verified beats not verified, then the lower index, then the lower count.
    pub fn is_better_than(&self, old: &Self) -> bool {
        let rank = |key: &Self| (!key.is_verified, key.first_message_index, key.forwarded_count);
        rank(self) < rank(old)
    }
}
