//! The repository of the report snapshots, with every kind of finding once.

use crate::support::encode;
use crate::support::mint::{self, Random, failed_candidate, token};
use crate::support::repo::Repo;
use flate2::{Compression, GzBuilder};
use std::io::Write as _;

/// Compresses bytes as `gzip -n` does.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("a vector takes it");
    encoder.finish().expect("a vector takes it")
}

/// Builds a repository with tokens in the work tree, in its history only, encoded, in an archive,
/// allowed by a comment, known by a baseline, and one candidate with a wrong checksum.
pub(super) fn repository() -> Repo {
    let repo = Repo::new();
    repo.write("config/app.env", format!("# settings\nDD_API_TOKEN={}\n", token(1)));
    repo.write("notes.md", format!("an old example: {}\n", failed_candidate(2)));
    repo.commit("add the configuration");
    repo.commit_file("deploy.sh", format!("curl -H 'Authorization: Bearer {}'\n", token(3)));
    repo.commit_file("deploy.sh", "curl -H \"Authorization: Bearer $TOKEN\"\n");
    repo.write("docs/example.txt", format!("{} ddpatrol:allow documentation sample\n", token(4)));
    repo.write("k8s/secret.yaml", format!("token: {}\n", encode::base64(token(5).as_bytes())));
    repo.write("logs/app.log.gz", gzip(format!("used {}\n", token(6)).as_bytes()));
    let classic = mint::classic(&mut Random(7), "ghp_", 30);
    repo.write("ci.yml", format!("env:\n  - GH_TOKEN: {classic}\n  - AGAIN: {classic}\n"));
    repo.commit("add the deployment\n\nWith everything it needs.");
    repo.git(&["tag", "v1"]);
    repo.write("untracked.txt", format!("{}\n", token(1)));
    repo
}
