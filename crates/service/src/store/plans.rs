//! A test of SQLite's query plans: no statement of a change scans a whole table that grows.

use super::Store;
use super::leaks::{LeakReport, OnLeak};
use super::rotation::Rotation;
use super::tests::{run, sqlite};
use super::tokens::{Authority, Change, Creation, RevokedBy, UpdateOutcome};
use crate::audit::batch::{Attempt, Batch, LastUse};
use crate::audit::{Actor, Event, name};
use crate::expiry::Expiry;
use crate::lock::lock;
use crate::permission::Permissions;
use crate::service::{TokenRequest, mint};
use crate::token_kind::TokenKind;
use crate::{id, time};
use ddpatrol_token::Uuid;
use jiff::{SignedDuration, Timestamp};
use sqlx::{AssertSqlSafe, Executor as _, Row as _, SqlitePool};
use std::collections::BTreeSet;
use std::sync::Mutex;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// The statements logged by sqlx. Its connections run in their own threads, so only a process-wide
/// subscriber receives them.
static STATEMENTS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

struct Statements;

impl<S: tracing::Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            event.record(&mut Statement);
        }
    }
}

struct Statement;

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "db.statement" {
            let mut statements = lock(&STATEMENTS);
            statements.insert(value.trim().to_owned());
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

/// Inserts tokens with the same digest. Returns their identifiers.
async fn tokens(pool: &SqlitePool, count: usize) -> Vec<Uuid> {
    let owner = id::random().expect("random bytes");
    let sql = "INSERT INTO users (id, email, name, permissions, created_at) VALUES ($1, 'x@y', 'x', 1, 0)";
    let insert = sqlx::query(sql).bind(owner.as_bytes().as_slice());
    insert.execute(pool).await.expect("a user");
    let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) INSERT INTO tokens (id, digest, owner, name, folded_name, scopes, created_at, expires_at) SELECT randomblob(16), zeroblob(32), $2, 'x', 'x', '[]', 0, i FROM n";
    let count = i64::try_from(count).expect("a count");
    let insert = sqlx::query(sql).bind(count).bind(owner.as_bytes().as_slice());
    insert.execute(pool).await.expect("tokens");
    let rows: Vec<Vec<u8>> = sqlx::query_scalar("SELECT id FROM tokens WHERE owner = $1")
        .bind(owner.as_bytes().as_slice())
        .fetch_all(pool)
        .await
        .expect("the tokens");
    rows.iter().map(|row| id::from_row(row).expect("16 bytes")).collect()
}

fn event(token: Uuid) -> Event {
    let event = Actor::SYSTEM.event(name::USED, Some(token)).expect("random bytes");
    event.with("count", 1)
}

fn report(token: &Uuid) -> LeakReport {
    let (source, url, location) = ("x".to_owned(), "y".to_owned(), String::new());
    LeakReport { token: *token, digest: [0; 32], source, url, location }
}

/// Makes every kind of change, with each number of rows that has its own statement.
async fn change_everything(store: &Store, pool: &SqlitePool) {
    let tokens = tokens(pool, 645).await;
    let events: Vec<Event> = tokens.iter().take(169).map(|&token| event(token)).collect();
    let updates = events[..145].to_vec();
    let batch = Batch { events, ..Batch::default() };
    store.append_uses(&batch, Attempt::First).await.expect("uses");
    let used =
        tokens.iter().map(|&token| LastUse { token, at: Timestamp::MAX }).take(169).collect();
    let batch = Batch { updates, used, ..Batch::default() };
    store.append_uses(&batch, Attempt::Retry).await.expect("counts");

    let mut rest = tokens.as_slice();
    for count in [1, 16, 128, 500] {
        let (some, after) = rest.split_at(count);
        rest = after;
        let reports: Vec<LeakReport> = some.iter().map(report).collect();
        let actor = &Actor::SYSTEM;
        store.report_leaks(&reports, OnLeak::Revoke, actor).await.expect("reports");
    }

    let admin = store.users().await.expect("users").pop().expect("a user");
    let expires_at = time::now() + SignedDuration::from_secs(60);
    let request = |name: &str| TokenRequest {
        kind: TokenKind::Personal,
        owner: admin.id,
        name: name.to_owned(),
        scopes: Vec::new(),
        expires_at: Expiry::At(expires_at),
    };
    let new = mint(request("x")).expect("random bytes").token;
    let event = event(new.id);
    let dead = Authority::Token(tokens[0]);
    let refused = store.create_token(&new, dead, &event).await.expect("a rejection");
    assert_eq!(refused, Creation::Unauthorized);
    let created = store.create_token(&new, Authority::Operator, &event).await.expect("a token");
    assert_eq!(created, Creation::Done);
    let token = store.token(new.id).await.expect("a read").expect("the token");
    let change = Change { previous: &token, name: Some("y"), scopes: None };
    let authority = Authority::Token(new.id);
    let updated = store.update_token(&change, authority, &event).await.expect("an update");
    assert_eq!(updated, UpdateOutcome::Done);
    let token = store.token(new.id).await.expect("a read").expect("the token");
    let other = mint(request("z")).expect("random bytes").token;
    let rotation =
        Rotation { old: &token, new: &other, end: Expiry::At(expires_at), revoked_at: None };
    let rotated = store.rotate_token(&rotation, Authority::Operator, std::slice::from_ref(&event));
    assert_eq!(rotated.await.expect("a rotation"), UpdateOutcome::Done);
    let later = expires_at + SignedDuration::from_secs(1);
    assert_eq!(store.expire_tokens(later, 1_000).await.expect("expiry").rotated, 1);
    store.revoke_token(new.id, RevokedBy::Api, &event).await.expect("a revocation");
    store.set_permissions(admin.id, Permissions::ALL, &event).await.expect("permissions");
    store.disable_user(admin.id, &event).await.expect("a disabled user");
    store.delete_events(Timestamp::MAX).await.expect("retention");
}

#[test]
fn no_change_scans_a_whole_table_on_sqlite() {
    let subscriber = tracing_subscriber::registry().with(Statements);
    tracing::subscriber::set_global_default(subscriber).expect("the only subscriber");
    let dir = tempfile::tempdir().expect("a directory");
    run(async {
        let (store, pool) = sqlite(&dir).await;
        change_everything(&store, &pool).await;
        let statements = lock(&STATEMENTS).clone();
        let mut faulty = Vec::new();
        let mut written: BTreeSet<&str> = BTreeSet::new();
        // Migrations have no parameters, and the test's own statements are recursive.
        let statements = statements.iter().filter(|sql| sql.contains(['$', '?']));
        for sql in statements.filter(|sql| !sql.contains("RECURSIVE")) {
            let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            let plan = pool.fetch_all(sqlx::raw_sql(explain)).await.expect("a plan");
            let steps: Vec<String> = plan.iter().map(|step| step.get("detail")).collect();
            let tables = ["tokens", "audit_events", "users"];
            let is_scan =
                |step: &&String| tables.iter().any(|t| step.starts_with(&format!("SCAN {t}")));
            faulty.extend(steps.iter().find(is_scan).map(|step| format!("{step}: {:.200}", sql)));
            written.extend(tables.into_iter().filter(|t| sql.contains(&format!("UPDATE {t} "))));
            written.extend(sql.starts_with("DELETE").then_some("old events"));
        }
        assert_eq!(written.len(), 4, "statements are logged: {written:?}");
        assert!(faulty.is_empty(), "{faulty:#?}");
    });
}
