//! Who is named in a text that mentions nobody otherwise, at a cost that depends on the text and not on how many
//! members the room has. See decision 13.

use std::collections::{BTreeMap, BTreeSet};

use base::glob::Glob;
use kv::{Read, Tx};
use room::RoomNum;
use ruma::{OwnedUserId, UserId};

use crate::{
    defaults,
    tables::{FIRST_WORDS, NAMED, NAMES},
};

/// Most words of a text that are looked up.
const MAX_WORDS: usize = 500;
/// Most members that are compared with a text because their names begin with the same word.
const MAX_NAMESAKES: usize = 1000;

/// Notes how a local member is called in a room, in lower case; `None` when they left it.
pub async fn note(tx: &mut Tx, room: RoomNum, user: &UserId, name: Option<String>) -> kv::Result<()> {
    let before = tx.peek(&NAMES, (room, user)).await?;
    if before == name {
        return Ok(());
    }
    let words = |name: &Option<String>| name.as_deref().map(|name| first_words(user, name)).unwrap_or_default();
    let (old, new) = (words(&before), words(&name));
    for word in old.difference(&new) {
        tx.delete(&NAMED, (room, word.as_str(), user));
        let left = tx.get(&FIRST_WORDS, (room, word.as_str())).await?.unwrap_or(0);
        match left.saturating_sub(1) {
            0 => tx.delete(&FIRST_WORDS, (room, word.as_str())),
            left => tx.put(&FIRST_WORDS, (room, word.as_str()), &left),
        }
    }
    for word in new.difference(&old) {
        tx.put(&NAMED, (room, word.as_str(), user), &());
        let count = tx.get(&FIRST_WORDS, (room, word.as_str())).await?.unwrap_or(0);
        tx.put(&FIRST_WORDS, (room, word.as_str()), &count.saturating_add(1));
    }
    match name {
        Some(name) => tx.put(&NAMES, (room, user), &name),
        None => tx.delete(&NAMES, (room, user)),
    }
    Ok(())
}

/// The local members who are named in a text, and the rules that it matches for them.
pub async fn in_text(tx: &Tx, room: RoomNum, text: &str) -> kv::Result<BTreeMap<OwnedUserId, u32>> {
    let lower = text.to_lowercase();
    let words: BTreeSet<_> = words(&lower).take(MAX_WORDS).collect();
    let counts = tx.get_many(&FIRST_WORDS, words.iter().map(|word| (room, *word))).await?;
    let mut named = BTreeMap::new();
    for (word, _) in words.into_iter().zip(counts).filter(|(_, count)| count.is_some()) {
        let namesakes = tx.scan(&NAMED, NAMED.under(&(room, word))).first(MAX_NAMESAKES).await?;
        let users: Vec<_> = namesakes.into_iter().map(|((.., user), ())| user).collect();
        let names = tx.get_many(&NAMES, users.iter().map(|user| (room, user))).await?;
        for (user, name) in users.into_iter().zip(names) {
            let bits = rules(text, &lower, &user, &name.unwrap_or_default());
            if bits != 0 {
                named.insert(user, bits);
            }
        }
    }
    Ok(named)
}

/// Which rules that look for names `text` matches for a user who is called `name` in the room. `lower` is the text,
/// `name` the name in lower case.
fn rules(text: &str, lower: &str, user: &UserId, name: &str) -> u32 {
    let has = |name: &str| {
        !name.is_empty() && lower.contains(name) && Glob::literal(name).is_some_and(|name| name.matches_words(text))
    };
    let by_user = if has(&user.localpart().to_lowercase()) { defaults::USER_NAME } else { 0 };
    let by_name = if has(name) { defaults::DISPLAY_NAME } else { 0 };
    by_user | by_name
}

/// What a text has to have for a member to be named in it: the first word of their localpart or of their name.
fn first_words(user: &UserId, name: &str) -> BTreeSet<String> {
    let localpart = user.localpart().to_lowercase();
    [&*localpart, name].into_iter().filter_map(|name| words(name).next().map(str::to_owned)).collect()
}

/// The parts of a text between which the border of a word lies: runs of letters and digits of ASCII, and each other
/// character alone.
fn words(lower: &str) -> impl Iterator<Item = &str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut rest = lower;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = match is_word(first) {
            true => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            false => first.len_utf8(),
        };
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_that_names_somebody_has_the_first_word_of_the_name(
            name in "[abÄ_ .-]{1,5}", localpart in "[ab_.-]{1,3}", text in "[abÄ_ .-]{0,12}",
        ) {
            let user = UserId::parse(format!("@{localpart}:a.test")).unwrap();
            let (name, lower) = (name.to_lowercase(), text.to_lowercase());
            if rules(&text, &lower, &user, &name) != 0 {
                let firsts = first_words(&user, &name);
                prop_assert!(words(&lower).any(|word| firsts.contains(word)));
            }
        }
    }
}
