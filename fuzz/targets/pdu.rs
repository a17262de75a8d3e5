//! Bytes from another server as an event of each room version: parsed, redacted, stored, read back.
#![no_main]

use event::{Pdu, StoredEvent};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for version in event::version::SUPPORTED {
        let Some(rules) = event::rules(&version) else { continue };
        let Ok(pdu) = Pdu::parse(data, &rules) else { continue };
        let again = Pdu::parse(pdu.json(), &rules).expect("what was parsed is canonical");
        assert_eq!(again.event_id, pdu.event_id);
        let stored = StoredEvent::from_pdu(&pdu, &rules).expect("what was parsed can be stored");
        let back = stored.to_pdu(&rules).expect("what was stored can be read");
        assert_eq!((&back.event_id, &back.sender, &back.state_key), (&pdu.event_id, &pdu.sender, &pdu.state_key));
        let _ = event::verify::required_servers(&pdu, &rules);
        let _ = event::verify::needed_keys(&pdu, &rules);
        let _ = event::verify::hash_matches(&pdu);
        if let Ok(redacted) = pdu.redact(&rules) {
            assert_eq!(redacted.event_id, pdu.event_id);
        }
    }
});
