//! `ddpatrold serve`: opens the database, accepts connections, and shuts down in order.

use super::handover::{Handover, Place};
use super::notify::{ServiceState, notify};
use super::output::print_message;
use super::serve_args::ServeArgs;
use super::web::NewAdministrator;
use crate::api::Operations;
use crate::leak::github_keys::check_url;
use crate::network::Networks;
use crate::rate::Limits;
use crate::reload::Reload;
use crate::request_log::RequestLog;
use crate::scope::KnownScopes;
use crate::server::{Config, ConnectionLimits, Server, descriptors};
use crate::service::{FirstAdministrator, Service, Settings};
use crate::store::{Missing, Store, sqlite_file};
use crate::web::{self, Web};
use crate::{api, background, clock, time};
use anyhow::{Context as _, bail};
use std::net::SocketAddr;
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
    let tls = args.read_tls()?;
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
    let trusted_proxies = args.trusted_proxies();
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
