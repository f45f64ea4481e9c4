//! The console over real sockets: who sees it, what changes something, what it shows and what it never shows.

use lumoauth::embed::operations::routes;
use lumoauth::embed::wire::{Form, Request};
use lumoauth::emulator::{AgentSeed, Emulator, Tenant, UserSeed};
use lumoauth::http::Method;
use serde_json::{Value, json};

use crate::browser::{Browser, demo, send};
use crate::support::{ask, bearer, body, token};

fn may(emulator: &Emulator, token: &str) -> bool {
    body(&ask(emulator, token, &json!({"action": "fly"})))["allowed"] == json!(true)
}

#[test]
fn it_is_there_only_where_it_was_asked_for() {
    let emulator = Emulator::demo().unwrap();
    let served = emulator.serve("127.0.0.1:0").unwrap();
    assert!(served.console().is_none());
    for path in ["/", "/?start=x", "/console/", "/console/x/do"] {
        assert_eq!(send(&served, "GET", path, &[], "").status, 404, "{path}");
    }
}

#[test]
fn the_token_leaves_the_address_at_the_first_visit_and_the_page_is_closed_to_others() {
    let (_emulator, served) = demo();
    let address = served.console().unwrap().expose().to_owned();
    assert!(!format!("{served:?}").contains(address.split('=').nth(1).unwrap()));
    let got = send(&served, "GET", address.strip_prefix(served.url()).unwrap(), &[], "");
    let cookie = got.header("set-cookie").unwrap();
    let place = got.header("location").unwrap();
    assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Strict"), "{cookie}");
    // Cookies go to every port of a host; this path no other server knows.
    assert!(cookie.contains(&format!("; Path={place};")) && place.len() > 30, "{cookie}");
    let start = address.split("start=").nth(1).unwrap();
    assert!(start.len() >= 43 && !place.contains(start) && !cookie.contains(start));
    let browser = Browser::open(&served);
    let page = browser.page();
    let policy = page.header("content-security-policy").unwrap();
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-resource-policy", "same-origin"),
        ("referrer-policy", "same-origin"),
    ] {
        assert_eq!(page.header(name), Some(value));
    }
    assert!(!page.body.contains(start) && !page.body.contains(browser.cookie.split('=').nth(1).unwrap()));
    assert!(!page.body.contains(" style=") && !page.body.contains(" onclick"));
    for file in ["style.css", "script.js"] {
        let path = format!("{place}{file}");
        assert_eq!(send(&served, "GET", &path, &[("Cookie", &browser.cookie)], "").status, 200);
        assert_eq!(send(&served, "GET", &path, &[], "").status, 403);
    }
    // The page that says that it is locked says nothing else.
    for path in
        ["/", "/?start=", "/?start=x", &format!("/?start={start}&start={start}"), place, "/console/x/"]
    {
        let got = send(&served, "GET", path, &[], "");
        assert!(got.status == 403 && !got.body.contains("agt_demo"), "{path}: {}", got.body);
        assert!(got.header("set-cookie").is_none());
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        assert_eq!(send(&served, method, &format!("/?start={start}"), &[], "").status, 405);
    }
}

#[test]
fn e13_nothing_changes_at_the_console_but_for_its_own_page_with_the_start() {
    let (emulator, served) = demo();
    let browser = Browser::open(&served);
    let token = token(&emulator);
    let port = served.addr().port();
    let own = served.url().to_owned();
    let wrong_port = format!("127.0.0.1:{}", port ^ 1);
    let start = served.console().unwrap().expose().split("start=").nth(1).unwrap().to_owned();
    let hosts = [
        format!("127.0.0.1:{port}"),
        wrong_port.clone(),
        "127.0.0.1".to_owned(),
        format!("console.evil.test:{port}"),
        format!("127.0.0.1.evil.test:{port}"),
        format!("127.0.0.2:{port}"),
    ];
    let origins = [
        Some(own.clone()),
        None,
        Some("null".to_owned()),
        Some(format!("http://{wrong_port}")),
        Some("https://evil.test".to_owned()),
        Some(own.replace("http:", "https:")),
        Some(format!("{own}/")),
        Some(format!("http://localhost:{port}")),
    ];
    let sites = [None, Some("same-origin"), Some("none"), Some("same-site"), Some("cross-site")];
    let value = browser.cookie.split('=').nth(1).unwrap();
    let (_other, elsewhere) = demo();
    let other_start = Browser::open(&elsewhere);
    let cookies = [
        Some(browser.cookie.clone()),
        None,
        Some(format!("lumoauth-console={start}")),
        Some(format!("lumoauth-console={}", &value[1..])),
        Some(format!("other={value}")),
        Some(other_start.cookie.clone()),
    ];
    let (mut tried, mut effects, mut wrong) = (0, 0, Vec::new());
    for host in &hosts {
        for origin in &origins {
            for site in &sites {
                for cookie in &cookies {
                    for place in [browser.place.as_str(), "/", "/console/x/"] {
                        let mut headers = vec![("Host", host.as_str())];
                        headers.extend(origin.as_deref().map(|origin| ("Origin", origin)));
                        headers.extend(site.map(|site| ("Sec-Fetch-Site", site)));
                        headers.extend(cookie.as_deref().map(|cookie| ("Cookie", cookie)));
                        let form = format!("do=give&client_id=agt_demo&capability=fly&start={start}");
                        let got = send(&served, "POST", &format!("{place}do"), &headers, &form);
                        tried += 1;
                        let ours = host == &hosts[0]
                            && origin == &origins[0]
                            && matches!(site, None | Some("same-origin" | "none"))
                            && cookie == &cookies[0]
                            && place == browser.place;
                        let did = may(&emulator, &token);
                        if did {
                            effects += 1;
                            emulator.revoke_capability("agt_demo", "fly").unwrap();
                        }
                        if did != ours || (got.status == 303) != ours {
                            wrong.push(format!(
                                "{host} {origin:?} {site:?} {cookie:?} {place}: {}",
                                got.status
                            ));
                        }
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(effects, 3);
    // A form is all that is read, and reading changes nothing.
    let headers = [("Cookie", browser.cookie.as_str()), ("Origin", own.as_str())];
    let query = format!("{}do?do=give&client_id=agt_demo&capability=fly", browser.place);
    for method in ["GET", "HEAD", "PUT"] {
        assert_eq!(send(&served, method, &query, &headers, "").status, 405);
    }
    assert_ne!(send(&served, "POST", &query, &headers, "").status, 303);
    assert!(!may(&emulator, &token));
    println!("E13: {tried} requests at the console, {} effects but for its own page", effects - 3);
}

#[test]
fn what_agents_write_is_a_text_on_the_page_and_no_longer_than_a_line() {
    let (emulator, served) = demo();
    let browser = Browser::open(&served);
    let token = token(&emulator);
    let actions = [
        "<script>alert(1)</script>".to_owned(),
        "\"><img src=x onerror=alert(1)>".to_owned(),
        "a".repeat(60_000),
        "\u{202e}gnihton\u{1b}[2J".to_owned(),
        "'; --</td></table>".to_owned(),
    ];
    for action in &actions {
        assert_eq!(body(&ask(&emulator, &token, &json!({"action": action})))["allowed"], json!(false));
    }
    let page = browser.page().body;
    assert_eq!(page.matches("<script").count(), 1, "its own");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !page.contains("<img"));
    assert!(page.contains(&format!("{}…", "a".repeat(160))) && !page.contains(&"a".repeat(300)));
    assert!(!page.contains('\u{202e}') && !page.contains('\u{1b}'));
    assert_eq!((page.matches("<table>").count(), page.matches("</table>").count()), (3, 3));
    assert!(page.len() < 100_000, "{}", page.len());
    // What is too long to be sent back whole has no button.
    assert!(!page.contains(&format!("value=\"{}", "a".repeat(200))));
    println!("the page of an action of 60,000 bytes: {} bytes", page.len());
}

#[test]
fn what_waits_is_decided_there_once_and_no_secret_is_on_the_page() {
    let (emulator, served) = demo();
    let browser = Browser::open(&served);
    let token = token(&emulator);
    let api = emulator.site().api_base();
    let post = |route, body: &Value| {
        let request = bearer(Request::new(Method::POST, emulator.site().url(route)).json(body), &token);
        emulator.handle_in_process(&request).response
    };
    // One of each kind.
    let consent = |state: &str| {
        let url = format!(
            "{api}/oauth/authorize?response_type=code&client_id=agt_demo&redirect_uri=https%3A%2F%2Fmyapp.com%2Fconsent&scope=documents&state={state}&code_challenge={}&code_challenge_method=S256",
            "a".repeat(43)
        );
        let request = Request::new(Method::GET, url.parse().unwrap());
        assert_eq!(emulator.handle_in_process(&request).response.status(), 200);
    };
    let device = || {
        let form = Form::new().field("client_id", "agt_demo").secret("client_secret", emulator.secret());
        let request =
            Request::new(Method::POST, emulator.site().url(routes::DEVICE_AUTHORIZATION)).form(form);
        body(&emulator.handle_in_process(&request).response)
    };
    let approval = || {
        let asked = json!({
            "task_id": "task <1>", "reason": "pay <b>bob</b>", "on_behalf_of": "alice", "impact": "high",
            "meta": {"long": "m".repeat(10_000)},
        });
        body(&post(routes::APPROVAL_CREATE, &asked))["approval_token"].as_str().unwrap().to_owned()
    };
    let permission = || {
        let task = body(&post(routes::TASK, &json!({})))["task_id"].as_str().unwrap().to_owned();
        let asked = json!({
            "task_id": task,
            "authorization_details": {"type": "file_access", "actions": ["delete"], "identifier": "<q3>"},
        });
        body(&post(routes::REQUEST, &asked))["jit_request_id"].as_str().map(str::to_owned)
    };
    for approve in [true, false] {
        let decision = if approve { "&do=approve" } else { "&do=deny" };
        consent("s1");
        let codes = device();
        let asked = approval();
        permission();
        let page = browser.page();
        let user_code = codes["user_code"].as_str().unwrap();
        for secret in
            [&token, emulator.secret().expose(), user_code, codes["device_code"].as_str().unwrap(), &asked]
        {
            assert!(!page.body.contains(secret), "a secret is on the page");
        }
        assert!(page.body.contains(&user_code[..4]) && page.body.contains("pay &lt;b&gt;bob&lt;/b&gt;"));
        assert!(
            page.header("content-security-policy").unwrap().contains("form-action 'self' https://myapp.com")
        );
        for kind in ["consent", "device", "approval", "permission"] {
            let form = format!("{}{decision}", browser.form(kind));
            let got = browser.post(&form);
            assert_eq!(got.status, 303, "{kind}: {}", got.body);
            let to = got.header("location").unwrap();
            if kind == "consent" {
                let expected = if approve { "code=code_" } else { "error=access_denied" };
                assert!(to.starts_with("https://myapp.com/consent?") && to.contains(expected), "{to}");
            } else {
                assert_eq!(to, browser.place);
            }
            // Twice is too late.
            assert_eq!(browser.post(&form).status, 400, "{kind}");
        }
        assert!(emulator.pending_consents().is_empty() && emulator.pending_devices().is_empty());
        assert!(emulator.asked_people().is_empty() && emulator.pending_permissions().is_empty());
        let status = emulator.site().url_with(routes::APPROVAL_STATUS, &[&asked]).unwrap();
        let answer = emulator.handle_in_process(&bearer(Request::new(Method::GET, status), &token)).response;
        assert_eq!(body(&answer)["status"], json!(if approve { "approved" } else { "denied" }));
        assert!(browser.page().body.contains("Nothing waits."));
    }
    assert!(emulator.consented_scopes("alice", "agt_demo").contains(&"documents".to_owned()));
    // The wrong user, the wrong handle, another kind.
    consent("s2");
    let form = browser.form("consent");
    for wrong in [
        form.replace("user=alice", "user=mallory"),
        form.replace("kind=consent", "kind=device"),
        form.replace("it=", "it=0"),
        form.replace("kind=consent", "kind=x"),
    ] {
        assert_eq!(browser.post(&format!("{wrong}&do=approve")).status, 400, "{wrong}");
    }
    assert_eq!(browser.post(&form).status, 400, "it says what is to be done");
    assert_eq!(emulator.pending_consents().len(), 1);
}

#[test]
fn a_capability_is_given_and_taken_there() {
    let (emulator, served) = demo();
    let browser = Browser::open(&served);
    let allowed = |action: &str| {
        let token = token(&emulator);
        body(&ask(&emulator, &token, &json!({"action": action})))["allowed"] == json!(true)
    };
    assert!(!allowed("delete_documents") && !allowed("delete_user"));
    let page = browser.page().body;
    assert!(page.contains("aria-label=\"Give agt_demo the capability delete_documents\""));
    // What the seed denies stays denied whatever is given, and the page says so instead of offering it.
    assert!(!page.contains("the capability delete_user") && page.contains("by order of the seed"));
    let change = |what: &str, agent: &str, capability: &str| {
        browser.post(&format!("do={what}&client_id={agent}&capability={capability}")).status
    };
    assert_eq!(change("give", "agt_demo", "delete_documents"), 303);
    assert!(allowed("delete_documents"));
    assert_eq!(change("take", "agt_demo", "delete_documents"), 303);
    assert!(!allowed("delete_documents"));
    for (agent, capability) in
        [("agt_none", "x"), ("agt_demo", ""), ("agt_demo", "two+words"), ("agt_demo", &"x".repeat(257))]
    {
        assert_eq!(change("give", agent, capability), 400, "{agent} {capability}");
    }
    assert_eq!(change("take", "agt_none", "x"), 400);
    assert_eq!(change("fly", "agt_demo", "x"), 400);
}

#[test]
fn of_many_agents_some_are_shown_and_all_are_found() {
    let agents = (0..500).map(|number| AgentSeed::new(format!("agt_{number:03}")).secret("s"));
    let tenant = agents.fold(Tenant::new("acme").user(UserSeed::new("alice")), Tenant::agent);
    let emulator = Emulator::builder().tenant(tenant).build().unwrap();
    let served = emulator.serve_with_console("127.0.0.1:0").unwrap();
    let browser = Browser::open(&served);
    let page = browser.page().body;
    assert!(page.contains("50 of 500 shown") && page.contains("agt_049") && !page.contains("agt_050"));
    let place = format!("{}?agent=agt_49", browser.place);
    let page = send(&served, "GET", &place, &[("Cookie", &browser.cookie)], "").body;
    assert!(page.contains("10 of 500 shown") && page.contains("agt_499") && !page.contains("agt_048"));
    let place = format!("{}?agent=%3Cscript%3E", browser.place);
    let page = send(&served, "GET", &place, &[("Cookie", &browser.cookie)], "").body;
    assert!(page.contains("value=\"&lt;script&gt;\"") && page.contains("0 of 500 shown"));
}
