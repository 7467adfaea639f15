//! `list` against a server that answers like GitHub, GitLab and Gitea.

use crate::server::{Request, Response, Server};
use serde_json::{Value, json};
use std::process::{Command, Output};
use std::time::Duration;

const SECRET: &str = "s3cret-0123456789";

/// Runs `list` without the user's configuration of git.
fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ddpatrol-sweep"));
    command.arg("list").env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    for name in ["GH_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN", "GITEA_TOKEN"] {
        command.env_remove(name);
    }
    command.env("GITHUB_TOKEN", SECRET).env("GITLAB_TOKEN", SECRET).env("GITEA_TOKEN", SECRET);
    command.env_remove("DDPATROL_SWEEP_STORE");
    command
}

fn github(server: &Server, args: &[&str]) -> Output {
    run(command().args(["--github-org", "octo", "--github-url", &server.url]).args(args))
}

/// Runs a command. The credential is never in its output.
fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    for text in [&output.stdout, &output.stderr] {
        assert!(!String::from_utf8_lossy(text).contains(SECRET), "{output:?}");
    }
    output
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn urls(output: &Output) -> Vec<String> {
    lines(output).iter().map(|it| it["url"].as_str().unwrap().to_owned()).collect()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Fails unless nothing was printed and the error contains `text`.
fn assert_fails(output: &Output, text: &str) {
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stdout.is_empty(), "a list that ends early is not printed: {output:?}");
    assert!(errors(output).contains(text), "{text}: {output:?}");
}

/// A repository with the fields of GitHub's documentation.
fn github_repository(name: &str, further: &Value) -> Value {
    let mut repository = json!({
        "id": 1296269, "node_id": format!("MDEw{name}"), "name": name,
        "full_name": format!("octo/{name}"),
        "owner": {"login": "octo", "id": 1, "type": "Organization"},
        "private": true, "html_url": format!("https://github.com/octo/{name}"),
        "description": "ignored", "fork": false,
        "clone_url": format!("https://github.com/octo/{name}.git"),
        "ssh_url": format!("git@github.com:octo/{name}.git"),
        "size": 108, "default_branch": "main", "topics": ["api"], "archived": false,
        "disabled": false, "pushed_at": "2026-01-26T19:06:43Z", "temp_clone_token": "never-kept"
    });
    for (field, value) in further.as_object().into_iter().flatten() {
        repository[field] = value.clone();
    }
    repository
}

fn page(names: &[&str]) -> Response {
    let repositories = names.iter().map(|name| github_repository(name, &Value::Null));
    Response::json(Value::from_iter(repositories).to_string())
}

fn query(request: &Request, name: &str) -> Option<String> {
    let (_, query) = request.path.split_once('?')?;
    query.split('&').find_map(|it| Some(it.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
}

#[test]
fn pages_of_github_are_followed_with_the_credential_in_a_header() {
    let server = Server::start(|request, _, url| {
        match query(request, "page").as_deref() {
        None => page(&["a", "b"]).with(
            "link",
            format!("<{url}/api/v3/organizations/1/repos?page=2>; rel=\"next\", <{url}/x?page=2>; rel=\"last\""),
        ),
        _ => page(&["c"]).with("link", format!("<{url}/x?page=1>; rel=\"first\"")),
    }
    });
    let output = github(&server, &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let expected = ["a", "b", "c"].map(|it| format!("https://github.com/octo/{it}.git"));
    assert_eq!(urls(&output), expected);
    assert_eq!(
        lines(&output)[0],
        json!({
            "url": "https://github.com/octo/a.git", "id": "MDEwa", "default_branch": "main",
            "size": 108, "pushed_at": "2026-01-26T19:06:43Z", "topics": ["api"], "owner": "octo"
        })
    );
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[0].path.starts_with("/api/v3/orgs/octo/repos?"), "{requests:?}");
    assert_eq!(query(&requests[0], "per_page").as_deref(), Some("100"));
    for request in &requests {
        assert_eq!(request.method, "GET");
        assert_eq!(request.header("authorization"), Some(&*format!("Bearer {SECRET}")));
        assert!(!request.path.contains(SECRET));
    }
    assert!(errors(&output).contains("3 repositories"), "{output:?}");
}

#[test]
fn an_entry_without_an_address_to_clone_has_that_of_its_page() {
    let server = Server::start(|_, _, _| {
        let mut repository = github_repository("a", &Value::Null);
        repository.as_object_mut().unwrap().remove("clone_url");
        Response::json(json!([repository]).to_string())
    });
    assert_eq!(urls(&github(&server, &[])), ["https://github.com/octo/a.git"]);
}

#[test]
fn archived_repositories_and_forks_are_selected_and_counted() {
    let server = Server::start(|_, _, _| {
        let list = json!([
            github_repository("plain", &Value::Null),
            github_repository("old", &json!({"archived": true})),
            github_repository("copy", &json!({"fork": true})),
        ]);
        Response::json(list.to_string())
    });
    let names = |args: &[&str]| -> Vec<String> {
        let name = |it: String| it.rsplit('/').next().unwrap().replace(".git", "");
        urls(&github(&server, args)).into_iter().map(name).collect()
    };
    assert_eq!(names(&[]), ["plain", "old"]);
    assert!(errors(&github(&server, &[])).contains("left out: 1 fork"));
    assert_eq!(names(&["--archived", "exclude", "--forks", "include"]), ["plain", "copy"]);
    assert_eq!(names(&["--archived", "only"]), ["old"]);
    assert_eq!(names(&["--forks", "only"]), ["copy"]);
    let ssh = github(&server, &["--protocol", "ssh"]);
    assert_eq!(urls(&ssh)[0], "git@github.com:octo/plain.git");
}

#[test]
fn unchanged_pages_come_from_the_cache_which_has_no_secrets() {
    let server = Server::start(|request, _, url| {
        let number = query(request, "page");
        let tag = format!("\"tag-{}\"", number.as_deref().unwrap_or("1"));
        if request.header("if-none-match") == Some(&tag) {
            return Response::new(304, "").with("etag", tag);
        }
        match number.as_deref() {
            None => page(&["a"])
                .with("etag", tag)
                .with("link", format!("<{url}/api/v3/orgs/octo/repos?page=2>; rel=\"next\"")),
            _ => page(&["b"]).with("etag", tag),
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("pages");
    let args = ["--cache", cache.to_str().unwrap()];
    let first = github(&server, &args);
    let second = github(&server, &args);
    assert_eq!(urls(&first).len(), 2);
    assert_eq!(first.stdout, second.stdout);
    let requests = server.requests();
    assert_eq!(requests.len(), 4);
    assert_eq!(requests[3].header("if-none-match"), Some("\"tag-2\""));
    for entry in std::fs::read_dir(&cache).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!text.contains(SECRET) && !text.contains("never-kept"), "{text}");
    }
    let ssh = github(&server, &[&args[..], &["--protocol", "ssh"]].concat());
    assert_eq!(urls(&ssh)[0], "git@github.com:octo/a.git");
    for entry in std::fs::read_dir(&cache).unwrap() {
        std::fs::write(entry.unwrap().path(), "{\"damaged\"").unwrap();
    }
    assert_eq!(github(&server, &args).stdout, first.stdout, "a damaged cache is read again");
}

#[test]
fn rate_limits_are_waited_for() {
    for (status, headers) in [
        (403, vec![("retry-after", "1".to_owned())]),
        (429, vec![("retry-after", "1".to_owned())]),
        (403, {
            let reset = jiff::Timestamp::now().as_second() + 1;
            vec![
                ("x-ratelimit-remaining", "0".to_owned()),
                ("x-ratelimit-reset", reset.to_string()),
            ]
        }),
    ] {
        let server = Server::start(move |_, before, _| match before {
            0 => headers.iter().fold(
                Response::new(status, r#"{"message":"API rate limit exceeded"}"#),
                |response, (name, value)| response.with(name, value),
            ),
            _ => page(&["a"]),
        });
        let output = github(&server, &[]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let requests = server.requests();
        assert!(requests[1].at - requests[0].at >= Duration::from_millis(900), "{requests:?}");
        assert!(errors(&output).contains("rate limit: waiting"), "{output:?}");
    }
}

#[test]
fn a_limit_that_is_used_up_delays_the_next_request() {
    let server = Server::start(|_, before, url| match before {
        0 => page(&["a"])
            .with("link", format!("<{url}/api/v3/orgs/octo/repos?page=2>; rel=\"next\""))
            .with("x-ratelimit-remaining", 0)
            .with("x-ratelimit-reset", jiff::Timestamp::now().as_second() + 1),
        _ => page(&["b"]),
    });
    let output = github(&server, &[]);
    assert_eq!(urls(&output).len(), 2, "{output:?}");
    let requests = server.requests();
    assert!(requests[1].at - requests[0].at >= Duration::from_millis(900), "{requests:?}");
}

#[test]
fn a_limit_beyond_the_patience_of_the_user_is_an_error() {
    let server = Server::start(|_, _, _| {
        Response::new(429, r#"{"message":"slow down"}"#).with("retry-after", 3600)
    });
    let output = github(&server, &["--max-wait", "10s"]);
    assert_fails(&output, "rate limit");
    assert!(errors(&output).contains("--max-wait"), "{output:?}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn refusals_name_the_place_and_the_remedy() {
    for (status, body, text) in [
        (401, r#"{"message":"Bad credentials"}"#, "access denied (status 401): Bad credentials"),
        (403, r#"{"message":"Resource not accessible"}"#, "access denied (status 403): Resource"),
        (404, r#"{"message":"Not Found"}"#, "not found, or not visible"),
    ] {
        let server = Server::start(move |_, _, _| Response::new(status, body));
        let output = github(&server, &[]);
        assert_fails(&output, text);
        assert!(errors(&output).contains("/api/v3/orgs/octo/repos"), "{output:?}");
        assert!(errors(&output).contains("GITHUB_TOKEN"), "{output:?}");
        assert_eq!(server.requests().len(), 1, "{status}");
    }
}

#[test]
fn a_message_that_repeats_the_credential_is_not_printed() {
    let body = json!({ "message": format!("{SECRET} is not valid") }).to_string();
    let server = Server::start(move |_, _, _| Response::new(401, body.clone()));
    assert_fails(&github(&server, &[]), "status 401");
    let server = Server::start(|request, _, _| {
        let echo = request.header("authorization").unwrap().to_owned();
        Response::json(json!([github_repository("a", &json!({"topics": [echo]}))]).to_string())
    });
    assert_fails(&github(&server, &[]), "repeats the credential");
}

#[test]
fn a_truncated_response_and_a_failing_server_are_asked_again() {
    let server = Server::start(|_, before, _| match before {
        0 => page(&["a"]).truncated(),
        1 => Response::new(502, "<h1>Bad gateway</h1>").with("content-type", "text/html"),
        _ => page(&["a"]),
    });
    let output = github(&server, &[]);
    assert_eq!(urls(&output).len(), 1, "{output:?}");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_list_that_never_arrives_whole_is_an_error() {
    let server = Server::start(|_, _, _| page(&["a"]).truncated());
    assert_fails(&github(&server, &[]), "/api/v3/orgs/octo/repos");
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn pages_that_lead_in_a_circle_are_an_error() {
    let server = Server::start(|request, _, url| {
        let next = if query(request, "page").as_deref() == Some("2") { 3 } else { 2 };
        page(&[if next == 2 { "a" } else { "b" }])
            .with("link", format!("<{url}/api/v3/orgs/octo/repos?page={next}>; rel=\"next\""))
    });
    assert_fails(&github(&server, &[]), "the pages of the list repeat");
    assert!(server.requests().len() < 5);
}

#[test]
fn links_and_redirects_to_other_hosts_are_not_followed() {
    let thief = Server::start(|_, _, _| page(&["stolen"]));
    for target in [thief.url.clone(), thief.url.replace("http://", "http://user:pass@")] {
        let next = target.clone();
        let server = Server::start(move |_, _, _| {
            page(&["a"]).with("link", format!("<{next}/x>; rel=\"next\""))
        });
        assert_fails(&github(&server, &[]), "the next page is at another address");
        let server = Server::start(move |_, _, _| {
            Response::new(302, "").with("location", format!("{target}/x"))
        });
        assert_fails(&github(&server, &[]), "redirects to another address");
    }
    assert!(thief.requests().is_empty());
    let server = Server::start(|_, before, _| match before {
        0 => Response::new(301, "").with("location", "/api/v3/organizations/9/repos"),
        1 => page(&["a"]),
        _ => Response::new(302, "").with("location", "/again"),
    });
    assert_eq!(urls(&github(&server, &[])).len(), 1, "a redirect on the same host is followed");
    assert_fails(&github(&server, &[]), "too many redirects");
}

#[test]
fn pages_that_are_no_lists_are_errors() {
    let html = "<html>Sign in</html>";
    let server =
        Server::start(move |_, _, _| Response::new(200, html).with("content-type", "text/html"));
    assert_fails(&github(&server, &[]), "no JSON");
    for body in ["{\"message\":\"odd\"}", "[{\"id\":1}]", "[", "null"] {
        let server = Server::start(move |_, _, _| Response::json(body));
        assert_fails(&github(&server, &[]), "unexpected content");
    }
}

#[test]
fn entries_with_credentials_are_left_out_and_reported() {
    let server = Server::start(|_, _, _| {
        let url = "https://user:p4ss@github.com/octo/b.git";
        let list = json!([
            github_repository("a", &Value::Null),
            github_repository("b", &json!({"clone_url": url})),
            github_repository("c", &json!({"clone_url": "ext::sh -c x"})),
        ]);
        Response::json(list.to_string())
    });
    let output = github(&server, &[]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(urls(&output), ["https://github.com/octo/a.git"]);
    assert!(errors(&output).contains("`octo/b` is left out"), "{output:?}");
    assert!(errors(&output).contains("`octo/c` is left out"), "{output:?}");
    assert!(!errors(&output).contains("p4ss"), "{output:?}");
}

#[test]
fn results_that_github_leaves_out_make_the_list_incomplete() {
    let server = Server::start(|_, _, _| {
        page(&["a"]).with("x-github-sso", "partial-results; organizations=21955855")
    });
    let output = github(&server, &[]);
    assert_eq!((output.status.code(), urls(&output).len()), (Some(2), 1), "{output:?}");
    assert!(errors(&output).contains("single sign-on"), "{output:?}");
}

#[test]
fn the_own_repositories_of_a_user_include_private_ones() {
    let server = Server::start(|request, _, _| match request.path.split('?').next().unwrap() {
        "/api/v3/user" => Response::json(r#"{"login":"Octo"}"#),
        "/api/v3/user/repos" => page(&["private"]),
        "/api/v3/users/other/repos" => page(&["public"]),
        _ => Response::new(404, "{}"),
    });
    let list =
        |user: &str| run(command().args(["--github-user", user, "--github-url", &server.url]));
    assert_eq!(urls(&list("octo")), ["https://github.com/octo/private.git"]);
    let other = list("other");
    assert_eq!(urls(&other), ["https://github.com/octo/public.git"]);
    assert!(errors(&other).contains("only public repositories"), "{other:?}");
}

#[test]
fn groups_of_gitlab_are_listed_with_their_subgroups() {
    let project = |id: u64, path: &str, further: &Value| {
        let mut project = json!({
            "id": id, "path_with_namespace": path, "default_branch": "main",
            "http_url_to_repo": format!("https://gitlab.corp/{path}.git"),
            "ssh_url_to_repo": format!("git@gitlab.corp:{path}.git"),
            "last_activity_at": "2026-09-30T13:46:02Z", "archived": false, "topics": [],
            "namespace": {"id": 3, "full_path": path.rsplit_once('/').unwrap().0},
            "statistics": {"repository_size": 2048}, "runners_token": "never-kept"
        });
        for (field, value) in further.as_object().into_iter().flatten() {
            project[field] = value.clone();
        }
        project
    };
    let server = Server::start(move |request, _, _| match query(request, "page").as_deref() {
        None => Response::json(json!([project(1, "corp/team/a", &Value::Null)]).to_string())
            // The address behind a proxy is wrong; the header with the number counts.
            .with("link", "<http://internal/api/v4/x?page=2>; rel=\"next\"")
            .with("x-next-page", 2),
        _ => {
            let fork = json!({"forked_from_project": {"id": 9}});
            let list = json!([project(2, "corp/team/sub/b", &fork)]);
            Response::json(list.to_string()).with("x-next-page", "")
        }
    });
    let output = run(command()
        .args(["--gitlab-group", "corp/team", "--gitlab-url", &server.url])
        .args(["--forks", "include"]));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(
        lines(&output),
        [
            json!({"url": "https://gitlab.corp/corp/team/a.git", "id": "1", "size": 2,
                "default_branch": "main", "pushed_at": "2026-09-30T13:46:02Z", "owner": "corp/team"}),
            json!({"url": "https://gitlab.corp/corp/team/sub/b.git", "id": "2", "size": 2,
                "default_branch": "main", "pushed_at": "2026-09-30T13:46:02Z", "fork": true,
                "owner": "corp/team/sub"}),
        ]
    );
    let requests = server.requests();
    assert!(requests[0].path.starts_with("/api/v4/groups/corp%2Fteam/projects?"), "{requests:?}");
    assert_eq!(query(&requests[1], "include_subgroups").as_deref(), Some("true"));
    assert_eq!(query(&requests[1], "page").as_deref(), Some("2"));
}

#[test]
fn organizations_of_gitea_are_listed_to_the_last_page() {
    for links in [true, false] {
        let server = Server::start(move |request, _, _| {
            let number: u32 = query(request, "page").unwrap().parse().unwrap();
            let repository = json!([{
                "id": number, "full_name": format!("corp/{number}"), "owner": {"login": "corp"},
                "clone_url": format!("https://gitea.corp/corp/{number}.git"), "size": 24,
                "default_branch": "main", "updated_at": "2026-05-01T00:00:00Z", "fork": false,
                "archived": number == 2, "internal_tracker": {}
            }]);
            if number > 2 {
                return Response::json("[]");
            }
            let response = Response::json(repository.to_string());
            match (links, number) {
                (true, 1) => response.with("link", "<http://internal/x?page=2>; rel=\"next\""),
                (true, _) => response.with("link", "<http://internal/x?page=1>; rel=\"first\""),
                _ => response,
            }
        });
        let output = run(command().args(["--gitea-org", "corp", "--gitea-url", &server.url]));
        let found = ["1", "2"].map(|it| format!("https://gitea.corp/corp/{it}.git"));
        assert_eq!(urls(&output), found, "{output:?}");
        let requests = server.requests();
        assert_eq!(requests.len(), if links { 2 } else { 3 });
        assert_eq!(requests[0].header("authorization"), Some(&*format!("token {SECRET}")));
        assert!(requests[0].path.starts_with("/api/v1/orgs/corp/repos?"), "{requests:?}");
    }
}

#[test]
fn credentials_come_from_the_helpers_of_git_where_the_environment_has_none() {
    let server = Server::start(|_, _, _| page(&["a"]));
    let helper = format!("!f() {{ echo username=u; echo password={SECRET}; }}; f");
    let mut with_helper = command();
    with_helper.args(["--github-org", "octo", "--github-url", &server.url]);
    with_helper.env_remove("GITHUB_TOKEN");
    with_helper.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "credential.helper");
    with_helper.env("GIT_CONFIG_VALUE_0", helper);
    assert_eq!(urls(&run(&mut with_helper)).len(), 1);
    let mut without = command();
    without.args(["--github-org", "octo", "--github-url", &server.url]).env_remove("GITHUB_TOKEN");
    let output = run(&mut without);
    assert!(errors(&output).contains("only public repositories are listed"), "{output:?}");
    let requests = server.requests();
    assert_eq!(requests[0].header("authorization"), Some(&*format!("Bearer {SECRET}")));
    assert_eq!(requests[1].header("authorization"), None);
}

#[test]
fn credentials_are_not_sent_without_encryption_or_taken_from_urls() {
    let mut plain = command();
    plain.args(["--github-org", "octo", "--github-url", "http://git.example"]);
    assert_fails(&run(&mut plain), "unencrypted");
    let mut url = command();
    url.args(["--github-org", "octo"]);
    url.args(["--github-url", &format!("https://{SECRET}@git.example")]);
    assert_fails(&run(&mut url), "contains credentials");
}

#[test]
fn a_recorded_list_is_that_of_the_sweep() {
    let server = Server::start(|_, before, _| match before {
        0 | 1 => page(&["a", "b"]),
        _ => page(&["a"]),
    });
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().to_str().unwrap();
    let args = ["--store", store, "--sweep", "w1"];
    assert_eq!(github(&server, &args).status.code(), Some(0));
    let again = github(&server, &args);
    assert_eq!(again.status.code(), Some(0), "recording it again changes nothing: {again:?}");
    assert_fails(&github(&server, &args), "was started with other repositories");
    let mut status = Command::new(env!("CARGO_BIN_EXE_ddpatrol-sweep"));
    let status = status.args(["status", "--json", "--store", store]).output().unwrap();
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!((&status["total"], &status["left"]), (&json!(2), &json!(2)), "{status}");
}
