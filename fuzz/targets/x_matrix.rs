//! `Authorization` headers of other servers, and what is signed with them.
#![no_main]

use federation::{Signable, XMatrix};
use libfuzzer_sys::fuzz_target;
use ruma::server_name;

fuzz_target!(|data: &[u8]| {
    // A body may follow the header.
    let (header, body) = data.iter().position(|byte| *byte == b'\n').map_or((data, &[][..]), |at| data.split_at(at));
    let Ok(header) = std::str::from_utf8(header) else { return };
    let Ok(parsed) = XMatrix::parse(header) else { return };
    let destination = match &parsed.destination {
        Some(destination) => format!(",destination=\"{destination}\""),
        None => String::new(),
    };
    let (origin, key, signature) = (&parsed.origin, &parsed.key_id, &parsed.signature);
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let again = format!(
        "X-Matrix origin=\"{origin}\",key=\"{}\",sig=\"{}\"{destination}",
        quoted(key.as_str()),
        quoted(signature)
    );
    if again.len() <= 4096 {
        assert_eq!(XMatrix::parse(&again).as_ref(), Ok(&parsed), "{again}");
    }
    let request = Signable {
        method: "PUT",
        uri: "/_matrix/federation/v1/send/1",
        origin,
        destination: server_name!("a.test"),
        body: body.get(1..).unwrap_or_default(),
    };
    assert!(!parsed.is_signed(&request, &[7; 32]), "nobody has that key");
});
