use kv::{Positions, Stamp};

/// The part of the stream that a response covers.
#[derive(Debug, Clone, Copy)]
pub struct Span<'a> {
    /// What the client has; `None` for nothing.
    pub since: Option<&'a Positions>,
    /// What it gets to.
    pub upto: &'a Positions,
}

impl Span<'_> {
    /// Whether `stamp` is news.
    pub fn contains(&self, stamp: Stamp) -> bool {
        self.upto.covers(stamp) && !self.since.is_some_and(|since| since.covers(stamp))
    }

    /// Where the span ends if nothing is to come after `last` of its writer.
    pub fn until(&self, last: Stamp) -> Positions {
        let upto = |(writer, n): (_, u64)| (writer, if writer == last.writer { n.min(last.n) } else { n });
        self.upto.iter().map(upto).collect()
    }

    /// The stamps of each writer in the span, as (first, first behind).
    pub fn stamps(&self) -> impl Iterator<Item = (Stamp, Stamp)> + '_ {
        self.upto.iter().map(|(writer, n)| {
            let from = self.since.map_or(0, |since| since.of(writer));
            (Stamp { writer, n: from.saturating_add(1) }, Stamp { writer, n: n.saturating_add(1) })
        })
    }
}
