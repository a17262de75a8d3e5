//! Bytes of a page as text.

use encoding_rs::Encoding;

/// How far into a page its encoding may be named. HTML, "determining the character encoding".
const HEAD: usize = 1024;

/// The page as text: by its byte order mark, else as its `Content-Type` or its head says, else as UTF-8.
pub(super) fn decode(bytes: &[u8], content_type: &str) -> String {
    let named = named(content_type).or_else(|| {
        let head = String::from_utf8_lossy(bytes.get(..HEAD).unwrap_or(bytes)).to_lowercase();
        named(&head)
    });
    let (text, ..) = named.unwrap_or(encoding_rs::UTF_8).decode(bytes);
    text.into_owned()
}

/// The encoding after the first `charset=`.
fn named(text: &str) -> Option<&'static Encoding> {
    let lower = text.to_ascii_lowercase();
    let (_, rest) = lower.split_once("charset=")?;
    let rest = rest.trim_start_matches(['"', '\'', ' ']);
    let label = rest.split(['"', '\'', ';', ' ', '>', '/']).next()?;
    Encoding::for_label(label.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_read_as_they_say() {
        for (bytes, content_type, expected) in [
            (&b"caf\xc3\xa9"[..], "text/html", "café"),
            (b"caf\xe9", "text/html; charset=ISO-8859-1", "café"),
            (b"caf\xe9", "text/html; charset=\"windows-1252\"", "café"),
            (b"<meta charset='latin1'>caf\xe9", "text/html", "<meta charset='latin1'>café"),
            (b"\xef\xbb\xbfcaf\xc3\xa9", "text/html; charset=latin1", "café"),
            (b"\xff\xfea\0", "", "a"),
            (b"a\xff", "text/html; charset=nonsense", "a\u{fffd}"),
        ] {
            assert_eq!(decode(bytes, content_type), expected, "{content_type}");
        }
    }
}
