//! A store that fails at commits: a proxy before a real one, which meddles with the first attempt to
//! write each version of a table.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

/// What happens to the first attempt to write a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The version is written, and nobody says so: the connection ends.
    LostAnswer,
    /// Another program writes that version first; every other version.
    Conflict,
    /// The store says 412 although nobody wrote the version.
    Precondition,
    /// The store says 503 and writes nothing.
    Unavailable,
    /// The version is written, and the answer takes 0.7 s.
    SlowAnswer,
    /// The connection ends, and the version is written 0.7 s later, whoever wrote what meanwhile.
    DelayedWrite,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 6] = [
        Self::LostAnswer,
        Self::Conflict,
        Self::Precondition,
        Self::Unavailable,
        Self::SlowAnswer,
        Self::DelayedWrite,
    ];
}

/// How late a slow answer or a delayed write is.
pub const SLOW: Duration = Duration::from_millis(700);

/// A commit of a program that changed nothing.
const FOREIGN_COMMIT: &str = r#"{"commitInfo":{"operation":"SET TBLPROPERTIES","timestamp":0}}"#;

const FIRST_VERSION: &str = "/00000000000000000000.json";

/// A store that fails; it listens until the process ends.
#[derive(Debug)]
pub struct FaultyStore {
    url: String,
    struck: Arc<AtomicUsize>,
}

struct Proxy {
    upstream: String,
    fault: Fault,
    versions: Mutex<HashSet<String>>,
    struck: Arc<AtomicUsize>,
}

/// A request: its first line, its headers as they came, and its body.
#[derive(Clone)]
struct Request {
    line: String,
    headers: Vec<String>,
    body: Vec<u8>,
}

impl FaultyStore {
    /// Listens before the store at `url`.
    ///
    /// # Errors
    /// When no port is free.
    pub fn start(url: &str, fault: Fault) -> Result<Self> {
        let upstream = url.strip_prefix("http://").context("a plain store")?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let struck = Arc::new(AtomicUsize::new(0));
        let proxy = Arc::new(Proxy {
            upstream: upstream.to_owned(),
            fault,
            versions: Mutex::default(),
            struck: struck.clone(),
        });
        let url = format!("http://{}", listener.local_addr()?);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let proxy = proxy.clone();
                // A client that hangs up is no concern of the store's.
                thread::spawn(move || drop(proxy.serve(stream)));
            }
        });
        Ok(Self { url, struck })
    }

    /// Returns the endpoint, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns how many writes were meddled with.
    pub fn struck(&self) -> usize {
        self.struck.load(Ordering::Relaxed)
    }
}

impl Proxy {
    fn serve(&self, mut client: TcpStream) -> Result<()> {
        let Some(request) = Request::read(&mut client)? else {
            return Ok(());
        };
        if !self.is_first_of_a_version(&request) {
            client.write_all(&self.forward(&request)?)?;
            return Ok(());
        }
        self.struck.fetch_add(1, Ordering::Relaxed);
        match self.fault {
            Fault::LostAnswer => {
                self.forward(&request)?;
            }
            Fault::Conflict => {
                let mut other = request.clone();
                // The first version can only be the table itself.
                if !request.line.contains(FIRST_VERSION) {
                    other.body = FOREIGN_COMMIT.into();
                }
                self.forward(&other)?;
                client.write_all(&self.forward(&request)?)?;
            }
            Fault::Precondition => client.write_all(&refusal("412 Precondition Failed"))?,
            Fault::Unavailable => client.write_all(&refusal("503 Slow Down"))?,
            Fault::SlowAnswer => {
                let answer = self.forward(&request)?;
                thread::sleep(SLOW);
                client.write_all(&answer)?;
            }
            Fault::DelayedWrite => {
                drop(client);
                thread::sleep(SLOW);
                self.forward(&request)?;
            }
        }
        Ok(())
    }

    fn is_first_of_a_version(&self, request: &Request) -> bool {
        let Some(path) = request.path_of_version() else {
            return false;
        };
        // One who is always overtaken never arrives.
        let is_spared = self.fault == Fault::Conflict && path.ends_with(['1', '3', '5', '7', '9']);
        let mut seen = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        !is_spared && seen.insert(path.to_owned())
    }

    /// Asks the real store, and returns its whole answer.
    fn forward(&self, request: &Request) -> Result<Vec<u8>> {
        let mut store = TcpStream::connect(&self.upstream)?;
        let mut text = request.line.clone();
        for header in &request.headers {
            let name = header.split(':').next().unwrap_or_default();
            let ours = ["connection", "content-length"];
            if !ours.contains(&name.to_ascii_lowercase().as_str()) {
                text += &format!("\r\n{header}");
            }
        }
        let length = request.body.len();
        text += &format!("\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
        store.write_all(text.as_bytes())?;
        store.write_all(&request.body)?;
        let mut answer = Vec::new();
        store.read_to_end(&mut answer)?;
        Ok(answer)
    }
}

impl Request {
    /// Returns the path, without its ending, of the version this would write.
    fn path_of_version(&self) -> Option<&str> {
        let path = self.line.strip_prefix("PUT ")?.split(' ').next()?;
        let version = path.strip_suffix(".json")?;
        version.contains("/_delta_log/").then_some(version)
    }

    /// Reads one request; `None` when the client has none.
    fn read(client: &mut TcpStream) -> Result<Option<Self>> {
        let mut bytes = Vec::new();
        let mut part = [0; 16 << 10];
        let head_end = loop {
            let found = bytes.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(at) = found {
                break at;
            }
            match client.read(&mut part)? {
                0 => return Ok(None),
                read => bytes.extend_from_slice(&part[..read]),
            }
        };
        let mut body = bytes.split_off(head_end + 4);
        bytes.truncate(head_end);
        let head = String::from_utf8(bytes)?;
        let mut lines = head.split("\r\n").map(str::to_owned);
        let line = lines.next().unwrap_or_default();
        let headers: Vec<String> = lines.collect();
        let length = headers.iter().find_map(|header| {
            let (name, value) = header.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse().ok())?
        });
        let length: usize = length.unwrap_or(0);
        let arrived = body.len();
        body.resize(length.max(arrived), 0);
        client.read_exact(&mut body[arrived..])?;
        Ok(Some(Self {
            line,
            headers,
            body,
        }))
    }
}

fn refusal(status: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").into_bytes()
}
