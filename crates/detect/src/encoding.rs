//! The encodings of tokens, from the outermost inwards.
//!
//! Input: layers. Output: their order and names. Nothing is decoded here.

use serde::{Serialize, Serializer};
use std::fmt;

/// One encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Base64, standard or URL-safe, padded or not, perhaps folded over lines.
    Base64,
    /// Hexadecimal digits, two a byte.
    Hex,
    /// UTF-16, the low byte first.
    Utf16Le,
    /// UTF-16, the high byte first.
    Utf16Be,
    /// Percent-encoding: `%5F`.
    Percent,
    /// Escapes of JSON and JavaScript: `\u005f`, `\u{5f}`.
    Unicode,
    /// Escapes of C and its kin: `\x5f`.
    HexEscape,
    /// Character references of HTML and XML: `&#95;`, `&#x5f;`.
    Html,
    /// Quoted-printable: `=5F`, and lines that end in `=`.
    QuotedPrintable,
    /// String literals that the language joins: `"a" + "b"`, `"a" "b"`, a line that ends in `\`.
    Split,
    /// Gzip.
    Gzip,
    /// Zlib.
    Zlib,
}

impl Layer {
    /// Returns what people call it.
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
            Self::Split => "split string literals",
            Self::Gzip => "gzip",
            Self::Zlib => "zlib",
        }
    }
}

/// How many layers are told; more than the deepest search goes through.
const MOST: usize = 8;

/// In what a token is encoded: nothing, or layers, the outermost first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Encoding([Option<Layer>; MOST]);

impl Encoding {
    /// No encoding.
    pub const PLAIN: Self = Self([None; MOST]);

    /// Returns `true` if there is no layer.
    #[must_use]
    pub fn is_plain(self) -> bool {
        self.0[0].is_none()
    }

    /// Returns the outermost layer: what the text itself is.
    #[must_use]
    pub fn outermost(self) -> Option<Layer> {
        self.0[0]
    }

    /// Returns `true` if the text itself is UTF-16.
    #[must_use]
    pub fn is_utf16(self) -> bool {
        matches!(self.0[0], Some(Layer::Utf16Le | Layer::Utf16Be))
    }

    /// Adds layers within these.
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

    /// Puts the layers of `outer` around these.
    #[must_use]
    pub fn within(self, outer: Self) -> Self {
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
    fn layers_are_told_from_the_outermost_inwards() {
        let inner = Encoding::PLAIN.with([Layer::Base64, Layer::Utf16Le]);
        let outer = Encoding::PLAIN.with([Layer::Base64, Layer::Gzip]);
        assert_eq!(inner.within(outer).to_string(), "base64 of gzip of base64 of UTF-16LE");
        assert!(Encoding::PLAIN.is_plain() && !inner.is_plain());
        assert_eq!(Encoding::PLAIN.to_string(), "");
    }
}
