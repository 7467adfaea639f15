//! The network side of the service: accepts and limits connections, terminates TLS, and serves
//! HTTP/1 and HTTP/2.
//!
//! Clients control how long they take to send or to read, so every stage of a connection has a
//! deadline (`watch`), and the number of connections is limited in total and per address
//! (`admission`). Limits on requests (rates, bodies, their time) belong to [`crate::api`].

mod admission;
mod connection;
pub mod descriptors;
mod limits;
mod request_body;
mod ticks;
mod tls;
mod watch;

pub use connection::Streamed;
pub use limits::ConnectionLimits;
pub use tls::{Tls, TlsError, TlsFiles};

use crate::metrics::Metrics;
use crate::network::Networks;
use admission::{Admission, Decision, Peer};
use axum::Router;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// Pause after `accept` failed due to a lack of resources, such as file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The configuration of a [`Server`].
#[derive(Debug)]
pub struct Config {
    /// Limits on connections.
    pub limits: ConnectionLimits,
    /// Proxies, whose connections are not limited per address.
    pub trusted_proxies: Networks,
    /// The certificate; `None` for plain HTTP.
    pub tls: Option<Arc<Tls>>,
    /// Time limit for open requests after the server is stopped.
    pub stop_within: Duration,
}

/// Accepts connections and serves an application on them.
#[derive(Debug)]
pub struct Server {
    app: Router,
    config: Config,
    admission: Arc<Admission>,
}

impl Server {
    /// Creates a server; [`Server::run`] starts it.
    #[must_use]
    pub fn new(app: Router, config: Config, metrics: Arc<Metrics>) -> Self {
        let admission = Arc::new(Admission::new(config.limits, metrics));
        Self { app, config, admission }
    }

    /// Serves connections until `stop` is ready, then waits for open requests to finish.
    pub async fn run(self, listener: TcpListener, stop: impl Future<Output = ()>) {
        let admission = Arc::clone(&self.admission);
        let reaper = tokio::spawn(async move { admission.reap().await });
        tokio::select! {
            () = stop => {}
            () = self.accept(&listener) => {}
        }
        drop(listener);
        self.admission.drain(self.config.stop_within).await;
        reaper.abort();
    }

    async fn accept(&self, listener: &TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => self.admit(stream, peer).await,
                Err(error) if is_the_peers_fault(&error) => {}
                Err(error) => {
                    self.admission.accept_failed(&error);
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Serves a connection in its own task, or closes it if a limit is reached.
    async fn admit(&self, stream: TcpStream, peer: SocketAddr) {
        let is_proxy = self.config.trusted_proxies.contains(peer.ip());
        let side = if is_proxy { Peer::Proxy } else { Peer::Client(peer.ip()) };
        let Decision::Admitted(admitted) = self.admission.admit(side).await else { return };
        let id = admitted.id();
        let tls = self.config.tls.as_ref().map(|tls| tls.current());
        let serve = connection::serve(stream, peer, tls, self.app.clone(), admitted);
        self.admission.started(id, &tokio::spawn(serve));
    }
}

/// Returns `true` for an error of `accept` that concerns only the connection to be accepted.
fn is_the_peers_fault(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}
