//! Where the service listens, TLS, and proxies.

use crate::database::Database;
use crate::server::{CHECK, Server, check, ddpatrold, event_name};
use crate::until;
use std::process::Command;
use std::sync::Arc;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

#[test]
fn listening_beyond_this_machine_needs_tls_or_a_proxy() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("x.db").display());
    for address in ["0.0.0.0:0", "[::]:0"] {
        let mut command = ddpatrold();
        let output =
            command.args(["serve", "--database", &url, "--listen", address]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("--tls-cert") && told.contains("--behind-proxy"), "{told}");
        assert!(!dir.path().join("x.db").exists(), "it is refused before anything is made");
    }
}

/// A certificate for 127.0.0.1 that signs itself.
const REQUEST: &str = "[req]
distinguished_name = dn
x509_extensions = ext
prompt = no
[dn]
CN = ddpatrold
[ext]
subjectAltName = IP:127.0.0.1
basicConstraints = critical, CA:FALSE
";

#[test]
fn tls_serves_clients_that_trust_the_certificate_and_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name).display().to_string();
    let (config, cert, key) = (file("req.conf"), file("cert.pem"), file("key.pem"));
    std::fs::write(&config, REQUEST).unwrap();
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-config", &config, "-keyout", &key, "-out", &cert])
        .output()
        .expect("this test needs openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let database = Database::sqlite();
    let (server, admin) = Server::first(&database, &["--tls-cert", &cert, "--tls-key", &key]);
    let root = Certificate::from_pem(&std::fs::read(&cert).unwrap()).unwrap();
    let trusting =
        TlsConfig::builder().root_certs(RootCerts::Specific(Arc::new(vec![root]))).build();
    let ask = |tls: TlsConfig| {
        let agent: ureq::Agent = ureq::Agent::config_builder().tls_config(tls).build().into();
        let request = agent.get(format!("https://{}{CHECK}", server.address));
        request.header("authorization", format!("Bearer {admin}")).call()
    };
    assert_eq!(ask(trusting).unwrap().status(), 200);
    assert!(ask(TlsConfig::default()).is_err(), "nobody vouches for the certificate");
    assert!(server.connect().send(&check(&admin)).is_err(), "nothing is answered in clear");
}

/// The caller's address that the trail tells after a check with `X-Forwarded-For`.
fn told_address(options: &[&str]) -> String {
    let database = Database::sqlite();
    let (server, admin) = Server::first(&database, options);
    let request = check(&admin).header("x-forwarded-for", "192.0.2.1, 198.51.100.7");
    server.call(&request).expect(200);
    let event = until("the use is told", || {
        let mut events = server.events(&admin, "@evt.name:access_token.used").into_iter();
        events.find(|e| event_name(e) == "access_token.used" && e.to_string().contains(CHECK))
    });
    event["attributes"]["attributes"]["network"]["client"]["ip"].as_str().unwrap().to_owned()
}

#[test]
fn behind_a_proxy_the_caller_is_whom_the_proxy_names_last() {
    assert_eq!(told_address(&["--behind-proxy"]), "198.51.100.7");
    assert_eq!(told_address(&[]), "127.0.0.1");
}
