//! `/.well-known/matrix/server` documents.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ruma::ServerName;

fuzz_target!(|body: &[u8]| {
    if let Some(name) = federation::resolver::delegate(body) {
        ServerName::parse(&*name).expect("a delegate is a server's name");
    }
});
