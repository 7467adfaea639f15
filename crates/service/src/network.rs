//! Addresses: networks in CIDR notation, and the caller's address in `X-Forwarded-For`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// A network: an address and the number of leading bits that its members have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// A string is not a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid network `{0}`: expected an address or ADDRESS/BITS, for example 10.0.0.0/8")]
pub struct NetworkError(String);

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let invalid = || NetworkError(text.to_owned());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse().map_err(|_| invalid())?
            }
            Some(_) => return Err(invalid()),
            None => width,
        };
        if bits > width {
            return Err(invalid());
        }
        // ::ffff:10.0.0.0/104 is 10.0.0.0/8, since addresses are compared in canonical form.
        match address.to_canonical() {
            canonical if canonical.is_ipv4() && width == 128 && bits >= 96 => {
                Ok(Self { address: canonical, bits: bits - 96 })
            }
            _ => Ok(Self { address, bits }),
        }
    }
}

impl Network {
    /// Creates a network of the addresses whose first `bits` bits equal those of `address`.
    #[must_use]
    pub const fn new(address: IpAddr, bits: u8) -> Self {
        Self { address, bits }
    }

    /// Returns `true` if an address belongs to the network. An IPv4 address mapped into IPv6 counts
    /// as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differ = network.to_bits() ^ address.to_bits();
                differ.leading_zeros() >= u32::from(self.bits)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differ = network.to_bits() ^ address.to_bits();
                differ.leading_zeros() >= u32::from(self.bits)
            }
            _ => false,
        }
    }
}

/// A set of networks, for example those of the trusted proxies.
#[derive(Clone, Debug, Default)]
pub struct Networks(Vec<Network>);

impl Networks {
    /// Creates a set of networks.
    #[must_use]
    pub fn new(networks: Vec<Network>) -> Self {
        Self(networks)
    }

    /// Returns `true` if an address belongs to any of the networks.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// Returns the caller's address for a connection from `connected`, given the values of
    /// `X-Forwarded-For` in order.
    ///
    /// The header is used only for a connection from one of the networks. Its list is read from the
    /// right, since each proxy appends the address that it saw: the first address outside the
    /// networks is the caller's, and the entries to its left may be forged. If an entry is reached
    /// that is not an address, the connection's address is returned. If every address is in the
    /// networks, the leftmost one is returned.
    #[must_use]
    pub fn caller<'h, I>(&self, connected: IpAddr, forwarded: I) -> IpAddr
    where
        I: DoubleEndedIterator<Item = &'h [u8]>,
    {
        let connected = connected.to_canonical();
        if !self.contains(connected) {
            return connected;
        }
        let entries = forwarded.rev().flat_map(|value| value.rsplit(|&byte| byte == b','));
        let mut caller = connected;
        for entry in entries {
            let Some(address) = forwarded_address(entry) else { return connected };
            caller = address;
            if !self.contains(address) {
                break;
            }
        }
        caller
    }
}

/// Parses an entry of `X-Forwarded-For`: an address, `address:port`, `[v6]` or `[v6]:port`.
fn forwarded_address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim();
    let address = match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(bare) => bare.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|at| at.ip())),
    };
    address.map(|address: IpAddr| address.to_canonical())
}

/// Returns the site of an address: a whole IPv4 address, or the first 64 bits of an IPv6 address.
#[must_use]
pub fn site(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
    }
}

/// Returns `true` if a host, with or without a port, names this machine.
pub(crate) fn is_loopback_host(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[&str]) -> Networks {
        Networks::new(texts.iter().map(|text| text.parse().expect("a network")).collect())
    }

    fn caller(connected: &str, values: &[&str]) -> String {
        let connected = connected.parse().expect("an address");
        let trusted = networks(&["10.0.0.0/8", "fd00::/8", "192.0.2.1"]);
        trusted.caller(connected, values.iter().map(|value| value.as_bytes())).to_string()
    }

    #[test]
    fn a_network_contains_the_addresses_that_share_its_leading_bits() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("10.1.2.3/8", "10.0.0.1", "9.255.255.255"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("0.0.0.0/0", "203.0.113.9", "::1"),
            ("::/0", "2001:db8::1", "127.0.0.1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("::1", "::1", "::2"),
            ("::ffff:10.0.0.0/104", "10.9.9.9", "11.0.0.0"),
            ("127.0.0.0/8", "::ffff:127.0.0.1", "::ffff:128.0.0.1"),
        ] {
            let parsed: Network = network.parse().expect("a network");
            assert!(parsed.contains(inside.parse().expect("an address")), "{network} {inside}");
            assert!(!parsed.contains(outside.parse().expect("an address")), "{network} {outside}");
        }
    }

    #[test]
    fn an_invalid_network_is_rejected() {
        for text in ["", "x", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/+8", "10.0.0/8", "/8"]
        {
            let error = text.parse::<Network>().expect_err(text);
            assert!(error.to_string().contains(&format!("`{text}`")), "{error}");
        }
    }

    #[test]
    fn forwarded_addresses_are_used_from_trusted_proxies_up_to_the_first_untrusted_one() {
        for (connected, values, expected) in [
            ("198.51.100.1", vec!["203.0.113.5"], "198.51.100.1"),
            ("10.0.0.1", vec!["203.0.113.5"], "203.0.113.5"),
            ("::ffff:10.0.0.1", vec!["203.0.113.5"], "203.0.113.5"),
            ("10.0.0.1", vec!["6.6.6.6, 203.0.113.5"], "203.0.113.5"),
            ("10.0.0.1", vec!["6.6.6.6, 203.0.113.5, 10.2.3.4,192.0.2.1"], "203.0.113.5"),
            ("10.0.0.1", vec!["6.6.6.6", "203.0.113.5", "10.2.3.4"], "203.0.113.5"),
            ("10.0.0.1", vec!["203.0.113.5:4711"], "203.0.113.5"),
            ("10.0.0.1", vec!["[2001:db8::1]:443"], "2001:db8::1"),
            ("10.0.0.1", vec!["[2001:db8::1]"], "2001:db8::1"),
            ("10.0.0.1", vec!["2001:db8::1"], "2001:db8::1"),
            ("10.0.0.1", vec!["::ffff:203.0.113.5"], "203.0.113.5"),
            ("10.0.0.1", vec!["203.0.113.5", "10.0.0.7:80"], "203.0.113.5"),
            ("10.0.0.1", vec!["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        ] {
            assert_eq!(caller(connected, &values), expected, "{connected} {values:?}");
        }
    }

    #[test]
    fn without_a_usable_forwarded_address_the_caller_is_the_connection() {
        for values in [
            vec![],
            vec![""],
            vec!["unknown"],
            vec!["203.0.113.5,"],
            vec!["203.0.113.5, unknown"],
            vec!["203.0.113.5:port"],
            vec!["203.0.113.5:99999"],
            vec!["unknown, 10.2.2.2"],
            vec!["[2001:db8::1"],
            vec!["[203.0.113.5]"],
        ] {
            assert_eq!(caller("10.0.0.1", &values), "10.0.0.1", "{values:?}");
        }
    }

    #[test]
    fn an_ipv6_site_has_64_bits() {
        let site_of = |text: &str| site(text.parse().expect("an address")).to_string();
        assert_eq!(site_of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(site_of("192.0.2.1"), "192.0.2.1");
        assert_eq!(site_of("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
