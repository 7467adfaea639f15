//! The operating-system user of the `admin` commands, for their events.

use serde::Serialize;
use std::sync::OnceLock;

/// The user who runs a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Operator {
    /// The user identifier of the process.
    pub uid: u32,
    /// The name of this user, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The user identifier at login, which `su` and `sudo` do not change; recorded by the kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_uid: Option<u32>,
    /// The name of this user, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_user: Option<String>,
    /// The caller of `sudo`, as `sudo` reports it. A user who may run any command can change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sudo_user: Option<String>,
}

static OPERATOR: OnceLock<Operator> = OnceLock::new();

/// Sets the operator of this process; called once, by the command line.
pub fn set_operator(operator: Operator) {
    let _ = OPERATOR.set(operator);
}

/// Returns the operator of this process, if it is a command.
pub(super) fn current() -> Option<&'static Operator> {
    OPERATOR.get()
}
