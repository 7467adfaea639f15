//! An HTTP server on this machine that answers by a script and records its requests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) at: Instant,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// A response.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    status: u16,
    headers: String,
    body: String,
    /// Bytes of the body that are sent; the rest is cut off.
    sent: usize,
}

impl Response {
    pub(crate) fn new(status: u16, body: impl Into<String>) -> Self {
        let body = body.into();
        Self { status, headers: String::new(), sent: body.len(), body }
    }

    pub(crate) fn json(body: impl Into<String>) -> Self {
        Self::new(200, body)
    }

    pub(crate) fn with(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    pub(crate) fn truncated(mut self) -> Self {
        self.sent = self.body.len() / 2;
        self
    }
}

/// A running server.
pub(crate) struct Server {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Starts a server; `script` gets the request, the number of earlier ones, and the server's URL.
    pub(crate) fn start(
        script: impl Fn(&Request, usize, &str) -> Response + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (log, script, address) = (Arc::clone(&requests), Arc::new(script), url.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, script, address) =
                    (Arc::clone(&log), Arc::clone(&script), address.clone());
                std::thread::spawn(move || {
                    serve(stream, &log, &|request, before| script(request, before, &address))
                });
            }
        });
        Self { url, requests }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
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
        let request = read(&mut reader)?;
        let before = {
            let mut log = log.lock().unwrap();
            log.push(request.clone());
            log.len() - 1
        };
        let Response { status, headers, body, sent } = script(&request, before);
        let kind = "content-type: application/json; charset=utf-8\r\n";
        let kind = if headers.contains("content-type") || status == 304 { "" } else { kind };
        let head = format!(
            "HTTP/1.1 {status} Status\r\ncontent-length: {}\r\n{kind}{headers}\r\n",
            body.len()
        );
        out.write_all(head.as_bytes()).ok()?;
        out.write_all(&body.as_bytes()[..sent]).ok()?;
        if sent < body.len() {
            return None;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|&bytes| bytes > 0)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: u64 = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body).ok()?;
    Some(Request { method, path, headers, body, at: Instant::now() })
}
