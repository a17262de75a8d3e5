//! Order-preserving, self-delimiting encoding of keys.
//!
//! Integers are big-endian (signed ones with the sign bit flipped). Strings end with `00 01`, and a zero byte
//! inside one becomes `00 FF`, so that the order of the bytes is the order of the parts and no part can run
//! into the next.

use crate::{Slot, Stamp, WriterId};

/// A key being written, with the places where the engine puts stamps at commit.
#[derive(Debug, Default, Clone)]
pub struct KeyBuf {
    /// The bytes so far.
    pub bytes: Vec<u8>,
    /// Offset of each placeholder and the slot whose position belongs there.
    pub slots: Vec<(u32, Slot)>,
}

/// A type that can be one part of a key.
pub trait KeyPart: Sized {
    /// Reads the part from the front of `input`; `None` if the bytes are not of this type.
    fn decode(input: &mut &[u8]) -> Option<Self>;
}

/// A value that writes the bytes of a `K`, perhaps borrowed (`&str` for `String`).
pub trait Encode<K> {
    /// Appends the bytes.
    fn encode(&self, out: &mut KeyBuf);
}

/// The leading parts of a `K`: `()`, or a shorter tuple.
pub trait EncodePrefix<K> {
    /// Appends the bytes.
    fn encode_prefix(&self, out: &mut KeyBuf);
}

/// Splits `n` bytes off the front.
pub fn take<'a>(input: &mut &'a [u8], n: usize) -> Option<&'a [u8]> {
    let (head, tail) = input.split_at_checked(n)?;
    *input = tail;
    Some(head)
}

macro_rules! integer {
    ($($t:ty),*) => {$(
        impl KeyPart for $t {
            fn decode(input: &mut &[u8]) -> Option<Self> {
                take(input, size_of::<$t>())?.try_into().ok().map(<$t>::from_be_bytes)
            }
        }
        impl Encode<$t> for $t {
            fn encode(&self, out: &mut KeyBuf) {
                out.bytes.extend_from_slice(&self.to_be_bytes());
            }
        }
    )*};
}
integer!(u8, u16, u32, u64);

impl KeyPart for i64 {
    fn decode(input: &mut &[u8]) -> Option<Self> {
        u64::decode(input).map(|n| (n ^ (1 << 63)).cast_signed())
    }
}

impl Encode<i64> for i64 {
    fn encode(&self, out: &mut KeyBuf) {
        (self.cast_unsigned() ^ (1 << 63)).encode(out);
    }
}

impl KeyPart for bool {
    fn decode(input: &mut &[u8]) -> Option<Self> {
        u8::decode(input).map(|b| b != 0)
    }
}

impl Encode<bool> for bool {
    fn encode(&self, out: &mut KeyBuf) {
        out.bytes.push(u8::from(*self));
    }
}

impl<const N: usize> KeyPart for [u8; N] {
    fn decode(input: &mut &[u8]) -> Option<Self> {
        take(input, N)?.try_into().ok()
    }
}

impl<const N: usize> Encode<[u8; N]> for [u8; N] {
    fn encode(&self, out: &mut KeyBuf) {
        out.bytes.extend_from_slice(self);
    }
}

/// Appends `text` in the self-delimiting form.
pub fn encode_bytes(text: &[u8], out: &mut KeyBuf) {
    for &byte in text {
        out.bytes.push(byte);
        if byte == 0 {
            out.bytes.push(0xFF);
        }
    }
    out.bytes.extend_from_slice(&[0, 1]);
}

/// Reads what [`encode_bytes`] wrote.
pub fn decode_bytes(input: &mut &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    loop {
        match *take(input, 1)?.first()? {
            0 => match take(input, 1)?.first()? {
                1 => return Some(text),
                0xFF => text.push(0),
                _ => return None,
            },
            byte => text.push(byte),
        }
    }
}

impl KeyPart for String {
    fn decode(input: &mut &[u8]) -> Option<Self> {
        String::from_utf8(decode_bytes(input)?).ok()
    }
}

impl Encode<String> for String {
    fn encode(&self, out: &mut KeyBuf) {
        encode_bytes(self.as_bytes(), out);
    }
}

impl Encode<String> for &str {
    fn encode(&self, out: &mut KeyBuf) {
        encode_bytes(self.as_bytes(), out);
    }
}

impl Encode<String> for &String {
    fn encode(&self, out: &mut KeyBuf) {
        encode_bytes(self.as_bytes(), out);
    }
}

impl KeyPart for Stamp {
    fn decode(input: &mut &[u8]) -> Option<Self> {
        Some(Stamp { writer: WriterId(u16::decode(input)?), n: u64::decode(input)? })
    }
}

impl Encode<Stamp> for Stamp {
    fn encode(&self, out: &mut KeyBuf) {
        self.writer.0.encode(out);
        self.n.encode(out);
    }
}

/// The position that the engine gives at commit.
impl Encode<Stamp> for Slot {
    fn encode(&self, out: &mut KeyBuf) {
        out.slots.push((u32::try_from(out.bytes.len()).unwrap_or(u32::MAX), *self));
        out.bytes.extend_from_slice(&[0; Stamp::BYTES]);
    }
}

impl KeyPart for WriterId {
    fn decode(input: &mut &[u8]) -> Option<Self> {
        u16::decode(input).map(WriterId)
    }
}

impl Encode<WriterId> for WriterId {
    fn encode(&self, out: &mut KeyBuf) {
        self.0.encode(out);
    }
}

impl KeyPart for () {
    fn decode(_: &mut &[u8]) -> Option<Self> {
        Some(())
    }
}

impl Encode<()> for () {
    fn encode(&self, _: &mut KeyBuf) {}
}

impl<K> EncodePrefix<K> for () {
    fn encode_prefix(&self, _: &mut KeyBuf) {}
}

macro_rules! tuple {
    ($($k:ident $x:ident $i:tt),+) => {
        impl<$($k: KeyPart),+> KeyPart for ($($k,)+) {
            fn decode(input: &mut &[u8]) -> Option<Self> {
                Some(($($k::decode(input)?,)+))
            }
        }
        impl<$($k, $x: Encode<$k>),+> Encode<($($k,)+)> for ($($x,)+) {
            fn encode(&self, out: &mut KeyBuf) {
                $(self.$i.encode(out);)+
            }
        }
    };
}
tuple!(A X 0);
tuple!(A X 0, B Y 1);
tuple!(A X 0, B Y 1, C Z 2);
tuple!(A X 0, B Y 1, C Z 2, D W 3);
tuple!(A X 0, B Y 1, C Z 2, D W 3, E V 4);

macro_rules! prefix {
    ([$($x:ident $k:ident $i:tt),+], [$($rest:ident),*]) => {
        impl<$($k,)+ $($rest,)* $($x: Encode<$k>),+> EncodePrefix<($($k,)+ $($rest,)*)> for ($($x,)+) {
            fn encode_prefix(&self, out: &mut KeyBuf) {
                $(self.$i.encode(out);)+
            }
        }
    };
}
prefix!([X A 0], [B]);
prefix!([X A 0], [B, C]);
prefix!([X A 0], [B, C, D]);
prefix!([X A 0], [B, C, D, E]);
prefix!([X A 0, Y B 1], [C]);
prefix!([X A 0, Y B 1], [C, D]);
prefix!([X A 0, Y B 1], [C, D, E]);
prefix!([X A 0, Y B 1, Z C 2], [D]);
prefix!([X A 0, Y B 1, Z C 2], [D, E]);
prefix!([X A 0, Y B 1, Z C 2, W D 3], [E]);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes<K>(key: &impl Encode<K>) -> Vec<u8> {
        let mut out = KeyBuf::default();
        key.encode(&mut out);
        out.bytes
    }

    proptest! {
        #[test]
        fn keys_come_back_as_they_went_in(a: String, b: u64, c: i64, d: bool) {
            let encoded = bytes::<(String, u64, i64, bool)>(&(a.as_str(), b, c, d));
            let mut rest = encoded.as_slice();
            prop_assert_eq!(<(String, u64, i64, bool)>::decode(&mut rest), Some((a, b, c, d)));
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn bytes_sort_as_the_keys_do(a: (String, i64), b: (String, i64)) {
            let order = bytes::<(String, i64)>(&(a.0.as_str(), a.1)).cmp(&bytes::<(String, i64)>(&(b.0.as_str(), b.1)));
            prop_assert_eq!(order, (a.0.as_bytes(), a.1).cmp(&(b.0.as_bytes(), b.1)));
        }

        #[test]
        fn foreign_bytes_never_panic(input: Vec<u8>) {
            let _ = <(String, u64, Stamp)>::decode(&mut input.as_slice());
        }
    }
}
