//! The limits on open connections. Data only: [`super::descriptors`] computes them and
//! [`super::admission`] enforces them.

/// Maximum numbers of open connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// From all addresses together.
    pub total: usize,
    /// From one address; of IPv6 from one /64. Trusted proxies are exempt.
    pub per_address: usize,
}
