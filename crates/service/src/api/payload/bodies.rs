//! The budgets that all requests with a body share: memory, in bytes, and the number of bodies that
//! arrive at the same time. Reservations are made by [`super::reader`].

use crate::api::budget::{Budget, Size};
use crate::leak::MAX_BODY;
use crate::log_limit::LogLimit;
use std::sync::Arc;

const MIB: usize = 1024 * 1024;
/// Memory for small bodies without a token, and the share of a site.
const SMALL_MEMORY: Size = Size { limit: Some(8 * MIB), share: MIB + MIB / 2 };
/// Memory for the received parts of long bodies, and the share of a site.
const LARGE_MEMORY: Size = Size { limit: Some(17 * MIB), share: MAX_BODY + LARGE_STEP };
/// Memory for parsing and answering long bodies, and the share of a site.
const PARSED_MEMORY: Size = Size { limit: Some(14 * MIB), share: 11 * MIB };
/// The part of [`PARSED_MEMORY`] that long responses to a site may use.
const ANSWERS_MEMORY: Size = Size { limit: None, share: ANSWERS_SHARE };
/// Memory for bodies with a live token, and the share of a user.
const TOKEN_MEMORY: Size = Size { limit: Some(16 * MIB), share: MIB };
/// Number of small bodies without a token that arrive at the same time. Further bodies of a site
/// must arrive or be admitted soon; see [`super::reader`].
const SMALL_BODIES: Size = Size { limit: None, share: 8 };
/// Number of long bodies that arrive at the same time.
const LONG_BODIES: Size = Size { limit: Some(64), share: 1 };
/// Maximum memory of long responses to a site, in bytes.
pub(super) const ANSWERS_SHARE: usize = 1280 * 1024;
/// Increment in which memory for a long body is reserved, in bytes.
pub(super) const LARGE_STEP: usize = 128 * 1024;

/// The budgets for bodies.
#[derive(Debug)]
pub struct Bodies {
    pub(super) small: Arc<Budget>,
    pub(super) large: Arc<Budget>,
    pub(super) parsed: Arc<Budget>,
    pub(super) answers: Arc<Budget>,
    pub(super) token: Arc<Budget>,
    pub(super) small_arriving: Arc<Budget>,
    pub(super) long_arriving: Arc<Budget>,
    pub(super) log: LogLimit,
}

impl Default for Bodies {
    fn default() -> Self {
        Self {
            small: Budget::new(SMALL_MEMORY),
            large: Budget::new(LARGE_MEMORY),
            parsed: Budget::new(PARSED_MEMORY),
            answers: Budget::new(ANSWERS_MEMORY),
            token: Budget::new(TOKEN_MEMORY),
            small_arriving: Budget::new(SMALL_BODIES),
            long_arriving: Budget::new(LONG_BODIES),
            log: LogLimit::default(),
        }
    }
}
