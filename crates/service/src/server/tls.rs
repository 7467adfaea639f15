//! The certificate of the service, which can be replaced at runtime.

use crate::replaceable::Replaceable;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use std::path::PathBuf;

/// The reason why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate chain cannot be read.
    #[error("cannot read the certificate chain {path}")]
    Certificate {
        /// The file.
        path: String,
        /// The cause.
        source: pem::Error,
    },
    /// The file contains no certificate.
    #[error("no certificate in {0}: expected PEM")]
    NoCertificate(String),
    /// The private key cannot be read.
    #[error("cannot read the private key {path}")]
    Key {
        /// The file.
        path: String,
        /// The cause.
        source: pem::Error,
    },
    /// The key does not match the certificate, or is of an unsupported type.
    #[error("cannot use {certificate} with {key}")]
    Pair {
        /// The file with the certificate chain.
        certificate: String,
        /// The file with the key.
        key: String,
        /// The cause.
        source: rustls::Error,
    },
}

/// The files of a certificate.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate chain, PEM.
    pub certificate: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
}

impl TlsFiles {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`] if a file cannot be read or the pair cannot be used.
    pub fn read(&self) -> Result<ServerConfig, TlsError> {
        let path = self.certificate.display().to_string();
        let failed = |source| TlsError::Certificate { path: path.clone(), source };
        let chain = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(failed)?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate(path));
        }
        let key_path = self.key.display().to_string();
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|source| TlsError::Key { path: key_path.clone(), source })?;
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|source| TlsError::Pair { certificate: path, key: key_path, source })?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// The certificate in use, for new connections.
pub type Tls = Replaceable<ServerConfig>;
