use event::Signer;
use proptest::prelude::*;
use ruma::{owned_server_name, server_name};

use super::*;

fn parsed(header: &str) -> Result<(String, Option<String>, String, String), XMatrixError> {
    XMatrix::parse(header)
        .map(|x| (x.origin.to_string(), x.destination.map(String::from), x.key_id.to_string(), x.signature))
}

fn good(
    origin: &str,
    destination: Option<&str>,
    key: &str,
    sig: &str,
) -> Result<(String, Option<String>, String, String), XMatrixError> {
    Ok((origin.to_owned(), destination.map(str::to_owned), key.to_owned(), sig.to_owned()))
}

#[test]
fn headers_as_servers_send_them_are_understood() {
    let all = good("a.test", Some("b.test"), "ed25519:k1", "c2ln");
    let without = good("a.test:8448", None, "ed25519:k1", "c2ln");
    for (header, expected) in [
        (r#"X-Matrix origin="a.test",destination="b.test",key="ed25519:k1",sig="c2ln""#, &all),
        (r#"X-Matrix origin=a.test,destination=b.test,key="ed25519:k1",sig=c2ln"#, &all),
        ("x-matrix  Origin=a.test , DESTINATION=b.test,\tKey=ed25519:k1 ,sig=c2ln,", &all),
        (r#"X-MATRIX sig="c2ln", key = "ed25519:k1", destination = b.test, origin = "a.test", later="x,y=z""#, &all),
        (r#"X-Matrix origin="a\.test",destination=b.test,key="ed25519\:k1",sig="c2ln""#, &all),
        ("X-Matrix origin=a.test:8448,key=ed25519:k1,sig=c2ln", &without),
        (r#"X-Matrix origin="a.test:8448",key="ed25519:k1",sig="c2ln""#, &without),
    ] {
        assert_eq!(&parsed(header), expected, "{header}");
    }
    let padded = r#"X-Matrix origin=[::1]:1,key="ed25519:k/1+",sig=a/b+c=="#;
    assert_eq!(parsed(padded), good("[::1]:1", None, "ed25519:k/1+", "a/b+c=="));
}

#[test]
fn headers_that_prove_nothing_are_refused() {
    use XMatrixError::{Invalid, Missing, Scheme, Syntax, TooLong, Twice};
    for (header, expected) in [
        ("", Scheme),
        ("X-Matrix", Scheme),
        ("Bearer abc", Scheme),
        ("X-Matrixorigin=a.test", Scheme),
        ("X-Matrix ", Missing("origin")),
        ("X-Matrix ,,,", Missing("origin")),
        ("X-Matrix key=ed25519:1,sig=x", Missing("origin")),
        ("X-Matrix origin=a.test,sig=x", Missing("key")),
        ("X-Matrix origin=a.test,key=ed25519:1", Missing("sig")),
        ("X-Matrix origin=a.test,origin=b.test,key=ed25519:1,sig=x", Twice("origin")),
        ("X-Matrix origin=a.test,key=ed25519:1,sig=x,SIG=y", Twice("sig")),
        ("X-Matrix origin=,key=ed25519:1,sig=x", Invalid("origin")),
        ("X-Matrix origin=\"\",key=ed25519:1,sig=x", Invalid("origin")),
        ("X-Matrix origin=\"a b\",key=ed25519:1,sig=x", Invalid("origin")),
        ("X-Matrix origin=a.test/path,key=ed25519:1,sig=x", Invalid("origin")),
        ("X-Matrix origin=a.test,destination=\"@x:y\",key=ed25519:1,sig=x", Invalid("destination")),
        ("X-Matrix origin=a.test,key=rsa:1,sig=x", Invalid("key")),
        ("X-Matrix origin=a.test,key=ed25519,sig=x", Invalid("key")),
        ("X-Matrix origin=a.test,key=ed25519:1,sig=\"\"", Invalid("sig")),
        ("X-Matrix origin=a.test,key=ed25519:1,sig=\"x", Syntax),
        ("X-Matrix origin=a.test,key=ed25519:1,sig=\"x\\", Syntax),
        ("X-Matrix origin=\"a.test\"key=ed25519:1,sig=x", Syntax),
        ("X-Matrix origin=a.test key=ed25519:1 sig=x", Syntax),
        ("X-Matrix origin", Syntax),
        ("X-Matrix =a.test", Syntax),
        ("X-Matrix or igin=a.test", Syntax),
    ] {
        assert_eq!(XMatrix::parse(header), Err(expected), "{header}");
    }
    assert_eq!(XMatrix::parse(&format!("X-Matrix x={}", "y".repeat(MAX_BYTES))), Err(TooLong));
}

fn signer() -> Signer {
    Signer::new(owned_server_name!("a.test"), "ed25519:k1".try_into().unwrap(), &[7; 32])
}

fn request<'a>(uri: &'a str, body: &'a [u8]) -> Signable<'a> {
    let (origin, destination) = (server_name!("a.test"), server_name!("b.test"));
    Signable { method: "PUT", uri, origin, destination, body }
}

/// Credentials for `request` as a server makes them: over the canonical body.
fn credentials(request: &Signable<'_>) -> XMatrix {
    let content =
        if request.body.is_empty() { Vec::new() } else { canonicalize(request.body, Integers::Strict).unwrap() };
    XMatrix {
        origin: request.origin.to_owned(),
        destination: None,
        key_id: signer().key_id().clone(),
        signature: signer().sign(&request.bytes(&content)),
    }
}

#[test]
fn what_is_signed_is_canonical_json() {
    let signed = request("/x?a=%20\"", b"{\"b\":1}").bytes(b"{\"b\":1}");
    let canonical = canonicalize(&signed, Integers::Strict).unwrap();
    assert_eq!(signed, canonical);
    let signed = request("/x", b"").bytes(b"");
    assert_eq!(signed, br#"{"destination":"b.test","method":"PUT","origin":"a.test","uri":"/x"}"#);
}

#[test]
fn a_signature_fits_one_request_only() {
    let public = signer().public_key();
    let body = br#"{"z": 1, "a": [true, null]}"#;
    let mine = request("/x?y=1", body);
    let proof = credentials(&mine);
    assert!(proof.is_signed(&mine, &public));
    assert!(proof.is_signed(&request("/x?y=1", br#"{"a":[true,null],"z":1}"#), &public));
    assert!(!proof.is_signed(&mine, &[9; 32]));
    assert!(!proof.is_signed(&request("/x?y=2", body), &public));
    assert!(!proof.is_signed(&request("/x?y=1", b"{}"), &public));
    assert!(!proof.is_signed(&request("/x?y=1", b""), &public));
    assert!(!proof.is_signed(&request("/x?y=1", b"not json"), &public));
    assert!(!proof.is_signed(&Signable { method: "GET", ..mine }, &public));
    assert!(!proof.is_signed(&Signable { origin: server_name!("c.test"), ..mine }, &public));
    assert!(!proof.is_signed(&Signable { destination: server_name!("c.test"), ..mine }, &public));
    let nonsense = XMatrix { signature: "!".to_owned(), ..proof };
    assert!(!nonsense.is_signed(&mine, &public));
}

/// Text made of the pieces that headers are made of.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("X-Matrix ".to_owned()),
        Just("origin=".to_owned()),
        Just("key=".to_owned()),
        Just("sig=".to_owned()),
        Just("destination=".to_owned()),
        Just("ed25519:a".to_owned()),
        Just("a.test".to_owned()),
        "[\", =\\\\\t]{1,3}",
        "\\PC{0,4}",
    ];
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_header_breaks_the_parser(header in pieces(), tail in any::<String>()) {
        let _ = XMatrix::parse(&header);
        let _ = XMatrix::parse(&tail);
        let _ = XMatrix::parse(&format!("X-Matrix {header}{tail}"));
    }

    #[test]
    fn what_is_quoted_comes_back(value in "[a-zA-Z0-9:/+\\\\\", =_-]{1,40}") {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
        let header = format!(r#"X-Matrix origin=a.test,key=ed25519:1,sig="{escaped}""#);
        prop_assert_eq!(XMatrix::parse(&header).unwrap().signature, value);
    }

    #[test]
    fn ruma_is_understood(sig in prop::collection::vec(any::<u8>(), 1..80)) {
        let sig = ruma::serde::Base64::new(sig);
        let key = "ed25519:a_1".try_into().unwrap();
        let theirs = ruma::api::federation::authentication::XMatrix::new(
            owned_server_name!("a.test:1"), owned_server_name!("b.test"), key, sig.clone(),
        );
        let ours = XMatrix::parse(&theirs.to_string()).unwrap();
        prop_assert_eq!(ours.origin, theirs.origin);
        prop_assert_eq!(ours.destination, theirs.destination);
        prop_assert_eq!(ours.key_id, theirs.key);
        prop_assert_eq!(ours.signature, sig.encode());
    }
}
