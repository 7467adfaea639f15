//! Reloads configuration files while the service runs.

use crate::scope::{KnownScopes, ScopesError};
use crate::server::{Tls, TlsError, TlsFiles};
use crate::service::Service;
use std::path::PathBuf;
use std::sync::Arc;

/// The reason why nothing was reloaded.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The scopes file is invalid.
    #[error(transparent)]
    Scopes(#[from] ScopesError),
}

/// A certificate's files, and the certificate in use.
#[derive(Debug)]
pub struct ReloadTls {
    /// The files.
    pub files: TlsFiles,
    /// The certificate in use.
    pub tls: Arc<Tls>,
}

/// The files that can be reloaded, and the service that uses them.
#[derive(Debug)]
pub struct Reload {
    /// The certificate; `None` if the service does not terminate TLS.
    pub tls: Option<ReloadTls>,
    /// The scopes file; `None` if the built-in list is used.
    pub scopes: Option<PathBuf>,
    /// The service.
    pub service: Arc<Service>,
}

impl Reload {
    /// Reads all files, then applies their contents. Blocks.
    ///
    /// # Errors
    /// [`ReloadError`] if any file is invalid; then nothing changes.
    pub fn reload(&self) -> Result<(), ReloadError> {
        let certificate = self.tls.as_ref().map(|tls| tls.files.read()).transpose()?;
        let scopes = self.scopes.as_deref().map(KnownScopes::read).transpose()?;
        if let (Some(tls), Some(certificate)) = (&self.tls, certificate) {
            tls.tls.replace(certificate);
        }
        if let Some(scopes) = scopes {
            self.service.scopes.replace(scopes);
        }
        Ok(())
    }
}
