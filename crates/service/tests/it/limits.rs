//! Rate limits: a thief's requests do not prevent the owner from revoking a token, and an address
//! beyond its limit does not reach the database.

use crate::database::Database;
use crate::http::Request;
use crate::server::{PERMISSIONS, Server, TOKENS, check};
use crate::until;
use std::thread::scope;
use std::time::{Duration, Instant};

/// Returns the request that revokes a token.
fn revocation(with: &str, id: &str) -> Request {
    Request::delete(format!("{TOKENS}/{id}")).bearer(with)
}

#[test]
fn rejected_requests_with_a_stolen_token_do_not_use_up_the_owners_limit() {
    let database = Database::sqlite();
    let (server, admin) = Server::first(&database, &[]);
    let stolen = server.mint(&admin, "stolen", &["dashboards_read"]);
    server.stop();
    // Windows of this length do not end during the test.
    let rates = ["tokens_read", "tokens_write", "tokens_revoke"];
    let rates = rates.map(|class| format!("{class}=3/1000000000"));
    let options: Vec<_> = rates.iter().flat_map(|rate| ["--rate-limit", rate]).collect();
    let server = Server::start_limited(&database, &options);
    let path = format!("{TOKENS}/x");
    for thiefs in [Request::delete(&path), Request::patch(&path), Request::get(&path)] {
        for expected in [403, 403, 403, 429, 429] {
            server.call(&thiefs.clone().bearer(&stolen.key)).expect(expected);
        }
    }
    for left in [2, 1, 0] {
        let list = server.call(&Request::get(TOKENS).bearer(&admin)).expect(200);
        assert_eq!(list.number("x-ratelimit-remaining"), left);
    }
    let revoked = server.call(&revocation(&admin, &stolen.id)).expect(204);
    assert_eq!(revoked.header("x-ratelimit-name"), Some("tokens_revoke"));
    assert_eq!(server.check(&stolen.key), 401);
}

#[test]
fn a_thief_with_every_scope_does_not_prevent_the_owner_from_revoking() {
    let database = Database::sqlite();
    let (server, admin) = Server::first(&database, &[]);
    let stolen = server.mint(&admin, "stolen", &PERMISSIONS);
    let others: Vec<_> = (0..10).map(|_| server.mint(&admin, "stolen too", &PERMISSIONS)).collect();
    server.stop();
    let options = ["tokens_read=5/1000000000", "tokens_revoke=5/1000000000"];
    let options: Vec<_> = options.iter().flat_map(|&rate| ["--rate-limit", rate]).collect();
    let server = Server::start_limited(&database, &options);
    let list = Request::get(TOKENS).query(&[("filter", "stolen")]);
    for _ in 0..6 {
        server.call(&list.clone().bearer(&stolen.key));
    }
    server.call(&list.clone().bearer(&admin)).expect(200);
    for thief in others.iter().chain([&stolen]) {
        let missing = revocation(&thief.key, "6fv4nxVe-not-a-token");
        for expected in [404, 404, 404, 404, 404, 429] {
            server.call(&missing).expect(expected);
        }
    }
    server.call(&revocation(&admin, &stolen.id)).expect(204);
    assert_eq!(server.check(&stolen.key), 401);
}

/// Returns a well-formed token that was never issued.
fn unknown() -> String {
    let minted = ddpatrol_token::datadog::mint_personal_access_token().unwrap();
    String::from_utf8(minted.token.expose().to_vec()).unwrap()
}

#[test]
fn only_unsuccessful_lookups_use_up_the_lookups_of_an_address() {
    let database = Database::sqlite();
    let (server, admin) = Server::first(&database, &[]);
    let mint = |name: &str| server.mint(&admin, name, &["user_app_keys"]);
    let tokens = [mint("0"), mint("1"), mint("2"), mint("3")];
    let dead = mint("dead");
    server.revoke(&admin, &dead.id);
    server.stop();
    let server = Server::start_limited(&database, &["--rate-limit", "authentication=2/1000000000"]);
    assert_eq!(
        [&tokens[0], &tokens[1], &tokens[2]].map(|token| server.check(&token.key)),
        [200; 3]
    );
    assert_eq!(["x", "x", "x"].map(|garbage| server.check(garbage)), [401, 401, 429]);
    for _ in 0..10 {
        assert_eq!(server.check(&dead.key), 429);
    }
    let made = server.mint(&admin, "made here", &["user_app_keys"]);
    assert_eq!(server.check(&unknown()), 429);
    assert_eq!(
        server.check(&tokens[3].key),
        429,
        "the lookups are used up, and the token is not cached"
    );
    assert_eq!(server.check(&made.key), 200, "the token was created here");
    // Longer than the maximum age of a cached result.
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(server.check(&tokens[1].key), 200, "the token was live at the last query");
}

#[test]
fn rejections_without_a_query_do_not_lock_out_a_live_token() {
    let database = Database::sqlite();
    let (server, admin) = Server::first(&database, &[]);
    let live = server.mint(&admin, "live", &["user_app_keys"]);
    server.stop();
    let server = Server::start_limited(&database, &["--rate-limit", "authentication=2/1000000000"]);
    assert_eq!(["x", "x", "x", "x"].map(|garbage| server.check(garbage)), [401, 401, 429, 429]);
    assert_eq!(server.check(&live.key), 200);
}

#[test]
fn a_flood_of_a_dead_token_does_not_lock_out_a_live_one() {
    let database = Database::sqlite();
    let (server, admin) = Server::first(&database, &[]);
    let live = server.mint(&admin, "live", &["user_app_keys"]);
    let dead = server.mint(&admin, "dead", &["user_app_keys"]);
    server.revoke(&admin, &dead.id);
    server.stop();
    let server =
        Server::start_limited(&database, &["--rate-limit", "authentication=40/1000000000"]);
    let flood = || {
        let (mut connection, began) = (server.connect(), Instant::now());
        while began.elapsed() < Duration::from_secs(3) {
            let status = connection.send(&check(&dead.key)).unwrap().status;
            assert!(matches!(status, 401 | 429), "{status}");
        }
    };
    scope(|scope| {
        for _ in 0..16 {
            scope.spawn(flood);
        }
    });
    assert_eq!(server.check(&dead.key), 429);
    assert_eq!(server.check(&live.key), 200);
}

#[test]
fn an_address_beyond_its_limit_causes_no_query() {
    let database = Database::postgres();
    let (server, admin) = Server::first(&database, &[]);
    let dead = server.mint(&admin, "dead", &["user_app_keys"]);
    let unseen = server.mint(&admin, "unseen", &["user_app_keys"]);
    server.revoke(&admin, &dead.id);
    server.stop();
    let server = Server::start_limited(&database, &["--rate-limit", "authentication=2/1000000000"]);
    assert_eq!((server.check(&dead.key), server.check(&admin)), (401, 200));
    let name = database.name();
    let stop = || {
        Database::on_server(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"));
        let kill = format!(
            "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE datname = '{name}'"
        );
        Database::on_server(&kill);
        until("the database is unavailable", || {
            (server.call(&check(&admin)).status == 503).then_some(())
        });
    };
    let start = || {
        Database::on_server(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"));
        until("the service recovers", || (server.check(&admin) == 200).then_some(()));
    };
    stop();
    assert_eq!(server.check(&unseen.key), 503, "a query within the limit");
    start();
    assert_eq!(server.check(&unknown()), 401);
    stop();
    for token in [&unknown(), &unseen.key, &dead.key] {
        assert_eq!(server.check(token), 429);
    }
    assert_eq!(server.check(&admin), 503, "the token was live at the last query");
    start();
}

#[test]
fn a_failing_database_lifts_no_limit_floods_no_log_and_locks_nobody_out() {
    let database = Database::sqlite();
    let (server, admin) = Server::first(&database, &[]);
    let unseen = server.mint(&admin, "unseen", &["user_app_keys"]);
    server.stop();
    let server =
        Server::start_limited(&database, &["--rate-limit", "authentication=40/1000000000"]);
    assert_eq!(server.check(&admin), 200);
    database.texts("ALTER TABLE tokens RENAME TO hidden");
    // Longer than the maximum age of a cached result.
    std::thread::sleep(Duration::from_millis(700));
    let (mut connection, began) = (server.connect(), Instant::now());
    let mut flood = |token: &dyn Fn() -> String| {
        let statuses = (0..300).map(|_| connection.send(&check(&token())).unwrap().status);
        statuses.collect::<Vec<_>>()
    };
    let strangers = flood(&unknown);
    assert!(strangers.iter().all(|status| matches!(status, 429 | 503)), "{strangers:?}");
    let asked = strangers.iter().filter(|&&status| status == 503).count();
    // Ten in two seconds, and one before the database was known to fail.
    let windows = usize::try_from(began.elapsed().as_secs()).unwrap() / 2 + 2;
    assert!((1..=10 * windows + 1).contains(&asked), "{asked} queries in {windows} windows");
    assert_eq!(flood(&|| admin.clone()), [503; 300], "the token was live at the last query");
    let logged = server.log().matches("cannot verify a token").count();
    let intervals = usize::try_from(began.elapsed().as_secs()).unwrap() / 10 + 1;
    assert!((1..=intervals).contains(&logged), "{logged} lines:\n{}", server.log());
    database.texts("ALTER TABLE hidden RENAME TO tokens");
    until("a live token is accepted", || (server.check(&unseen.key) == 200).then_some(()));
}
