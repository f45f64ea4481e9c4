//! The console as strangers meet it: pages of others, texts of others, and secrets, which are nowhere.

use lumoauth::embed::operations::routes;
use lumoauth::embed::wire::{Form, Request};
use lumoauth::emulator::{AgentSeed, ConnectionSeed, Emulator, McpServerSeed, Tenant, UserSeed};
use lumoauth::http::Method;
use serde_json::{Value, json};

use crate::browser::{Browser, demo, send};
use crate::support::{ask, bearer, body, token};

#[test]
fn no_answer_of_the_console_is_for_other_pages_frames_or_caches() {
    let (_emulator, served) = demo();
    let browser = Browser::open(&served);
    let own = browser.place.as_str();
    let start = served.console().unwrap().expose().strip_prefix(served.url()).unwrap().to_owned();
    let (style, script, change) = (format!("{own}style.css"), format!("{own}script.js"), format!("{own}do"));
    for path in ["/", &start, own, &style, &script, &change, "/console/x/", &format!("{own}none")] {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE"] {
            for cookie in [None, Some(browser.cookie.as_str())] {
                let mut headers = vec![
                    ("Origin", "https://evil.test"),
                    ("Access-Control-Request-Method", "POST"),
                    ("Access-Control-Request-Headers", "x-any"),
                ];
                headers.extend(cookie.map(|cookie| ("Cookie", cookie)));
                let got = send(&served, method, path, &headers, "");
                let what = format!("{method} {path} {cookie:?}: {}", got.head);
                assert!(!got.head.to_ascii_lowercase().contains("access-control-allow"), "{what}");
                assert_eq!(got.header("cache-control"), Some("no-store"), "{what}");
                assert!(got.header("location").is_none(), "{what}");
                assert!(method != "HEAD" || got.body.is_empty(), "{what}");
                if got.header("content-type").is_some() {
                    assert_eq!(got.header("x-frame-options"), Some("DENY"), "{what}");
                    assert!(
                        got.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"),
                        "{what}"
                    );
                }
            }
        }
    }
    // The address with the token goes to nobody as a referrer, and HEAD is as GET.
    for method in ["GET", "HEAD"] {
        let got = send(&served, method, &start, &[], "");
        assert_eq!(got.status, 303);
        assert_eq!(got.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(got.header("location"), Some(own));
    }
    // A frame, a picture or a script of another site does not open the door; a window of a person does.
    for (mode, dest, status) in [
        ("navigate", "iframe", 403),
        ("no-cors", "image", 403),
        ("cors", "empty", 403),
        ("navigate", "document", 303),
    ] {
        let headers = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", mode), ("Sec-Fetch-Dest", dest)];
        assert_eq!(send(&served, "GET", &start, &headers, "").status, status, "{mode} {dest}");
    }
    // A name that leads here in another's zone is none of the console's, with the cookie or without.
    for host in ["rebound.evil.test", "127.0.0.1.evil.test", "localhost.evil.test", "127.0.0.2", "0x7f.1"] {
        let host = format!("{host}:{}", served.addr().port());
        let got = send(&served, "GET", own, &[("Host", &host), ("Cookie", &browser.cookie)], "");
        assert!(matches!(got.status, 400 | 421) && !got.body.contains("agt_demo"), "{host}: {}", got.head);
    }
    // The cookie of one start opens no other.
    let (_another, elsewhere) = demo();
    let theirs = Browser::open(&elsewhere);
    assert_eq!(send(&served, "GET", own, &[("Cookie", &theirs.cookie)], "").status, 403);
    assert_eq!(send(&served, "GET", &theirs.place, &[("Cookie", &browser.cookie)], "").status, 403);
}

#[test]
fn what_a_permission_is_for_reads_as_it_is() {
    let (emulator, served) = demo();
    let browser = Browser::open(&served);
    let token = token(&emulator);
    let post = |route, body: &Value| {
        let request = bearer(Request::new(Method::POST, emulator.site().url(route)).json(body), &token);
        emulator.handle_in_process(&request).response
    };
    let task = body(&post(routes::TASK, &json!({})))["task_id"].as_str().unwrap().to_owned();
    let details = json!({
        "type": "file_access", "actions": ["delete"],
        // A name that would read as other members, if quotes in it stood as they are.
        "a\":\"read\",\"b": "\" onfocus=alert(1) x=\"",
        "nul\0": "\u{202e}txt\u{0}",
    });
    let asked = post(routes::REQUEST, &json!({"task_id": task, "authorization_details": details}));
    assert!(asked.status().is_success(), "{}", asked.text());
    let page = browser.page().body;
    assert!(page.contains("{&quot;a\\&quot;:\\&quot;read\\&quot;,\\&quot;b&quot;:"), "{page}");
    assert!(!page.contains("\" onfocus") && !page.contains('\0') && !page.contains('\u{202e}'));
    // What is kept for a person is bounded, and the answer says by what.
    let long = json!({"type": "file_access", "actions": ["delete"], "long": "m".repeat(17_000)});
    let approval = json!({"task_id": "t", "reason": "r", "on_behalf_of": "alice", "meta": long});
    for refused in [
        post(routes::REQUEST, &json!({"task_id": task, "authorization_details": long})),
        post(routes::APPROVAL_CREATE, &approval),
    ] {
        assert!(refused.status() == 400 && refused.text().contains("16384 bytes"), "{}", refused.text());
    }
    assert!(emulator.asked_people().is_empty() && emulator.pending_permissions().len() == 1);
}

/// Every page of a world with secrets of all kinds, and what none of them may have in it.
#[test]
fn no_secret_of_the_world_is_on_any_page_or_in_any_log() {
    let agent = AgentSeed::new("agt_demo").secret("canary-agent-secret").capabilities(["read"]);
    let tenant = Tenant::new("acme")
        .agent(agent.scopes(["read"]).redirect_uri("https://app.test/cb"))
        .agent(AgentSeed::new("agt_two").secret("canary-second-secret"))
        .user(UserSeed::new("alice").scopes(["read"]))
        .mcp_server(McpServerSeed::new("files"))
        .connection(ConnectionSeed::new("con_mail", "mail"));
    let tenant = tenant.api_key(lumoauth::emulator::ApiKeySeed::new("alice").key("canary-api-key"));
    let emulator = Emulator::builder().tenant(tenant).build().unwrap();
    let served = emulator.serve_with_console("127.0.0.1:0").unwrap();
    let browser = Browser::open(&served);
    let own = token(&emulator);
    let mut secrets: Vec<String> =
        ["canary-agent-secret", "canary-second-secret", "canary-api-key"].map(str::to_owned).to_vec();
    let console = served.console().unwrap().expose().split("start=").nth(1).unwrap().to_owned();
    let cookie = browser.cookie.split('=').nth(1).unwrap().to_owned();
    secrets.extend([own.clone(), console, cookie]);
    let send_json = |route, asked: &Value| {
        let request = bearer(Request::new(Method::POST, emulator.site().url(route)).json(asked), &own);
        body(&emulator.handle_in_process(&request).response)
    };
    let send_form = |route, form: Form| {
        let form = form.field("client_id", "agt_demo").secret("client_secret", emulator.secret());
        body(
            &emulator
                .handle_in_process(&Request::new(Method::POST, emulator.site().url(route)).form(form))
                .response,
        )
    };
    let mut keep = |answer: &Value, members: &[&str]| {
        for member in members {
            secrets.push(answer[*member].as_str().unwrap_or_else(|| panic!("{member}: {answer}")).to_owned());
        }
    };
    // A user's tokens by a code, whose page and whose answer are looked at too.
    let verifier = "v".repeat(43);
    let challenge = "Z3rQ3k1h0m5sPp8m7vC9nE8m5oT6b1uW2x4yA0dF7gQ";
    let query = format!(
        "response_type=code&client_id=agt_demo&redirect_uri=https%3A%2F%2Fapp.test%2Fcb&scope=read&state=s&code_challenge={challenge}&code_challenge_method=S256"
    );
    let place = emulator.site().url(routes::AUTHORIZE).path().to_owned();
    let mut pages = Vec::new();
    pages.push(send(&served, "GET", &format!("{place}?{query}"), &[], "").body);
    let codes = send_form(routes::DEVICE_AUTHORIZATION, Form::new().field("scope", "read"));
    keep(&codes, &["device_code", "user_code"]);
    let approval = json!({"task_id": "t", "reason": "r", "on_behalf_of": "alice"});
    keep(&send_json(routes::APPROVAL_CREATE, &approval), &["approval_token"]);
    let task = send_json(routes::TASK, &json!({}));
    let details = json!({"type": "file_access", "actions": ["delete"]});
    send_json(routes::REQUEST, &json!({"task_id": task["task_id"], "authorization_details": details}));
    pages.push(browser.page().body);
    // A code and what it is traded for: a wrong verifier too is written nowhere.
    let to = browser.post(&format!("{}&do=approve", browser.form("consent")));
    let location = to.header("location").unwrap();
    let code = location.split("code=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    pages.push(to.body.clone());
    let form = Form::new().field("grant_type", "authorization_code").field("code", &code);
    let form = form.field("redirect_uri", "https://app.test/cb").field("code_verifier", &verifier);
    pages.push(send_form(routes::TOKEN, form).to_string());
    ask(&emulator, &own, &json!({"action": "read"}));
    pages.push(browser.page().body);
    for path in ["/", "/console/x/", &format!("{}none", browser.place)] {
        pages.push(send(&served, "GET", path, &[("Cookie", &browser.cookie)], "").body);
    }
    pages.push(browser.post("do=nothing").body);
    pages.push(format!("{:?}", emulator.log()));
    pages.push(format!("{:?}", emulator.audit()));
    pages.push(emulator.summary().to_string());
    pages.push(format!("{emulator:?} {served:?}"));
    keep(&json!({"code": code, "verifier": verifier}), &["code", "verifier"]);
    for (number, page) in pages.iter().enumerate() {
        for secret in &secrets {
            assert!(!page.contains(secret.as_str()), "{secret} is in text {number}: {page}");
        }
    }
    println!("{} secrets in {} texts: none", secrets.len(), pages.len());
}
