//! The process's limit on file descriptors, which determines the limit on connections.

use super::limits::ConnectionLimits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// File descriptors reserved for other purposes: the database, the listener, the standard streams,
/// and connections that are about to be rejected.
const RESERVED: u64 = 96;
/// Default total limit if there are enough descriptors. The memory of one connection of a hostile
/// client without a token is about 50 KiB.
const DEFAULT_TOTAL: usize = 512;
/// Default limit per address.
const DEFAULT_PER_ADDRESS: usize = 256;

/// The process has too few file descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{connections} connections need {needed} file descriptors, but the process may open {allowed}: raise the limit (ulimit -n, LimitNOFILE=) or lower --max-connections"
)]
pub struct TooFewDescriptors {
    connections: usize,
    needed: u64,
    allowed: u64,
}

/// Computes the connection limits from those that the operator set, and raises the soft limit on
/// file descriptors accordingly.
///
/// # Errors
/// [`TooFewDescriptors`] if the hard limit is too low.
pub fn connection_limits(
    total: Option<usize>,
    per_address: Option<usize>,
) -> Result<ConnectionLimits, TooFewDescriptors> {
    let needed = |connections: usize| RESERVED.saturating_add(connections as u64);
    let allowed = raised(needed(total.unwrap_or(DEFAULT_TOTAL)));
    let total = match total {
        Some(connections) if needed(connections) > allowed => {
            return Err(TooFewDescriptors { connections, needed: needed(connections), allowed });
        }
        Some(connections) => connections,
        None => {
            let room = usize::try_from(allowed.saturating_sub(RESERVED)).unwrap_or(usize::MAX);
            if room == 0 {
                return Err(TooFewDescriptors { connections: 1, needed: needed(1), allowed });
            }
            room.min(DEFAULT_TOTAL)
        }
    };
    let half = total.div_ceil(2);
    let per_address = per_address.unwrap_or_else(|| DEFAULT_PER_ADDRESS.min(half));
    Ok(ConnectionLimits { total, per_address })
}

/// Raises the soft limit to `wanted`, as far as the hard limit permits. Returns the soft limit.
fn raised(wanted: u64) -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let current = current.unwrap_or(u64::MAX);
    let target = wanted.min(maximum.unwrap_or(u64::MAX));
    if current >= target {
        return current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(target), maximum }) {
        Ok(()) => target,
        Err(error) => {
            tracing::debug!(%error, "cannot raise the limit on file descriptors");
            current
        }
    }
}
