//! `HEARTH_SECTION__KEY=value`.

use toml::{Table, Value};

const PREFIX: &str = "HEARTH_";

/// One variable that overrides a key.
#[derive(Debug)]
pub(super) struct Override {
    pub variable: String,
    pub text: String,
    pub value: Value,
    path: Vec<String>,
}

/// The overrides among `environment`.
pub(super) fn overrides(environment: impl Iterator<Item = (String, String)>) -> Vec<Override> {
    environment.filter_map(|(variable, text)| Override::parse(variable, text)).collect()
}

impl Override {
    fn parse(variable: String, text: String) -> Option<Self> {
        let path: Vec<_> = variable.strip_prefix(PREFIX)?.to_lowercase().split("__").map(str::to_owned).collect();
        Some(Self { value: value(&text), variable, text, path })
    }

    /// Whether an error at `path` is about this variable.
    pub(super) fn is_about(&self, path: &str) -> bool {
        self.path.join(".") == path
    }

    /// Puts `value` into `table`; a path through something that is no table is left for the decoder to refuse.
    pub(super) fn apply(&self, table: &mut Table, value: Value) {
        let Some((last, sections)) = self.path.split_last() else { return };
        let mut table = table;
        for section in sections {
            let entry = table.entry(section.clone()).or_insert_with(|| Value::Table(Table::new()));
            match entry {
                Value::Table(inner) => table = inner,
                _ => return,
            }
        }
        table.insert(last.clone(), value);
    }
}

/// `text` as TOML (numbers, booleans, arrays), or else as it stands.
fn value(text: &str) -> Value {
    let parsed = format!("value = {text}").parse::<Table>().ok();
    parsed.and_then(|mut table| table.remove("value")).unwrap_or_else(|| Value::String(text.to_owned()))
}
