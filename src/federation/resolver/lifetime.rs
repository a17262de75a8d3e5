use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base::Millis;
use http::{HeaderMap, header};

const MINUTE: Millis = 60 * 1000;
const HOUR: Millis = 60 * MINUTE;

/// A document without anything about caching lives this long.
const DEFAULT: Millis = 24 * HOUR;
/// The longest life, whatever a document says.
pub(super) const LONGEST: Millis = 48 * HOUR;
/// The shortest life, so that nobody makes us ask all the time.
const SHORTEST: Millis = 5 * MINUTE;
/// That there is no document is believed this long.
const ABSENT: Millis = HOUR;
/// After a first failure to ask; doubled with each further one, up to that of [`ABSENT`].
const FIRST_RETRY: Millis = 2 * MINUTE;

/// What came of asking for a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A document that delegates to this name, and how long it lives.
    Delegates(String, Millis),
    /// The server said that there is none, or it is none.
    Absent,
    /// The server could not be asked.
    Down,
}

/// What is remembered of a host's document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    /// The name it delegates to.
    pub(super) delegate: Option<String>,
    /// When that was read.
    pub(super) read: Millis,
    /// When it is asked for again.
    pub(super) expires: Millis,
    /// How often it could not be asked for since.
    pub(super) failures: u32,
}

impl Known {
    /// What is remembered after `outcome`. A document that was read is kept while its host is down, but never for
    /// longer than [`LONGEST`]. `chance` below 1000 spreads the times by a tenth.
    pub(super) fn after(before: Option<&Self>, outcome: Outcome, now: Millis, chance: u64) -> Self {
        let spread = |time: Millis| time - time / 10 * chance / 1000;
        match outcome {
            Outcome::Delegates(name, life) => {
                Self { delegate: Some(name), read: now, expires: now + spread(life), failures: 0 }
            }
            Outcome::Absent => Self { delegate: None, read: now, expires: now + spread(ABSENT), failures: 0 },
            Outcome::Down => {
                let failures = before.map_or(0, |before| before.failures).saturating_add(1);
                let pause = (FIRST_RETRY << (failures - 1).min(10)).min(ABSENT);
                let kept = before.filter(|before| before.delegate.is_some() && now < before.read + LONGEST);
                Self {
                    delegate: kept.and_then(|kept| kept.delegate.clone()),
                    read: kept.map_or(now, |kept| kept.read),
                    expires: now + spread(pause),
                    failures,
                }
            }
        }
    }
}

/// How long a document lives by the headers it came with.
pub(super) fn of(headers: &HeaderMap, now: SystemTime) -> Millis {
    max_age(headers).or_else(|| expires(headers, now)).map_or(DEFAULT, |life| life.clamp(SHORTEST, LONGEST))
}

/// `Cache-Control`; what says that nothing may be kept is a life of 0.
fn max_age(headers: &HeaderMap) -> Option<Millis> {
    let values = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut age = None;
    for directive in values.flat_map(|value| value.split(',')) {
        let directive = directive.trim().to_ascii_lowercase();
        match directive.split_once('=') {
            None if directive == "no-store" || directive == "no-cache" => return Some(0),
            Some((name, seconds)) if name.trim() == "max-age" => {
                age = seconds.trim().trim_matches('"').parse::<u64>().ok().map(|seconds| seconds.saturating_mul(1000));
            }
            _ => {}
        }
    }
    age
}

/// `Expires`; a time that is past or none at all is a life of 0.
fn expires(headers: &HeaderMap, now: SystemTime) -> Option<Millis> {
    let value = headers.get(header::EXPIRES)?;
    let time = value.to_str().ok().and_then(|text| httpdate::parse_http_date(text).ok()).unwrap_or(UNIX_EPOCH);
    let life = time.duration_since(now).unwrap_or(Duration::ZERO);
    Some(u64::try_from(life.as_millis()).unwrap_or(Millis::MAX))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn life(headers: &[(header::HeaderName, &'static str)]) -> Millis {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        // Thu, 01 Jan 2026 00:00:00 GMT
        of(&headers, UNIX_EPOCH + Duration::from_secs(1_767_225_600))
    }

    #[test]
    fn a_life_is_what_the_headers_say_within_bounds() {
        use header::{CACHE_CONTROL, EXPIRES};
        for (headers, expected) in [
            (&[][..], DEFAULT),
            (&[(CACHE_CONTROL, "public, max-age=7200")], 2 * HOUR),
            (&[(CACHE_CONTROL, "Max-Age = \"7200\"")], 2 * HOUR),
            (&[(CACHE_CONTROL, "max-age=1")], SHORTEST),
            (&[(CACHE_CONTROL, "max-age=99999999999999999999")], DEFAULT),
            (&[(CACHE_CONTROL, "max-age=18446744073709551615")], LONGEST),
            (&[(CACHE_CONTROL, "no-store, max-age=7200")], SHORTEST),
            (&[(CACHE_CONTROL, "public")], DEFAULT),
            (&[(EXPIRES, "Thu, 01 Jan 2026 02:00:00 GMT")], 2 * HOUR),
            (&[(EXPIRES, "Thu, 01 Jan 1970 00:00:00 GMT")], SHORTEST),
            (&[(EXPIRES, "-1")], SHORTEST),
            (&[(CACHE_CONTROL, "max-age=10800"), (EXPIRES, "Thu, 01 Jan 2026 02:00:00 GMT")], 3 * HOUR),
        ] {
            assert_eq!(life(headers), expected, "{headers:?}");
        }
    }

    fn delegates(name: &str) -> Outcome {
        Outcome::Delegates(name.to_owned(), DEFAULT)
    }

    #[test]
    fn a_document_is_kept_while_its_host_is_down_but_not_for_ever() {
        let first = Known::after(None, delegates("a.org"), 0, 0);
        let second = Known::after(Some(&first), Outcome::Down, DEFAULT, 0);
        assert_eq!(second.delegate.as_deref(), Some("a.org"));
        assert_eq!(second.expires, DEFAULT + FIRST_RETRY);
        let last = Known::after(Some(&second), Outcome::Down, LONGEST, 0);
        assert_eq!(last.delegate, None);
    }

    #[test]
    fn a_document_that_is_gone_is_forgotten() {
        let first = Known::after(None, delegates("a.org"), 0, 0);
        assert_eq!(Known::after(Some(&first), Outcome::Absent, 1, 0).delegate, None);
    }

    #[test]
    fn a_host_that_stays_down_is_asked_less_and_less_often() {
        let mut known = Known::after(None, Outcome::Down, 0, 0);
        let mut pauses = vec![known.expires];
        for _ in 0..40 {
            known = Known::after(Some(&known), Outcome::Down, 0, 0);
            pauses.push(known.expires);
        }
        assert_eq!(pauses[..5], [2 * MINUTE, 4 * MINUTE, 8 * MINUTE, 16 * MINUTE, 32 * MINUTE]);
        assert!(pauses[5..].iter().all(|pause| *pause == ABSENT));
    }

    #[test]
    fn chance_shortens_a_life_by_at_most_a_tenth() {
        let known = Known::after(None, delegates("a.org"), 0, 999);
        assert!((DEFAULT * 9 / 10..DEFAULT).contains(&known.expires));
    }
}
