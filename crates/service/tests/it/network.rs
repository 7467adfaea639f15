//! Listening addresses, TLS, and proxies.

use crate::database::Database;
use crate::server::{CHECK, Server, check, ddpatrold, event_name};
use crate::until;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

#[test]
fn listening_beyond_this_machine_requires_tls_or_a_proxy() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("x.db").display());
    for address in ["0.0.0.0:0", "[::]:0"] {
        let mut command = ddpatrold();
        let output =
            command.args(["serve", "--database", &url, "--listen", address]).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains("--tls-cert") && errors.contains("--behind-proxy"), "{errors}");
        assert!(!dir.path().join("x.db").exists(), "no database is created");
    }
}

/// A request for a self-signed certificate for an address.
const REQUEST: &str = "[req]
distinguished_name = dn
x509_extensions = ext
prompt = no
[dn]
CN = ddpatrold
[ext]
subjectAltName = IP:ADDRESS
basicConstraints = critical, CA:FALSE
";

/// Writes a new certificate for 127.0.0.1 and its key to two files.
pub(crate) fn new_certificate(directory: &Path, cert: &str, key: &str) {
    new_certificate_for(directory, "127.0.0.1", cert, key);
}

/// Writes a new certificate for an address and its key to two files.
pub(crate) fn new_certificate_for(directory: &Path, address: &str, cert: &str, key: &str) {
    let config = directory.join("req.conf");
    std::fs::write(&config, REQUEST.replace("ADDRESS", address)).unwrap();
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-config"])
        .arg(&config)
        .args(["-keyout", key, "-out", cert])
        .output()
        .expect("this test needs openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// A new certificate and its key, in files in their own directory.
pub(crate) struct TlsFiles {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) cert: String,
    pub(crate) key: String,
}

impl TlsFiles {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name).display().to_string();
        let (cert, key) = (file("cert.pem"), file("key.pem"));
        new_certificate(dir.path(), &cert, &key);
        Self { dir, cert, key }
    }

    /// Returns the options to use the files.
    pub(crate) fn options(&self) -> [&str; 4] {
        ["--tls-cert", &self.cert, "--tls-key", &self.key]
    }
}

/// Checks a token over TLS. Trusts the given certificate, or otherwise the known authorities.
pub(crate) fn check_over_tls(
    address: SocketAddr,
    token: &str,
    trusted: Option<&[u8]>,
) -> Result<u16, ureq::Error> {
    let tls = match trusted {
        Some(pem) => {
            let root = Certificate::from_pem(pem).unwrap();
            TlsConfig::builder().root_certs(RootCerts::Specific(Arc::new(vec![root]))).build()
        }
        None => TlsConfig::default(),
    };
    let agent: ureq::Agent = ureq::Agent::config_builder().tls_config(tls).build().into();
    let request = agent.get(format!("https://{address}{CHECK}"));
    let answer = request.header("authorization", format!("Bearer {token}")).call()?;
    Ok(answer.status().as_u16())
}

#[test]
fn tls_serves_clients_that_trust_the_certificate_and_no_others() {
    let files = TlsFiles::new();
    let database = Database::sqlite();
    let (server, admin) = Server::first(&database, &files.options());
    let pem = std::fs::read(&files.cert).unwrap();
    assert_eq!(check_over_tls(server.address, &admin, Some(&pem)).unwrap(), 200);
    let refused = check_over_tls(server.address, &admin, None);
    assert!(refused.is_err(), "the certificate is not trusted");
    assert!(server.connect().send(&check(&admin)).is_err(), "plain HTTP is not answered");
}

/// Returns the caller's address in the audit trail after a check with `X-Forwarded-For`.
fn recorded_address(options: &[&str]) -> String {
    let database = Database::sqlite();
    let (server, admin) = Server::first(&database, options);
    let request = check(&admin)
        .header("x-forwarded-for", "192.0.2.1, 198.51.100.7:4711")
        .header("x-forwarded-for", "127.0.0.9");
    server.call(&request).expect(200);
    let event = until("the use is recorded", || {
        let mut events = server.events(&admin, "@evt.name:access_token.used").into_iter();
        events.find(|e| event_name(e) == "access_token.used" && e.to_string().contains(CHECK))
    });
    event["attributes"]["attributes"]["network"]["client"]["ip"].as_str().unwrap().to_owned()
}

#[test]
fn forwarded_addresses_are_used_only_on_connections_from_a_trusted_proxy() {
    for (options, address) in [
        (&["--trusted-proxy", "127.0.0.0/8"][..], "198.51.100.7"),
        (&["--trusted-proxy", "127.0.0.1"], "127.0.0.9"),
        (&["--trusted-proxy", "192.0.2.0/24", "--trusted-proxy", "127.0.0.0/8"], "198.51.100.7"),
        (&["--behind-proxy"], "198.51.100.7"),
        (&["--behind-proxy", "--trusted-proxy", "192.0.2.0/24"], "127.0.0.1"),
        (&[], "127.0.0.1"),
    ] {
        assert_eq!(recorded_address(options), address, "{options:?}");
    }
}
