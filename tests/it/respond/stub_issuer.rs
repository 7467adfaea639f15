//! A stub for issuers: an HTTP server on this machine that answers by a
//! script and records its requests.

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// A request to the server.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) bearer: Option<String>,
    /// All headers; the names are in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Value,
    pub(super) at: Instant,
}

impl Request {
    /// Returns a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }
}

/// A response of the server: status, further headers, body.
pub(super) type Response = (u16, &'static str, String);

/// A running server.
pub(super) struct Issuer {
    pub(super) url: String,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Issuer {
    /// Starts a server that answers by `script`, which gets the request and the number of earlier requests.
    pub(super) fn start(
        script: impl Fn(&Request, usize) -> Response + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, script) = (Arc::clone(&asked), Arc::new(script));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, script) = (Arc::clone(&log), Arc::clone(&script));
                std::thread::spawn(move || serve(stream, &log, &*script));
            }
        });
        Self { url, asked }
    }

    /// Starts a server that always sends the same response.
    pub(super) fn always(status: u16, headers: &'static str, body: &'static str) -> Self {
        Self::start(move |_, _| (status, headers, body.to_owned()))
    }

    pub(super) fn asked(&self) -> Vec<Request> {
        self.asked.lock().expect("no panic").clone()
    }
}

fn serve(
    stream: TcpStream,
    log: &Mutex<Vec<Request>>,
    script: &dyn Fn(&Request, usize) -> Response,
) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut out = stream;
    loop {
        let asked = read(&mut reader)?;
        let before = {
            let mut log = log.lock().expect("no panic");
            log.push(asked.clone());
            log.len() - 1
        };
        let (status, headers, body) = script(&asked, before);
        // The default content type is JSON.
        let kind = "content-type: application/json\r\n";
        let kind = if headers.contains("content-type") { "" } else { kind };
        let text = format!(
            "HTTP/1.1 {status} Status\r\ncontent-length: {}\r\n{kind}{headers}\r\n{body}",
            body.len()
        );
        out.write_all(text.as_bytes()).ok()?;
    }
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|&bytes| bytes > 0)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut length, mut bearer, mut headers) = (0, None, Vec::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => bearer = value.strip_prefix("Bearer ").map(str::to_owned),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Some(Request { method, path, bearer, headers, body, at: Instant::now() })
}
