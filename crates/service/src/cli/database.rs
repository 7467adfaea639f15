//! The `--database` option, which all commands share. Does not open the database.

/// The location of the database.
#[derive(Debug, clap::Args)]
pub(super) struct Database {
    /// Database: sqlite:FILE or postgres://USER@HOST/NAME. Use DATABASE_URL for a URL with a
    /// password, to keep it out of the process list
    #[arg(
        long = "database",
        env = "DATABASE_URL",
        hide_env_values = true,
        value_name = "URL",
        default_value = "sqlite:ddpatrol.db"
    )]
    pub(super) url: String,
}
