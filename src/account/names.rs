//! Finding users by name: an index of the words of localparts and display names.
//! Client-server API, "User Directory".

use std::collections::{BTreeSet, HashSet};

use kv::{Page, Range, Read, Tx};
use ruma::{OwnedUserId, UserId};
use serde_json::Value;

use crate::{
    ProfileError, Profiles,
    profile::parse,
    tables::{NAMES, PROFILES},
};

/// Words of a name that count; a name with more is not somebody's name.
const MAX_WORDS: usize = 16;
/// Characters of a word that count.
const MAX_WORD: usize = 64;
/// Rows of the index that one search reads at most, so that a short term costs no more than a long one.
const MAX_ROWS: usize = 5000;

/// Somebody whom a search found, as their profile shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub user: OwnedUserId,
    /// What they call themselves.
    pub displayname: Option<String>,
    /// Their picture.
    pub avatar_url: Option<String>,
}

impl Person {
    fn words(&self) -> BTreeSet<String> {
        words_of(&self.user, self.displayname.as_deref())
    }
}

/// The words of a text in lower case: what stands between characters that are no letters or digits.
fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).take(MAX_WORDS);
    words.map(|word| word.chars().flat_map(char::to_lowercase).take(MAX_WORD).collect())
}

/// The words by which a user is found.
fn words_of(user: &UserId, displayname: Option<&str>) -> BTreeSet<String> {
    words(user.localpart()).chain(words(displayname.unwrap_or_default())).collect()
}

/// Brings the index up to date with a new display name, or with the end of an account.
pub(crate) fn rename(tx: &mut Tx, user: &UserId, before: Option<&str>, after: Option<&str>, stays: bool) {
    let old = words_of(user, before);
    let new = if stays { words_of(user, after) } else { BTreeSet::new() };
    for word in old.difference(&new) {
        tx.delete(&NAMES, (word, user));
    }
    for word in new.difference(&old) {
        tx.put(&NAMES, (word, user), &());
    }
}

/// Puts the localpart of a new account into the index.
pub(crate) fn add(tx: &mut Tx, user: &UserId) {
    for word in words_of(user, None) {
        tx.put(&NAMES, (&word, user), &());
    }
}

/// The people whom a term finds, one by one; better matches first.
pub struct People<'a, R> {
    read: &'a R,
    rows: Page<'a, R, (String, OwnedUserId), ()>,
    /// The longest word of the term: the index is read from it on.
    key: String,
    words: Vec<String>,
    seen: HashSet<OwnedUserId>,
    looked: usize,
    cut: bool,
}

impl Profiles {
    /// Looks for people of this server of whose names, localpart or display name, each word of `term` begins a
    /// word. A term that begins with `@` is the beginning of a user id.
    pub fn people<'a, R: Read>(&self, read: &'a R, term: &str) -> People<'a, R> {
        let name = match term.trim().strip_prefix('@') {
            Some(id) => id.split(':').next().unwrap_or_default(),
            None => term,
        };
        let words: Vec<_> = words(name).collect();
        let key = words.iter().max_by_key(|word| word.len()).cloned().unwrap_or_default();
        let range = Range { start: NAMES.under(&(&key,)).start, ..NAMES.all() };
        let looked = if words.is_empty() { MAX_ROWS } else { 0 };
        People { read, rows: read.scan(&NAMES, range), key, words, seen: HashSet::new(), looked, cut: false }
    }
}

impl<R: Read> People<'_, R> {
    /// The next one.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn next(&mut self) -> Result<Option<Person>, ProfileError> {
        while self.looked < MAX_ROWS {
            self.looked += 1;
            let Some(((word, user), ())) = self.rows.next().await? else { return Ok(None) };
            if !word.starts_with(&self.key) {
                return Ok(None);
            }
            if !self.seen.insert(user.clone()) {
                continue;
            }
            let person = self.person(user).await?;
            let own = person.words();
            if self.words.iter().all(|wanted| own.iter().any(|word| word.starts_with(wanted))) {
                return Ok(Some(person));
            }
        }
        self.cut = !self.words.is_empty();
        Ok(None)
    }

    /// Whether the search ended before all names were looked at.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    async fn person(&self, user: OwnedUserId) -> Result<Person, ProfileError> {
        let profile = parse(self.read.get(&PROFILES, &user).await?)?;
        let text = |key| profile.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
        Ok(Person { displayname: text("displayname"), avatar_url: text("avatar_url"), user })
    }
}

impl<R> std::fmt::Debug for People<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("People").field("words", &self.words).field("looked", &self.looked).finish_non_exhaustive()
    }
}
