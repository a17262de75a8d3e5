use bytes::Bytes;

use crate::{Stamp, WriterId, codec};

/// A type stored under a key.
///
/// The table writes its version byte in front, so a later format can tell old rows from new ones.
pub trait Value: Sized {
    /// Appends the bytes.
    fn encode(&self, out: &mut Vec<u8>);

    /// Reads the bytes; the error says what is wrong.
    ///
    /// # Errors
    /// When the bytes are not of this type.
    fn decode(bytes: Bytes) -> Result<Self, String>;
}

/// Implements [`Value`] for serde types by postcard.
#[macro_export]
macro_rules! value {
    ($($t:ty),* $(,)?) => {$(
        impl $crate::Value for $t {
            fn encode(&self, out: &mut Vec<u8>) {
                $crate::encode_serde(self, out);
            }
            fn decode(bytes: $crate::Bytes) -> Result<Self, String> {
                $crate::decode_serde(&bytes)
            }
        }
    )*};
}

/// Appends `value` in postcard format.
#[doc(hidden)]
pub fn encode_serde<T: serde::Serialize>(value: &T, out: &mut Vec<u8>) {
    // Writing into a Vec fails only for sequences of unknown length, which derived types never have.
    match postcard::to_extend(value, std::mem::take(out)) {
        Ok(bytes) => *out = bytes,
        Err(error) => tracing::error!(%error, "value does not encode"),
    }
}

/// Reads a value in postcard format.
#[doc(hidden)]
pub fn decode_serde<'a, T: serde::Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    postcard::from_bytes(bytes).map_err(|error| error.to_string())
}

value!((), u8, u16, u32, u64, i64, bool, String, Vec<String>);
value!(ruma::OwnedUserId, ruma::OwnedRoomId, ruma::OwnedEventId, ruma::OwnedDeviceId);

impl Value for Bytes {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn decode(bytes: Bytes) -> Result<Self, String> {
        Ok(bytes)
    }
}

impl<const N: usize> Value for [u8; N] {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn decode(bytes: Bytes) -> Result<Self, String> {
        bytes.as_ref().try_into().map_err(|_| format!("{} bytes where {N} belong", bytes.len()))
    }
}

/// A value with the position of the transaction that wrote it; written with [`crate::Tx::put_stamped`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamped<V> {
    /// When it was written.
    pub at: Stamp,
    /// What was written.
    pub value: V,
}

impl<V: Value> Value for Stamped<V> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.at.writer.0.to_be_bytes());
        out.extend_from_slice(&self.at.n.to_be_bytes());
        self.value.encode(out);
    }

    fn decode(bytes: Bytes) -> Result<Self, String> {
        let mut head = bytes.as_ref();
        let writer = codec::take(&mut head, 2).and_then(|b| b.try_into().ok()).map(u16::from_be_bytes);
        let n = codec::take(&mut head, 8).and_then(|b| b.try_into().ok()).map(u64::from_be_bytes);
        match (writer, n) {
            (Some(writer), Some(n)) => {
                let value = V::decode(bytes.slice(Stamp::BYTES..))?;
                Ok(Self { at: Stamp { writer: WriterId(writer), n }, value })
            }
            _ => Err("too short for a stamp".into()),
        }
    }
}
