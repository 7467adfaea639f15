//! The options of the web pages: their address, and OpenID Connect. Hands the administrator of a new
//! database a sign-in link.

use super::handover::{Place, deliver};
use super::output::print_message;
use crate::audit::Actor;
use crate::openid::{
    GroupPermissions, IssuerAddress, OpenIdProvider, OpenIdSecret, OpenIdSettings,
};
use crate::service::Service;
use crate::sessions::create_link;
use crate::store::Store;
use crate::store::users::User;
use crate::web::Web;
use crate::web::origin::{PublicOrigin, PublicUrl};
use anyhow::{Context as _, bail};
use clap::builder::BoolishValueParser;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// The name of the file with the sign-in link of a new database's administrator.
const LINK_FILE: &str = "sign-in-link";

/// The options of the web pages.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Web pages")]
pub(super) struct WebArgs {
    /// Address at which browsers reach the service, such as `https://tokens.example.com`
    ///
    /// Required for the web pages behind a proxy. It decides links, the check of where a form comes
    /// from, and the attributes of cookies.
    #[arg(long, env = "DDPATROLD_PUBLIC_URL", value_name = "URL")]
    public_url: Option<PublicUrl>,
    /// Issuer of OpenID Connect by which people sign in
    #[arg(long, env = "DDPATROLD_OPENID_ISSUER", value_name = "URL", requires_all = ["openid_client_id", "public_url"])]
    openid_issuer: Option<IssuerAddress>,
    /// Identifier of this service at the issuer
    #[arg(long, env = "DDPATROLD_OPENID_CLIENT_ID", value_name = "ID", requires = "openid_issuer")]
    openid_client_id: Option<String>,
    /// File with the secret of this service at the issuer
    #[arg(
        long,
        env = "DDPATROLD_OPENID_CLIENT_SECRET_FILE",
        value_name = "FILE",
        requires = "openid_issuer"
    )]
    openid_client_secret_file: Option<PathBuf>,
    /// Permissions of a group in the claim `groups`, separated by +; repeatable
    ///
    /// With this option, each sign-in replaces a person's permissions by those of their groups.
    #[arg(
        long,
        env = "DDPATROLD_OPENID_GROUP",
        value_name = "GROUP=PERMISSION+…",
        value_delimiter = ',',
        requires = "openid_issuer"
    )]
    openid_group: Vec<GroupPermissions>,
    /// Serve the API alone, without the web pages
    #[arg(long, env = "DDPATROLD_NO_WEB", value_parser = BoolishValueParser::new())]
    no_web: bool,
}

/// The way in which browsers reach the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// Without TLS, from this machine.
    Loopback,
    /// With TLS of this process.
    Tls,
    /// Through a proxy.
    Proxy,
}

/// The configuration of the web pages.
#[derive(Debug)]
pub(super) struct Pages {
    origin: PublicOrigin,
    openid: Option<Arc<OpenIdProvider>>,
}

impl WebArgs {
    /// Returns the configuration of the web pages; `None` if they are not served.
    ///
    /// # Errors
    /// Fails if options exclude each other, or the secret cannot be read.
    pub(super) fn pages(&self, transport: Transport) -> anyhow::Result<Option<Pages>> {
        if self.no_web {
            if self.public_url.is_some() {
                bail!("--public-url cannot be used with --no-web");
            }
            return Ok(None);
        }
        let origin = match (&self.public_url, transport) {
            (Some(url), _) => PublicOrigin::Fixed(url.clone()),
            (None, Transport::Tls) => PublicOrigin::Tls,
            (None, Transport::Loopback) => PublicOrigin::Loopback,
            (None, Transport::Proxy) => {
                tracing::warn!("the web pages are not served: set --public-url, or --no-web");
                return Ok(None);
            }
        };
        Ok(Some(Pages { origin, openid: self.provider()? }))
    }

    /// Returns the provider of OpenID Connect, if there is one.
    fn provider(&self) -> anyhow::Result<Option<Arc<OpenIdProvider>>> {
        let (Some(issuer), Some(client_id)) = (&self.openid_issuer, &self.openid_client_id) else {
            return Ok(None);
        };
        let client_secret = match &self.openid_client_secret_file {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                Some(OpenIdSecret(text.trim().to_owned()))
            }
            None => None,
        };
        let settings = OpenIdSettings {
            issuer: issuer.clone(),
            client_id: client_id.clone(),
            client_secret,
            groups: self.openid_group.clone(),
        };
        Ok(Some(Arc::new(OpenIdProvider::new(settings))))
    }
}

impl Pages {
    /// Returns the pages of a service.
    pub(super) fn of(self, service: Arc<Service>) -> Web {
        Web::new(service, self.origin, self.openid)
    }

    /// Hands the administrator of a new database a sign-in link, in the place of their token. A
    /// failure is only reported, since `admin login-link` creates another link.
    pub(super) async fn hand_over_link(
        &self,
        store: &Store,
        administrator: &NewAdministrator,
        address: SocketAddr,
    ) {
        let NewAdministrator { user, place } = administrator;
        let place = match place {
            // Whoever asked for the token alone on standard output gets nothing else there.
            Place::Output => return,
            Place::Terminal => Place::Terminal,
            Place::File(token) => Place::File(token.with_file_name(LINK_FILE)),
        };
        let given = async {
            let link = create_link(store, user, &Actor::SYSTEM).await?;
            let subject = format!(
                "the sign-in link of {} for the web pages, valid once and until {},",
                user.email,
                link.expires_at.strftime("%H:%M UTC")
            );
            deliver(place, &link.url(&self.base(address)), &subject)
        };
        if let Err(error) = given.await {
            print_message(&format!(
                "no sign-in link ({error:#}): create one with `ddpatrold admin login-link {}`",
                user.email
            ));
        }
    }

    /// Returns the address of the pages on this machine, or the public one.
    fn base(&self, address: SocketAddr) -> String {
        let host = if address.ip().is_unspecified() {
            format!("localhost:{}", address.port())
        } else {
            address.to_string()
        };
        self.origin.of_request(Some(&host)).unwrap_or_default()
    }
}

/// The administrator of a new database.
#[derive(Debug)]
pub(super) struct NewAdministrator {
    /// The administrator.
    pub(super) user: User,
    /// The place of their token.
    pub(super) place: Place,
}
