//! Look-ups by identifier: what a caller may not see costs the database exactly as much as what does
//! not exist.

use crate::database::Database;
use crate::http::Request;
use crate::server::{Server, TOKENS, ddpatrold};
use crate::until;
use serde_json::{Value, json};

/// A statement in the log, with the number of rows that it returned.
type Statement = (String, u64);

/// Starts a server that logs its statements and requests as JSON.
fn logging_server(database: &Database) -> Server {
    let mut command = ddpatrold();
    let options = ["--print-admin-token", "--no-rate-limit", "--request-log"];
    command.args(["serve", "--log-format", "json", "--database", &database.url()]);
    command.args(options).env("RUST_LOG", "info,sqlx::query=debug");
    Server::spawn_plain(command)
}

/// Returns a field of a record of the log.
fn field(record: &Value, name: &str) -> Option<String> {
    let value = record.pointer(&format!("/fields/{name}")).or_else(|| record.get(name))?;
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// Sends a request. Returns its status and the statements that read a token by its identifier.
///
/// SQLite may log a statement that returns a row after the request. One without rows is logged
/// before it.
fn statements_of(server: &Server, request: &Request) -> (u16, Vec<Statement>) {
    let answer = server.call(request);
    let id = Some(answer.header("x-request-id").unwrap());
    let is_request = |record: &Value| field(record, "message").as_deref() == Some("request");
    let records: Vec<Value> = until("the request is logged", || {
        let log = server.log();
        let complete = &log[..log.rfind('\n')? + 1];
        let records: Vec<Value> =
            complete.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let is_sent = |record| is_request(record) && record["span"]["id"].as_str() == id;
        let end = records.iter().position(is_sent)?;
        Some(records[..end].to_vec())
    });
    let start = records.iter().rposition(is_request).map_or(0, |previous| previous + 1);
    let statements = records[start..].iter().filter_map(|record| {
        let statement = [field(record, "db.statement"), field(record, "summary")];
        let statement = statement.into_iter().flatten().find(|statement| !statement.is_empty())?;
        let statement = statement.split_whitespace().collect::<Vec<_>>().join(" ");
        let rows = field(record, "rows_returned")?.parse().unwrap();
        (statement.starts_with("SELECT id, kind,")).then_some((statement, rows))
    });
    (answer.status, statements.collect())
}

fn a_hidden_token_takes_the_queries_of_an_unknown_one(database: &Database) {
    let server = logging_server(database);
    let admin = server.first_token();
    let add = ["user", "add", "eve@example.com", "--permission", "user_app_keys"];
    crate::server::admin(database, &add);
    let issue = ["token", "issue", "--user", "eve@example.com", "--name", "hers", "--all-scopes"];
    let eve = crate::server::admin(database, &issue).trim().to_owned();
    let hidden = server.mint(&admin, "hidden", &["user_app_keys"]).id;
    let own = server.mint(&eve, "own", &["user_app_keys"]).id;
    let change = |id: &str| {
        let attributes = json!({"name": "x", "scopes": ["user_app_keys"]});
        json!({"data": {"type": "personal_access_tokens", "id": id, "attributes": attributes}})
    };
    let path = |id: &str| format!("{TOKENS}/{id}");
    let requests: [&dyn Fn(&str) -> Request; 4] = [
        &|id| Request::get(path(id)),
        &|id| Request::patch(path(id)).json(&change(id)),
        &|id| Request::post(format!("{}/rotate", path(id))),
        &|id| Request::delete(path(id)),
    ];
    let unknown = "11111111-2222-4333-8444-555555555555";
    let mut statements = Vec::new();
    for request in requests {
        let (status, of_unknown) = statements_of(&server, &request(unknown).bearer(&eve));
        assert_eq!(status, 404);
        assert!(matches!(of_unknown.as_slice(), [(_, 0)]), "{of_unknown:?}");
        let (status, of_hidden) = statements_of(&server, &request(&hidden).bearer(&eve));
        assert_eq!(status, 404);
        assert_eq!(of_hidden, of_unknown);
        statements.extend(of_unknown.into_iter().map(|(statement, _)| statement));
    }
    // The comparison sees rows.
    let returns_row =
        |line: &str, text: &str| line.contains(text) && line.contains("\"rows_returned\":1,");
    for (request, statement) in requests.iter().zip(statements) {
        let seen = server.log().len();
        server.call(&request(&own).bearer(&eve));
        until("the statement returns the caller's own token", || {
            server.log()[seen..].lines().any(|line| returns_row(line, &statement)).then_some(())
        });
    }
}

#[test]
fn a_hidden_token_takes_the_queries_of_an_unknown_one_on_sqlite() {
    a_hidden_token_takes_the_queries_of_an_unknown_one(&Database::sqlite());
}

#[test]
fn a_hidden_token_takes_the_queries_of_an_unknown_one_on_postgres() {
    a_hidden_token_takes_the_queries_of_an_unknown_one(&Database::postgres());
}
