//! A person's browser at the console, over real sockets.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use lumoauth::emulator::{Emulator, Served};

pub struct Got {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Got {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (own, value) = line.split_once(": ")?;
            own.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// Sends a request as it is written here, and reads all that comes.
pub fn send(served: &Served, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Got {
    let mut stream = TcpStream::connect(served.addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    let mut text = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        text.push_str(&format!("Host: {}\r\n", served.addr()));
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if method == "POST" {
        text.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
    }
    text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Got { status, head: head.to_owned(), body: body.to_owned() }
}

/// A person's browser that has opened the printed address.
pub struct Browser<'s> {
    pub served: &'s Served,
    pub place: String,
    pub cookie: String,
}

impl<'s> Browser<'s> {
    pub fn open(served: &'s Served) -> Self {
        let address = served.console().unwrap().expose().to_owned();
        let path = address.strip_prefix(served.url()).unwrap();
        let got = send(served, "GET", path, &[], "");
        assert_eq!(got.status, 303, "{}", got.body);
        let cookie = got.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        Browser { served, place: got.header("location").unwrap().to_owned(), cookie }
    }

    pub fn page(&self) -> Got {
        let got = send(self.served, "GET", &self.place, &[("Cookie", &self.cookie)], "");
        assert_eq!(got.status, 200, "{}", got.body);
        got
    }

    pub fn post(&self, form: &str) -> Got {
        let headers = [("Cookie", self.cookie.as_str()), ("Origin", self.served.url())];
        send(self.served, "POST", &format!("{}do", self.place), &headers, form)
    }

    /// The form of the first thing of this kind that waits, without the decision.
    pub fn form(&self, kind: &str) -> String {
        let page = self.page().body;
        let card = page.split(&format!("name=\"kind\" value=\"{kind}\"")).nth(1).expect(kind);
        let handle = card.split("name=\"it\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        format!("kind={kind}&it={handle}&user=alice")
    }
}

pub fn demo() -> (Emulator, Served) {
    let emulator = Emulator::demo().unwrap();
    let served = emulator.serve_with_console("127.0.0.1:0").unwrap();
    (emulator, served)
}
