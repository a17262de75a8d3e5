use ruma::ServerName;
use serde::Deserialize;

/// Longest document that is read, in bytes.
pub(super) const MAX_BYTES: usize = 50 << 10;

/// The part of `/.well-known/matrix/server` that counts.
#[derive(Deserialize)]
struct Document {
    #[serde(rename = "m.server")]
    server: String,
}

/// The name that a document delegates to, in lower case; `None` when it is no such document.
pub fn delegate(body: &[u8]) -> Option<String> {
    // A list would be taken for an object's values in order.
    body.trim_ascii_start().starts_with(b"{").then_some(())?;
    let document: Document = serde_json::from_slice(body).ok()?;
    let name = ServerName::parse(&*document.server).ok()?;
    Some(name.as_str().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_names_a_server() {
        for (body, expected) in [
            (r#"{"m.server":"matrix.example.org:443"}"#, Some("matrix.example.org:443")),
            (r#"{"m.server":"Matrix.Example.org","other":[1]}"#, Some("matrix.example.org")),
            (r#"{"m.server":"[2001:db8::1]:8448"}"#, Some("[2001:db8::1]:8448")),
            (r#"{"m.server":"https://example.org"}"#, None),
            (r#"{"m.server":"example.org/path"}"#, None),
            (r#"{"m.server":"user@example.org"}"#, None),
            (r#"{"m.server":"example.org:99999"}"#, None),
            (r#"{"m.server":""}"#, None),
            (r#"{"m.server":7}"#, None),
            (r#"["m.server"]"#, None),
            ("<html>", None),
            ("", None),
        ] {
            assert_eq!(delegate(body.as_bytes()).as_deref(), expected, "{body}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_document_makes_it_panic(body: Vec<u8>, name: String) {
            delegate(&body);
            delegate(serde_json::json!({ "m.server": name }).to_string().as_bytes());
        }
    }
}
