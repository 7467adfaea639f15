//! `ddpatrold serve`: opens the database, accepts connections, and shuts down in order.

use super::database::Database;
use super::handover::{Handover, Place};
use super::notify::{ServiceState, notify};
use super::output::print_message;
use super::web::{NewAdministrator, Transport, WebArgs};
use crate::api::Operations;
use crate::leak::github_keys::{KEYS_URL, check_url};
use crate::network::{Network, Networks};
use crate::rate::{ClassRate, Limits};
use crate::reload::{Reload, ReloadTls};
use crate::request_log::RequestLog;
use crate::scope::KnownScopes;
use crate::server::{Config, ConnectionLimits, Server, Tls, TlsFiles, descriptors};
use crate::service::{FirstAdministrator, Service, Settings};
use crate::store::leaks::OnLeak;
use crate::store::{Missing, PoolSize, Store, sqlite_file};
use crate::web::{self, Web};
use crate::{api, background, clock, time};
use anyhow::{Context as _, bail};
use clap::builder::BoolishValueParser;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

/// Time limit for open requests after a signal to stop.
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// Maximum number of connections to the separate listener for operators.
const OPERATIONS_CONNECTIONS: usize = 32;
/// The name of the file with the first administrator's token.
const ADMIN_TOKEN_FILE: &str = "admin-token";

/// The options of `serve`.
#[derive(Debug, clap::Args)]
pub(super) struct ServeArgs {
    /// Address to listen on; port 0 selects a free port. An address that other machines can reach
    /// requires TLS or --behind-proxy
    #[arg(
        long,
        env = "DDPATROLD_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8200"
    )]
    listen: SocketAddr,
    /// Address of a separate plain HTTP listener for /metrics, /readyz and /healthz
    ///
    /// The listener of the API then has only /healthz of these.
    #[arg(long, env = "DDPATROLD_OPERATIONS_LISTEN", value_name = "ADDRESS")]
    operations_listen: Option<SocketAddr>,
    /// Log every request; otherwise only failures of the service are logged
    #[arg(long, env = "DDPATROLD_REQUEST_LOG", value_parser = BoolishValueParser::new())]
    request_log: bool,
    #[command(flatten)]
    database: Database,
    /// Certificate chain, PEM
    #[arg(long, env = "DDPATROLD_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate, PEM
    #[arg(long, env = "DDPATROLD_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Allow plain HTTP from other machines, because a proxy terminates TLS
    #[arg(long, env = "DDPATROLD_BEHIND_PROXY", value_parser = BoolishValueParser::new())]
    behind_proxy: bool,
    /// Network of proxies whose X-Forwarded-For is trusted; repeatable
    ///
    /// A network such as 10.0.0.0/8 or a single address. With --behind-proxy alone, only proxies on
    /// this machine are trusted.
    #[arg(long, env = "DDPATROLD_TRUSTED_PROXY", value_name = "CIDR", value_delimiter = ',')]
    trusted_proxy: Vec<Network>,
    /// Maximum number of connections to PostgreSQL [default: 18]
    #[arg(long, env = "DDPATROLD_DATABASE_CONNECTIONS", value_name = "COUNT", value_parser = pool_size)]
    database_connections: Option<PoolSize>,
    /// Print the token of a new database's administrator on standard output
    ///
    /// Otherwise it is printed on standard error if that is a terminal, or written to a file.
    #[arg(long, env = "DDPATROLD_PRINT_ADMIN_TOKEN", value_parser = BoolishValueParser::new())]
    print_admin_token: bool,
    /// New file for the token of a new database's administrator
    ///
    /// [default: on the terminal, or in admin-token beside the SQLite file or in the current folder]
    #[arg(long, env = "DDPATROLD_ADMIN_TOKEN_FILE", value_name = "FILE")]
    admin_token_file: Option<PathBuf>,
    /// Maximum number of open connections [default: 512, or as file descriptors allow]
    #[arg(long, env = "DDPATROLD_MAX_CONNECTIONS", value_name = "COUNT", value_parser = at_least_one)]
    max_connections: Option<usize>,
    /// Maximum number of open connections per address [default: 256, at most half of all]
    #[arg(long, env = "DDPATROLD_MAX_CONNECTIONS_PER_ADDRESS", value_name = "COUNT", value_parser = at_least_one)]
    max_connections_per_address: Option<usize>,
    /// File of allowed scopes, one name per line, instead of the built-in list
    #[arg(long, env = "DDPATROLD_SCOPES", value_name = "FILE")]
    scopes: Option<PathBuf>,
    /// Action for a live token that is reported as leaked
    #[arg(long, env = "DDPATROLD_ON_LEAK", value_enum, default_value_t = OnLeak::Revoke)]
    on_leak: OnLeak,
    /// Retention of audit events
    #[arg(long, env = "DDPATROLD_AUDIT_RETENTION", value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    audit_retention: u32,
    /// Time that clocks must agree before expiry events are written and old events are deleted
    #[arg(long, env = "DDPATROLD_CLOCK_AGREEMENT", value_name = "SECONDS", default_value_t = clock::monitor::WINDOW.as_secs(), value_parser = clap::value_parser!(u64).range(1..=86_400))]
    clock_agreement: u64,
    /// Rate limit of a class of requests, per token or address; repeatable
    #[arg(
        long,
        env = "DDPATROLD_RATE_LIMIT",
        value_name = "CLASS=COUNT/SECONDS",
        value_delimiter = ','
    )]
    rate_limit: Vec<ClassRate>,
    /// Turn all rate limits off
    #[arg(long, env = "DDPATROLD_NO_RATE_LIMIT", value_parser = BoolishValueParser::new())]
    no_rate_limit: bool,
    /// Address of GitHub's public keys for secret-scanning alerts
    #[arg(long, env = "DDPATROLD_GITHUB_KEYS_URL", value_name = "URL", default_value = KEYS_URL)]
    github_keys_url: String,
    #[command(flatten)]
    web: WebArgs,
}

impl ServeArgs {
    const fn transport(&self) -> Transport {
        if self.tls_cert.is_some() {
            Transport::Tls
        } else if self.behind_proxy {
            Transport::Proxy
        } else {
            Transport::Loopback
        }
    }

    /// Refuses options that exclude each other. A flag may be `false` in the environment, which
    /// clap would take for a conflict.
    fn check_combinations(&self) -> anyhow::Result<()> {
        for (is_conflict, options) in [
            (self.behind_proxy && self.tls_cert.is_some(), ["--tls-cert", "--behind-proxy"]),
            (
                self.no_rate_limit && !self.rate_limit.is_empty(),
                ["--rate-limit", "--no-rate-limit"],
            ),
            (
                self.print_admin_token && self.admin_token_file.is_some(),
                ["--admin-token-file", "--print-admin-token"],
            ),
        ] {
            if is_conflict {
                bail!("{} cannot be used with {}", options[0], options[1]);
            }
        }
        Ok(())
    }
}

pub(super) async fn serve(args: ServeArgs) -> anyhow::Result<()> {
    // Handled from the start, because SIGHUP terminates a process that does not handle it.
    let hangup = signal(SignalKind::hangup())?;
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a cryptography provider is already installed");
    }
    args.check_combinations()?;
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
    let tls = read_tls(&args)?;
    let limits =
        descriptors::connection_limits(args.max_connections, args.max_connections_per_address)?;
    let listener = bind(args.listen).await?;
    let size = args.database_connections.unwrap_or_default();
    let operations = match args.operations_listen {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let store = Store::open_with(&args.database.url, Missing::Create, size).await?;
    if time::now() < clock::EARLIEST && !store.has_users().await? {
        bail!(
            "cannot initialize the database at {}: the clock is earlier than the release of this program; set the clock",
            time::now()
        );
    }
    let web = args.web.pages(args.transport())?;
    let administrator = create_administrator(&store, &scopes, &args).await?;
    if let (Some(pages), Some(administrator)) = (&web, &administrator) {
        pages.hand_over_link(&store, administrator, listener.local_addr()?).await;
    }
    let trusted_proxies = trusted_proxies(&args);
    let rates = if args.no_rate_limit { Limits::none() } else { Limits::new(&args.rate_limit) };
    let settings = Settings {
        scopes,
        limits: rates,
        on_leak: args.on_leak,
        github_keys_url: args.github_keys_url,
        trusted_proxies: trusted_proxies.clone(),
        clock_agreement: Duration::from_secs(args.clock_agreement),
        request_log: if args.request_log { RequestLog::All } else { RequestLog::Failures },
    };
    let service = Arc::new(Service::new(store, settings)?);
    let retention = Duration::from_secs(u64::from(args.audit_retention) * 24 * 3_600);
    let Tasks { writer, mut others } = start(&service, retention);
    let current_tls = tls.as_ref().map(|reload| Arc::clone(&reload.tls));
    let reload = Reload { tls, scopes: args.scopes, service: Arc::clone(&service) };
    others.push(tokio::spawn(reload_on_hangup(hangup, reload)));
    let config = Config { limits, trusted_proxies, tls: current_tls, stop_within: STOP_WITHIN };
    let web = web.map(|pages| Arc::new(pages.of(Arc::clone(&service))));
    let listeners = Listeners { api: listener, operations };
    let served = listen(listeners, config, &service, web).await;
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

/// Reads the certificate, if there is one.
fn read_tls(args: &ServeArgs) -> anyhow::Result<Option<ReloadTls>> {
    let (Some(certificate), Some(key)) = (&args.tls_cert, &args.tls_key) else { return Ok(None) };
    let files = TlsFiles { certificate: certificate.clone(), key: key.clone() };
    let tls = Arc::new(Tls::new(files.read()?));
    Ok(Some(ReloadTls { files, tls }))
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// Creates the administrator of an empty database and hands their token over.
async fn create_administrator(
    store: &Store,
    scopes: &KnownScopes,
    args: &ServeArgs,
) -> anyhow::Result<Option<NewAdministrator>> {
    if store.has_users().await? {
        return Ok(None);
    }
    let first = FirstAdministrator::mint(scopes)?;
    let place = match &args.admin_token_file {
        _ if args.print_admin_token => Place::Output,
        Some(file) => Place::File(file.clone()),
        None => {
            let database = sqlite_file(&args.database.url).unwrap_or_default();
            Place::private(database.with_file_name(ADMIN_TOKEN_FILE))
        }
    };
    let handover = Handover::start(place.clone(), &first.secret).context(
        "cannot hand over the token of the new administrator (see --admin-token-file and --print-admin-token)",
    )?;
    if store.bootstrap(&first.user, &first.token).await? {
        let subject = format!("created the administrator {}; their token", first.user.email);
        handover.complete(&subject).context("cannot print the administrator's token; issue another one with `ddpatrold admin token issue`")?;
        return Ok(Some(NewAdministrator { user: first.user, place }));
    }
    Ok(None)
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
    if service.store.wal_bytes().is_some() {
        let shortening = shared();
        others.push(tokio::spawn(async move { background::shorten_wal(&shortening).await }));
    }
    if let Some(pool) = service.store.listener() {
        let pool = pool.clone();
        others.push(tokio::spawn(async move { background::listen(&listening, &pool).await }));
    }
    Tasks { writer, others }
}

/// The listening sockets.
struct Listeners {
    api: TcpListener,
    /// The one for operators, if it is separate.
    operations: Option<TcpListener>,
}

/// Serves requests until the process receives a signal to stop.
async fn listen(
    listeners: Listeners,
    config: Config,
    service: &Arc<Service>,
    web: Option<Arc<Web>>,
) -> anyhow::Result<()> {
    let address = listeners.api.local_addr()?;
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let ConnectionLimits { total, per_address } = config.limits;
    tracing::debug!(total, per_address, "connection limits");
    let operations = match listeners.operations {
        Some(listener) => Some(operate(listener, service)?),
        None => None,
    };
    let placed = if operations.is_some() { Operations::Separate } else { Operations::WithApi };
    let api = api::router(Arc::clone(service), placed);
    let app = match web {
        Some(web) => web::router(&web, api),
        None => api,
    };
    let server = Server::new(app, config, Arc::clone(&service.metrics));
    print_message(&format!("listening on {scheme}://{address}"));
    notify(ServiceState::Ready);
    let stop = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        notify(ServiceState::Stopping);
        print_message("stopping");
    };
    server.run(listeners.api, stop).await;
    if let Some(operations) = operations {
        operations.abort();
    }
    Ok(())
}

/// Serves the routes for operators on a listener of their own. Its connections do not count as the
/// service's.
fn operate(listener: TcpListener, service: &Arc<Service>) -> anyhow::Result<JoinHandle<()>> {
    let limits =
        ConnectionLimits { total: OPERATIONS_CONNECTIONS, per_address: OPERATIONS_CONNECTIONS };
    let config = Config {
        limits,
        trusted_proxies: Networks::default(),
        tls: None,
        stop_within: STOP_WITHIN,
    };
    let app = api::operations_router(Arc::clone(service));
    let server = Server::new(app, config, Arc::default());
    print_message(&format!("operations on http://{}", listener.local_addr()?));
    Ok(tokio::spawn(server.run(listener, std::future::pending())))
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
        notify(ServiceState::Reloading);
        match tokio::task::spawn_blocking(move || reload.reload()).await {
            Ok(Ok(())) => tracing::info!("reloaded the certificate and the scopes"),
            Ok(Err(error)) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "reload failed; the old certificate and scopes remain in use"
            ),
            Err(error) => tracing::error!(%error, "reload failed"),
        }
        notify(ServiceState::Ready);
    }
}

fn pool_size(text: &str) -> Result<PoolSize, String> {
    let size = text.parse().ok().and_then(PoolSize::new);
    size.ok_or_else(|| format!("expected a number of at least {}", PoolSize::MIN))
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("expected a number of at least 1".to_owned()),
    }
}
