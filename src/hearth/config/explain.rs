//! Turns a decoder's complaint into a sentence that names the key and what was probably meant.

/// What the decoder disliked, and where.
#[derive(Debug)]
pub(super) struct Located {
    pub path: String,
    message: String,
}

impl From<serde_path_to_error::Error<toml::de::Error>> for Located {
    fn from(error: serde_path_to_error::Error<toml::de::Error>) -> Self {
        Self { path: error.path().to_string(), message: error.inner().message().to_owned() }
    }
}

impl Located {
    pub(super) fn explain(&self) -> String {
        let quoted: Vec<&str> = self.message.split('`').skip(1).step_by(2).collect();
        if let (true, Some((unknown, known))) = (self.message.starts_with("unknown field"), quoted.split_first()) {
            // The path may or may not end with the key itself.
            let path = self.path.strip_suffix(unknown).unwrap_or(&self.path).trim_end_matches('.');
            let key = if path.is_empty() { (*unknown).to_owned() } else { format!("{path}.{unknown}") };
            return match nearest(unknown, known) {
                Some(nearest) => format!("unknown key {key}: did you mean {nearest}?"),
                None => format!("unknown key {key}: known are {}", known.join(", ")),
            };
        }
        if let (true, Some(missing)) = (self.message.starts_with("missing field"), quoted.first()) {
            let within = if self.path == "." { String::new() } else { format!("{}.", self.path) };
            return format!("key {within}{missing} is missing");
        }
        format!("{}: {}", self.path, self.message)
    }
}

/// The known key that is the fewest changes away, if that is near enough to be meant.
fn nearest<'a>(unknown: &str, known: &[&'a str]) -> Option<&'a str> {
    let (distance, key) = known.iter().map(|key| (distance(unknown, key), *key)).min()?;
    (distance <= unknown.len().max(key.len()) / 2).then_some(key)
}

/// Insertions, removals and replacements between `a` and `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut left = i + 1;
        let mut next = vec![left];
        for (y, pair) in b.iter().zip(row.windows(2)) {
            let [diagonal, above] = pair else { continue };
            left = (above + 1).min(left + 1).min(diagonal + usize::from(x != *y));
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
