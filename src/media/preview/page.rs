//! What an HTML page says of itself: OpenGraph, and what stands for it where it is missing.

use html5gum::{Token, Tokenizer};
use serde_json::{Map, Value};

/// The property with the address of the page's picture.
pub(super) const IMAGE: &str = "og:image";
/// Most properties, and the most bytes of a value.
const MAX_PROPERTIES: usize = 32;
const MAX_VALUE: usize = 1000;
/// Most bytes of the name of a property.
const MAX_NAME: usize = 100;
/// Most bytes of a text that stands for a description.
const MAX_TEXT: usize = 500;
/// What is told of the image is found out here.
const IMAGE_DETAILS: &str = "og:image:";

/// What was met so far.
#[derive(Default)]
struct Reader {
    properties: Map<String, Value>,
    title: String,
    description: Option<String>,
    twitter_image: Option<String>,
    icon_image: Option<String>,
    text: String,
    /// The open element whose text is of use, or of none.
    within: Within,
}

#[derive(Default, PartialEq, Clone, Copy)]
enum Within {
    #[default]
    Other,
    Title,
    Paragraph,
    Hidden,
}

/// The properties of a page, `og:title` and `og:description` made up if need be. The image is an address as the page has
/// it.
pub(super) fn properties(page: &str) -> Map<String, Value> {
    let mut reader = Reader::default();
    for Ok(token) in Tokenizer::new(page) {
        match token {
            Token::StartTag(tag) => {
                let attribute = |name: &str| {
                    let value = tag.attributes.get(name.as_bytes())?;
                    Some(String::from_utf8_lossy(value).trim().to_owned())
                };
                reader.start(&tag.name, attribute);
            }
            Token::EndTag(tag) => reader.end(&tag.name),
            Token::String(text) => reader.text(&String::from_utf8_lossy(&text)),
            _ => {}
        }
    }
    reader.finish()
}

impl Reader {
    fn start(&mut self, name: &[u8], attribute: impl Fn(&str) -> Option<String>) {
        match name {
            b"meta" => self.meta(&attribute),
            b"link" if attribute("rel").as_deref() == Some("image_src") => self.icon_image = attribute("href"),
            b"title" if self.title.is_empty() => self.within = Within::Title,
            b"p" if self.within != Within::Hidden => self.within = Within::Paragraph,
            b"script" | b"style" | b"noscript" | b"svg" | b"template" | b"nav" | b"header" | b"footer" | b"aside" => {
                self.within = Within::Hidden;
            }
            _ => {}
        }
    }

    fn meta(&mut self, attribute: &impl Fn(&str) -> Option<String>) {
        let Some(content) = attribute("content").filter(|content| !content.is_empty()) else { return };
        let name = attribute("property").or_else(|| attribute("name")).unwrap_or_default().to_ascii_lowercase();
        match name.as_str() {
            "description" | "twitter:description" => {
                self.description.get_or_insert(content);
            }
            "twitter:image" | "twitter:image:src" => {
                self.twitter_image.get_or_insert(content);
            }
            "twitter:title" if self.title.is_empty() => self.title = content,
            name if name.starts_with("og:")
                && name.len() <= MAX_NAME
                && !name.starts_with(IMAGE_DETAILS)
                && self.properties.len() < MAX_PROPERTIES
                && !self.properties.contains_key(name) =>
            {
                self.properties.insert(name.to_owned(), cut(&content, MAX_VALUE).into());
            }
            _ => {}
        }
    }

    fn end(&mut self, name: &[u8]) {
        match name {
            b"p" if self.within == Within::Paragraph => {
                self.within = Within::Other;
                self.text.push(' ');
            }
            b"title" | b"script" | b"style" | b"noscript" | b"svg" | b"template" | b"nav" | b"header" | b"footer"
            | b"aside" => self.within = Within::Other,
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        match self.within {
            Within::Title if self.title.len() < MAX_VALUE => self.title.push_str(text),
            Within::Paragraph if self.text.len() < MAX_TEXT => self.text.push_str(text),
            _ => {}
        }
    }

    fn finish(self) -> Map<String, Value> {
        let mut properties = self.properties;
        let text = Some(tidy(&self.text)).filter(|text| !text.is_empty());
        let title = Some(tidy(&self.title)).filter(|title| !title.is_empty());
        let description = self.description.or_else(|| text.map(|text| cut(&text, MAX_TEXT).to_owned()));
        let image = self.twitter_image.or(self.icon_image);
        for (key, value) in [("og:title", title), ("og:description", description), (IMAGE, image)] {
            if let Some(value) = value.filter(|_| !properties.contains_key(key)) {
                properties.insert(key.to_owned(), cut(&value, MAX_VALUE).into());
            }
        }
        properties
    }
}

/// `text` with single spaces.
fn tidy(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// At most `max` bytes of `text`, whole characters.
fn cut(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(page: &str) -> Value {
        Value::Object(properties(page))
    }

    #[test]
    fn open_graph_is_taken_as_it_is() {
        let page = r#"<html><head><title>other</title>
            <meta property="og:title" content="The Rock &amp; more"><meta property="og:title" content="second">
            <meta property="og:image" content="/a.png"><meta property="og:image:width" content="1">
            <meta name="OG:URL" content="http://x/"></head></html>"#;
        let expected = json!({ "og:title": "The Rock & more", "og:image": "/a.png", "og:url": "http://x/" });
        assert_eq!(of(page), expected);
    }

    #[test]
    fn a_page_without_open_graph_shows_title_and_text() {
        let page = "<title> A\n page </title><script>if (a < b) { '<p>no</p>' }</script><style>p{}</style>
            <nav><p>menu</p></nav><p>First <b>words</b>.</p><p>More</p>";
        let description = json!("First words. More");
        assert_eq!(of(page), json!({ "og:title": "A page", "og:description": description }));
    }

    #[test]
    fn names_that_others_use_stand_in() {
        let page = r#"<meta name="description" content="about"><meta name="twitter:image" content="b.png">"#;
        assert_eq!(of(page), json!({ "og:description": "about", "og:image": "b.png" }));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let many: String =
            (0..100).map(|n| format!("<meta property='og:x{n}' content='{}'>", "ä".repeat(2000))).collect();
        let long = format!("<meta property='og:{}' content='x'>", "x".repeat(200));
        let kept = properties(&(long + &many));
        assert_eq!(kept.len(), MAX_PROPERTIES);
        assert!(kept.contains_key("og:x0"));
        assert!(kept.values().all(|value| value.as_str().unwrap().len() <= MAX_VALUE));
    }

    #[test]
    fn nonsense_says_nothing() {
        for page in ["", "<", "<meta", "<p", "\0", "</p></p>", "<title>", "<!-- <title>x</title>"] {
            assert_eq!(of(page), json!({}), "{page}");
        }
    }
}
