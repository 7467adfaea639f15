//! Addresses of issuers.
//!
//! Input: a URL or the name of a Datadog site. Output: an address that credentials may be sent to: HTTPS, or
//! this machine. This file sends no requests.

use std::fmt;

/// Datadog's public sites. A token does not name its site.
///
/// Source: Datadog's "Getting Started with Datadog Sites", and its account set-up guide for `uk1`. If a
/// site were missing here, its live tokens would be reported dead.
pub const DATADOG_SITES: [&str; 9] = [
    "datadoghq.com",
    "us3.datadoghq.com",
    "us5.datadoghq.com",
    "datadoghq.eu",
    "ap1.datadoghq.com",
    "ap2.datadoghq.com",
    "uk1.datadoghq.com",
    "ddog-gov.com",
    "us2.ddog-gov.com",
];

/// An address that a credential may be sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    base: String,
    host: String,
    is_local: bool,
}

/// Credentials must not be sent to an address. The message does not repeat the address, which may contain
/// a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid address: expected https://HOST, or http:// with 127.0.0.1, [::1] or localhost, without user name and password"
)]
pub struct EndpointError;

impl Endpoint {
    /// Parses a base URL: https, or http on this machine; no user, query or fragment.
    ///
    /// # Errors
    /// Returns [`EndpointError`] for anything else.
    pub fn parse(url: &str) -> Result<Self, EndpointError> {
        let fault = || EndpointError;
        let uri: ureq::http::Uri = url.parse().map_err(|_| fault())?;
        let authority = uri.authority().ok_or_else(fault)?;
        if authority.as_str().contains('@') || uri.query().is_some() || url.contains('#') {
            return Err(fault());
        }
        let is_local = matches!(authority.host(), "127.0.0.1" | "[::1]" | "localhost");
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if is_local => {}
            _ => return Err(fault()),
        }
        let base = url.trim_end_matches('/').to_owned();
        Ok(Self { base, host: authority.as_str().to_owned(), is_local })
    }

    /// Returns the address of a Datadog site's API. The site is a name such as `datadoghq.eu` or a URL.
    ///
    /// # Errors
    /// Returns [`EndpointError`] if it is neither.
    pub fn datadog(site: &str) -> Result<Self, EndpointError> {
        if site.contains("://") {
            return Self::parse(site);
        }
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        if !site.bytes().all(is_name) || !site.contains('.') {
            return Err(EndpointError);
        }
        Self::parse(&format!("https://api.{site}"))
    }

    /// Returns the host, with the port unless it is the default.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns `true` for this machine, which is contacted without a proxy.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        self.is_local
    }

    /// Returns the URL of a path at this address.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_sent_over_https_or_stay_on_this_machine() {
        for url in [
            "https://api.example.com",
            "https://x:8443/api/",
            "http://127.0.0.1:82",
            "http://localhost",
            "http://[::1]:9",
        ] {
            assert!(Endpoint::parse(url).is_ok(), "{url}");
        }
        for url in [
            "http://example.com",
            "http://127.0.0.1.example.com",
            "http://localhost@example.com",
            "https://user:word@example.com",
            "ftp://localhost",
            "example.com",
            "https://",
            "https://x?y",
            "",
        ] {
            assert!(Endpoint::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_site_name_becomes_its_api_host() {
        let site = Endpoint::datadog("datadoghq.eu").expect("a site");
        assert_eq!(
            site.url("/api/v2/validate_keys"),
            "https://api.datadoghq.eu/api/v2/validate_keys"
        );
        assert!(Endpoint::datadog("nowhere").is_err());
        assert!(Endpoint::datadog("a.b/c").is_err());
        assert!(DATADOG_SITES.iter().all(|site| Endpoint::datadog(site).is_ok()));
    }
}
