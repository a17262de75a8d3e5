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

#[cfg(test)]
mod tests {
    use super::*;

    fn record(priority: u16, weight: u16, host: &str) -> Srv {
        Srv { priority, weight, host: host.to_owned(), port: 1 }
    }

    fn order(records: &[Srv], random: impl FnMut(u64) -> u64) -> String {
        ordered(records.to_vec(), random).into_iter().map(|record| record.host).collect()
    }

    #[test]
    fn priority_comes_before_chance() {
        let records = [record(2, 100, "c"), record(1, 0, "a"), record(1, 0, "b"), record(3, 0, "d")];
        assert_eq!(order(&records, |_| 0), "abcd");
    }

    #[test]
    fn weight_decides_within_a_priority() {
        let records = [record(1, 10, "a"), record(1, 90, "b")];
        assert_eq!(order(&records, |_| 10), "ab");
        assert_eq!(order(&records, |_| 11), "ba");
        assert_eq!(order(&records, |below| below - 1), "ba");
    }

    #[test]
    fn every_record_is_kept_whatever_chance_says() {
        let records: Vec<_> = (0..20).map(|i| record(i % 3, i, "x")).collect();
        for number in [0, 1, 7, u64::MAX - 1] {
            assert_eq!(order(&records, |below| number % below).len(), 20);
        }
    }
}
