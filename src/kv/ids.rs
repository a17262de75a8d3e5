//! Matrix identifiers as parts of keys.

use ruma::{
    OwnedDeviceId, OwnedEventId, OwnedRoomAliasId, OwnedRoomId, OwnedServerName, OwnedTransactionId, OwnedUserId,
};

use crate::codec::{Encode, KeyBuf, KeyPart, decode_bytes, encode_bytes};

macro_rules! parsed {
    ($($owned:ty => $borrowed:ty),* $(,)?) => {$(
        impl KeyPart for $owned {
            fn decode(input: &mut &[u8]) -> Option<Self> {
                String::from_utf8(decode_bytes(input)?).ok()?.try_into().ok()
            }
        }
        id!($owned => $borrowed);
    )*};
}

macro_rules! opaque {
    ($($owned:ty => $borrowed:ty),* $(,)?) => {$(
        impl KeyPart for $owned {
            fn decode(input: &mut &[u8]) -> Option<Self> {
                String::from_utf8(decode_bytes(input)?).ok().map(Into::into)
            }
        }
        id!($owned => $borrowed);
    )*};
}

macro_rules! id {
    ($owned:ty => $borrowed:ty) => {
        impl Encode<$owned> for $owned {
            fn encode(&self, out: &mut KeyBuf) {
                encode_bytes(self.as_str().as_bytes(), out);
            }
        }
        impl Encode<$owned> for &$owned {
            fn encode(&self, out: &mut KeyBuf) {
                encode_bytes(self.as_str().as_bytes(), out);
            }
        }
        impl Encode<$owned> for &$borrowed {
            fn encode(&self, out: &mut KeyBuf) {
                encode_bytes(self.as_str().as_bytes(), out);
            }
        }
    };
}

parsed! {
    OwnedUserId => ruma::UserId,
    OwnedRoomId => ruma::RoomId,
    OwnedEventId => ruma::EventId,
    OwnedRoomAliasId => ruma::RoomAliasId,
    OwnedServerName => ruma::ServerName,
}
opaque! {
    OwnedDeviceId => ruma::DeviceId,
    OwnedTransactionId => ruma::TransactionId,
}
