//! `run --verify --webhook` against a receiver on this machine.

use crate::server::{Request, Response, Server};
use crate::verify::{Issuer, Sweeps, errors, token};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::collections::BTreeSet;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

const SECRET: &str = "webhook-s3cret";

fn run(sweeps: &Sweeps, sweep: &str, issuer: &Issuer, receiver: &Server) -> Output {
    let url = format!("{}/hook-s3cret", receiver.url);
    let mut command = sweeps.command(sweep, issuer, &["--webhook", &url]);
    let output = command.env("DDPATROL_WEBHOOK_SECRET", SECRET).output().unwrap();
    assert!(!errors(&output).contains("s3cret"), "neither path nor secret is printed: {output:?}");
    output
}

fn accepting() -> Server {
    Server::start(|_, _, _| Response::json("{}"))
}

fn fingerprints(requests: &[Request]) -> Vec<String> {
    let body = |it: &Request| -> Value { serde_json::from_slice(&it.body).unwrap() };
    requests.iter().map(|it| body(it)["token"]["fingerprint"].to_string()).collect()
}

#[test]
fn new_live_tokens_are_posted_signed_and_redacted() {
    let (live, dead) = (token(11), token(12));
    let sweeps = Sweeps::new(&[&live, &live, &dead]);
    let issuer = Issuer::start();
    issuer.answer(&dead, 401);
    let receiver = accepting();
    let output = run(&sweeps, "w1", &issuer, &receiver);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let [request] = &receiver.requests()[..] else { panic!("one request: {output:?}") };
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(&request.body);
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    assert_eq!(request.header("x-ddpatrol-signature"), Some(&*signature));
    assert_eq!((&*request.method, &*request.path), ("POST", "/hook-s3cret"));
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["schema"], "ddpatrol-sweep-webhook/1");
    assert_eq!((&body["sweep"], &body["token"]["verdict"]), (&"w1".into(), &"live".into()));
    assert_eq!(body["token"]["repositories"].as_array().unwrap().len(), 2);
    assert!(body["token"]["repositories"][0]["url"].is_string(), "{body}");
    assert!(!body.to_string().contains(&live[30..]), "{body}");
    let id = format!("w1/{}", body["token"]["fingerprint"].as_str().unwrap());
    assert_eq!(request.header("x-ddpatrol-delivery"), Some(&*id));
}

#[test]
fn a_token_is_posted_once_also_if_the_sweep_is_resumed() {
    let token = token(13);
    let sweeps = Sweeps::new(&[&token]);
    let (issuer, receiver) = (Issuer::start(), accepting());
    assert_eq!(run(&sweeps, "w1", &issuer, &receiver).status.code(), Some(0));
    // As if the process had been killed after the request.
    for name in ["finished.json.zst", "live.json.zst"] {
        std::fs::remove_file(sweeps.store().join("sweeps/w1").join(name)).unwrap();
    }
    assert_eq!(run(&sweeps, "w1", &issuer, &receiver).status.code(), Some(0));
    assert_eq!(run(&sweeps, "w1", &issuer, &receiver).status.code(), Some(0));
    assert_eq!(run(&sweeps, "w2", &issuer, &receiver).status.code(), Some(0));
    assert_eq!(receiver.requests().len(), 1, "it was live in the previous sweep");
}

#[test]
fn a_token_that_is_live_again_is_posted_again() {
    let token = token(14);
    let sweeps = Sweeps::new(&[&token]);
    let (issuer, receiver) = (Issuer::start(), accepting());
    assert_eq!(run(&sweeps, "w1", &issuer, &receiver).status.code(), Some(0));
    for (sweep, status) in [("w2", 401), ("w3", 200)] {
        sweeps.age_verdicts();
        issuer.answer(&token, status);
        assert_eq!(run(&sweeps, sweep, &issuer, &receiver).status.code(), Some(0));
    }
    assert_eq!(receiver.requests().len(), 2);
}

#[test]
fn busy_receivers_are_asked_again_with_growing_pauses() {
    let sweeps = Sweeps::new(&[&token(15)]);
    let issuer = Issuer::start();
    let receiver = Server::start(|_, before, _| match before {
        0 => Response::new(503, ""),
        1 => Response::new(429, "").with("retry-after", 2),
        2 => Response::new(200, "{}").truncated(),
        _ => Response::json("{}"),
    });
    let output = run(&sweeps, "w1", &issuer, &receiver);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let requests = receiver.requests();
    assert_eq!(requests.len(), 3, "a status of success suffices");
    assert!(requests[1].at - requests[0].at >= Duration::from_millis(900));
    assert!(requests[2].at - requests[1].at >= Duration::from_millis(1900));
    assert_eq!(requests[0].body, requests[2].body);
}

#[test]
fn tokens_that_could_not_be_posted_are_posted_by_the_next_sweep() {
    let (one, two) = (token(16), token(17));
    let sweeps = Sweeps::new(&[&one, &two]);
    let issuer = Issuer::start();
    let refusing = Server::start(|_, before, _| match before {
        0 => Response::new(400, ""),
        _ => Response::json("{}"),
    });
    let output = run(&sweeps, "w1", &issuer, &refusing);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(errors(&output).contains("1 live token not posted: 127.0.0.1: status 400"));
    let sent = fingerprints(&refusing.requests());
    assert_eq!(sent.len(), 2, "a rejected request does not stop the others");

    let receiver = accepting();
    assert_eq!(run(&sweeps, "w2", &issuer, &receiver).status.code(), Some(0));
    assert_eq!(fingerprints(&receiver.requests()), sent[..1]);

    let redirecting =
        Server::start(|_, _, url| Response::new(307, "").with("location", format!("{url}/x")));
    sweeps.repositories[0].commit_file("more", token(18));
    let output = run(&sweeps, "w3", &issuer, &redirecting);
    assert_eq!(output.status.code(), Some(2), "redirects are not followed: {output:?}");
    assert_eq!(redirecting.requests().len(), 1);
}

#[test]
fn a_webhook_without_a_secret_or_encryption_is_refused_before_the_sweep() {
    let sweeps = Sweeps::new(&[&token(19)]);
    let issuer = Issuer::start();
    for (url, secret) in [("http://hooks.example/x", SECRET), ("https://hooks.example/x", "")] {
        let mut command = sweeps.command("w1", &issuer, &["--webhook", url]);
        let output = command.env("DDPATROL_WEBHOOK_SECRET", secret).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(errors(&output).contains("--webhook"), "{output:?}");
    }
    assert!(!sweeps.store().exists());
}

/// Starts a sweep, waits until `is_reached`, and interrupts it.
fn interrupt(mut command: std::process::Command, is_reached: impl Fn() -> bool) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while !is_reached() {
        assert!(start.elapsed() < Duration::from_secs(60), "the place to interrupt is not reached");
        std::thread::sleep(Duration::from_millis(10));
    }
    let id = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGINT).unwrap();
    child.wait_with_output().unwrap()
}

fn with_webhook(sweeps: &Sweeps, issuer: &Issuer, url: &str) -> std::process::Command {
    let mut command = sweeps.command("w1", issuer, &["--webhook", url]);
    command.env("DDPATROL_WEBHOOK_SECRET", SECRET);
    command
}

fn deliveries(requests: &[Request]) -> Vec<String> {
    let id = |it: &Request| it.header("x-ddpatrol-delivery").unwrap().to_owned();
    requests.iter().map(id).collect()
}

#[test]
fn an_interrupt_while_tokens_are_posted_loses_none_and_posts_none_twice_without_its_id() {
    let tokens = [token(20), token(21), token(22)];
    let sweeps = Sweeps::new(&tokens.each_ref().map(String::as_str));
    let issuer = Issuer::start();
    let hanging = Server::start(|_, before, _| {
        if before > 0 {
            std::thread::sleep(Duration::from_secs(30));
        }
        Response::json("{}")
    });
    let command = with_webhook(&sweeps, &issuer, &hanging.url);
    let output = interrupt(command, || hanging.requests().len() == 2);
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert!(errors(&output).contains("repeat the command to continue"), "{output:?}");
    let sweep = sweeps.store().join("sweeps/w1");
    assert!(!sweep.join("finished.json.zst").exists() && !sweep.join("live.json.zst").exists());

    let receiver = accepting();
    let output = run(&sweeps, "w1", &issuer, &receiver);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let (before, after) = (deliveries(&hanging.requests()), deliveries(&receiver.requests()));
    assert_eq!(after.len(), 2, "the interrupted one, and the one that was not posted");
    assert!(!after.contains(&before[0]), "it was posted and recorded");
    assert!(after.contains(&before[1]), "the receiver can recognize the interrupted one");
    let all: BTreeSet<&String> = before.iter().chain(&after).collect();
    assert_eq!(all.len(), 3);
    assert_eq!(run(&sweeps, "w1", &issuer, &receiver).status.code(), Some(0));
    assert_eq!(run(&sweeps, "w2", &issuer, &receiver).status.code(), Some(0));
    assert_eq!(receiver.requests().len(), 2, "nothing is posted again");
}

#[test]
fn an_interrupt_ends_the_pause_before_a_post_is_repeated() {
    let sweeps = Sweeps::new(&[&token(23)]);
    let issuer = Issuer::start();
    let busy = Server::start(|_, _, _| Response::new(503, "").with("retry-after", 50));
    let start = Instant::now();
    let command = with_webhook(&sweeps, &issuer, &busy.url);
    let output = interrupt(command, || busy.requests().len() == 1);
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert!(start.elapsed() < Duration::from_secs(40));
    let receiver = accepting();
    assert_eq!(run(&sweeps, "w1", &issuer, &receiver).status.code(), Some(0));
    assert_eq!(deliveries(&receiver.requests()), deliveries(&busy.requests()));
}

#[test]
fn an_interrupt_while_the_last_repository_runs_posts_nothing_until_the_sweep_is_continued() {
    let sweeps = Sweeps::new(&[&token(24)]);
    let (issuer, receiver) = (Issuer::slow(Duration::from_secs(2)), accepting());
    let command = with_webhook(&sweeps, &issuer, &receiver.url);
    let output = interrupt(command, || !issuer.server.requests().is_empty());
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert!(errors(&output).contains("stopping after the running repositories"), "{output:?}");
    assert!(errors(&output).contains("repeat the command to continue"), "{output:?}");
    assert!(receiver.requests().is_empty());
    assert_eq!(run(&sweeps, "w1", &issuer, &receiver).status.code(), Some(0));
    assert_eq!(receiver.requests().len(), 1);
}
