//! The encodings of tokens, from the outermost inwards.
//!
//! Input: layers. Output: their order and names. This file decodes nothing.

use serde::{Serialize, Serializer};
use std::fmt;

/// One encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Base64, standard or URL-safe, with or without padding and line breaks.
    Base64,
    /// Hexadecimal digits, two per byte.
    Hex,
    /// Little-endian UTF-16.
    Utf16Le,
    /// Big-endian UTF-16.
    Utf16Be,
    /// Percent-encoding: `%5F`.
    Percent,
    /// Escapes of JSON and JavaScript: `\u005f`, `\u{5f}`.
    Unicode,
    /// Escapes of C and related languages: `\x5f`.
    HexEscape,
    /// Character references of HTML and XML: `&#95;`, `&#x5f;`.
    Html,
    /// Quoted-printable: `=5F`, and lines that end in `=`.
    QuotedPrintable,
    /// A backslash before punctuation, as in Markdown: `\_`.
    Backslash,
    /// String literals that the language joins: `"a" + "b"`, `"a" "b"`, a line that ends in `\`.
    Split,
    /// A line end within the token, as mail headers, iCalendar and terminals fold lines.
    Folded,
    /// Tags of HTML or XML within the token.
    Markup,
    /// ANSI control sequences within the token.
    Ansi,
    /// Characters without a width within the token.
    Invisible,
    /// Little-endian UTF-32.
    Utf32Le,
    /// Big-endian UTF-32.
    Utf32Be,
    /// Gzip.
    Gzip,
    /// Zlib.
    Zlib,
    /// The PEM block of a private key, whose token is the description of the key.
    Pem,
}

impl Layer {
    /// Returns the name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Hex => "hex",
            Self::Utf16Le => "UTF-16LE",
            Self::Utf16Be => "UTF-16BE",
            Self::Percent => "percent-encoding",
            Self::Unicode => "\\u escapes",
            Self::HexEscape => "\\x escapes",
            Self::Html => "HTML entities",
            Self::QuotedPrintable => "quoted-printable",
            Self::Backslash => "backslash escapes",
            Self::Split => "split string literals",
            Self::Folded => "folded lines",
            Self::Markup => "markup",
            Self::Ansi => "ANSI escapes",
            Self::Invisible => "invisible characters",
            Self::Utf32Le => "UTF-32LE",
            Self::Utf32Be => "UTF-32BE",
            Self::Gzip => "gzip",
            Self::Zlib => "zlib",
            Self::Pem => "PEM",
        }
    }
}

/// Maximum number of layers: more than the deepest search decodes.
const MAX_LAYERS: usize = 8;

/// The encoding of a token: none, or layers, the outermost first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Encoding([Option<Layer>; MAX_LAYERS]);

impl Encoding {
    /// No encoding.
    pub const PLAIN: Self = Self([None; MAX_LAYERS]);

    /// Returns `true` if there is no layer.
    #[must_use]
    pub fn is_plain(self) -> bool {
        self.0[0].is_none()
    }

    /// Returns the outermost layer, which encodes the text itself.
    #[must_use]
    pub fn outermost(self) -> Option<Layer> {
        self.0[0]
    }

    /// Returns `true` if the text itself is UTF-16.
    #[must_use]
    pub fn is_utf16(self) -> bool {
        matches!(self.0[0], Some(Layer::Utf16Le | Layer::Utf16Be))
    }

    /// Returns `true` if the text itself is UTF-32.
    #[must_use]
    pub fn is_utf32(self) -> bool {
        matches!(self.0[0], Some(Layer::Utf32Le | Layer::Utf32Be))
    }

    /// Returns `true` if the text itself is UTF-16 or UTF-32, in which ASCII contains zeros.
    #[must_use]
    pub fn is_wide(self) -> bool {
        self.is_utf16() || self.is_utf32()
    }

    /// Appends layers inside these.
    #[must_use]
    pub fn with(mut self, layers: impl IntoIterator<Item = Layer>) -> Self {
        let free = self.0.iter_mut().skip_while(|it| it.is_some());
        free.zip(layers).for_each(|(place, layer)| *place = Some(layer));
        self
    }

    /// Lists the layers, the outermost first.
    pub fn layers(self) -> impl Iterator<Item = Layer> {
        self.0.into_iter().flatten()
    }

    /// Wraps these layers in those of `outer`.
    #[must_use]
    pub fn wrapped_in(self, outer: Self) -> Self {
        outer.with(self.layers())
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, layer) in self.layers().enumerate() {
            write!(f, "{}{}", if at == 0 { "" } else { " of " }, layer.name())?;
        }
        Ok(())
    }
}

impl Serialize for Encoding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_listed_from_the_outermost_inwards() {
        let inner = Encoding::PLAIN.with([Layer::Base64, Layer::Utf16Le]);
        let outer = Encoding::PLAIN.with([Layer::Base64, Layer::Gzip]);
        assert_eq!(inner.wrapped_in(outer).to_string(), "base64 of gzip of base64 of UTF-16LE");
        assert!(Encoding::PLAIN.is_plain() && !inner.is_plain());
        assert_eq!(Encoding::PLAIN.to_string(), "");
    }
}
