//! The pages, as a browser gets and sends them over a real socket.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use lumoauth::Secret;
use lumoauth::embed::operations::routes;
use lumoauth::emulator::{DecisionError, Emulator};

use super::support::*;

/// One request and its whole answer: head and body.
fn http(to: SocketAddr, method: &str, path: &str, form: Option<&str>) -> (String, String) {
    let mut stream = TcpStream::connect(to).unwrap();
    let form = form.unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

fn status(head: &str) -> &str {
    head.split(' ').nth(1).unwrap()
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(own, _)| own.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
}

/// The value of a hidden field.
fn field(page: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let rest = page.split(&start).nth(1).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[test]
fn a_person_decides_in_a_browser() {
    let emulator = Emulator::demo().unwrap();
    let served = emulator.serve("127.0.0.1:0").unwrap();
    let page_path = "/t/acme-corp/api/v1/oauth/authorize";
    let open = || {
        let path = format!("{page_path}?{}", asking("read:documents", &[("login_hint", "bob")]));
        http(served.addr(), "GET", &path, None)
    };
    let (head, page) = open();
    assert_eq!(status(&head), "200");
    assert_eq!(header(&head, "content-type"), "text/html; charset=utf-8");
    assert!(header(&head, "content-security-policy").contains("default-src 'none'"));
    assert!(header(&head, "content-security-policy").contains("frame-ancestors 'none'"));
    assert_eq!((header(&head, "x-frame-options"), header(&head, "cache-control")), ("DENY", "no-store"));
    assert!(!page.contains("<script") && page.contains("lang=\"en\"") && page.contains("<label for="));
    assert!(page.contains("research-bot") && page.contains("Acme Corp") && page.contains("read:documents"));
    assert!(page.contains("value=\"bob\" checked"), "the hint chooses");
    let decide = |page: &str, csrf: &str, user: &str, decision: &str| {
        let (request, csrf) =
            (field(page, "request"), if csrf.is_empty() { field(page, "csrf") } else { csrf.into() });
        let form = encoded(&[("request", &request), ("csrf", &csrf), ("user", user), ("decision", decision)]);
        http(served.addr(), "POST", page_path, Some(&form))
    };
    assert_eq!(status(&decide(&page, "guess", "alice", "approve").0), "400", "a form from elsewhere");
    let (head, _) = decide(&page, "", "alice", "approve");
    assert_eq!(status(&head), "303");
    let (to, pairs) = sent(header(&head, "location"));
    assert_eq!((to.as_str(), value(&pairs, "state")), (REDIRECT, "st&te"));
    assert_eq!(value(&pairs, "iss"), format!("{}/t/acme-corp/api/v1", served.url()));
    assert_eq!(status(&decide(&page, "", "alice", "approve").0), "400", "decided already");
    let tokens = ok(&redeem(&emulator, value(&pairs, "code")));
    assert_eq!(jwt(&text(&tokens, "access_token"), 1)["sub"], "user:alice");
    let (_, page) = open();
    let (head, _) = decide(&page, "", "alice", "deny");
    let pairs = sent(header(&head, "location")).1;
    assert_eq!((value(&pairs, "error"), value(&pairs, "state")), ("access_denied", "st&te"));
    assert_ne!(value(&pairs, "iss"), "");
    let (_, page) = open();
    let (head, _) = decide(&page, "", "nobody", "approve");
    assert_eq!(value(&sent(header(&head, "location")).1, "error"), "access_denied");
    let bad = format!("{page_path}?{}", asking("x", &[("redirect_uri", "https://evil.test/<script>")]));
    let (head, page) = http(served.addr(), "GET", &bad, None);
    assert_eq!((status(&head), header(&head, "location")), ("400", ""));
    assert!(!page.contains("evil.test"));
}

#[test]
fn a_person_connects_a_device_in_a_browser() {
    let emulator = Emulator::demo().unwrap();
    let served = emulator.serve("127.0.0.1:0").unwrap();
    let device = ok(&signed(&emulator, routes::DEVICE_AUTHORIZATION, &[("scope", "read:documents")]));
    let user_code = text(&device, "user_code");
    let path = "/t/acme-corp/api/v1/oauth/device";
    let (head, page) = http(served.addr(), "GET", &format!("{path}?user_code=%22%3E{user_code}"), None);
    assert_eq!(status(&head), "200");
    assert!(page.contains(&format!("value=\"&quot;&gt;{user_code}\"")));
    let decide = |page: &str, code: &str| {
        let form = encoded(&[
            ("request", &field(page, "request")),
            ("csrf", &field(page, "csrf")),
            ("user_code", code),
            ("user", "alice"),
            ("decision", "approve"),
        ]);
        http(served.addr(), "POST", path, Some(&form))
    };
    assert_eq!(status(&decide(&page, "WRNG-CODE").0), "400");
    assert_eq!(status(&decide(&page, &user_code).0), "400", "each page is for one guess");
    let (_, page) = http(served.addr(), "GET", path, None);
    assert_eq!(status(&decide(&page, &user_code).0), "200");
    let code = text(&device, "device_code");
    let pairs =
        [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", code.as_str())];
    assert_eq!(ok(&signed(&emulator, routes::TOKEN, &pairs))["scope"], "read:documents");
}

#[test]
fn a_test_decides_for_a_person() {
    let emulator = Emulator::demo().unwrap();
    for _ in 0..2 {
        assert_eq!(authorize(&emulator, &asking("read:documents", &[("resource", MCP)])).status(), 200);
    }
    let waiting = emulator.pending_consents();
    assert_eq!((waiting.len(), waiting[0].client_id.as_str()), (2, "agt_demo"));
    assert_eq!(
        (&waiting[0].scopes[..], &waiting[0].resources[..]),
        (&["read:documents".to_owned()][..], &[MCP.to_owned()][..])
    );
    let unknown = emulator.approve_consent(&waiting[0].id, "nobody").unwrap_err();
    assert_eq!(unknown, DecisionError::UnknownUser("nobody".into()));
    let to: Secret = emulator.approve_consent(&waiting[0].id, "bob").unwrap();
    let tokens = ok(&redeem(&emulator, value(&sent(to.expose()).1, "code")));
    assert_eq!(jwt(&text(&tokens, "access_token"), 1)["aud"], MCP);
    let to = emulator.deny_consent(&waiting[1].id).unwrap();
    assert_eq!(value(&sent(to.expose()).1, "error"), "access_denied");
    assert!(emulator.deny_consent(&waiting[1].id).is_err() && emulator.pending_consents().is_empty());
    authorize(&emulator, &asking("read:documents", &[]));
    emulator.advance(std::time::Duration::from_secs(600));
    assert!(emulator.pending_consents().is_empty(), "pages do not wait for ever");
}
