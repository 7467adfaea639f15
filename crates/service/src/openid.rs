//! Sign-in by OpenID Connect: the code flow with PKCE and a nonce at one provider.
//!
//! The input is the provider's configuration and its answers; the output is the address to send a
//! browser to, and the verified identity of a person. Does not start sessions.

use crate::lock::lock;
use crate::network::is_loopback_host;
use crate::permission::{Permission, Permissions};
use crate::web_secret::WebSecret;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreProviderMetadata};
use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse, IssuerUrl,
    Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    TokenResponse as _,
};
use serde_json::Value;
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq as _;

/// Path to which the provider sends browsers back.
pub const CALLBACK: &str = "/sign-in/openid/callback";
/// Time limit of a request to the provider.
const WITHIN: Duration = Duration::from_secs(10);
/// Maximum size of an answer of the provider, in bytes.
const MAX_ANSWER: u64 = 1024 * 1024;
/// Maximum age of the provider's metadata and keys.
const MAX_AGE: Duration = Duration::from_secs(3_600);

/// The configuration of a provider.
#[derive(Clone, Debug)]
pub struct OpenIdSettings {
    /// The issuer.
    pub issuer: IssuerAddress,
    /// The client's identifier.
    pub client_id: String,
    /// The client's secret; absent for a public client.
    pub client_secret: Option<OpenIdSecret>,
    /// The permissions of the groups in the claim `groups`; groups do not matter if empty.
    pub groups: Vec<GroupPermissions>,
}

/// A client secret, which is never shown.
#[derive(Clone)]
pub struct OpenIdSecret(pub String);

impl std::fmt::Debug for OpenIdSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OpenIdSecret(…)")
    }
}

/// An option of the sign-in by OpenID Connect is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenIdOptionError {
    /// The issuer is not a URL.
    #[error("{0}")]
    Url(String),
    /// The issuer's URL has another scheme.
    #[error("expected an https URL (http only on this machine)")]
    Scheme,
    /// The permissions of a group have another form.
    #[error("expected GROUP=PERMISSION+PERMISSION")]
    Group,
    /// The permission is unknown.
    #[error("unknown permission `{0}`: expected one of {names}", names = Permission::ALL.map(Permission::name).join(", "))]
    Permission(String),
}

/// The address of an issuer: HTTPS, or HTTP on this machine.
#[derive(Clone, Debug)]
pub struct IssuerAddress(IssuerUrl);

impl FromStr for IssuerAddress {
    type Err = OpenIdOptionError;

    fn from_str(text: &str) -> Result<Self, OpenIdOptionError> {
        let url = IssuerUrl::new(text.to_owned())
            .map_err(|error| OpenIdOptionError::Url(error.to_string()))?;
        let (scheme, host) = (url.url().scheme(), url.url().host_str().unwrap_or_default());
        if scheme == "https" || (scheme == "http" && is_loopback_host(host)) {
            Ok(Self(url))
        } else {
            Err(OpenIdOptionError::Scheme)
        }
    }
}

/// The permissions of the members of a group: `GROUP=PERMISSION+PERMISSION`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupPermissions {
    /// The group, as in the claim.
    pub group: String,
    /// The permissions.
    pub permissions: Permissions,
}

impl FromStr for GroupPermissions {
    type Err = OpenIdOptionError;

    fn from_str(text: &str) -> Result<Self, OpenIdOptionError> {
        let (group, names) = text.rsplit_once('=').ok_or(OpenIdOptionError::Group)?;
        let permissions = names
            .split('+')
            .map(str::trim)
            .map(|name| {
                let unknown = || OpenIdOptionError::Permission(name.to_owned());
                Permission::from_name(name).ok_or_else(unknown)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { group: group.to_owned(), permissions })
    }
}

/// The reason why a sign-in failed.
#[derive(Debug, thiserror::Error)]
pub enum OpenIdError {
    /// The provider cannot be reached or its answer is invalid.
    #[error("the OpenID Connect provider failed: {0}")]
    Provider(String),
    /// The answer does not belong to the sign-in that this browser started.
    #[error("the sign-in was not started in this browser, or took too long")]
    State,
    /// The provider's token is not valid.
    #[error("the provider's ID token is not valid: {0}")]
    Token(String),
}

/// The verified identity of a person.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The issuer.
    pub issuer: String,
    /// The person's identifier at the issuer.
    pub subject: String,
    /// The email address, if the issuer has verified it.
    pub verified_email: Option<String>,
    /// The permissions of the person's groups; `None` if groups do not matter.
    pub permissions: Option<Permissions>,
}

/// How a person must prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A session at the provider suffices.
    Session,
    /// The provider must ask again.
    Fresh,
}

/// The provider and its cached metadata.
#[derive(Debug)]
pub struct OpenIdProvider {
    settings: OpenIdSettings,
    metadata: Mutex<Option<CachedMetadata>>,
}

#[derive(Clone, Debug)]
struct CachedMetadata {
    metadata: Arc<CoreProviderMetadata>,
    fetched: Instant,
}

impl OpenIdProvider {
    /// Creates a provider. Its metadata are fetched when they are first needed.
    #[must_use]
    pub const fn new(settings: OpenIdSettings) -> Self {
        Self { settings, metadata: Mutex::new(None) }
    }

    /// Returns the origin of the provider's sign-in page; `None` before the metadata were fetched.
    #[must_use]
    pub fn origin(&self) -> Option<String> {
        let cached = lock(&self.metadata).clone()?;
        let url = cached.metadata.authorization_endpoint().url().origin();
        Some(url.ascii_serialization())
    }

    /// Fetches the metadata unless they are cached. Blocks.
    ///
    /// # Errors
    /// [`OpenIdError::Provider`] if the provider cannot be reached.
    pub fn metadata(&self) -> Result<Arc<CoreProviderMetadata>, OpenIdError> {
        let cached = lock(&self.metadata).clone();
        if let Some(cached) = cached.filter(|cached| cached.fetched.elapsed() < MAX_AGE) {
            return Ok(cached.metadata);
        }
        let metadata = CoreProviderMetadata::discover(&self.settings.issuer.0, &send)
            .map_err(|error| OpenIdError::Provider(causes(&error)))?;
        let metadata = Arc::new(metadata);
        let cached = CachedMetadata { metadata: Arc::clone(&metadata), fetched: Instant::now() };
        *lock(&self.metadata) = Some(cached);
        Ok(metadata)
    }

    /// Returns the address to send a browser to. Blocks. State, nonce and the PKCE verifier are
    /// derived from a secret that only the browser keeps.
    ///
    /// # Errors
    /// [`OpenIdError::Provider`] if the provider cannot be reached.
    pub fn start(
        &self,
        secret: &WebSecret,
        origin: &str,
        proof: Proof,
    ) -> Result<String, OpenIdError> {
        let metadata = self.metadata()?;
        let client = CoreClient::from_provider_metadata(
            (*metadata).clone(),
            ClientId::new(self.settings.client_id.clone()),
            self.client_secret(),
        )
        .set_redirect_uri(redirect(origin)?);
        let (state, nonce) = (derived(secret, b"state"), derived(secret, b"nonce"));
        let verifier = PkceCodeVerifier::new(derived(secret, b"verifier"));
        let mut request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                || CsrfToken::new(state),
                || Nonce::new(nonce),
            )
            .add_scope(Scope::new("email".to_owned()))
            .add_scope(Scope::new("profile".to_owned()))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        if proof == Proof::Fresh {
            request = request.set_max_age(Duration::ZERO);
        }
        let (url, _, _) = request.url();
        Ok(url.into())
    }

    /// Verifies the answer of the provider and returns who signed in. Blocks.
    ///
    /// # Errors
    /// [`OpenIdError`] if the answer is not one to the sign-in of this browser, the provider cannot
    /// be reached, or its token is not valid.
    pub fn finish(
        &self,
        secret: &WebSecret,
        origin: &str,
        answer: &OpenIdAnswer,
    ) -> Result<Identity, OpenIdError> {
        if !bool::from(answer.state.as_bytes().ct_eq(derived(secret, b"state").as_bytes())) {
            return Err(OpenIdError::State);
        }
        let metadata = self.metadata()?;
        let client = CoreClient::from_provider_metadata(
            (*metadata).clone(),
            ClientId::new(self.settings.client_id.clone()),
            self.client_secret(),
        )
        .set_redirect_uri(redirect(origin)?);
        let response = client
            .exchange_code(AuthorizationCode::new(answer.code.clone()))
            .map_err(|error| OpenIdError::Provider(causes(&error)))?
            .set_pkce_verifier(PkceCodeVerifier::new(derived(secret, b"verifier")))
            .request(&send)
            .map_err(|error| OpenIdError::Provider(causes(&error)))?;
        let missing = || OpenIdError::Token("there is none".to_owned());
        let token = response.id_token().ok_or_else(missing)?;
        let nonce = Nonce::new(derived(secret, b"nonce"));
        let verifier = client.id_token_verifier();
        let claims =
            token.claims(&verifier, &nonce).map_err(|error| OpenIdError::Token(causes(&error)))?;
        if answer.proof == Proof::Fresh {
            let recent = claims.auth_time().is_some_and(|at| {
                let age = crate::time::now().as_second() - at.timestamp();
                age <= 300
            });
            if !recent {
                return Err(OpenIdError::Token("the person was not asked again".to_owned()));
            }
        }
        let is_verified = claims.email_verified() == Some(true);
        let email = claims.email().map(|email| email.as_str().to_owned());
        // The access token has no use here.
        let _ = response.access_token();
        Ok(Identity {
            issuer: claims.issuer().to_string(),
            subject: claims.subject().as_str().to_owned(),
            verified_email: email.filter(|_| is_verified),
            permissions: self.permissions(&token.to_string()),
        })
    }

    fn client_secret(&self) -> Option<ClientSecret> {
        self.settings.client_secret.as_ref().map(|secret| ClientSecret::new(secret.0.clone()))
    }

    /// Returns the permissions of the groups in a verified token.
    fn permissions(&self, token: &str) -> Option<Permissions> {
        if self.settings.groups.is_empty() {
            return None;
        }
        let payload = token.split('.').nth(1).unwrap_or_default();
        let payload = BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap_or_default();
        let claims: Value = serde_json::from_slice(&payload).unwrap_or_default();
        let groups: Vec<&str> = claims["groups"]
            .as_array()
            .map(|groups| groups.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let granted =
            self.settings.groups.iter().filter(|known| groups.contains(&known.group.as_str()));
        Some(granted.flat_map(|known| known.permissions.iter()).collect())
    }
}

/// The parameters with which the provider sends a browser back.
#[derive(Clone, Debug)]
pub struct OpenIdAnswer {
    /// The authorization code.
    pub code: String,
    /// The state.
    pub state: String,
    /// The proof that the sign-in asked for.
    pub proof: Proof,
}

fn derived(secret: &WebSecret, purpose: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(secret.derive(purpose))
}

fn redirect(origin: &str) -> Result<RedirectUrl, OpenIdError> {
    RedirectUrl::new(format!("{origin}{CALLBACK}"))
        .map_err(|error| OpenIdError::Provider(error.to_string()))
}

/// Returns an error with its causes.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    crate::audit::clean(&text)
}

/// Sends a request to the provider, without following redirects.
fn send(request: HttpRequest) -> Result<HttpResponse, ureq::Error> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(WITHIN))
        .max_redirects(0)
        .http_status_as_error(false)
        .build()
        .into();
    let mut response = agent.run(request)?;
    let body = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec()?;
    let (parts, _) = response.into_parts();
    Ok(HttpResponse::from_parts(parts, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_https_or_on_this_machine() {
        for url in ["https://login.example.com", "http://127.0.0.1:3000", "http://localhost:3000"] {
            assert!(url.parse::<IssuerAddress>().is_ok(), "{url}");
        }
        for url in ["http://login.example.com", "login.example.com", "file:///etc"] {
            assert!(url.parse::<IssuerAddress>().is_err(), "{url}");
        }
    }

    #[test]
    fn groups_name_permissions() {
        let parsed: GroupPermissions = "a=b=user_app_keys+audit_logs_read".parse().expect("valid");
        assert_eq!(parsed.group, "a=b");
        assert_eq!(parsed.permissions.iter().count(), 2);
        assert!("admins=everything".parse::<GroupPermissions>().is_err());
    }
}
