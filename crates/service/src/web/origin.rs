//! The address at which browsers reach the pages. It decides links, the check of where a form comes
//! from, and the attributes of cookies.

use crate::network::is_loopback_host;
use axum::http::{HeaderMap, header};
use std::str::FromStr;

/// The scheme and the host of the pages, as browsers see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicOrigin {
    /// A fixed origin, such as `https://tokens.example.com`.
    Fixed(PublicUrl),
    /// The host of each request, with TLS of this process.
    Tls,
    /// A loopback address without TLS.
    Loopback,
}

/// An URL of the form `SCHEME://HOST[:PORT]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// Returns the URL, without a slash at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The URL of the pages is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected https://HOST or https://HOST:PORT, without a path; http only for localhost")]
pub struct PublicUrlError;

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, PublicUrlError> {
        let text = text.strip_suffix('/').unwrap_or(text).to_ascii_lowercase();
        let (scheme, host) = text.split_once("://").ok_or(PublicUrlError)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
        let secure = match scheme {
            "https" => true,
            "http" => is_loopback_host(host),
            _ => false,
        };
        if !secure || host.is_empty() || !host.chars().all(plain) {
            return Err(PublicUrlError);
        }
        let default_port = if scheme == "https" { ":443" } else { ":80" };
        Ok(Self(format!("{scheme}://{}", host.strip_suffix(default_port).unwrap_or(host))))
    }
}

impl PublicOrigin {
    /// Returns `true` if browsers use HTTPS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        match self {
            Self::Fixed(PublicUrl(url)) => url.starts_with("https://"),
            Self::Tls => true,
            Self::Loopback => false,
        }
    }

    /// Returns the origin for a request; `None` if the request was made for a host that is not
    /// served.
    #[must_use]
    pub fn of_request(&self, host: Option<&str>) -> Option<String> {
        match self {
            Self::Fixed(PublicUrl(url)) => Some(url.clone()),
            Self::Tls => host.map(|host| format!("https://{}", host.to_ascii_lowercase())),
            Self::Loopback => {
                let host = host.filter(|host| is_loopback_host(host))?;
                Some(format!("http://{}", host.to_ascii_lowercase()))
            }
        }
    }

    /// Checks that a browser sends a form from a page of this service.
    ///
    /// The `Origin` of a form is `null` because of the pages' referrer policy; `Sec-Fetch-Site`
    /// then shows where the form comes from. A request without both headers is rejected.
    #[must_use]
    pub fn is_own_form(&self, headers: &HeaderMap, host: Option<&str>) -> bool {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let origin = headers.get(header::ORIGIN).map(|value| value.to_str().unwrap_or("?"));
        let site = headers.get("sec-fetch-site").map(|_| text("sec-fetch-site").unwrap_or("?"));
        let own = self.of_request(host);
        match (origin, site) {
            (None | Some("null"), Some(site)) => site == "same-origin" && own.is_some(),
            (Some(origin), None | Some("same-origin")) => {
                own.is_some_and(|own| own.eq_ignore_ascii_case(origin))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_public_url_has_no_path_and_uses_tls_beyond_this_machine() {
        for (text, url) in [
            ("https://tokens.example.com/", "https://tokens.example.com"),
            ("HTTPS://Tokens.Example.com:443", "https://tokens.example.com"),
            ("http://localhost:8200", "http://localhost:8200"),
            ("http://[::1]:8200", "http://[::1]:8200"),
        ] {
            assert_eq!(text.parse(), Ok(PublicUrl(url.to_owned())));
        }
        for text in
            ["tokens.example.com", "http://example.com", "https://a/b", "https://a@b", "https://"]
        {
            assert!(text.parse::<PublicUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_form_of_another_origin_is_not_accepted() {
        let own = PublicOrigin::Fixed("https://tokens.example.com".parse().expect("valid"));
        let accepted = |pairs: &[(&'static str, &'static str)]| {
            let headers = pairs
                .iter()
                .map(|&(name, value)| {
                    (name.parse().expect("a name"), HeaderValue::from_static(value))
                })
                .collect();
            own.is_own_form(&headers, Some("tokens.example.com"))
        };
        assert!(accepted(&[("origin", "https://tokens.example.com")]));
        assert!(accepted(&[("origin", "null"), ("sec-fetch-site", "same-origin")]));
        assert!(accepted(&[("sec-fetch-site", "same-origin")]));
        assert!(!accepted(&[]));
        assert!(!accepted(&[("origin", "null")]));
        assert!(!accepted(&[("origin", "https://evil.example")]));
        assert!(!accepted(&[("origin", "http://tokens.example.com")]));
        for site in ["same-site", "cross-site", "none"] {
            assert!(!accepted(&[("origin", "null"), ("sec-fetch-site", site)]), "{site}");
            assert!(!accepted(&[
                ("origin", "https://tokens.example.com"),
                ("sec-fetch-site", site)
            ]));
        }
        let here = PublicOrigin::Loopback;
        let mut headers = HeaderMap::new();
        headers.insert("sec-fetch-site", HeaderValue::from_static("same-origin"));
        assert!(here.is_own_form(&headers, Some("127.0.0.1:8200")));
        assert!(!here.is_own_form(&headers, Some("rebound.example:8200")));
    }
}
