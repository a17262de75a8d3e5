//! Talking to other servers: finding them, their keys, what they send, what they are sent.
