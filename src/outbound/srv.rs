/// One place where a service is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Srv {
    /// Lower ones are tried first.
    pub priority: u16,
    /// Among those of one priority, how often this one is to be first.
    pub weight: u16,
    /// The host, without the final dot.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// Puts records into the order in which they are to be tried: by priority, and by chance according to weight within
/// one. `random` gives a number below its argument. RFC 2782.
pub(crate) fn ordered(mut records: Vec<Srv>, mut random: impl FnMut(u64) -> u64) -> Vec<Srv> {
    records.sort_by_key(|record| (record.priority, record.weight));
    let mut out = Vec::with_capacity(records.len());
    while let Some(first) = records.first() {
        let group = records.iter().take_while(|record| record.priority == first.priority).count();
        let total: u64 = records.iter().take(group).map(|record| u64::from(record.weight)).sum();
        let mut left = random(total + 1);
        let mut chosen = 0;
        for (place, record) in records.iter().take(group).enumerate() {
            chosen = place;
            if left <= u64::from(record.weight) {
                break;
            }
            left -= u64::from(record.weight);
        }
        out.push(records.remove(chosen));
    }
    out
}
