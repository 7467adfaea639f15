//! Notifies systemd of the service's state (`Type=notify`), as `sd_notify(3)` describes. Does
//! nothing under another supervisor.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// A state of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServiceState {
    /// The service accepts connections with its current configuration.
    Ready,
    /// The service reads its configuration again.
    Reloading,
    /// The service is shutting down.
    Stopping,
}

/// Notifies the supervisor, if it asked for that. A failure is only logged.
pub(super) fn notify(state: ServiceState) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let message = match state {
        ServiceState::Ready => "READY=1".to_owned(),
        ServiceState::Reloading => {
            let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
            let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
            format!("RELOADING=1\nMONOTONIC_USEC={micros}")
        }
        ServiceState::Stopping => "STOPPING=1".to_owned(),
    };
    if let Err(error) = send(&socket, &message) {
        tracing::warn!(%error, "cannot notify systemd");
    }
}

fn send(socket: &OsStr, message: &str) -> io::Result<()> {
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(message.as_bytes(), &address).map(drop)
}
