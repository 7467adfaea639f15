//! `ddpatrold admin`: manages users and tokens directly in the database.

use super::backup::{BackupArgs, RestoreArgs, migrate, restore_backup, write_backup};
use super::bulk::{ListArgs, RevokeArgs, list_tokens, revoke_tokens};
use super::database::Database;
use super::handover::{Handover, Place};
use super::lookup::find;
use super::operator::operator;
use super::output::{print_line, print_message};
use super::values::{duration, permission};
use crate::audit::operator::set_operator;
use crate::audit::{Actor, name};
use crate::expiry::Expiry;
use crate::permission::{Permission, Permissions};
use crate::scope::KnownScopes;
use crate::service::{Minted, TokenRequest, a_year_after, mint};
use crate::sessions::create_link;
use crate::store::tokens::Authority;
use crate::store::users::{User, UserChange};
use crate::store::{Missing, Store};
use crate::tokens::fields::{check_name, check_scope};
use crate::users::{check_email, check_text, last_administrator};
use crate::web::origin::PublicUrl;
use crate::{id, time};
use anyhow::{Context as _, anyhow, bail};
use clap::Subcommand;
use jiff::Timestamp;
use std::path::PathBuf;
use std::time::Duration;

/// The options of `admin`.
#[derive(Debug, clap::Args)]
pub(super) struct AdminArgs {
    #[command(flatten)]
    database: Database,
    #[command(subcommand)]
    command: AdminCommand,
}

#[derive(Debug, Subcommand)]
enum AdminCommand {
    /// Create a link that signs a user in to the web pages once, within ten minutes
    LoginLink {
        /// Email address or UUID
        user: String,
        /// Address at which browsers reach the service, as for `serve` [default:
        /// http://127.0.0.1:8200]
        #[arg(long, env = "DDPATROLD_PUBLIC_URL", value_name = "URL")]
        public_url: Option<PublicUrl>,
    },
    /// Manage users
    #[command(subcommand)]
    User(UserCommand),
    /// Issue and revoke tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Show the service's clock, or reset its trusted time
    #[command(subcommand)]
    Clock(ClockCommand),
    /// Write a backup of the database, which may be in use
    Backup(BackupArgs),
    /// Restore a backup to an empty database
    Restore(RestoreArgs),
    /// Create the tables, or migrate them to the version of this program
    Migrate,
}

#[derive(Debug, Subcommand)]
enum ClockCommand {
    /// Show the service's time, the wall clock and the latest trusted time
    Show,
    /// Reset the latest trusted time after a service ran with a wrong clock
    Reset,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Add a user
    Add {
        /// Email address
        email: String,
        /// Name [default: the email address]
        #[arg(long)]
        name: Option<String>,
        /// Permission of the user; repeatable [default: user_app_keys]
        #[arg(long, value_name = "PERMISSION", value_parser = permission)]
        permission: Vec<Permission>,
    },
    /// List all users
    List,
    /// Disable a user and reject all of their tokens
    Disable {
        /// Email address or UUID
        user: String,
    },
    /// Enable a disabled user; their live tokens are accepted again
    Enable {
        /// Email address or UUID
        user: String,
    },
    /// Grant permissions to a user, or remove them
    Grant {
        /// Email address or UUID
        user: String,
        /// user_app_keys, org_app_keys_read, org_app_keys_write, audit_logs_read,
        /// tokens_introspect, user_access_read, service_account_write
        #[arg(required = true, value_name = "PERMISSION", value_parser = permission)]
        permissions: Vec<Permission>,
        /// Remove the permissions instead
        #[arg(long)]
        remove: bool,
    },
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Issue a token and print it; it is shown only once
    Issue(Issue),
    /// List tokens: UUID, alias, owner, state, expiry, last use and name, separated by tabs
    List(ListArgs),
    /// Revoke a token, or all live tokens that match the criteria
    Revoke(RevokeArgs),
}

#[derive(Debug, clap::Args)]
struct Issue {
    /// Email address or UUID of the owner
    #[arg(long)]
    user: String,
    /// Name of the token
    #[arg(long)]
    name: String,
    /// Scope of the token; repeatable
    #[arg(long, value_name = "SCOPE", required_unless_present = "all_scopes")]
    scope: Vec<String>,
    /// Give the token every known scope
    #[arg(long, conflicts_with = "scope")]
    all_scopes: bool,
    /// Lifetime: a number followed by s, m, h or d, at most one year
    #[arg(long, value_name = "DURATION", default_value = "365d", value_parser = duration)]
    expires_in: Duration,
    /// New file of mode 0600 for the token, instead of standard output
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// File of allowed scopes, as for `serve`
    #[arg(long, value_name = "FILE")]
    scopes: Option<PathBuf>,
}

pub(super) async fn admin(args: AdminArgs) -> anyhow::Result<()> {
    set_operator(operator());
    let url = &args.database.url;
    match &args.command {
        AdminCommand::Backup(backup) => return write_backup(url, backup).await,
        AdminCommand::Restore(backup) => return restore_backup(url, backup).await,
        AdminCommand::Migrate => return migrate(url).await,
        AdminCommand::LoginLink { .. }
        | AdminCommand::User(_)
        | AdminCommand::Token(_)
        | AdminCommand::Clock(_) => {}
    }
    let store = Store::open(url, Missing::Fail).await?;
    if !store.has_users().await? {
        bail!("the database is empty: run `ddpatrold serve` once to create its administrator");
    }
    match args.command {
        AdminCommand::LoginLink { user, public_url } => {
            login_link(&store, &user, public_url).await?;
        }
        AdminCommand::User(command) => user(&store, command).await?,
        AdminCommand::Clock(command) => clock(&store, &command).await?,
        AdminCommand::Token(TokenCommand::Issue(issue)) => issue_token(&store, issue).await?,
        AdminCommand::Token(TokenCommand::List(list)) => list_tokens(&store, list).await?,
        AdminCommand::Token(TokenCommand::Revoke(revoke)) => revoke_tokens(&store, revoke).await?,
        // These do not need an open database.
        AdminCommand::Backup(_) | AdminCommand::Restore(_) | AdminCommand::Migrate => {}
    }
    store.close().await;
    Ok(())
}

/// The address of a service that is started without options.
const DEFAULT_URL: &str = "http://127.0.0.1:8200";

async fn login_link(
    store: &Store,
    user: &str,
    public_url: Option<PublicUrl>,
) -> anyhow::Result<()> {
    let user = find(store, user).await?;
    if user.disabled_at.is_some() || user.service_account {
        bail!("user {} cannot sign in: disabled, or a service account", user.email);
    }
    let link = create_link(store, &user, &Actor::OPERATOR).await?;
    if public_url.is_none() {
        print_message(&format!("the link is for {DEFAULT_URL}; --public-url sets another address"));
    }
    print_message(&format!(
        "link for {}, valid once, until {}:",
        user.email,
        link.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    ));
    let url = public_url.as_ref().map_or(DEFAULT_URL, PublicUrl::as_str);
    print_line(link.url(url).as_bytes())?;
    Ok(())
}

async fn clock(store: &Store, command: &ClockCommand) -> anyhow::Result<()> {
    match command {
        ClockCommand::Show => {
            let trusted = store.database_time().await?.trusted;
            let trusted = trusted.map_or("none".to_owned(), |time| time.to_string());
            let (now, wall) = (time::now(), crate::clock::wall());
            print_line(format!("service\t{now}\nwall\t{wall}\ntrusted\t{trusted}").as_bytes())?;
        }
        ClockCommand::Reset => {
            let now = time::whole_micros(crate::clock::without_floor());
            if now < crate::clock::EARLIEST {
                bail!(
                    "cannot reset the trusted time at {now}: the clock is earlier than the release of this program; set the clock"
                );
            }
            let mut event = Actor::OPERATOR.event(name::CLOCK_RESET, None)?.about_clock();
            event.at = now;
            store.reset_trust(&event).await?;
            print_message(&format!("reset the trusted time to {now}"));
        }
    }
    Ok(())
}

async fn user(store: &Store, command: UserCommand) -> anyhow::Result<()> {
    match command {
        UserCommand::Add { email, name, permission } => {
            add_user(store, email, name, permission).await
        }
        UserCommand::List => {
            for user in store.users().await? {
                let names = names(user.permissions);
                let state = if user.disabled_at.is_some() { "disabled" } else { "enabled" };
                let permissions =
                    if names.is_empty() { "none".to_owned() } else { names.join(",") };
                let line =
                    format!("{}\t{}\t{state}\t{permissions}\t{}", user.id, user.email, user.name);
                print_line(line.as_bytes())?;
            }
            Ok(())
        }
        UserCommand::Disable { user } => {
            let user = find(store, &user).await?;
            let event = Actor::OPERATOR.event(name::USER_DISABLED, None)?.about_user(user.id);
            let what = match store.disable_user(user.id, &event).await? {
                UserChange::Done => "disabled",
                UserChange::Already => "already disabled:",
                UserChange::LastAdministrator => bail!(last_administrator(&user)),
            };
            print_message(&format!("{what} {}", user.email));
            Ok(())
        }
        UserCommand::Enable { user } => {
            let user = find(store, &user).await?;
            let event = Actor::OPERATOR.event(name::USER_ENABLED, None)?.about_user(user.id);
            let changed = store.enable_user(user.id, &event).await?;
            let what = if changed == UserChange::Done { "enabled" } else { "already enabled:" };
            print_message(&format!("{what} {}", user.email));
            Ok(())
        }
        UserCommand::Grant { user, permissions, remove } => {
            let user = find(store, &user).await?;
            let given: Permissions = permissions.into_iter().collect();
            let after: Permissions = Permission::ALL
                .into_iter()
                .filter(|&p| if given.contains(p) { !remove } else { user.permissions.contains(p) })
                .collect();
            let event = Actor::OPERATOR
                .event(name::USER_UPDATED, None)?
                .about_user(user.id)
                .with("permissions", names(after))
                .with("previous_permissions", names(user.permissions));
            let changed = store.set_permissions(user.id, after, &event).await?;
            if changed == UserChange::LastAdministrator {
                bail!(last_administrator(&user));
            }
            print_message(&format!("permissions of {}: {}", user.email, names(after).join(", ")));
            Ok(())
        }
    }
}

async fn add_user(
    store: &Store,
    email: String,
    name: Option<String>,
    permissions: Vec<Permission>,
) -> anyhow::Result<()> {
    let name = name.unwrap_or_else(|| email.clone());
    check_email(&email).map_err(|problem| anyhow!("invalid email address {email:?}: {problem}"))?;
    check_text(&name).map_err(|problem| anyhow!("--name: {problem}"))?;
    let permissions = if permissions.is_empty() {
        Permissions::NONE.with(Permission::UserAppKeys)
    } else {
        permissions.into_iter().collect()
    };
    let user = User {
        id: id::random()?,
        email,
        name,
        permissions,
        created_at: time::now(),
        disabled_at: None,
        title: None,
        service_account: false,
        modified_at: None,
    };
    let event = Actor::OPERATOR
        .event(name::USER_CREATED, None)?
        .about_user(user.id)
        .with("email", user.email.as_str())
        .with("permissions", names(user.permissions));
    if !store.add_user(&user, &event).await? {
        bail!("user {} already exists", user.email);
    }
    print_line(user.id.to_string().as_bytes())?;
    Ok(())
}

/// Returns the names of permissions.
fn names(permissions: Permissions) -> Vec<&'static str> {
    permissions.iter().map(Permission::name).collect()
}

async fn issue_token(store: &Store, issue: Issue) -> anyhow::Result<()> {
    let known = match &issue.scopes {
        Some(path) => KnownScopes::read(path)?,
        None => KnownScopes::built_in()?,
    };
    let user = find(store, &issue.user).await?;
    if user.disabled_at.is_some() {
        bail!("user {} is disabled, so a new token would be rejected", user.email);
    }
    check_name(&issue.name).map_err(|problem| anyhow!("--name: {problem}"))?;
    let scopes = if issue.all_scopes {
        known.names().map(str::to_owned).collect()
    } else {
        for scope in &issue.scope {
            check_scope(scope, &known).map_err(|problem| anyhow!("--scope: {problem}"))?;
        }
        issue.scope
    };
    let now = time::now();
    let expires_at = now.checked_add(issue.expires_in).unwrap_or(Timestamp::MAX);
    if expires_at > a_year_after(now) {
        bail!("--expires-in: must be at most one year");
    }
    let request = TokenRequest {
        kind: user.token_kind(),
        owner: user.id,
        name: issue.name,
        scopes,
        expires_at: Expiry::At(expires_at),
    };
    let Minted { token, secret } = mint(request)?;
    let event = Actor::OPERATOR
        .event(name::CREATED, Some(token.id))?
        .of(token.kind)
        .with("name", token.name.as_str())
        .with("scopes", token.scopes.as_slice())
        .with("owner", user.email.as_str())
        .with("expires_at", token.expires_at);
    let place = issue.token_file.map_or(Place::Output, Place::File);
    let handover = Handover::start(place, &secret)?;
    let _created = store.create_token(&token, Authority::Operator, &event).await?;
    let subject = format!("token {} of {}, until {},", token.id, user.email, token.expires_at);
    handover.complete(&subject).with_context(|| {
        format!(
            "cannot print the token, which is live: revoke it with `ddpatrold admin token revoke {}`",
            token.id
        )
    })
}
