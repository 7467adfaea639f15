//! The `--database` option, which all commands share. Does not open the database.

use std::env;

/// The location of the database.
#[derive(Debug, clap::Args)]
pub(super) struct Database {
    /// Database: sqlite:FILE or postgres://USER@HOST/NAME [default: $DATABASE_URL or
    /// sqlite:ddpatrol.db]
    ///
    /// Use the environment for a URL with a password, to keep it out of the process list.
    #[arg(
        long = "database",
        env = "DDPATROLD_DATABASE",
        hide_env_values = true,
        value_name = "URL",
        default_value_t = default_url(),
        hide_default_value = true
    )]
    pub(super) url: String,
}

fn default_url() -> String {
    match env::var_os("DATABASE_URL") {
        Some(url) => url.to_string_lossy().into_owned(),
        None => "sqlite:ddpatrol.db".to_owned(),
    }
}
