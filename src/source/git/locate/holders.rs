//! Which objects hold which tokens, and where in them. Objects and tokens are numbers.

use crate::finding::Span;
use std::collections::HashMap;
use std::sync::Arc;

/// For each blob that holds tokens: the tokens in ascending order, each with its spans.
pub(super) type ByObject = HashMap<u32, Vec<(u32, Arc<[Span]>)>>;
/// For each tree with tokens in its names: offsets in ascending order, each with its token.
pub(super) type ByTree = HashMap<u32, Vec<(u64, u32)>>;

/// Returns the offsets of spans.
pub(super) fn offsets(spans: &[Span]) -> Vec<u64> {
    spans.iter().map(|span| span.offset).collect()
}
