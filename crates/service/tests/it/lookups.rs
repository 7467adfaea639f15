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

/// Sends a request. Returns its status and the statements that read a token by its identifier.
fn statements_of(server: &Server, request: &Request) -> (u16, Vec<Statement>) {
    let before = server.log().len();
    let status = server.call(request).status;
    let log = until("the request is logged", || {
        let log = server.log();
        let new = &log[before..];
        (new.contains("\"status\":") && new.ends_with('\n')).then(|| new.to_owned())
    });
    let statements = log.lines().filter_map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| {
            let field = line.pointer(&format!("/fields/{name}")).or_else(|| line.get(name));
            field.map(|field| field.as_str().map_or_else(|| field.to_string(), str::to_owned))
        };
        let mut statement = [text("db.statement"), text("summary")].into_iter().flatten();
        let statement = statement.find(|statement| !statement.is_empty())?;
        let statement = statement.split_whitespace().collect::<Vec<_>>().join(" ");
        let rows = text("rows_returned")?.parse().unwrap();
        (statement.starts_with("SELECT id, kind,")).then_some((statement, rows))
    });
    (status, statements.collect())
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
    for request in requests {
        let (status, of_unknown) = statements_of(&server, &request(unknown).bearer(&eve));
        assert_eq!(status, 404);
        assert!(matches!(of_unknown.as_slice(), [(_, 0)]), "{of_unknown:?}");
        let (status, of_hidden) = statements_of(&server, &request(&hidden).bearer(&eve));
        assert_eq!(status, 404);
        assert_eq!(of_hidden, of_unknown);
        let (_, of_own) = statements_of(&server, &request(&own).bearer(&eve));
        assert_eq!(of_own[0], (of_unknown[0].0.clone(), 1), "the comparison sees rows");
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
