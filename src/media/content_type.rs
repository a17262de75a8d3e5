//! Which content types go out, and which of them a browser may show in the page's place.

/// What stands for an unknown type.
const FALLBACK: &str = "application/octet-stream";
/// Longest content type kept, in bytes.
const MAX_LEN: usize = 255;

/// Types that a browser shows without running anything of theirs.
/// Client-server API v1.19, "Serving inline content".
const INLINE: &[&str] = &[
    "text/css",
    "text/plain",
    "text/csv",
    "application/json",
    "application/ld+json",
    "image/jpeg",
    "image/gif",
    "image/png",
    "image/apng",
    "image/webp",
    "image/avif",
    "video/mp4",
    "video/webm",
    "video/ogg",
    "video/quicktime",
    "audio/mp4",
    "audio/webm",
    "audio/aac",
    "audio/mpeg",
    "audio/ogg",
    "audio/wave",
    "audio/wav",
    "audio/x-wav",
    "audio/x-pn-wav",
    "audio/flac",
    "audio/x-flac",
];

/// `given`, if it reads `type/subtype` with optional parameters in printable ASCII; else
/// `application/octet-stream`.
pub fn sanitise(given: Option<&str>) -> String {
    let Some(given) = given.map(str::trim) else { return FALLBACK.to_owned() };
    let printable = given.bytes().all(|b| (b' '..=b'~').contains(&b));
    if given.len() <= MAX_LEN && printable && well_formed(essence(given)) {
        given.to_owned()
    } else {
        FALLBACK.to_owned()
    }
}

/// Whether media of this type may be shown inline; parameters and case do not matter.
pub fn inline_safe(content_type: &str) -> bool {
    let essence = essence(content_type);
    INLINE.iter().any(|safe| essence.eq_ignore_ascii_case(safe))
}

/// The type without its parameters.
fn essence(content_type: &str) -> &str {
    content_type.split_once(';').map_or(content_type, |(essence, _)| essence).trim()
}

fn well_formed(essence: &str) -> bool {
    let token =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b));
    essence.split_once('/').is_some_and(|(kind, sub)| token(kind) && token(sub))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_comes_back_as_given_or_as_unknown() {
        for kept in ["image/png", "img/png", "Text/Plain; charset=utf-8", "image/svg+xml"] {
            assert_eq!(sanitise(Some(kept)), kept);
        }
        for bad in ["", "png", "image/", "/png", "a/b/c", "image/png\r\nX: y", "image/p ng", "text/plain; \u{1}", "ü/x"]
        {
            assert_eq!(sanitise(Some(bad)), FALLBACK, "{bad:?}");
        }
        assert_eq!(sanitise(None), FALLBACK);
    }

    #[test]
    fn only_listed_types_are_shown_inline() {
        for safe in ["image/png", "IMAGE/PNG", "Text/Plain; charset=utf-8", "text/css ;x=y"] {
            assert!(inline_safe(safe), "{safe}");
        }
        for unsafe_type in ["text/html", "image/svg+xml", "image/svg", "application/xhtml+xml", "application/pdf", ""] {
            assert!(!inline_safe(unsafe_type), "{unsafe_type}");
        }
    }
}
