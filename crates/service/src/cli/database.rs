//! The option that names the database, which all commands share. It opens nothing.

/// Where the database is.
#[derive(Debug, clap::Args)]
pub(super) struct Database {
    /// The database: sqlite:FILE or postgres://USER@HOST/NAME. Put a URL with a password into
    /// DATABASE_URL, so that it does not stand in the list of processes
    #[arg(
        long = "database",
        env = "DATABASE_URL",
        hide_env_values = true,
        value_name = "URL",
        default_value = "sqlite:ddpatrol.db"
    )]
    pub(super) url: String,
}
