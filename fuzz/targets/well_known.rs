//! `/.well-known/matrix/server` documents, and where the names in them lead.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ruma::ServerName;

fuzz_target!(|body: &[u8]| {
    if let Some(name) = federation::resolver::delegate(body) {
        ServerName::parse(&*name).expect("a delegate is a server's name");
        let _ = federation::resolver::direct(&name);
    }
    if let Ok(name) = std::str::from_utf8(body)
        && ServerName::parse(name).is_ok()
    {
        let _ = federation::resolver::direct(name);
    }
});
