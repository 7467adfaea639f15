//! Query plans of searches, on both databases.

use super::*;
use crate::store::Missing;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

const USER: &str = "00000000-0000-4000-8000-000000000001";

/// Filters that are served by an index.
fn indexed() -> [String; 10] {
    [
        "@evt.name:access_token.created".to_owned(),
        "@action:deleted".to_owned(),
        "@auth_method:possession".to_owned(),
        "@usr.email:nobody@example.com".to_owned(),
        "@usr.email:u7@example.com @evt.name:access_token.used".to_owned(),
        "@usr.email:u7@example.com @action:denied".to_owned(),
        format!("@usr.id:{USER}"),
        format!("@usr.id:{USER} @auth_method:application_key"),
        format!("@asset.id:{USER}"),
        format!("@asset.id:{USER} @evt.name:access_token.used"),
    ]
}

fn page(sort: &str) -> Page {
    // In the middle of the events: the planner has statistics about their ends.
    let middle = Cursor { at: 20_000, sequence: 20_000 };
    Page::parse(None, Some(&middle.encode()), Some(sort)).expect("a page")
}

/// Returns the query plan of each query of a filter on SQLite.
async fn sqlite_plan(store: &Store, filter: &str, sort: &str) -> Vec<String> {
    let filter = Filter::parse(filter, "filter[query]").expect("a filter");
    let Store::Sqlite(pools) = store else { panic!("not SQLite") };
    let page = page(sort);
    let mut plan = Vec::new();
    for index in indexes(&filter) {
        let mut query = QueryBuilder::new("EXPLAIN QUERY PLAN ");
        push_query!(query, index, &filter, &page, Dialect::Sqlite);
        let rows: Vec<(i64, i64, i64, String)> =
            query.build_query_as().fetch_all(&pools.reader).await.expect("a plan");
        plan.extend(rows.into_iter().map(|row| row.3));
    }
    plan
}

#[tokio::test]
async fn searches_for_a_name_a_token_or_a_user_do_not_scan_all_events_on_sqlite() {
    let dir = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite:{}", dir.path().join("unit.db").display());
    let store = Store::open(&url, Missing::Create).await.expect("a new database");
    for filter in indexed() {
        for sort in ["timestamp", "-timestamp"] {
            let plan = sqlite_plan(&store, &filter, sort).await;
            let text = plan.join("; ");
            assert!(!plan.iter().any(|step| step.starts_with("SCAN")), "{filter}: {text}");
            let sorts = plan.iter().any(|step| step.contains("TEMP B-TREE"));
            let merges = plan.iter().any(|step| step.contains("tokens_by_owner"));
            assert!(!sorts || merges, "{filter}: {text}");
        }
    }
}

/// 200 users with five tokens each, and 40 uses of each token; one event in 500 is not a use.
const FILL: &str = "
INSERT INTO users (id, email, name, permissions, created_at)
SELECT decode('00000000000040008000' || lpad(to_hex(i), 12, '0'), 'hex'), 'u' || i || '@example.com', 'U', 1, 1
FROM generate_series(1, 200) AS i;
INSERT INTO tokens (id, digest, owner, name, folded_name, scopes, created_at, expires_at)
SELECT decode('00000000000040008001' || lpad(to_hex(i), 12, '0'), 'hex'), ''::bytea,
  decode('00000000000040008000' || lpad(to_hex(i / 5 + 1), 12, '0'), 'hex'), 't', 't', '[]', i, i
FROM generate_series(0, 999) AS i;
INSERT INTO audit_events (id, at, name, action, actor, user_id, user_email, auth_method, asset_type, asset_id)
SELECT decode('00', 'hex'), i, CASE WHEN i % 500 = 0 THEN 'access_token.updated' ELSE 'access_token.used' END,
  'accessed', 'USER', owner, email, 'bearer', 'personal_access_tokens', tokens.id
FROM generate_series(1, 40000) AS i
JOIN tokens ON tokens.id = decode('00000000000040008001' || lpad(to_hex(i % 1000), 12, '0'), 'hex')
JOIN users ON users.id = owner;
ANALYZE;
";

#[tokio::test]
async fn searches_for_a_name_a_token_or_a_user_do_not_scan_all_events_on_postgres() {
    let server = std::env::var("DDPATROL_TEST_POSTGRES").unwrap_or_else(|_| {
        panic!("this test needs PostgreSQL: scripts/postgres.sh run cargo nextest run -p ddpatrol-service")
    });
    let name = format!("plans_{}", std::process::id());
    let mut admin = PgConnection::connect(&server).await.expect("a server");
    let run = |sql: String| sqlx::raw_sql(AssertSqlSafe(sql));
    admin.execute(run(format!("CREATE DATABASE {name}"))).await.expect("a database");
    let url = format!("{}/{name}", server.rsplit_once('/').expect("a path").0);
    let store = Store::open(&url, Missing::Create).await.expect("a new database");
    let Store::Postgres(pools) = &store else { panic!("not PostgreSQL") };
    pools.writer.execute(sqlx::raw_sql(FILL)).await.expect("events");
    let mut scans = Vec::new();
    for filter in indexed() {
        let parsed = Filter::parse(&filter, "filter[query]").expect("a filter");
        for (index, sort) in
            indexes(&parsed).into_iter().flat_map(|i| [(i, "timestamp"), (i, "-timestamp")])
        {
            let page = page(sort);
            let mut query = QueryBuilder::new("EXPLAIN ");
            push_query!(query, index, &parsed, &page, Dialect::Postgres);
            let plan: Vec<String> =
                query.build_query_scalar().fetch_all(&pools.reader).await.expect("a plan");
            let plan = plan.join("\n");
            // The index by time has to read every event to find these.
            if plan.contains("Seq Scan on audit_events") || plan.contains("audit_events_by_time") {
                scans.push(format!("{filter} {sort}\n{plan}"));
            }
        }
    }
    store.close().await;
    let drop = run(format!("DROP DATABASE {name} WITH (FORCE)"));
    admin.execute(drop).await.expect("the database is dropped");
    assert!(scans.is_empty(), "{}", scans.join("\n"));
}

#[test]
fn a_user_is_searched_by_two_indexes_unless_one_suffices() {
    let chosen = |filter| indexes(&Filter::parse(filter, "filter[query]").expect("a filter"));
    assert_eq!(chosen("*"), [Index::Time]);
    assert_eq!(chosen("@usr.email:a"), [Index::ChangesByEmail, Index::UsesOfTokens]);
    assert_eq!(chosen("@usr.email:a @evt.name:access_token.used"), [Index::UsesOfTokens]);
    assert_eq!(chosen("@usr.email:a @action:deleted"), [Index::ChangesByEmail]);
    assert_eq!(chosen("@evt.name:access_token.used"), [Index::Time]);
    assert_eq!(chosen("@evt.name:access_token.denied"), [Index::ChangesByName]);
}
