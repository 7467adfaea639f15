//! Credentials of hosts: from the environment or from git's credential helpers.
//!
//! A credential is sent in one header of requests to one host. It is in no URL, and masked in messages.

use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use url::Url;

/// Time limit of git's credential helpers.
const HELPER_TIMEOUT: Duration = Duration::from_secs(30);

/// A token or password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credential(String);

impl Credential {
    /// Wraps a token; `None` if it is empty or cannot be sent in a header.
    pub(super) fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_valid = !text.is_empty() && text.bytes().all(|it| it.is_ascii_graphic());
        is_valid.then(|| Self(text.to_owned()))
    }

    /// Returns the token, for a header.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// Returns `true` if `text` contains the token.
    pub(super) fn is_in(&self, text: &str) -> bool {
        text.contains(&self.0)
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential")
    }
}

/// Returns the first of the environment variables `names` that is set, else what git's credential helpers have
/// for the web address of the host.
///
/// # Errors
/// Returns an error if a variable is set to a text that cannot be a token. The text is not repeated.
pub(super) async fn find(names: &[&str], web: &Url) -> anyhow::Result<Option<Credential>> {
    for name in names {
        let Some(value) = std::env::var_os(name).filter(|it| !it.is_empty()) else { continue };
        let token = value.to_str().and_then(Credential::new);
        return match token {
            Some(token) => Ok(Some(token)),
            None => anyhow::bail!("{name} contains characters that are not valid in a token"),
        };
    }
    Ok(ask_git(web).await)
}

/// Asks git's credential helpers; never a person.
async fn ask_git(web: &Url) -> Option<Credential> {
    let host = web.host_str()?;
    let port = web.port().map(|it| format!(":{it}")).unwrap_or_default();
    let question = format!("protocol={}\nhost={host}{port}\n\n", web.scheme());
    let mut command = Command::new("git");
    command.args(["-c", "core.askPass=", "credential", "fill"]);
    command.env("GIT_TERMINAL_PROMPT", "0").env("SSH_ASKPASS", "").env("GCM_INTERACTIVE", "never");
    command.env_remove("GIT_ASKPASS").env_remove("GIT_DIR").env_remove("GIT_TRACE");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().ok()?;
    let mut input = child.stdin.take()?;
    let answer = async {
        input.write_all(question.as_bytes()).await.ok()?;
        drop(input);
        child.wait_with_output().await.ok().filter(|it| it.status.success())
    };
    let answer = tokio::time::timeout(HELPER_TIMEOUT, answer).await.ok().flatten()?;
    let text = String::from_utf8(answer.stdout).ok()?;
    text.lines().find_map(|line| line.strip_prefix("password=")).and_then(Credential::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_header_values_and_not_printed() {
        let credential = Credential::new(" s3cret\n").unwrap();
        assert_eq!(credential.expose(), "s3cret");
        assert_eq!(format!("{credential:?}"), "Credential");
        assert!(credential.is_in("a s3cret b") && !credential.is_in("a secret b"));
        assert!(Credential::new("").is_none() && Credential::new("a\nb").is_none());
    }
}
