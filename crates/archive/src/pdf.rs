//! PDF: the streams of its objects.
//!
//! Input: a PDF as a stream. Output: every stream whose first filters are FlateDecode, LZWDecode,
//! ASCIIHexDecode or ASCII85Decode, decoded, to the walker; object streams and metadata included. No
//! cross-reference table is needed: streams are found by their keywords, and a deflated stream marks its own
//! end. The text that the streams show follows, joined and mapped to characters ([`super::pdf_text`]).
//! Predictors are not reversed, and images are not decoded.

use super::decode_error::DecodeError;
use super::fault::Fault;
use super::member_path::MemberPlace;
use super::pdf_lzw::{CodeChange, Lzw};
use super::pdf_text::{self, PdfText};
use super::walker::Walker;
use ddpatrol_scan::issue::{ArchiveIssue, ArchiveLimit, Unsupported};
use std::io::{self, BufRead, BufReader, Read};

/// Bytes kept before a stream; they hold its dictionary.
const KEPT: usize = 4 << 10;

/// A filter that encodes a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filter {
    Flate,
    Hex,
    Ascii85,
    Lzw(CodeChange),
}

const FILTERS: [(&[u8], Option<Filter>); 9] = [
    (b"FlateDecode", Some(Filter::Flate)),
    (b"Fl", Some(Filter::Flate)),
    (b"ASCIIHexDecode", Some(Filter::Hex)),
    (b"AHx", Some(Filter::Hex)),
    (b"ASCII85Decode", Some(Filter::Ascii85)),
    (b"A85", Some(Filter::Ascii85)),
    (b"LZWDecode", Some(Filter::Lzw(CodeChange::Early))),
    (b"LZW", Some(Filter::Lzw(CodeChange::Early))),
    (b"Crypt", None),
];

pub(super) fn read(
    walker: &Walker<'_>,
    place: &MemberPlace,
    reader: &mut dyn Read,
) -> Result<(), Fault> {
    let mut scanner = Scanner {
        reader: BufReader::with_capacity(64 << 10, reader),
        kept: Vec::new(),
        is_encrypted: false,
        text: PdfText::default(),
    };
    let mut broken = None;
    let mut number = 0_u64;
    while scanner.next_stream()? {
        walker.account().check().map_err(|_| Fault::Stopped)?;
        number += 1;
        let (name, filters) = dictionary(&scanner.kept, number);
        let is_text = !is_file(&scanner.kept);
        scanner.text.count_fonts(&scanner.kept);
        scanner.kept.clear();
        if filters.is_empty() {
            if is_text {
                let content = scanner.plain_stream()?;
                scanner.text.add(&name, &content);
            }
            continue;
        }
        if scanner.is_at_end_of_stream()? {
            continue;
        }
        let mut content = Copied::default();
        let mut lenient = Lenient { inner: decoder(&filters, &mut scanner.reader), failure: None };
        let mut reader = CopyingReader { inner: &mut lenient, copied: &mut content };
        walker.member(place, name.as_bytes(), &mut reader)?;
        let failure = lenient.failure;
        if is_text && content.is_text() {
            scanner.text.add(&name, &content.bytes);
        }
        broken = broken.or(failure.map(|error| (name, error)));
    }
    if scanner.is_encrypted {
        return Err(ArchiveIssue::Encrypted.into());
    }
    scanner.text.count_fonts(&scanner.kept);
    read_text(walker, place, &scanner.text)?;
    if let Some((name, error)) = broken {
        walker.account().report(&place.member(name.as_bytes()), error);
    }
    Ok(())
}

/// Yields the text that the streams show, and reports what cannot be mapped.
fn read_text(walker: &Walker<'_>, place: &MemberPlace, text: &PdfText) -> Result<(), Fault> {
    let mut outcome = Ok(());
    text.each(|name, text| {
        if outcome.is_ok() {
            outcome = walker.member(place, format!("{name} text").as_bytes(), &mut &*text);
        }
    });
    outcome?;
    if text.is_cut() {
        let limit = ArchiveLimit::Held(pdf_text::MAX_SHOWN as u64);
        walker.account().report(place, limit);
    }
    match text.unmapped_fonts() {
        0 => Ok(()),
        fonts => Err(Unsupported::PdfFonts { fonts }.into()),
    }
}

/// Returns the decoder for the filters of a stream.
fn decoder<'r, R: BufRead>(filters: &[Filter], reader: &'r mut R) -> Box<dyn Read + 'r> {
    // A deflate filter reads the input in place if it is the first, else it buffers the output before it.
    let (first, rest) = match filters.split_first() {
        Some((Filter::Flate, rest)) => {
            let inflater = flate2::bufread::ZlibDecoder::new(reader);
            (Box::new(inflater) as Box<dyn Read>, rest)
        }
        _ => (Box::new(Unbuffered(reader)) as Box<dyn Read>, filters),
    };
    rest.iter().fold(first, |inner, filter| match filter {
        Filter::Flate => Box::new(flate2::bufread::ZlibDecoder::new(BufReader::new(inner))),
        Filter::Hex => Box::new(Hex { inner, ended: false }),
        Filter::Lzw(change) => Box::new(Lzw::new(inner, *change)),
        Filter::Ascii85 => Box::new(Ascii85 { inner, ready: [0; 4], from: 4, to: 4, ended: false }),
    })
}

/// Returns `true` if the dictionary before a stream is that of an attached file or an image.
fn is_file(text: &[u8]) -> bool {
    let start = memchr::memmem::rfind(text, b" obj").unwrap_or(0);
    [&b"/EmbeddedFile"[..], b"/Image"]
        .iter()
        .any(|kind| memchr::memmem::find(&text[start..], kind).is_some())
}

/// Maximum number of bytes of a stream whose text is read.
const MAX_STREAM: usize = 16 << 20;

/// The beginning of a stream.
#[derive(Debug, Default)]
struct Copied {
    bytes: Vec<u8>,
}

impl Copied {
    /// Returns `true` if the stream may be a content stream, a map or an object stream, which begin with text.
    fn is_text(&self) -> bool {
        let first = &self.bytes[..self.bytes.len().min(32)];
        first.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
    }
}

/// Copies the bytes that are read, unless they are binary from their beginning.
struct CopyingReader<'c, R> {
    inner: R,
    copied: &'c mut Copied,
}

impl<R: Read> Read for CopyingReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        let room = MAX_STREAM.saturating_sub(self.copied.bytes.len());
        if self.copied.is_text() {
            self.copied.bytes.extend_from_slice(&buffer[..len.min(room)]);
        }
        Ok(len)
    }
}

/// Parses the name of an object and the filters of its stream from the text before the stream.
fn dictionary(text: &[u8], number: u64) -> (String, Vec<Filter>) {
    let start = memchr::memmem::rfind(text, b" obj").unwrap_or(0);
    let before = text[..start].rsplit(|byte| matches!(byte, b'\n' | b'\r')).next();
    let id = before.filter(|it| it.len() < 20).and_then(|it| std::str::from_utf8(it).ok());
    let is_id = |id: &&str| id.bytes().all(|byte| byte.is_ascii_digit() || byte == b' ');
    let name = match id.filter(is_id).filter(|id| !id.is_empty()) {
        Some(id) => format!("object {id}"),
        None => format!("stream {number}"),
    };
    let mut filters = Vec::new();
    let dictionary = &text[start..];
    let Some(at) = memchr::memmem::find(dictionary, b"/Filter").map(|at| at + 7) else {
        return (name, filters);
    };
    let rest = dictionary[at..].trim_ascii_start();
    let end = match rest.first() {
        Some(b'[') => memchr::memchr(b']', rest).unwrap_or(rest.len()),
        _ => {
            let is_end = |byte: &u8| matches!(byte, b'/' | b'>') || byte.is_ascii_whitespace();
            rest.iter().skip(1).position(is_end).map_or(rest.len(), |at| at + 1)
        }
    };
    for word in rest[..end].split(|byte| b"/[ \r\n\t".contains(byte)).filter(|it| !it.is_empty()) {
        match FILTERS.iter().find(|(known, _)| *known == word) {
            Some((_, Some(Filter::Lzw(_)))) => {
                filters.push(Filter::Lzw(CodeChange::of(dictionary)));
            }
            Some((_, Some(filter))) => filters.push(*filter),
            // An image: the data is scanned without decoding it.
            _ => break,
        }
    }
    (name, filters)
}

struct Scanner<'a> {
    reader: BufReader<&'a mut dyn Read>,
    kept: Vec<u8>,
    is_encrypted: bool,
    text: PdfText,
}

impl Scanner<'_> {
    /// Reads a stream without filters, up to the line that ends it.
    fn plain_stream(&mut self) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        while content.len() < MAX_STREAM {
            let room = (MAX_STREAM - content.len()) as u64;
            let before = content.len();
            let len = self.reader.by_ref().take(room).read_until(b'\n', &mut content)?;
            if len == 0 || memchr::memmem::find(&content[before..], b"endstream").is_some() {
                break;
            }
        }
        Ok(content)
    }

    /// Returns `true` if a stream has no content, which no filter accepts.
    fn is_at_end_of_stream(&mut self) -> io::Result<bool> {
        Ok(self.reader.fill_buf()?.trim_ascii_start().starts_with(b"endstream"))
    }

    /// Advances to the first byte of the next stream, and keeps the text before it.
    fn next_stream(&mut self) -> io::Result<bool> {
        loop {
            let part = match self.reader.fill_buf() {
                Ok(part) => part,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if part.is_empty() {
                return Ok(false);
            }
            // Line by line, since the keyword ends a line; binary data may have no lines.
            let len = memchr::memchr(b'\n', part).map_or(part.len(), |at| at + 1);
            self.kept.extend_from_slice(&part[..len]);
            self.reader.consume(len);
            if memchr::memmem::find(&self.kept, b"/Encrypt ").is_some() {
                self.is_encrypted = true;
            }
            let line = self.kept.strip_suffix(b"\n").map(|it| it.strip_suffix(b"\r").unwrap_or(it));
            let is_stream = line
                .and_then(|line| line.trim_ascii_end().strip_suffix(b"stream"))
                .is_some_and(|before| before.trim_ascii_end().ends_with(b">>"));
            if is_stream {
                return Ok(true);
            }
            let surplus = self.kept.len().saturating_sub(KEPT);
            if surplus > KEPT {
                self.text.count_fonts(&self.kept[..surplus]);
                self.kept.drain(..surplus);
            }
        }
    }
}

/// Reads without buffering.
struct Unbuffered<'r, R>(&'r mut R);

impl<R: Read> Read for Unbuffered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // One byte at a time, so that nothing after the end of the stream is consumed.
        match buffer.first_mut() {
            Some(first) => self.0.read(std::slice::from_mut(first)),
            None => Ok(0),
        }
    }
}

/// Treats a failure as the end, and keeps it: whether it matters is known only after the whole file.
struct Lenient<R> {
    inner: R,
    failure: Option<io::Error>,
}

impl<R: Read> Read for Lenient<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.failure.is_some() {
            return Ok(0);
        }
        match self.inner.read(buffer) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                self.failure = Some(error);
                Ok(0)
            }
            read => read,
        }
    }
}

/// Decodes ASCIIHex data, up to `>`.
struct Hex<R> {
    inner: R,
    ended: bool,
}

impl<R: Read> Hex<R> {
    fn digit(&mut self) -> io::Result<Option<u8>> {
        loop {
            let mut byte = [0];
            if self.ended || self.inner.read(&mut byte)? == 0 || byte[0] == b'>' {
                self.ended = true;
                return Ok(None);
            }
            match char::from(byte[0]).to_digit(16) {
                Some(digit) => return Ok(u8::try_from(digit).ok()),
                None if byte[0].is_ascii_whitespace() || byte[0] == 0 => {}
                None => return Err(DecodeError::HexDigit.into()),
            }
        }
    }
}

impl<R: Read> Read for Hex<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut len = 0;
        for place in buffer {
            let Some(high) = self.digit()? else { break };
            *place = high << 4 | self.digit()?.unwrap_or(0);
            len += 1;
        }
        Ok(len)
    }
}

/// Decodes ASCII85 data, up to `~>`.
struct Ascii85<R> {
    inner: R,
    ready: [u8; 4],
    from: usize,
    to: usize,
    ended: bool,
}

impl<R: Read> Ascii85<R> {
    /// Decodes the next group; returns `false` at the end.
    fn group(&mut self) -> io::Result<bool> {
        let (mut value, mut len) = (0_u32, 0_usize);
        while len < 5 && !self.ended {
            let mut byte = [0];
            if self.inner.read(&mut byte)? == 0 || byte[0] == b'~' {
                self.ended = true;
                break;
            }
            match byte[0] {
                b'z' if len == 0 => {
                    (self.ready, self.from, self.to) = ([0; 4], 0, 4);
                    return Ok(true);
                }
                byte @ b'!'..=b'u' => {
                    value = value.wrapping_mul(85).wrapping_add(u32::from(byte - b'!'));
                    len += 1;
                }
                byte if byte.is_ascii_whitespace() || byte == 0 => {}
                _ => return Err(DecodeError::Ascii85.into()),
            }
        }
        if len < 2 {
            return Ok(false);
        }
        for _ in len..5 {
            value = value.wrapping_mul(85).wrapping_add(84);
        }
        (self.ready, self.from, self.to) = (value.to_be_bytes(), 0, len - 1);
        Ok(true)
    }
}

impl<R: Read> Read for Ascii85<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.from == self.to && !self.group()? {
            return Ok(0);
        }
        let len = buffer.len().min(self.to - self.from);
        buffer[..len].copy_from_slice(&self.ready[self.from..self.from + len]);
        self.from += len;
        Ok(len)
    }
}
