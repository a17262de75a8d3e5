//! Globs of push rules and of server access lists, in time linear in the text: all positions of the pattern are followed at once, as bits.

use std::collections::HashMap;

/// Longer patterns match nothing: each 64 characters of them are one more word of bits per character of text.
pub const MAX_PATTERN: usize = 1024;

/// A pattern with `*` for any characters and `?` for one. Case does not matter.
#[derive(Debug)]
pub struct Glob {
    /// Bit `i` says that the `i`-th token takes this character.
    takes: HashMap<char, Vec<u64>>,
    /// Bit `i` says that the `i`-th token takes any character.
    any: Vec<u64>,
    /// Bit `i` says that any characters may stand before the `i`-th token.
    skips: Vec<u64>,
    /// How many tokens have to be taken.
    len: usize,
}

impl Glob {
    /// Reads a pattern; `None` if it is too long.
    pub fn new(pattern: &str) -> Option<Self> {
        if pattern.chars().count() > MAX_PATTERN {
            return None;
        }
        let lower = pattern.to_lowercase();
        let words = lower.chars().count() / 64 + 1;
        let mut glob = Self { takes: HashMap::new(), any: vec![0; words], skips: vec![0; words], len: 0 };
        for c in lower.chars() {
            match c {
                '*' => set(&mut glob.skips, glob.len),
                '?' => {
                    set(&mut glob.any, glob.len);
                    glob.len += 1;
                }
                c => {
                    set(glob.takes.entry(c).or_insert_with(|| vec![0; words]), glob.len);
                    glob.len += 1;
                }
            }
        }
        Some(glob)
    }

    /// The text itself as a pattern, without wildcards; `None` if it is too long.
    pub fn literal(text: &str) -> Option<Self> {
        let lower = text.to_lowercase();
        let count = lower.chars().count();
        if count > MAX_PATTERN {
            return None;
        }
        let words = count / 64 + 1;
        let mut glob = Self { takes: HashMap::new(), any: vec![0; words], skips: vec![0; words], len: count };
        for (i, c) in lower.chars().enumerate() {
            set(glob.takes.entry(c).or_insert_with(|| vec![0; words]), i);
        }
        Some(glob)
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        let mut state = vec![0; self.any.len()];
        set(&mut state, 0);
        for c in text.chars().flat_map(char::to_lowercase) {
            self.step(&mut state, c);
            if state.iter().all(|word| *word == 0) {
                return false;
            }
        }
        has(&state, self.len)
    }

    /// Whether a part of the text that begins and ends at the border of a word matches.
    pub fn matches_words(&self, text: &str) -> bool {
        if text.is_empty() {
            return self.matches(text);
        }
        if self.len == 0 && self.skips.iter().all(|word| *word == 0) {
            return false;
        }
        let mut state = vec![0; self.any.len()];
        let mut before = None;
        for c in text.chars().flat_map(char::to_lowercase) {
            let border = is_border(before, Some(c));
            if border && before.is_some() && has(&state, self.len) {
                return true;
            }
            if border {
                set(&mut state, 0);
            }
            self.step(&mut state, c);
            before = Some(c);
        }
        has(&state, self.len)
    }

    /// Moves on by one character.
    fn step(&self, state: &mut [u64], c: char) {
        let takes = self.takes.get(&c);
        let mut carry = 0;
        for (i, word) in state.iter_mut().enumerate() {
            let at = |bits: &[u64]| bits.get(i).copied().unwrap_or(0);
            let taken = *word & (takes.map_or(0, |bits| at(bits)) | at(&self.any));
            let stays = *word & at(&self.skips);
            *word = (taken << 1) | carry | stays;
            carry = taken >> 63;
        }
    }
}

fn set(bits: &mut [u64], i: usize) {
    if let Some(word) = bits.get_mut(i / 64) {
        *word |= 1 << (i % 64);
    }
}

fn has(bits: &[u64], i: usize) -> bool {
    bits.get(i / 64).is_some_and(|word| word & (1 << (i % 64)) != 0)
}

fn is_border(before: Option<char>, after: Option<char>) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    !(is_word(before) && is_word(after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(pattern: &str, text: &str) -> bool {
        Glob::new(pattern).unwrap().matches(text)
    }

    fn words(pattern: &str, text: &str) -> bool {
        Glob::new(pattern).unwrap().matches_words(text)
    }

    #[test]
    fn a_pattern_matches_the_whole_text() {
        assert!(whole("m.room.*", "m.room.message") && whole("", "") && whole("*", "") && whole("A?c", "abC"));
        assert!(!whole("room", "m.room") && !whole("?", "") && !whole("", "a") && !whole("a*b", "abc"));
    }

    #[test]
    fn in_bodies_a_pattern_matches_whole_words() {
        assert!(words("cake", "I like CAKE!") && words("cake", "cake") && words("ex*ple", "an exXple."));
        assert!(words("foo bar", "say foo bar now") && words("@room", "hi @room"));
        assert!(!words("cake", "cakes are cupcake") && !words("", "text") && !words("a?c", "xabc"));
    }

    #[test]
    fn the_longest_pattern_on_the_longest_text_takes_no_time() {
        let pattern = "a*".repeat(MAX_PATTERN / 2 - 1) + "b";
        assert!(!words(&pattern, &"a ".repeat(32_000)));
        assert!(Glob::new(&"a".repeat(MAX_PATTERN + 1)).is_none());
    }

    fn simple(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), _) => simple(rest, text) || text.split_first().is_some_and(|(_, t)| simple(pattern, t)),
            (Some((p, rest)), Some((t, more))) => (*p == '?' || p == t) && simple(rest, more),
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn it_equals_the_simple_definition(pattern in "[ab ?*]{0,7}", text in "[ab ]{0,9}") {
            let (p, t): (Vec<_>, Vec<_>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(whole(&pattern, &text), simple(&p, &t));
            let border = |i: usize| is_border(i.checked_sub(1).map(|i| t[i]), t.get(i).copied());
            let expected = if p.is_empty() { t.is_empty() } else {
                (0..=t.len()).any(|i| (i..=t.len()).any(|j| {
                    border(i) && border(j) && simple(&p, &t[i..j])
                        // Nothing between two characters is no word.
                        && (j > i || t.is_empty())
                }))
            };
            prop_assert_eq!(words(&pattern, &text), expected);
        }
    }
}
