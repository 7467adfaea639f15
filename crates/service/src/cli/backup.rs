//! `ddpatrold admin backup`, `restore` and `migrate`.

use super::output::print_message;
use crate::store::backup::{BackupFile, Summary, back_up, restore};
use crate::store::without_password;
use crate::store::{Missing, Store};
use std::path::PathBuf;

/// The options of `admin backup`.
#[derive(Debug, clap::Args)]
pub(super) struct BackupArgs {
    /// New file for the backup; it gets mode 0600
    file: PathBuf,
}

/// The options of `admin restore`.
#[derive(Debug, clap::Args)]
pub(super) struct RestoreArgs {
    /// Backup, made by `admin backup`
    file: PathBuf,
    /// Check the backup without restoring it
    #[arg(long)]
    check: bool,
}

/// Writes a backup, also of a database in use.
pub(super) async fn write_backup(url: &str, args: &BackupArgs) -> anyhow::Result<()> {
    let summary = back_up(url, &args.file).await?;
    print_message(&format!("wrote {}: {}", args.file.display(), describe(&summary)));
    Ok(())
}

/// Restores a backup to an empty database.
pub(super) async fn restore_backup(url: &str, args: &RestoreArgs) -> anyhow::Result<()> {
    let backup = BackupFile::open(&args.file).await?;
    let summary = backup.summary();
    if args.check {
        print_message(&format!("{} is intact: {}", args.file.display(), describe(&summary)));
        return Ok(());
    }
    restore(&backup, url).await?;
    backup.close().await;
    print_message(&format!("restored {}: {}", args.file.display(), describe(&summary)));
    let (at, database) = (summary.created_at, without_password(url));
    print_message(&format!(
        "warning: all changes since {at} are lost; tokens that were revoked since then are accepted again. Revoke every token that may be affected before you start the service: `ddpatrold admin --database '{database}' token revoke --issued-before {at}` revokes all of the backup"
    ));
    Ok(())
}

/// Migrates the tables as a separate step.
pub(super) async fn migrate(url: &str) -> anyhow::Result<()> {
    let store = Store::open(url, Missing::Fail).await?;
    store.close().await;
    print_message("the tables have the version of this program");
    Ok(())
}

fn describe(summary: &Summary) -> String {
    let Summary { created_at, version, users, tokens, events } = summary;
    format!(
        "backup of {created_at}, version {version} of the tables, users: {users}, tokens: {tokens}, audit events: {events}"
    )
}
