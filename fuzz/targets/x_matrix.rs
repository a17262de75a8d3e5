//! `Authorization` headers of other servers.
#![no_main]

use federation::XMatrix;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|header: &str| {
    let _ = XMatrix::parse(header);
});
