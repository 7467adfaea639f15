//! Reads the elements of DER.
//!
//! Input: bytes. Output: tags and contents. Only what private keys need: definite lengths in their shortest
//! form, and tags of one byte. Nothing is copied.

/// `INTEGER`.
pub(super) const INTEGER: u8 = 0x02;
/// `OCTET STRING`.
pub(super) const OCTETS: u8 = 0x04;
/// `OBJECT IDENTIFIER`.
pub(super) const OID: u8 = 0x06;
/// `SEQUENCE`.
pub(super) const SEQUENCE: u8 = 0x30;
/// `BIT STRING`.
const BITS: u8 = 0x03;

/// The elements that are left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    /// Opens the only element of some bytes, a sequence.
    pub(super) fn in_sequence(bytes: &'a [u8]) -> Option<Self> {
        let mut whole = Self(bytes);
        let content = whole.take(SEQUENCE)?;
        whole.is_empty().then_some(Self(content))
    }

    /// Opens the content of an element.
    pub(super) fn of(content: &'a [u8]) -> Self {
        Self(content)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Returns the content of the next element, which must have this tag.
    pub(super) fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let rest = self.0.strip_prefix(&[tag])?;
        let (&first, rest) = rest.split_first()?;
        let (len, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            // A longer length than necessary is no DER. Keys have fewer than 65,536 bytes.
            let len = match *digits {
                [low] if low >= 0x80 => usize::from(low),
                [high @ 1..=u8::MAX, low] => usize::from(high) << 8 | usize::from(low),
                _ => return None,
            };
            (len, rest)
        };
        let (content, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        Some(content)
    }

    /// Returns the content of the next element if it has this tag.
    pub(super) fn take_optional(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.0.first() == Some(&tag) { self.take(tag) } else { None }
    }

    /// Returns the bytes of the next element, an integer that is not negative, without leading zeros.
    pub(super) fn integer(&mut self) -> Option<&'a [u8]> {
        let bytes = self.take(INTEGER)?;
        match *bytes {
            [] | [0x80..=u8::MAX, ..] => None,
            [0, ref rest @ ..] => (rest.is_empty() || rest[0] >= 0x80).then_some(rest),
            _ => Some(bytes),
        }
    }
}

/// Returns the bytes of a bit string whose bits fill its bytes.
pub(super) fn whole_bits(content: &[u8]) -> Option<&[u8]> {
    content.strip_prefix(&[0])
}

/// Returns the bytes of a bit string that is the only element of some bytes.
pub(super) fn only_bits(content: &[u8]) -> Option<&[u8]> {
    let mut elements = Elements::of(content);
    let bits = elements.take(BITS)?;
    whole_bits(bits).filter(|_| elements.is_empty())
}
