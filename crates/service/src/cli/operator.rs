//! Finds the operating-system user who runs a command. Decides nothing: who can open the database
//! is its operator.

use crate::audit::clean;
use crate::audit::operator::Operator;
use std::fs;

/// The kernel's value of a login that does not exist, for example in a container.
const NO_LOGIN: u32 = u32::MAX;

/// Returns the user of this process.
pub(super) fn operator() -> Operator {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name_of = |uid: u32| {
        users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let (name, id) = (fields.next()?, fields.nth(1)?);
            (id.parse() == Ok(uid)).then(|| clean(name))
        })
    };
    let uid = rustix::process::getuid().as_raw();
    let login = fs::read_to_string("/proc/self/loginuid").ok();
    let login_uid = login.and_then(|text| text.trim().parse().ok()).filter(|&uid| uid != NO_LOGIN);
    Operator {
        uid,
        user: name_of(uid),
        login_uid,
        login_user: login_uid.and_then(name_of),
        sudo_user: std::env::var("SUDO_USER").ok().map(|name| clean(&name)),
    }
}
