//! Reading configuration files again while the service runs.

use crate::scope::{KnownScopes, ScopesError};
use crate::server::{Tls, TlsError, TlsFiles};
use crate::service::Service;
use std::path::PathBuf;
use std::sync::Arc;

/// Why nothing was reloaded.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The file of scopes is faulty.
    #[error(transparent)]
    Scopes(#[from] ScopesError),
}

/// The files of a certificate, and the place where it is used.
#[derive(Debug)]
pub struct ReloadTls {
    /// The files.
    pub files: TlsFiles,
    /// The certificate in use.
    pub tls: Arc<Tls>,
}

/// The files that can be reloaded, and the places where their contents are used.
#[derive(Debug)]
pub struct Reload {
    /// The certificate; `None` if the service does not do TLS.
    pub tls: Option<ReloadTls>,
    /// The file of scopes; `None` if the built-in list is used.
    pub scopes: Option<PathBuf>,
    /// The service.
    pub service: Arc<Service>,
}

impl Reload {
    /// Reads all files, then uses their contents. Blocks.
    ///
    /// # Errors
    /// [`ReloadError`] if any file is faulty; then nothing changes.
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
