//! `ddpatrold serve`: opens the database, listens, and stops in order.

use super::{Database, print, say};
use crate::leak::github::{KEYS_URL, check_address};
use crate::rate::{ClassRate, Limits};
use crate::scope::KnownScopes;
use crate::service::{Proxy, Service, Settings, begin};
use crate::store::leaks::OnLeak;
use crate::store::{Missing, Store};
use crate::{api, clock, sweep, time};
use anyhow::{Context as _, bail};
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

/// How long open requests may take to end after the service was told to stop.
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// How long a connection may take to send a request's headers.
const HEADERS_WITHIN: Duration = Duration::from_secs(75);

/// The options of `serve`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to listen; port 0 takes a free one. Beyond this machine it needs TLS or --behind-proxy
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8200")]
    listen: SocketAddr,
    #[command(flatten)]
    database: Database,
    /// The certificate chain, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key", conflicts_with = "behind_proxy")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// A proxy in front does TLS and adds the caller's address to X-Forwarded-For
    #[arg(long)]
    behind_proxy: bool,
    /// The scopes that tokens may carry, a name a line, in place of the built-in list
    #[arg(long, value_name = "FILE")]
    scopes: Option<PathBuf>,
    /// What happens to a live token that is reported as leaked
    #[arg(long, value_enum, default_value_t = OnLeak::Revoke)]
    on_leak: OnLeak,
    /// How long audit events are kept
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    audit_retention: u32,
    /// How long clocks have to agree before expiry events are written and old events deleted
    #[arg(long, value_name = "SECONDS", default_value_t = clock::monitor::WINDOW.as_secs(), value_parser = clap::value_parser!(u64).range(1..=86_400))]
    clock_agreement: u64,
    /// Rate limit of a class of requests, per token or address; repeatable
    #[arg(long, value_name = "CLASS=COUNT/SECONDS")]
    rate_limit: Vec<ClassRate>,
    /// Turn all rate limits off
    #[arg(long, conflicts_with = "rate_limit")]
    no_rate_limit: bool,
    /// Where GitHub's public keys for secret-scanning alerts are
    #[arg(long, value_name = "URL", default_value = KEYS_URL)]
    github_keys_url: String,
}

pub(super) async fn serve(args: Args) -> anyhow::Result<()> {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a provider of cryptography was installed before");
    }
    let encrypted = args.tls_cert.is_some();
    if !args.listen.ip().is_loopback() && !encrypted && !args.behind_proxy {
        bail!(
            "listening on {} would show tokens to the network: give --tls-cert and --tls-key, or --behind-proxy if a proxy in front does TLS",
            args.listen
        );
    }
    check_address(&args.github_keys_url).context("--github-keys-url")?;
    let scopes = match &args.scopes {
        Some(path) => KnownScopes::read(path)?,
        None => KnownScopes::built_in()?,
    };
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(cert), Some(key)) => Some(
            RustlsConfig::from_pem_file(cert, key)
                .await
                .with_context(|| format!("cannot use {} with {}", cert.display(), key.display()))?,
        ),
        _ => None,
    };
    let listener = TcpListener::bind(args.listen)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    let store = Store::open(&args.database.url, Missing::Create).await?;
    if time::now() < clock::EARLIEST && store.users().await?.is_empty() {
        bail!(
            "cannot initialize the database at {}: the clock is wrong, because this program is younger; set the clock",
            time::now()
        );
    }
    if let Some((admin, token)) = begin(&store, &scopes).await? {
        say(&format!("made the administrator {}; its token, shown only now:", admin.email));
        print(token.expose()).context("the administrator's token cannot be shown; issue another with `ddpatrold admin token issue`")?;
    }
    let limits = if args.no_rate_limit { Limits::none() } else { Limits::new(&args.rate_limit) };
    let settings = Settings {
        scopes,
        limits,
        on_leak: args.on_leak,
        github_keys_url: args.github_keys_url,
        proxy: if args.behind_proxy { Proxy::Forwards } else { Proxy::None },
        clock_agreement: Duration::from_secs(args.clock_agreement),
    };
    let service = Arc::new(Service::new(store, settings)?);
    let retention = Duration::from_secs(u64::from(args.audit_retention) * 24 * 3_600);
    let (writer, others) = start(&service, retention);
    let served = listen(listener, tls, &service).await;
    for task in others {
        task.abort();
    }
    service.queue.close();
    let written = tokio::time::timeout(STOP_WITHIN, writer).await;
    service.store.close().await;
    if !matches!(written, Ok(Ok(()))) {
        bail!("the last uses could not be written to the audit trail");
    }
    served?;
    say("stopped");
    Ok(())
}

/// Starts what the service does beside answering; the writer of the audit trail comes first.
fn start(service: &Arc<Service>, retention: Duration) -> (JoinHandle<()>, Vec<JoinHandle<()>>) {
    let shared = || Arc::clone(service);
    let writer = shared();
    let writer = tokio::spawn(async move { writer.queue.write(&writer.store).await });
    let (watching, expiring, forgetting, listening) = (shared(), shared(), shared(), shared());
    let mut others = vec![
        tokio::spawn(async move { watching.clock.watch(&watching.store).await }),
        tokio::spawn(async move { sweep::expire(&expiring).await }),
        tokio::spawn(async move { sweep::forget_events(&forgetting, retention).await }),
    ];
    if let Some(pool) = service.store.listener() {
        let pool = pool.clone();
        others.push(tokio::spawn(async move { sweep::listen(&listening, &pool).await }));
    }
    (writer, others)
}

/// Answers requests until the process is told to stop.
async fn listen(
    listener: TcpListener,
    tls: Option<RustlsConfig>,
    service: &Arc<Service>,
) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let handle = Handle::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stopping = handle.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        say("stopping");
        stopping.graceful_shutdown(Some(STOP_WITHIN));
    });
    let app = api::router(Arc::clone(service)).into_make_service_with_connect_info::<SocketAddr>();
    say(&format!("listening on {scheme}://{address}"));
    match tls {
        Some(tls) => {
            let mut server = axum_server::from_tcp_rustls(listener, tls)?.handle(handle);
            limit_patience(server.http_builder());
            server.serve(app).await?;
        }
        None => {
            let mut server = axum_server::from_tcp(listener)?.handle(handle);
            limit_patience(server.http_builder());
            server.serve(app).await?;
        }
    }
    Ok(())
}

/// Gives a connection a limited time to send a request's headers, so that silent ones do not pile up.
fn limit_patience(http: &mut Builder<TokioExecutor>) {
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN);
    http.http2().timer(TokioTimer::new()).keep_alive_interval(HEADERS_WITHIN);
}
