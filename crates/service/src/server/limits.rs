//! The limits on open connections. Data only: [`super::descriptors`] computes them and
//! [`super::admission`] enforces them.

/// Maximum numbers of open connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Maximum number for all addresses together.
    pub total: usize,
    /// Maximum number for one address, or one IPv6 /64. Trusted proxies are exempt.
    pub per_address: usize,
}
