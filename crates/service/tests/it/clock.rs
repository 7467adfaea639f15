//! Wrong clocks: no revocation, token or event is lost, whichever clock is wrong and by any offset.

use crate::database::Database;
use crate::http::Request;
use crate::server::{
    EVENTS, PERMISSIONS, Server, TOKENS, Token, admin, creation_until, ddpatrold, minted, try_admin,
};
use crate::until;
use crate::wall_clock::WallClock;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::process::Output;
use std::time::Duration;

const EXPIRED: &str = "@evt.name:access_token.expired";
/// The time is trusted after a second of agreement.
const SOON: [&str; 2] = ["--clock-agreement", "1"];
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Waits long enough for every task that runs each second to run several times.
fn a_while() {
    std::thread::sleep(Duration::from_millis(3_500));
}

fn metric(server: &Server, name: &str) -> f64 {
    let text = server.call(&Request::get("/metrics")).expect(200).text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().parse().unwrap()
}

fn issue(database: &Database, expires_in: &str) -> String {
    let issue = ["token", "issue", "--user", "admin@localhost", "--scope", "user_app_keys"];
    admin(database, &[&issue[..], &["--name", "brief", "--expires-in", expires_in]].concat())
}

/// Runs an `admin` command with a wrong wall clock.
fn admin_under(clock: &WallClock, database: &Database, args: &[&str]) -> Output {
    let mut command = ddpatrold();
    command.envs(clock.variables());
    command.args(["admin", "--database", &database.url()]).args(args).output().unwrap()
}

fn count(database: &Database, table_and_condition: &str) -> usize {
    let sql = format!("SELECT CAST(COUNT(*) AS TEXT) FROM {table_and_condition}");
    database.texts(&sql)[0].parse().unwrap()
}

fn change(database: &Database, sql: &str) {
    database.texts(sql);
}

fn wait_until_trusted(database: &Database) {
    until("a time is trusted", || (count(database, "clock") == 1).then_some(()));
}

fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

/// Makes the events of the first start older than the retention of 365 days.
fn age_first_events(database: &Database) {
    let old = micros(Timestamp::now() - 380 * DAY);
    change(database, &format!("UPDATE audit_events SET at = {old} WHERE name = 'user.created'"));
}

fn old_events(database: &Database) -> usize {
    count(database, "audit_events WHERE name = 'user.created'")
}

fn is_present(timestamp: &Value) -> bool {
    let time: Timestamp = timestamp.as_str().unwrap().parse().unwrap();
    Timestamp::now().duration_since(time).abs() < SignedDuration::from_mins(1)
}

#[test]
fn a_replica_with_a_wrong_clock_is_harmless_on_postgres() {
    for offset in ["+400d", "-1h", "-1d"] {
        let database = Database::postgres();
        let (right, with) = Server::first(&database, &SOON);
        let token = right.mint(&with, "long", &PERMISSIONS);
        let ended = issue(&database, "1s");
        let clock = WallClock::new(offset);
        let wrong = Server::start_under(&clock, &database, &SOON);
        until("the token expires", || (right.check(&ended) == 401).then_some(()));
        a_while();
        for server in [&right, &wrong] {
            assert_eq!(server.check(&with), 200, "{offset}");
            assert_eq!(server.check(&token.key), 200, "{offset}");
            assert_eq!(server.check(&ended), 401, "{offset}");
        }
        assert_eq!(metric(&wrong, "ddpatrold_retention_refused "), 1.0, "{offset}");
        assert_eq!(metric(&wrong, "ddpatrold_clock_agreement_seconds "), 0.0, "{offset}");
        assert!(wrong.log().contains("not deleting old audit events"), "{}", wrong.log());
        assert_eq!(metric(&right, "ddpatrold_retention_refused "), 0.0, "{offset}");
        assert_eq!(
            right.events(&with, EXPIRED).len(),
            1,
            "written by the replica with the correct clock"
        );

        let made = wrong.mint(&with, "by the wrong one", &["user_app_keys"]);
        wrong.revoke(&with, &token.id);
        let shown = Request::get(format!("{TOKENS}/{}", made.id)).bearer(&with);
        let shown = right.call(&shown).expect(200).json();
        assert!(is_present(&shown["data"]["attributes"]["created_at"]), "{shown}");
        for event in right.events(&with, "*") {
            assert!(is_present(&event["attributes"]["timestamp"]), "{offset}: {event}");
        }
        wrong.stop();
        assert_eq!(right.check(&token.key), 401);
        assert_eq!(right.check(&made.key), 200);
    }
}

#[test]
fn a_second_process_with_a_wrong_clock_does_no_lasting_harm_on_sqlite() {
    let database = Database::sqlite();
    let (right, with) = Server::first(&database, &SOON);
    let token = right.mint(&with, "long", &PERMISSIONS);
    wait_until_trusted(&database);
    let clock = WallClock::new("+400d");
    let wrong = Server::start_under(&clock, &database, &SOON);
    a_while();
    assert_eq!(right.check(&token.key), 200);
    assert_eq!(metric(&wrong, "ddpatrold_retention_refused "), 1.0);
    assert!(wrong.log().contains("ahead of the latest trusted time"), "{}", wrong.log());
    wrong.stop();
    assert_eq!(right.check(&token.key), 200);
    assert_eq!(old_events(&database), 1, "nothing was deleted");
    assert_eq!(right.events(&with, EXPIRED).len(), 0);
}

#[test]
fn a_step_of_400_days_does_no_lasting_harm_and_keeps_revocations() {
    let database = Database::sqlite();
    let clock = WallClock::new("+0");
    let server = Server::start_under(&clock, &database, &["--clock-agreement", "2"]);
    let with = server.first_token();
    let mint = |name| server.mint(&with, name, &["user_app_keys"]);
    let (kept, held, leaked, revoked) =
        (mint("kept"), mint("held"), mint("leaked"), mint("revoked"));
    let flagged = mint("flagged");
    wait_until_trusted(&database);
    clock.set("+400d");
    until("every token is expired", || (server.check(&kept.key) == 401).then_some(()));
    let form = format!("token={}", held.key);
    let revoke = Request::post("/oauth2/revoke")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    server.call(&revoke).expect(200);
    assert_eq!(server.report(&json!([{"token": leaked.key}])), ["expired"]);
    assert_eq!(server.report(&json!([{"token": leaked.key}])), ["expired"], "repeated");
    assert!(admin_under(&clock, &database, &["token", "revoke", &revoked.id]).status.success());
    let step = "the wall clock was set ahead by 9600h";
    until(step, || server.log().contains(step).then_some(()));
    clock.set("+0");
    until("tokens are live again", || (server.check(&kept.key) == 200).then_some(()));
    assert_eq!(server.check(&flagged.key), 200);
    for token in [&held, &leaked, &revoked] {
        assert_eq!(server.check(&token.key), 401);
    }
    assert_eq!(server.events(&with, EXPIRED).len(), 0);
    assert_eq!(old_events(&database), 1, "nothing was deleted");
    let step = "the wall clock was set back by 9600h";
    until(step, || server.log().contains(step).then_some(()));
    assert!(metric(&server, "ddpatrold_clock_disagreements_total ") >= 2.0);
}

/// Creates a token that expired six minutes ago.
fn ended_token(database: &Database, server: &Server, with: &str) -> Token {
    let token = server.mint(with, "ended", &["user_app_keys"]);
    let end = micros(Timestamp::now() - SignedDuration::from_mins(6));
    change(database, &format!("UPDATE tokens SET expires_at = {end} WHERE name = 'ended'"));
    token
}

#[test]
fn a_clock_that_is_behind_does_not_revive_a_token_expired_five_minutes_ago_on_sqlite() {
    let database = Database::sqlite();
    let clock = WallClock::new("+0");
    let server = Server::start_under(&clock, &database, &SOON);
    let with = server.first_token();
    let ended = ended_token(&database, &server, &with);
    wait_until_trusted(&database);
    for offset in ["-1h", "-1d"] {
        clock.set(offset);
        for _ in 0..10 {
            assert_eq!(server.check(&ended.key), 401, "{offset}");
            std::thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(server.check(&with), 200, "{offset}");
        a_while();
        assert_eq!(metric(&server, "ddpatrold_retention_refused "), 1.0, "{offset}");
        assert_eq!(server.check(&ended.key), 401, "{offset}");
    }
    assert!(server.log().contains("behind the latest trusted time"), "{}", server.log());
    server.stop();
    for clock in [WallClock::new("-1d"), WallClock::at_the_epoch()] {
        let server = Server::start_under(&clock, &database, &SOON);
        assert_eq!(server.check(&ended.key), 401, "after a restart");
        assert_eq!(server.check(&with), 200);
        let made = server.mint(&with, "created meanwhile", &["user_app_keys"]);
        server.revoke(&with, &made.id);
        assert_eq!(server.check(&made.key), 401);
    }
}

#[test]
fn a_clock_that_is_behind_does_not_revive_a_token_on_postgres() {
    let database = Database::postgres();
    let clock = WallClock::new("+0");
    let server = Server::start_under(&clock, &database, &[]);
    let with = server.first_token();
    let ended = issue(&database, "1s");
    until("the token expires", || (server.check(&ended) == 401).then_some(()));
    for offset in ["-1h", "-1d", "+400d", "+0"] {
        clock.set(offset);
        for _ in 0..10 {
            assert_eq!(server.check(&ended), 401, "{offset}");
            assert_eq!(server.check(&with), 200, "{offset}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    let end = (Timestamp::now() + 2 * DAY).to_string();
    clock.set("+400d");
    let created = server.call(&creation_until(&with, "made", &["user_app_keys"], &end));
    assert_eq!(server.check(&minted(&created.expect(201)).key), 200);
}

fn an_expiry_has_no_event_until_clocks_have_agreed(database: &Database) {
    let (server, with) = Server::first(database, &[]);
    let ended = issue(database, "1s");
    until("the token expires", || (server.check(&ended) == 401).then_some(()));
    a_while();
    assert_eq!(server.check(&ended), 401);
    assert_eq!(server.events(&with, EXPIRED).len(), 0, "in the first ten minutes");
    drop(server);
    let server = Server::start(database, &SOON);
    until("the event is written", || (server.events(&with, EXPIRED).len() == 1).then_some(()));
    assert_eq!(server.check(&ended), 401);
}

#[test]
fn an_expiry_has_no_event_until_clocks_have_agreed_on_sqlite() {
    an_expiry_has_no_event_until_clocks_have_agreed(&Database::sqlite());
}

#[test]
fn an_expiry_has_no_event_until_clocks_have_agreed_on_postgres() {
    an_expiry_has_no_event_until_clocks_have_agreed(&Database::postgres());
}

fn retention_waits_for_agreement(database: &Database) {
    let (first, with) = Server::first(database, &SOON);
    first.check(&with);
    wait_until_trusted(database);
    first.stop();
    age_first_events(database);
    let before = count(database, "audit_events");
    let clock = WallClock::new("+400d");
    let server = Server::start_under(&clock, database, &["--clock-agreement", "2"]);
    a_while();
    assert_eq!(metric(&server, "ddpatrold_retention_refused "), 1.0);
    assert!(server.log().contains("not deleting old audit events"), "{}", server.log());
    assert_eq!(count(database, "audit_events"), before, "nothing was deleted");
    clock.set("+0");
    until("old events are deleted", || (old_events(database) == 0).then_some(()));
    assert_eq!(count(database, "audit_events"), before - 1, "no other event was deleted");
    assert_eq!(metric(&server, "ddpatrold_retention_refused "), 0.0);
    assert!(server.log().contains("deleting old audit events again"), "{}", server.log());
}

#[test]
fn retention_waits_for_agreement_on_sqlite() {
    retention_waits_for_agreement(&Database::sqlite());
}

#[test]
fn retention_waits_for_agreement_on_postgres() {
    retention_waits_for_agreement(&Database::postgres());
}

/// Deletes the stored times, as in a database that was last used by an older version.
fn forget_time(database: &Database) {
    change(database, "DELETE FROM clock");
    change(database, "DELETE FROM clock_reference");
}

fn the_newest_event_is_the_reference_until_a_time_is_trusted(database: &Database) {
    let (first, with) = Server::first(database, &[]);
    first.stop();
    forget_time(database);
    let old = micros(Timestamp::now() - 380 * DAY);
    change(database, &format!("UPDATE audit_events SET at = {old}"));
    // The second time, there are newer events with the time of the untrusted clock.
    for _ in 0..2 {
        let server = Server::start(database, &SOON);
        assert_eq!(server.check(&with), 200);
        a_while();
        assert_eq!(metric(&server, "ddpatrold_retention_refused "), 1.0);
        assert!(server.log().contains("ahead of the latest trusted time"), "{}", server.log());
        server.stop();
        assert_eq!(old_events(database), 1, "nothing was deleted");
    }
    let server = Server::start(database, &SOON);
    admin(database, &["clock", "reset"]);
    until("old events are deleted", || (old_events(database) == 0).then_some(()));
    server.stop();

    forget_time(database);
    let future = micros(Timestamp::now() + 400 * DAY);
    let newest = "(SELECT MAX(sequence) FROM audit_events)";
    change(database, &format!("UPDATE audit_events SET at = {future} WHERE sequence = {newest}"));
    let server = Server::start(database, &SOON);
    a_while();
    assert_eq!(server.check(&with), 200, "only irreversible actions wait");
    assert_eq!(metric(&server, "ddpatrold_retention_refused "), 1.0);
    assert!(server.log().contains("behind the latest trusted time"), "{}", server.log());
    admin(database, &["clock", "reset"]);
    wait_until_trusted(database);
}

#[test]
fn the_newest_event_is_the_reference_until_a_time_is_trusted_on_sqlite() {
    the_newest_event_is_the_reference_until_a_time_is_trusted(&Database::sqlite());
}

#[test]
fn the_newest_event_is_the_reference_until_a_time_is_trusted_on_postgres() {
    the_newest_event_is_the_reference_until_a_time_is_trusted(&Database::postgres());
}

#[test]
fn a_time_before_the_release_is_never_trusted() {
    let database = Database::sqlite();
    let (first, with) = Server::first(&database, &[]);
    first.stop();
    forget_time(&database);
    change(&database, "DELETE FROM audit_events");
    let clock = WallClock::at_the_epoch();
    let server = Server::start_under(&clock, &database, &SOON);
    assert_eq!(server.check(&with), 200);
    a_while();
    assert_eq!(count(&database, "clock"), 0);
    assert!(server.log().contains("earlier than the release of this program"), "{}", server.log());
    let reset = admin_under(&clock, &database, &["clock", "reset"]);
    assert_eq!(reset.status.code(), Some(2), "{reset:?}");
}

#[test]
fn a_wrong_trusted_time_can_be_reset() {
    let database = Database::sqlite();
    let (server, with) = Server::first(&database, &[]);
    assert_eq!(try_admin(&database, &["clock", "reset"]).status.code(), Some(0));
    let trusted = micros(Timestamp::now() + 400 * DAY);
    change(&database, &format!("INSERT INTO clock (singleton, trusted_at) VALUES (1, {trusted})"));
    until("every token is expired", || (server.check(&with) == 401).then_some(()));
    let shown = admin(&database, &["clock", "show"]);
    assert!(shown.lines().any(|line| line.starts_with("trusted\t20")), "{shown}");
    admin(&database, &["clock", "reset"]);
    until("tokens are live again", || (server.check(&with) == 200).then_some(()));
    let reset = server.events(&with, "@evt.name:clock.reset");
    assert_eq!(reset.len(), 2);
    for event in &reset {
        assert_eq!(event["attributes"]["attributes"]["auth_method"], "command_line");
        assert!(is_present(&event["attributes"]["timestamp"]), "{event}");
    }
}

#[test]
fn a_new_database_is_not_initialized_at_a_time_before_the_release() {
    let database = Database::sqlite();
    let mut command = ddpatrold();
    let clock = WallClock::at_the_epoch();
    command.envs(clock.variables());
    command.args(["serve", "--listen", "127.0.0.1:0", "--database", &database.url()]);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("cannot initialize the database at 1970-01-01"), "{text}");
    assert!(output.stdout.is_empty());
    let (server, with) = Server::first(&database, &[]);
    assert_eq!(server.check(&with), 200, "later, with a correct clock");
}

#[test]
fn the_first_token_on_postgres_lives_a_year_even_if_the_replicas_clock_is_wrong() {
    for clock in [WallClock::new("+400d"), WallClock::at_the_epoch()] {
        let database = Database::postgres();
        let server = Server::start_under(&clock, &database, &[]);
        let with = server.first_token();
        assert_eq!(server.check(&with), 200);
        let ends = database.texts("SELECT CAST(expires_at AS TEXT) FROM tokens");
        let left = ends[0].parse::<i64>().unwrap() - micros(Timestamp::now());
        let days = left / 86_400_000_000;
        assert!((363..=366).contains(&days), "{days} days");
        let issued = admin_under(&clock, &database, &["user", "add", "ada@example.com"]);
        assert!(issued.status.success(), "{issued:?}");
        for event in server.events(&with, "*") {
            assert!(is_present(&event["attributes"]["timestamp"]), "{event}");
        }
    }
}

/// Downgrades a database to the tables of the first version, with tokens that it had revoked at
/// their expiry.
fn downgrade(database: &Database, killed: &str) {
    change(database, "DROP INDEX tokens_without_expiry_event");
    change(database, "ALTER TABLE tokens DROP COLUMN expired_at");
    change(database, "ALTER TABLE tokens DROP COLUMN replaced_by");
    for index in ["by_expiry", "by_name", "by_creation", "by_leak", "leaked"] {
        change(database, &format!("DROP INDEX tokens_{index}"));
    }
    change(database, "ALTER TABLE tokens DROP COLUMN kind");
    for table in ["sessions", "sign_in_links", "sent_forms", "identities"] {
        change(database, &format!("DROP TABLE {table}"));
    }
    change(database, "DROP INDEX tokens_of_owner_by_expiry");
    for column in ["leak_acknowledged_at", "leak_acknowledged_by"] {
        change(database, &format!("ALTER TABLE tokens DROP COLUMN {column}"));
    }
    change(database, "DROP TABLE clock");
    change(database, "DROP TABLE clock_reference");
    change(database, "DROP INDEX users_by_state");
    change(database, "DROP INDEX users_by_folded_email");
    for column in ["title", "service_account", "modified_at", "folded_email"] {
        change(database, &format!("ALTER TABLE users DROP COLUMN {column}"));
    }
    change(database, "UPDATE users SET permissions = permissions & 31");
    change(database, "DELETE FROM _sqlx_migrations WHERE version >= 3");
    let ahead = micros(Timestamp::now() + 400 * DAY);
    change(
        database,
        &format!("UPDATE tokens SET revoked_at = {ahead}, revoked_by = 'expiry' WHERE {killed}"),
    );
}

fn an_upgrade_revives_tokens_killed_by_a_wrong_clock(database: &Database) {
    let (server, with) = Server::first(database, &[]);
    let mint = |name| server.mint(&with, name, &["user_app_keys"]);
    let (killed, revoked, ended) = (mint("killed"), mint("revoked"), mint("ended"));
    server.revoke(&with, &revoked.id);
    server.stop();
    let end = micros(Timestamp::now() - DAY);
    change(database, &format!("UPDATE tokens SET expires_at = {end} WHERE name = 'ended'"));
    downgrade(database, "name IN ('killed', 'ended')");
    let server = Server::start(database, &SOON);
    wait_until_trusted(database);
    a_while();
    assert_eq!(server.check(&with), 200);
    assert_eq!(server.check(&killed.key), 200, "only its expiry matters");
    assert_eq!(server.check(&revoked.key), 401);
    assert_eq!(server.check(&ended.key), 401);
    assert_eq!(
        server.events(&with, EXPIRED).len(),
        0,
        "the event of the expired token was written earlier"
    );
    let answer = server.call(&Request::get(EVENTS).bearer(&with));
    answer.expect(200);
}

#[test]
fn an_upgrade_revives_tokens_killed_by_a_wrong_clock_on_sqlite() {
    an_upgrade_revives_tokens_killed_by_a_wrong_clock(&Database::sqlite());
}

#[test]
fn an_upgrade_revives_tokens_killed_by_a_wrong_clock_on_postgres() {
    an_upgrade_revives_tokens_killed_by_a_wrong_clock(&Database::postgres());
}
