//! `ddpatrold admin token list` and `revoke`.

use super::lookup::find;
use super::output::{print_line, print_message};
use super::values::past;
use crate::audit::{Actor, name};
use crate::id;
use crate::sort::Direction;
use crate::store::Store;
use crate::store::listing::{Listing, Order, StateFilter, state_name};
use crate::store::tokens::{Revocation, RevocationCriteria, RevokedBy, Token};
use anyhow::{Context as _, bail};
use ddpatrol_token::Uuid;
use jiff::Timestamp;
use std::collections::HashMap;

/// Number of tokens per query.
const PAGE: u32 = 500;

/// The options of `admin token list`.
#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// Email address or UUID of the owner
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
    /// State: live, expiring, expired, revoked or leaked [default: any]
    #[arg(long, value_name = "STATE", value_parser = StateFilter::NAMES)]
    state: Option<String>,
}

/// The options of `admin token revoke`.
#[derive(Debug, clap::Args)]
#[group(id = "criteria", multiple = true)]
pub(super) struct RevokeArgs {
    /// UUID or alias of the token
    #[arg(required_unless_present_any = ["owner", "issued_before", "unused_since"], conflicts_with_all = ["owner", "issued_before", "unused_since", "dry_run"])]
    token: Option<String>,
    /// Revoke the tokens of this user
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
    /// Revoke tokens issued before a date, a time, or a duration ago (30d)
    #[arg(long, value_name = "TIME", value_parser = past)]
    issued_before: Option<Timestamp>,
    /// Revoke tokens neither used nor issued since a date, a time, or a duration ago (90d)
    #[arg(long, value_name = "TIME", value_parser = past)]
    unused_since: Option<Timestamp>,
    /// List the tokens without revoking them
    #[arg(long)]
    dry_run: bool,
}

/// Prints tokens, one per line.
pub(super) async fn list_tokens(store: &Store, args: ListArgs) -> anyhow::Result<()> {
    let owners = match &args.owner {
        Some(owner) => vec![find(store, owner).await?.id],
        None => Vec::new(),
    };
    let state = args.state.as_deref().and_then(StateFilter::from_name);
    let mut listing = Listing {
        text: None,
        kind: None,
        owners,
        state: state.unwrap_or(StateFilter::Any),
        order: Order::CreatedAt,
        direction: Direction::Ascending,
        size: PAGE,
        offset: 0,
    };
    let emails = emails(store).await?;
    loop {
        let tokens = store.tokens(&listing).await?.tokens;
        for token in &tokens {
            print_token(token, &emails)?;
        }
        if tokens.len() < PAGE as usize {
            return Ok(());
        }
        listing.offset += u64::from(PAGE);
    }
}

/// Revokes one token, or those that match the criteria.
pub(super) async fn revoke_tokens(store: &Store, args: RevokeArgs) -> anyhow::Result<()> {
    if let Some(token) = &args.token {
        return revoke_one(store, token).await;
    }
    let owner = match &args.owner {
        Some(owner) => Some(find(store, owner).await?.id),
        None => None,
    };
    let (issued_before, unused_since) = (args.issued_before, args.unused_since);
    let criteria = RevocationCriteria { owner, issued_before, unused_since };
    let emails = emails(store).await?;
    let (mut after, mut count) = (None, 0_usize);
    loop {
        let tokens = store.revocable_tokens(&criteria, after, PAGE).await?;
        for token in &tokens {
            if !args.dry_run {
                let event = Actor::OPERATOR.event(name::REVOKED, Some(token.id))?.of(token.kind);
                store.revoke_token(token.id, RevokedBy::Operator, &event).await?;
            }
            print_token(token, &emails)?;
            count += 1;
        }
        after = tokens.last().map(|token| token.id);
        if tokens.len() < PAGE as usize {
            break;
        }
    }
    let what = if args.dry_run { "would revoke" } else { "revoked" };
    let tokens = if count == 1 { "token" } else { "tokens" };
    print_message(&format!("{what} {count} {tokens}"));
    Ok(())
}

async fn revoke_one(store: &Store, id_or_alias: &str) -> anyhow::Result<()> {
    let by_id = Uuid::parse(id_or_alias).map(|token| (token, token.to_string()));
    let by_alias = || {
        let token = Uuid::from_alias(id_or_alias.as_bytes())?;
        Some((token, format!("{id_or_alias} ({token})")))
    };
    let (token, shown) = by_id
        .or_else(by_alias)
        .context("expected the UUID of a token, or its alias of 22 letters and digits")?;
    let kind = store.token(token).await?.map(|token| token.kind).unwrap_or_default();
    let event = Actor::OPERATOR.event(name::REVOKED, Some(token))?.of(kind);
    match store.revoke_token(token, RevokedBy::Operator, &event).await? {
        Revocation::Done => print_message(&format!("revoked {shown}")),
        Revocation::Already => print_message(&format!("{shown} was already revoked")),
        Revocation::Missing => bail!("unknown token {shown}"),
    }
    Ok(())
}

async fn emails(store: &Store) -> anyhow::Result<HashMap<[u8; 16], String>> {
    let users = store.users().await?;
    Ok(users.into_iter().map(|user| (*user.id.as_bytes(), user.email)).collect())
}

fn print_token(token: &Token, emails: &HashMap<[u8; 16], String>) -> std::io::Result<()> {
    let owner = emails.get(token.owner.as_bytes()).map_or("-", String::as_str);
    let used = token.last_used_at.map_or("-".to_owned(), |time| time.to_string());
    let line = format!(
        "{}\t{}\t{owner}\t{}\t{}\t{used}\t{}",
        token.id,
        id::alias(token.id),
        state_name(token),
        token.expires_at,
        token.name
    );
    print_line(line.as_bytes())
}
