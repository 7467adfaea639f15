//! `ddpatrold serve`: opens the database, accepts connections, and shuts down in order.

use super::database::Database;
use super::output::{print_line, print_message};
use crate::leak::github_keys::{KEYS_URL, check_url};
use crate::network::{Network, Networks};
use crate::openid::{
    GroupPermissions, IssuerAddress, OpenIdProvider, OpenIdSecret, OpenIdSettings,
};
use crate::rate::{ClassRate, Limits};
use crate::reload::{Reload, ReloadTls};
use crate::scope::KnownScopes;
use crate::server::{Config, ConnectionLimits, Server, Tls, TlsFiles, descriptors};
use crate::service::{FirstAdministrator, Service, Settings, bootstrap};
use crate::store::leaks::OnLeak;
use crate::store::{Missing, Store};
use crate::web::origin::{PublicOrigin, PublicUrl};
use crate::web::{self, Web};
use crate::{api, background, clock, time};
use anyhow::{Context as _, bail};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

/// Time limit for open requests after a signal to stop.
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// The options of `serve`.
#[derive(Debug, clap::Args)]
pub(super) struct ServeArgs {
    /// Address to listen on; port 0 selects a free port. An address that other machines can reach
    /// requires TLS or --behind-proxy
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8200")]
    listen: SocketAddr,
    #[command(flatten)]
    database: Database,
    /// Certificate chain, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key", conflicts_with = "behind_proxy")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Allow plain HTTP from other machines, because a proxy terminates TLS
    #[arg(long)]
    behind_proxy: bool,
    /// Network of proxies whose X-Forwarded-For is trusted; repeatable
    ///
    /// A network such as 10.0.0.0/8 or a single address. With --behind-proxy alone, only proxies on
    /// this machine are trusted.
    #[arg(long, value_name = "CIDR")]
    trusted_proxy: Vec<Network>,
    /// Maximum number of open connections [default: 512, or as file descriptors allow]
    #[arg(long, value_name = "COUNT", value_parser = at_least_one)]
    max_connections: Option<usize>,
    /// Maximum number of open connections per address [default: 256, at most half of all]
    #[arg(long, value_name = "COUNT", value_parser = at_least_one)]
    max_connections_per_address: Option<usize>,
    /// File of allowed scopes, one name per line, instead of the built-in list
    #[arg(long, value_name = "FILE")]
    scopes: Option<PathBuf>,
    /// Action for a live token that is reported as leaked
    #[arg(long, value_enum, default_value_t = OnLeak::Revoke)]
    on_leak: OnLeak,
    /// Retention of audit events
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    audit_retention: u32,
    /// Time that clocks must agree before expiry events are written and old events are deleted
    #[arg(long, value_name = "SECONDS", default_value_t = clock::monitor::WINDOW.as_secs(), value_parser = clap::value_parser!(u64).range(1..=86_400))]
    clock_agreement: u64,
    /// Rate limit of a class of requests, per token or address; repeatable
    #[arg(long, value_name = "CLASS=COUNT/SECONDS")]
    rate_limit: Vec<ClassRate>,
    /// Turn all rate limits off
    #[arg(long, conflicts_with = "rate_limit")]
    no_rate_limit: bool,
    /// Address at which browsers reach the service, such as https://tokens.example.com
    ///
    /// Required for the web pages behind a proxy. It decides links, the check of where a form comes
    /// from, and the attributes of cookies.
    #[arg(long, value_name = "URL")]
    public_url: Option<PublicUrl>,
    /// Issuer of OpenID Connect by which people sign in
    #[arg(long, value_name = "URL", requires = "openid_client_id", requires = "public_url")]
    openid_issuer: Option<IssuerAddress>,
    /// Identifier of this service at the issuer
    #[arg(long, value_name = "ID", requires = "openid_issuer")]
    openid_client_id: Option<String>,
    /// File with the secret of this service at the issuer
    #[arg(long, value_name = "FILE", requires = "openid_issuer")]
    openid_client_secret_file: Option<PathBuf>,
    /// Permissions of a group in the claim `groups`; repeatable
    ///
    /// With this option, each sign-in replaces a person's permissions by those of their groups.
    #[arg(long, value_name = "GROUP=PERMISSIONS", requires = "openid_issuer")]
    openid_group: Vec<GroupPermissions>,
    /// Serve the API alone, without the web pages
    #[arg(long, conflicts_with = "public_url")]
    no_web: bool,
    /// Address of GitHub's public keys for secret-scanning alerts
    #[arg(long, value_name = "URL", default_value = KEYS_URL)]
    github_keys_url: String,
}

pub(super) async fn serve(args: ServeArgs) -> anyhow::Result<()> {
    // Handled from the start, because SIGHUP terminates a process that does not handle it.
    let hangup = signal(SignalKind::hangup())?;
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a cryptography provider is already installed");
    }
    let encrypted = args.tls_cert.is_some();
    if !args.listen.ip().is_loopback() && !encrypted && !args.behind_proxy {
        bail!(
            "listening on {} without TLS would expose tokens to the network: use --tls-cert and --tls-key, or --behind-proxy if a proxy terminates TLS",
            args.listen
        );
    }
    check_url(&args.github_keys_url).context("--github-keys-url")?;
    let scopes = match &args.scopes {
        Some(path) => KnownScopes::read(path)?,
        None => KnownScopes::built_in()?,
    };
    let files = args.tls_cert.clone().zip(args.tls_key.clone());
    let files = files.map(|(certificate, key)| TlsFiles { certificate, key });
    let tls = match files {
        Some(files) => {
            let tls = Arc::new(Tls::new(files.read()?));
            Some(ReloadTls { files, tls })
        }
        None => None,
    };
    let limits =
        descriptors::connection_limits(args.max_connections, args.max_connections_per_address)?;
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    let store = Store::open(&args.database.url, Missing::Create).await?;
    if time::now() < clock::EARLIEST && store.users().await?.is_empty() {
        bail!(
            "cannot initialize the database at {}: the clock is earlier than the release of this program; set the clock",
            time::now()
        );
    }
    if let Some(FirstAdministrator { user, secret }) = bootstrap(&store, &scopes).await? {
        print_message(&format!(
            "created the administrator {}; this token is shown only once:",
            user.email
        ));
        print_line(secret.expose()).context("cannot print the administrator's token; issue another one with `ddpatrold admin token issue`")?;
    }
    let web = web_origin(&args);
    let openid = openid_provider(&args)?;
    let trusted_proxies = trusted_proxies(&args);
    let rates = if args.no_rate_limit { Limits::none() } else { Limits::new(&args.rate_limit) };
    let settings = Settings {
        scopes,
        limits: rates,
        on_leak: args.on_leak,
        github_keys_url: args.github_keys_url,
        trusted_proxies: trusted_proxies.clone(),
        clock_agreement: Duration::from_secs(args.clock_agreement),
    };
    let service = Arc::new(Service::new(store, settings)?);
    let retention = Duration::from_secs(u64::from(args.audit_retention) * 24 * 3_600);
    let Tasks { writer, mut others } = start(&service, retention);
    let current_tls = tls.as_ref().map(|reload| Arc::clone(&reload.tls));
    let reload = Reload { tls, scopes: args.scopes, service: Arc::clone(&service) };
    others.push(tokio::spawn(reload_on_hangup(hangup, reload)));
    let config = Config { limits, trusted_proxies, tls: current_tls, stop_within: STOP_WITHIN };
    let web = web.map(|origin| Arc::new(Web::new(Arc::clone(&service), origin, openid)));
    let served = listen(listener, config, &service, web).await;
    for task in others {
        task.abort();
    }
    service.queue.close();
    let written = tokio::time::timeout(STOP_WITHIN, writer).await;
    service.store.close().await;
    if !matches!(written, Ok(Ok(()))) {
        bail!("cannot write the last events to the audit trail");
    }
    served?;
    print_message("stopped");
    Ok(())
}

/// The tasks that run in the background.
struct Tasks {
    /// Writes the audit trail.
    writer: JoinHandle<()>,
    others: Vec<JoinHandle<()>>,
}

fn start(service: &Arc<Service>, retention: Duration) -> Tasks {
    let shared = || Arc::clone(service);
    let writer = shared();
    let writer = tokio::spawn(async move { writer.queue.write(&writer.store).await });
    let (watching, expiring, forgetting, listening) = (shared(), shared(), shared(), shared());
    let signing_out = shared();
    let mut others = vec![
        tokio::spawn(async move { watching.clock.watch(&watching.store).await }),
        tokio::spawn(async move { background::expire(&expiring).await }),
        tokio::spawn(async move { background::end_sessions(&signing_out).await }),
        tokio::spawn(async move { background::delete_events(&forgetting, retention).await }),
    ];
    if let Some(pool) = service.store.listener() {
        let pool = pool.clone();
        others.push(tokio::spawn(async move { background::listen(&listening, &pool).await }));
    }
    Tasks { writer, others }
}

/// Serves requests until the process receives a signal to stop.
async fn listen(
    listener: TcpListener,
    config: Config,
    service: &Arc<Service>,
    web: Option<Arc<Web>>,
) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let ConnectionLimits { total, per_address } = config.limits;
    tracing::debug!(total, per_address, "connection limits");
    let mut app = api::router(Arc::clone(service));
    if let Some(web) = web {
        app = web::router(&web, app);
    }
    let server = Server::new(app, config, Arc::clone(&service.metrics));
    print_message(&format!("listening on {scheme}://{address}"));
    let stop = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        print_message("stopping");
    };
    server.run(listener, stop).await;
    Ok(())
}

/// Returns the provider of OpenID Connect, if there is one.
fn openid_provider(args: &ServeArgs) -> anyhow::Result<Option<Arc<OpenIdProvider>>> {
    let Some((issuer, client_id)) = args.openid_issuer.clone().zip(args.openid_client_id.clone())
    else {
        return Ok(None);
    };
    let client_secret = match &args.openid_client_secret_file {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            Some(OpenIdSecret(text.trim().to_owned()))
        }
        None => None,
    };
    let groups = args.openid_group.clone();
    let settings = OpenIdSettings { issuer, client_id, client_secret, groups };
    Ok(Some(Arc::new(OpenIdProvider::new(settings))))
}

/// Returns the origin of the web pages; `None` if they are not served.
fn web_origin(args: &ServeArgs) -> Option<PublicOrigin> {
    if args.no_web {
        return None;
    }
    if let Some(url) = &args.public_url {
        return Some(PublicOrigin::Fixed(url.clone()));
    }
    if args.behind_proxy {
        tracing::warn!("the web pages are not served: set --public-url, or --no-web");
        return None;
    }
    Some(if args.tls_cert.is_some() { PublicOrigin::Tls } else { PublicOrigin::Loopback })
}

/// Returns the networks of trusted proxies: the given ones, or this machine with `--behind-proxy`
/// alone.
fn trusted_proxies(args: &ServeArgs) -> Networks {
    if args.behind_proxy && args.trusted_proxy.is_empty() {
        if !args.listen.ip().is_loopback() {
            tracing::warn!(
                "X-Forwarded-For is trusted only from this machine: specify the proxy with --trusted-proxy"
            );
        }
        return Networks::new(vec![
            Network::new(Ipv4Addr::LOCALHOST.into(), 8),
            Network::new(Ipv6Addr::LOCALHOST.into(), 128),
        ]);
    }
    Networks::new(args.trusted_proxy.clone())
}

/// Reloads the certificate and the scopes at each SIGHUP. Keeps the old ones if either file is
/// invalid.
async fn reload_on_hangup(mut hangup: Signal, reload: Reload) {
    let reload = Arc::new(reload);
    while hangup.recv().await.is_some() {
        let reload = Arc::clone(&reload);
        match tokio::task::spawn_blocking(move || reload.reload()).await {
            Ok(Ok(())) => tracing::info!("reloaded the certificate and the scopes"),
            Ok(Err(error)) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "reload failed; the old certificate and scopes remain in use"
            ),
            Err(error) => tracing::error!(%error, "reload failed"),
        }
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("expected a number of at least 1".to_owned()),
    }
}
