/// Why a storage operation failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Another transaction changed what this one decided on; [`crate::retry`] runs it again.
    #[error("another transaction changed what this one has read")]
    Conflict,
    /// The bytes under a key are not what its table says.
    #[error("corrupt row in table {table}: {reason}")]
    Corrupt {
        /// The table's name.
        table: &'static str,
        /// What is wrong with the bytes.
        reason: String,
    },
    /// The database belongs to another product, a newer version or another process.
    #[error("{0}")]
    Refused(String),
    /// The engine failed; the process cannot rely on it any more.
    #[error("storage engine: {0}")]
    Engine(String),
}

impl Error {
    /// A row that does not decode.
    pub fn corrupt(table: &'static str, reason: impl ToString) -> Self {
        Self::Corrupt { table, reason: reason.to_string() }
    }
}
