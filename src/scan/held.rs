//! The tokens found in git objects: each gets a number, and the objects that hold it are listed.
//!
//! Their commits and paths are not known here.

use crate::detect::Evidence;
use crate::finding::{Fingerprint, Token};
use crate::source::Held;
use std::collections::HashMap;
use std::sync::Arc;

/// The tokens in git objects, each once, and the objects that hold them.
#[derive(Default)]
pub(super) struct HeldTokens {
    pub(super) tokens: Vec<Arc<Token>>,
    numbers: HashMap<(Fingerprint, usize), u32>,
    pub(super) held: Vec<Held>,
}

impl HeldTokens {
    /// Returns the number of a token, and whether the token is new.
    pub(super) fn number(&mut self, token: &Token) -> (u32, bool) {
        let next = self.tokens.len() as u32;
        let number = *self.numbers.entry((token.fingerprint, token.rule)).or_insert(next);
        if number == next {
            self.tokens.push(Arc::new(token.clone()));
        }
        (number, number == next)
    }

    pub(super) fn is_shaped(&self, number: u32) -> bool {
        self.tokens[number as usize].evidence == Evidence::Shaped
    }
}
