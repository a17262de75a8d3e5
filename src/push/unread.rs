use std::ops::{Add, Sub};

/// Unread counts of a room or a thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unread {
    /// Events that notify.
    pub notifications: u64,
    /// Those of them that highlight.
    pub highlights: u64,
}

impl Add for Unread {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { notifications: self.notifications + other.notifications, highlights: self.highlights + other.highlights }
    }
}

impl Sub for Unread {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            notifications: self.notifications.saturating_sub(other.notifications),
            highlights: self.highlights.saturating_sub(other.highlights),
        }
    }
}
