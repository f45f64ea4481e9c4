//! A server of Redis that says what a test wants: whatever is installed, what is sent to it is seen, and what it says is heard.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use lumoauth::store::{RedisSettings, RedisStore};

/// What came over which line, numbered from 0.
pub type Asked = (usize, Vec<String>);

pub struct Fake {
    pub port: u16,
    log: Arc<Mutex<Vec<Asked>>>,
}

/// What is sent back; none closes the line.
pub type Says = Option<String>;

pub fn says(text: &str) -> Says {
    Some(format!("{text}\r\n"))
}

pub fn bulk(text: &str) -> Says {
    Some(format!("${}\r\n{text}\r\n", text.len()))
}

/// A record with its version.
pub fn record(text: &str) -> Says {
    bulk(&format!("0123456789abcdef{text}"))
}

/// What a master without a password says of itself.
pub fn opening(words: &[String]) -> Says {
    match words[0].as_str() {
        "INFO" => bulk("# Memory\r\nmaxmemory_policy:noeviction\r\n"),
        "ROLE" => says("*3\r\n$6\r\nmaster\r\n:0\r\n*0"),
        _ => says("+OK"),
    }
}

/// A map of the cluster: one server has all slots.
pub fn slots(port: u16) -> Says {
    says(&format!("*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:{port}"))
}

/// One command, as clients send it.
fn command(from: &mut impl BufRead) -> Option<Vec<String>> {
    let number = |kind: &str, from: &mut dyn BufRead| -> Option<usize> {
        let mut line = String::new();
        from.read_line(&mut line).ok()?;
        line.trim_end().strip_prefix(kind)?.parse().ok()
    };
    let mut words = Vec::new();
    for _ in 0..number("*", from)? {
        let mut bytes = vec![0; number("$", from)?];
        from.read_exact(&mut bytes).ok()?;
        from.read_exact(&mut [0; 2]).ok()?;
        words.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    Some(words)
}

impl Fake {
    /// Answers each command of each line so.
    pub fn start(answer: impl Fn(usize, &[String]) -> Says + Send + Sync + 'static) -> Self {
        Fake::with(move |line, words, to| {
            let Some(text) = answer(line, words) else { return false };
            to.write_all(text.as_bytes()).is_ok()
        })
    }

    /// The same, and the answer is written by the test: false closes the line.
    pub fn with(answer: impl Fn(usize, &[String], &mut TcpStream) -> bool + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (log, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answer));
        let seen = Arc::clone(&log);
        std::thread::spawn(move || {
            for (line, stream) in listener.incoming().enumerate() {
                let (Ok(mut to), seen, answer) = (stream, Arc::clone(&seen), Arc::clone(&answer)) else {
                    return;
                };
                // What is written is there at once.
                to.set_nodelay(true).unwrap();
                std::thread::spawn(move || {
                    let mut from = BufReader::new(to.try_clone().unwrap());
                    while let Some(words) = command(&mut from) {
                        seen.lock().unwrap().push((line, words.clone()));
                        if !answer(line, &words, &mut to) {
                            let _ = to.shutdown(std::net::Shutdown::Both);
                            return;
                        }
                    }
                });
            }
        });
        Fake { port, log }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn settings(&self) -> RedisSettings {
        RedisStore::server(self.url()).unwrap()
    }

    pub fn store(&self) -> RedisStore {
        self.settings().unsealed().unwrap()
    }

    /// What it was asked so far, without what opens a line.
    pub fn asked(&self) -> Vec<Asked> {
        let opens = ["INFO", "AUTH", "SELECT", "ROLE", "CLUSTER"];
        let log = self.log.lock().unwrap();
        log.iter().filter(|(_, words)| !opens.contains(&words[0].as_str())).cloned().collect()
    }

    /// How many lines were opened.
    pub fn lines(&self) -> usize {
        self.log.lock().unwrap().iter().map(|(line, _)| line + 1).max().unwrap_or_default()
    }
}
