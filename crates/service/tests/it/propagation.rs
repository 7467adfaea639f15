//! Two replicas on one PostgreSQL: a change by one of them takes effect there at once and on the
//! other within one second, even if the connection of the other's listener fails.

use crate::database::Database;
use crate::http::Request;
use crate::people::person;
use crate::server::{PERMISSIONS, Server, TOKENS, Token, check};
use crate::until;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::scope;
use std::time::{Duration, Instant};

/// The guaranteed maximum delay.
const BOUND: Duration = Duration::from_secs(1);

/// Replica `a` makes changes; replica `b` is observed.
struct Pair {
    database: Database,
    a: Server,
    b: Server,
    admin: String,
}

impl Pair {
    fn start() -> Self {
        let database = Database::postgres();
        let (a, admin) = Server::first(&database, &[]);
        let b = Server::start(&database, &[]);
        Self { database, a, b, admin }
    }

    fn token(&self, name: &str) -> Token {
        self.a.mint(&self.admin, name, &PERMISSIONS)
    }

    /// Polls `b` continuously while `change` is made, until `b` rejects the request. Returns the
    /// time between the end of `change` and the start of the last accepted request.
    fn lag(&self, request: &Request, change: impl FnOnce()) -> Duration {
        let accepted: Mutex<Option<Instant>> = Mutex::new(None);
        let done = AtomicBool::new(false);
        let poll = || {
            let mut connection = self.b.connect();
            while !done.load(Ordering::Relaxed) {
                let began = Instant::now();
                let status = connection.send(request).unwrap().status;
                assert!(matches!(status, 200 | 401 | 403 | 503), "{status}");
                if status == 200 {
                    let mut last = accepted.lock().unwrap();
                    *last = (*last).max(Some(began));
                }
            }
        };
        scope(|scope| {
            let pollers = [scope.spawn(poll), scope.spawn(poll)];
            until("the other replica accepts", || *accepted.lock().unwrap());
            let began = Instant::now();
            until("the other replica keeps accepting", || {
                (*accepted.lock().unwrap() > Some(began)).then_some(())
            });
            change();
            let changed = Instant::now();
            // A request that is accepted any time later would increase the measured delay.
            std::thread::sleep(2 * BOUND);
            done.store(true, Ordering::Relaxed);
            for poller in pollers {
                poller.join().unwrap();
            }
            let last = accepted.lock().unwrap().unwrap();
            last.saturating_duration_since(changed)
        })
    }

    /// Revokes a token on `a` while `b` is polled with it, several times, and checks the guarantee.
    fn revocation_holds(&self) {
        for round in 0..3 {
            let token = self.token("polled");
            let lag = self.lag(&check(&token.key), || {
                self.a.revoke(&self.admin, &token.id);
                assert_eq!(self.a.check(&token.key), 401, "effective at once on the same replica");
            });
            assert!(lag <= BOUND, "round {round}: accepted {lag:?} after the revocation");
            assert_eq!(self.b.check(&token.key), 401);
        }
    }

    /// Returns the server processes of the connections on which the replicas listen.
    fn listeners(&self) -> Vec<Pid> {
        let name = self.database.name();
        let sql = format!(
            "SELECT pid::text FROM pg_stat_activity WHERE datname = '{name}' AND query LIKE 'LISTEN%'"
        );
        let pids = Database::on_server(&sql);
        pids.iter().map(|pid| Pid::from_raw(pid.parse().unwrap())).collect()
    }

    fn both_listen(&self) -> Vec<Pid> {
        until("both replicas listen", || Some(self.listeners()).filter(|pids| pids.len() == 2))
    }
}

/// Stopped processes, which are resumed when this value is dropped.
struct Frozen(Vec<Pid>);

impl Frozen {
    fn new(pids: Vec<Pid>) -> Self {
        let frozen = Self(pids);
        for &pid in &frozen.0 {
            kill(pid, Signal::SIGSTOP).unwrap();
        }
        frozen
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for &pid in &self.0 {
            let _ = kill(pid, Signal::SIGCONT);
        }
    }
}

#[test]
fn a_revocation_takes_effect_within_a_second_on_the_other_replica() {
    let pair = Pair::start();
    pair.both_listen();
    pair.revocation_holds();
}

#[test]
fn a_revocation_takes_effect_within_a_second_while_listening_connections_are_killed() {
    let pair = Pair::start();
    pair.both_listen();
    let done = AtomicBool::new(false);
    let kills = scope(|scope| {
        let killer = scope.spawn(|| {
            let mut kills = 0;
            while !done.load(Ordering::Relaxed) {
                for pid in pair.listeners() {
                    let gone =
                        Database::on_server(&format!("SELECT pg_terminate_backend({pid})::text"));
                    kills += usize::from(gone == ["true"]);
                }
            }
            kills
        });
        pair.revocation_holds();
        done.store(true, Ordering::Relaxed);
        killer.join().unwrap()
    });
    assert!(kills > 2, "the connections were reopened and killed again: {kills}");
    pair.both_listen();
}

#[test]
fn a_revocation_takes_effect_within_a_second_while_listening_connections_are_frozen() {
    let pair = Pair::start();
    let frozen = Frozen::new(pair.both_listen());
    pair.revocation_holds();
    drop(frozen);
    pair.revocation_holds();
}

#[test]
fn a_revocation_is_effective_from_the_first_request_after_a_kill_and_a_restart() {
    let Pair { database, a, b, admin } = Pair::start();
    let tokens: Vec<Token> = (0..5).map(|_| a.mint(&admin, "killed", &PERMISSIONS)).collect();
    for token in &tokens {
        assert_eq!((a.check(&token.key), b.check(&token.key)), (200, 200));
        a.revoke(&admin, &token.id);
    }
    a.kill();
    b.kill();
    let (a, b) = (Server::start(&database, &[]), Server::start(&database, &[]));
    for token in &tokens {
        assert_eq!((a.check(&token.key), b.check(&token.key)), (401, 401));
    }
    assert_eq!((a.check(&admin), b.check(&admin)), (200, 200));
}

#[test]
fn a_disabled_user_and_narrower_scopes_take_effect_within_a_second_on_every_replica() {
    let pair = Pair::start();
    let frozen = Frozen::new(pair.both_listen());
    let list = |token: &str| Request::get(TOKENS).bearer(token);

    let narrowed = pair.token("narrowed");
    let lag = pair.lag(&list(&narrowed.key), || {
        let data = json!({"type": "personal_access_tokens", "id": narrowed.id,
            "attributes": {"scopes": ["audit_logs_read"]}});
        let request = Request::patch(format!("{TOKENS}/{}", narrowed.id)).bearer(&pair.admin);
        pair.a.call(&request.json(&json!({"data": data}))).expect(200);
        pair.a.call(&list(&narrowed.key)).expect(403);
    });
    assert!(lag <= BOUND, "accepted {lag:?} after its scopes had been narrowed");

    let gone = person("gone@example.com").add(&pair.database);
    let key = gone.token(&["user_app_keys"]).key;
    let lag = pair.lag(&check(&key), || gone.disable());
    assert!(lag <= BOUND, "accepted {lag:?} after its owner had been disabled");
    drop(frozen);
}
