//! Where a page of a timeline ends, as clients carry it.

use std::fmt;

use crate::num::Place;
use crate::timeline::Direction;

/// A point between two events of a room's timeline: right after a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimelineToken(Place);

impl TimelineToken {
    /// After everything.
    pub const END: Self = Self(Place::MAX);
    /// Before everything.
    pub const START: Self = Self(Place::MIN);

    /// The point after an event.
    pub fn after(place: Place) -> Self {
        Self(place)
    }

    /// The point before an event.
    pub fn before(place: Place) -> Self {
        Self(place.prev())
    }

    /// The point beyond an event, seen in this direction.
    pub fn beyond(place: Place, direction: Direction) -> Self {
        match direction {
            Direction::Forward => Self::after(place),
            Direction::Backward => Self::before(place),
        }
    }

    /// What [`crate::Rooms::timeline`] starts from to read away from this point.
    pub fn bound(self, direction: Direction) -> Place {
        match direction {
            Direction::Forward => self.0,
            Direction::Backward => self.0.next(),
        }
    }

    /// Whether an event at `place` lies before this point, seen in this direction: what `to` lets through.
    pub fn admits(self, place: Place, direction: Direction) -> bool {
        match direction {
            Direction::Forward => place <= self.0,
            Direction::Backward => place > self.0,
        }
    }

    /// Reads what [`fmt::Display`] wrote; `None` if it is no timeline token.
    pub fn parse(text: &str) -> Option<Self> {
        let (rank, ordinal) = text.strip_prefix('t')?.split_once('_')?;
        Some(Self(Place { rank: rank.parse().ok()?, ordinal: ordinal.parse().ok()? }))
    }
}

impl fmt::Display for TimelineToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}_{}", self.0.rank, self.0.ordinal)
    }
}
