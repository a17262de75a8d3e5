//! Reading `multipart/mixed` as it comes in: metadata that nobody needs, then a file or where it is.
//! Server-server API, "Content Repository"; RFC 2046, 5.1.

use bytes::{Bytes, BytesMut};
use memchr::memmem;

/// Longest boundary. RFC 2046 allows 70 characters.
const MAX_BOUNDARY: usize = 200;
/// Most bytes of all that is not the file, each part of it.
const MAX_AROUND: usize = 64 << 10;

/// The body is not what was promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed multipart body: {0}")]
pub struct Malformed(&'static str);

/// What stands before the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// Its `Content-Type`.
    pub content_type: Option<String>,
    /// Its `Content-Disposition`.
    pub disposition: Option<String>,
    /// Where the file is instead.
    pub location: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before the first delimiter.
    Preamble,
    /// Behind a delimiter, on its line; so many parts came before it.
    Delimiter(usize),
    /// Among the headers of a part.
    Headers(usize),
    /// In a part.
    Body(usize),
    /// Behind the file.
    End,
}

/// Takes a body in pieces.
#[derive(Debug)]
pub struct Multipart {
    delimiter: Vec<u8>,
    buffer: BytesMut,
    at: At,
    head: Head,
    file: Vec<Bytes>,
    /// Bytes at the front of a part that are not its own.
    skip: usize,
}

impl Multipart {
    /// Of a body with this `Content-Type`.
    ///
    /// # Errors
    /// When it names no boundary.
    pub fn new(content_type: &str) -> Result<Self, Malformed> {
        let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
        if !kind.trim().eq_ignore_ascii_case("multipart/mixed") {
            return Err(Malformed("it is not multipart/mixed"));
        }
        let boundary = boundary(parameters).filter(|found| (1..=MAX_BOUNDARY).contains(&found.len()));
        let delimiter = format!("\r\n--{}", boundary.ok_or(Malformed("there is no boundary"))?).into_bytes();
        // A delimiter at the very start has no line before it.
        let buffer = BytesMut::from(&b"\r\n"[..]);
        Ok(Self { delimiter, buffer, at: At::Preamble, head: Head::default(), file: Vec::new(), skip: 0 })
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), Malformed> {
        if self.at == At::End {
            return Ok(());
        }
        self.buffer.extend_from_slice(chunk);
        while self.step()? {}
        let is_file = matches!(self.at, At::Body(1));
        if !is_file && self.buffer.len() > MAX_AROUND {
            return Err(Malformed("what stands around the file is too long"));
        }
        Ok(())
    }

    /// What stands before the file, once it is known.
    pub fn head(&self) -> Option<&Head> {
        matches!(self.at, At::Body(1) | At::End).then_some(&self.head)
    }

    /// The bytes of the file that came since the last call.
    pub fn take(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.file)
    }

    /// Whether the file is whole.
    pub fn is_whole(&self) -> bool {
        self.at == At::End
    }

    /// Goes on by one part of the structure, if enough of it is there.
    fn step(&mut self) -> Result<bool, Malformed> {
        match self.at {
            At::Preamble => Ok(self.until_delimiter(At::Delimiter(0), false)),
            At::Delimiter(part) => self.delimiter_line(part),
            At::Headers(part) => self.header(part),
            At::Body(0) => Ok(self.until_delimiter(At::Delimiter(1), false)),
            At::Body(_) => Ok(self.until_delimiter(At::End, true)),
            At::End => {
                self.buffer.clear();
                Ok(false)
            }
        }
    }

    /// Reads on to the next delimiter; what may be the front of one stays.
    fn until_delimiter(&mut self, next: At, keep: bool) -> bool {
        let found = memmem::find(&self.buffer, &self.delimiter);
        // What is not kept is counted where it stands, so that a part without an end is noticed.
        let len = match found {
            Some(at) => at,
            None if keep => (self.buffer.len() + 1).saturating_sub(self.delimiter.len()),
            None => return false,
        };
        let mut passed = self.buffer.split_to(len);
        let skipped = passed.split_to(self.skip.min(passed.len()));
        self.skip -= skipped.len();
        if keep && !passed.is_empty() {
            self.file.push(passed.freeze());
        }
        if found.is_some() {
            let _ = self.buffer.split_to(self.delimiter.len());
            self.at = next;
        }
        found.is_some()
    }

    /// The rest of a delimiter's line: blanks, or two hyphens at the end of it all.
    fn delimiter_line(&mut self, part: usize) -> Result<bool, Malformed> {
        if self.buffer.starts_with(b"--") {
            return Err(Malformed("there are fewer than two parts"));
        }
        let Some(line) = self.line() else { return Ok(false) };
        if !line.trim_ascii().is_empty() {
            return Err(Malformed("a boundary goes on"));
        }
        self.at = At::Headers(part);
        Ok(true)
    }

    fn header(&mut self, part: usize) -> Result<bool, Malformed> {
        let Some(line) = self.line() else { return Ok(false) };
        let line = line.trim_ascii_end();
        if line.is_empty() {
            self.at = At::Body(part);
            // The line that ends the headers may be that of a delimiter as well, if the part is empty.
            self.buffer = [b"\r\n", &*self.buffer].concat().as_slice().into();
            self.skip = 2;
            return Ok(true);
        }
        let line = std::str::from_utf8(line).map_err(|_| Malformed("a header is not UTF-8"))?;
        if let (1, Some((name, value))) = (part, line.split_once(':')) {
            let value = || Some(value.trim().to_owned());
            match name.trim().to_ascii_lowercase().as_str() {
                "content-type" => self.head.content_type = value(),
                "content-disposition" => self.head.disposition = value(),
                "location" => self.head.location = value(),
                _ => {}
            }
        }
        Ok(true)
    }

    fn line(&mut self) -> Option<BytesMut> {
        let end = memchr::memchr(b'\n', &self.buffer)?;
        Some(self.buffer.split_to(end + 1))
    }
}

/// The value of the parameter `boundary`.
fn boundary(parameters: &str) -> Option<&str> {
    let found = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
    let (_, value) = found.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))?;
    let value = value.trim();
    Some(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KIND: &str = "multipart/mixed; boundary=abc";

    /// The head and the file of a body that comes in pieces of so many bytes.
    fn read(body: &[u8], piece: usize) -> Result<(Head, Vec<u8>), Malformed> {
        let mut multipart = Multipart::new(KIND)?;
        let mut file = Vec::new();
        for chunk in body.chunks(piece.max(1)) {
            multipart.push(chunk)?;
            file.extend(multipart.take().concat());
        }
        let head = multipart.head().cloned();
        if multipart.is_whole() { Ok((head.unwrap(), file)) } else { Err(Malformed("cut off")) }
    }

    fn whole(file: &[u8]) -> Vec<u8> {
        let head = b"--abc\r\nContent-Type: application/json\r\n\r\n{}\r\n--abc\r\nContent-Type: image/png\r\n\
            Content-Disposition: inline; filename=a.png\r\n\r\n";
        [head, file, b"\r\n--abc--\r\n"].concat()
    }

    #[test]
    fn bodies_as_other_servers_write_them_are_read() {
        let named = |kind: &str| Head { content_type: Some(kind.into()), ..Head::default() };
        for (body, head, file) in [
            ("\r\n--abc\r\n\r\n{}\r\n--abc\r\nContent-Type: text/plain\r\n\r\nhi\r\n--abc", named("text/plain"), "hi"),
            ("--abc  \r\n\r\n{}\r\n--abc\ncontent-type:text/plain\n\nhi\r\n--abc--", named("text/plain"), "hi"),
            ("pre\r\n--abc\r\n\r\n--abc\r\n\r\n\r\n--abc--rest", Head::default(), ""),
            ("--abc\r\n\r\n{}\r\n--abc\r\n\r\n--abc--", Head::default(), ""),
            ("--abc\r\nX: y\r\n\r\n{}\r\n--abc\r\n\r\n\r\n--ab\r\n--abc--", Head::default(), "\r\n--ab"),
            (
                "--abc\r\n\r\n{}\r\n--abc\r\nLocation: https://cdn.test/a\r\n\r\n\r\n--abc--",
                Head { location: Some("https://cdn.test/a".into()), ..Head::default() },
                "",
            ),
        ] {
            for piece in [1, 2, 3, 7, 1000] {
                let read = read(body.as_bytes(), piece);
                assert_eq!(read, Ok((head.clone(), file.as_bytes().to_vec())), "{body:?} {piece}");
            }
        }
    }

    #[test]
    fn what_is_cut_off_or_never_ends_is_no_file() {
        let body = whole(b"file");
        for len in 0..body.len() - 5 {
            assert!(read(&body[..len], 4).is_err(), "{len}");
        }
        assert!(read(&vec![b'x'; 1 << 20], 1000).is_err());
        assert!(read(&[b"--abc\r\nX: ", "x".repeat(1 << 20).as_bytes()].concat(), 1000).is_err());
        assert!(read(&[b"--abc\r\n\r\n", "x".repeat(1 << 20).as_bytes()].concat(), 1000).is_err());
        assert!(read(b"--abc--\r\n", 3).is_err());
        for kind in ["text/plain", "multipart/mixed", "multipart/mixed; boundary=", "multipart/mixed; boundary=\"\""] {
            assert!(Multipart::new(kind).is_err(), "{kind}");
        }
        assert!(Multipart::new("Multipart/Mixed; charset=x; Boundary=\"a b\"").is_ok());
    }

    proptest! {
        #[test]
        fn a_file_comes_out_as_it_went_in(file in prop::collection::vec(prop::sample::select(&b"\r\n-abcx"[..]), 0..60), piece in 1..40_usize) {
            // A writer chooses a boundary that is not in the file.
            prop_assume!(memmem::find(&file, b"--abc").is_none());
            let (head, read) = read(&whole(&file), piece).unwrap();
            prop_assert_eq!(read, file);
            prop_assert_eq!(head.disposition.as_deref(), Some("inline; filename=a.png"));
        }

        #[test]
        fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), piece in 1..40_usize) {
            let _ = read(&bytes, piece);
            let _ = read(&[b"--abc\r\n\r\n{}\r\n--abc\r\n", &*bytes].concat(), piece);
        }
    }
}
