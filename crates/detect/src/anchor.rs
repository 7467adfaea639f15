//! The kind of anchor that a candidate was found by.
//!
//! Plain data: it searches nothing.

/// Where in its token an anchor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnchorKind {
    /// At the beginning: the token's head.
    Head,
    /// In the middle, at a fixed distance from the beginning.
    Middle,
}
