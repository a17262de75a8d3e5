//! Text as words: runs of letters and digits in lower case. Scripts that put no spaces between words count each
//! character as one.

use std::collections::BTreeMap;

/// Most words of a text that are looked at.
const MAX_WORDS: usize = 1000;
/// Longest word, in bytes; the rest of a longer one is left out.
const MAX_WORD: usize = 64;

/// The words of a text, in order.
pub fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut word = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if found.len() >= MAX_WORDS {
            return found;
        }
        if is_whole(c) {
            close(&mut word, &mut found);
            found.push(c.to_string());
        } else if c.is_alphanumeric() {
            if word.len() + c.len_utf8() <= MAX_WORD {
                word.push(c);
            }
        } else if !is_inside(c) {
            close(&mut word, &mut found);
        }
    }
    close(&mut word, &mut found);
    found
}

/// How often each word is in a text, and how many there are.
pub(crate) fn counted(text: &str) -> (BTreeMap<String, u16>, u16) {
    let all = words(text);
    let length = u16::try_from(all.len()).unwrap_or(u16::MAX);
    let mut counts = BTreeMap::new();
    for word in all {
        let count: &mut u16 = counts.entry(word).or_default();
        *count = count.saturating_add(1);
    }
    (counts, length)
}

fn close(word: &mut String, found: &mut Vec<String>) {
    if !word.is_empty() {
        found.push(std::mem::take(word));
    }
}

/// Whether a character is a word by itself: Han, Hiragana, Katakana, Thai, Lao, Khmer, Burmese.
fn is_whole(c: char) -> bool {
    matches!(c,
        '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Whether a character does not end a word: apostrophes and combining marks.
fn is_inside(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}' | '\u{0300}'..='\u{036f}' | '\u{200c}' | '\u{200d}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_cut_into_words() {
        for (text, expected) in [
            ("hello, World!", &["hello", "world"][..]),
            ("Don't", &["dont"]),
            ("a.b_c-d 42", &["a", "b", "c", "d", "42"]),
            ("ÄRGER", &["ärger"]),
            ("日本 go", &["日", "本", "go"]),
            ("  …  ", &[]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn words_are_bounded_and_words_themselves(text in ".{0,300}") {
            let found = words(&text);
            prop_assert!(found.len() <= MAX_WORDS);
            for word in found {
                prop_assert!(word.len() <= MAX_WORD && !word.is_empty());
                prop_assert_eq!(words(&word).concat(), word);
            }
        }
    }
}
