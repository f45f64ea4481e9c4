//! MCP servers and proxies as they are: challenges written by hand, places that answer as they like, scopes that nobody can have.

use std::sync::OnceLock;

use super::*;

type Places = fn(&str, &str, &str) -> Reply;

const NOWHERE: Places = |_, _, _| Reply::text(404, "");

/// A server that refuses the first token so, and what becomes of a request to it: its status, the scopes that are asked for afterwards,
/// and how many exchanges there were.
fn refused(
    status: u16,
    fields: &'static [&'static str],
    chosen: &[&str],
    describe: Places,
) -> (Result<u16, String>, String, u64) {
    let first = OnceLock::new();
    let foreign =
        foreign(move |request, url, issuer| match (request.path(), request.header("authorization")) {
            ("/mcp", Some(token)) if first.get_or_init(|| token.to_owned()) == token => {
                let reply = Reply::json(status, "{}");
                fields.iter().fold(reply, |reply, field| reply.header("WWW-Authenticate", *field))
            }
            ("/mcp", _) => Reply::json(200, "{}"),
            (place, _) => describe(place, url, issuer),
        });
    let agent = foreign.agent.with_timeout(Duration::from_secs(60));
    let server = agent.mcp(McpToken::new(&foreign.url).scopes(chosen)).unwrap();
    let answer = server.request(ApiRequest::get(""));
    nothing_else_travelled(&foreign);
    let answer = answer.map(|answer| answer.status().as_u16()).map_err(|error| error.to_string());
    (answer, server.scopes().to_string(), exchanges(&foreign.emulator))
}

#[test]
fn a_demand_is_understood_however_it_is_written() {
    let fields: &[&'static [&'static str]] = &[
        &[r#"Bearer error="insufficient_scope" scope="mcp:write""#],
        &[r#"Bearer realm="x" error="insufficient_scope", scope="mcp:write""#],
        &["Bearer error=insufficient_scope, scope=mcp:write"],
        &[
            r#"Bearer resource_metadata=https://h.example/.well-known/x?a=b, error="insufficient_scope", scope="mcp:write""#,
        ],
        &[
            r#"Bearer error="insufficient_scope", scope="mcp:write", resource_metadata=https://h.example/.well-known/x"#,
        ],
        &[r#"bearer ERROR="insufficient_scope", SCOPE="mcp:write""#],
        &[r#"Bearer error="INSUFFICIENT_SCOPE", scope="mcp:write""#],
        &[r#"Bearer, Bearer error="insufficient_scope", scope="mcp:write""#],
        &[r#"Negotiate YII==, Bearer error="insufficient_scope", scope="mcp:write", Basic realm="a, b""#],
        &["NTLM", r#"Bearer error="insufficient_scope", scope="mcp:write""#, r#"DPoP algs="ES256""#],
        &["Bearer error=\"insufficient_scope\",scope=\"mcp:write\",error_description=\"f\u{fc}r\""],
        // What cannot be sent is no scope, and hides no other.
        &["Bearer error=\"insufficient_scope\", scope=\"mcp:write \u{e9}\""],
        &[r#"Bearer error="insufficient_scope", scope="mcp:write \"x\"""#],
    ];
    for field in fields {
        let found = refused(403, field, &["mcp:read"], NOWHERE);
        assert_eq!(found, (Ok(200), "mcp:read mcp:write".to_owned(), 2), "{field:?}");
    }
    println!("mcp: a demand for more scopes is understood in {} spellings", fields.len());
}

#[test]
fn too_few_scopes_without_a_name_ask_for_what_is_supported_besides_what_was_chosen() {
    for fields in
        [&[r#"Bearer error="insufficient_scope""#][..], &[r#"Bearer error="insufficient_scope", scope="""#]]
    {
        for (chosen, asked) in [(&[][..], "mcp:write"), (&["mcp:read"], "mcp:read mcp:write")] {
            let found = refused(403, fields, chosen, |_, url, issuer| document(url, issuer));
            assert_eq!(found, (Ok(200), asked.to_owned(), 2), "{fields:?} {chosen:?}");
        }
    }
}

fn supporting(url: &str, issuer: &str, scopes: &str) -> Reply {
    let body =
        format!(r#"{{"resource":"{url}","authorization_servers":["{issuer}"],"scopes_supported":{scopes}}}"#);
    // Whatever it says that it is.
    Reply::text(200, body)
}

#[test]
fn whatever_a_server_says_of_itself_its_token_is_renewed() {
    let (served, named) = ("mcp:read mcp:write", "mcp:write");
    let cases: [(&str, &str, Places); 14] = [
        ("204", served, |_, _, _| Reply::new(204)),
        ("a list", served, |_, _, _| Reply::json(200, "[]")),
        ("a byte order mark", served, |_, _, _| Reply::json(200, "\u{feff}{}")),
        ("another type", named, |_, url, issuer| supporting(url, issuer, r#"["mcp:write"]"#)),
        ("410", served, |_, _, _| Reply::json(410, "{}")),
        ("429", served, |_, _, _| Reply::json(429, "{}").header("Retry-After", "3600")),
        ("500", served, |_, _, _| Reply::json(500, "{}")),
        ("the scopes are a text", served, |_, url, issuer| supporting(url, issuer, r#""mcp:write""#)),
        ("scopes that cannot be sent", named, |_, url, issuer| {
            supporting(url, issuer, r#"["mcp:write","é","a\"b","c\\d"]"#)
        }),
        ("no scope at all can be sent", "mcp:read mcp:write mcp:admin", |_, url, issuer| {
            supporting(url, issuer, r#"["é"]"#)
        }),
        ("no resource", served, |_, _, _| Reply::json(200, "{}")),
        ("it hangs up", served, |_, _, _| Reply::hang_up()),
        ("it does not end", served, |_, _, _| Reply::json(200, "{").unterminated_chunks()),
        ("two lengths", served, |_, _, _| Reply::json(200, "{}").header("Content-Length", "2")),
    ];
    for (name, asked, describe) in cases {
        let (answer, scopes, exchanges) = refused(401, &["Bearer"], &[], describe);
        assert_eq!((answer, exchanges), (Ok(200), 2), "{name}");
        // Of the service's own description, if the server has none; what was granted, if nobody names any.
        assert_eq!(scopes, asked, "{name}");
    }
}

/// A description only adds scopes: the time for it is not all of the time, by the machine and a clock that waits for nobody.
#[test]
fn a_description_that_never_comes_leaves_time_to_renew() {
    use lumoauth::embed::session::{Action, Arrived, Machine, Resource, Session, Settings, Step};
    use lumoauth::error::{TransportError, TransportFault};
    use lumoauth::http::{HeaderMap, StatusCode, header::AUTHORIZATION};
    use lumoauth::time::{Now, Timestamp};
    for total in [3, 8, 12, 30, 120] {
        let settings = Settings::new(lumoauth::Site::tenant("acme").unwrap());
        let settings = settings.credentials(lumoauth::Credentials::new("agt_1", "fixed").unwrap());
        let session = Session::new(settings.total(Duration::from_secs(total)));
        let resource = Resource::new(&session, &McpToken::new(FILES)).unwrap();
        let mut machine = resource.request(ApiRequest::get("")).unwrap();
        let (mut clock, mut arrived) = (Duration::from_secs(1), None);
        let (mut tokens, mut silent) = (0, 0);
        let answer = loop {
            let now = Now::new(Timestamp::from_unix(1_750_000_000 + clock.as_secs()), clock, [7; 32]);
            let request = match machine.step(&now, arrived.take()).unwrap() {
                Step::Done(answer) => break answer,
                Step::Do(Action::Send(request)) => request,
                Step::Do(Action::Wait(pause)) => {
                    clock += pause;
                    continue;
                }
                Step::Do(other) => panic!("{other:?}"),
            };
            let answer = |status: u16, body: String| {
                Arrived::Response(Response::new(
                    StatusCode::from_u16(status).unwrap(),
                    HeaderMap::new(),
                    body,
                ))
            };
            arrived = Some(if request.url().path().ends_with("/oauth/token") {
                tokens += 1;
                answer(
                    200,
                    format!(r#"{{"access_token":"t{tokens}","token_type":"Bearer","expires_in":300}}"#),
                )
            } else if request.url().path().contains(".well-known") {
                silent += 1;
                clock += request.attempt_limits().total;
                Arrived::Failed(TransportError::unknown(TransportFault::Timeout, "time ran out"))
            } else {
                let first = request.headers().get(AUTHORIZATION).unwrap() == "Bearer t2";
                answer(if first { 401 } else { 200 }, "{}".to_owned())
            });
        };
        // The agent's own, the one that is refused, the new one.
        assert_eq!((answer.status().as_u16(), tokens), (200, 3), "{total} s");
        assert!(silent >= 1 && clock < Duration::from_secs(total), "{total} s: {silent} places, {clock:?}");
    }
}

/// What a resource supports is no demand: an agent need not be registered for all of it.
#[test]
fn scopes_that_the_service_refuses_are_left_out_if_nobody_demanded_them() {
    let more: Places = |_, url, issuer| supporting(url, issuer, r#"["mcp:read","owner:all"]"#);
    let (answer, scopes, exchanges) = refused(401, &["Bearer"], &[], more);
    assert_eq!((answer, exchanges), (Ok(200), 3), "refused with them, granted without");
    assert_eq!(scopes, "mcp:read mcp:write mcp:admin");
    // With too few of them the server's own answer says most.
    let lacking = &[r#"Bearer error="insufficient_scope""#];
    let (answer, scopes, exchanges) = refused(403, lacking, &["mcp:read"], more);
    assert_eq!((answer, scopes, exchanges), (Ok(403), "mcp:read".to_owned(), 2));
    // What was demanded is an error of the service's, which says why.
    let named = &[r#"Bearer scope="owner:all""#];
    let (answer, _, exchanges) = refused(401, named, &[], NOWHERE);
    assert!(answer.unwrap_err().contains("insufficient_scope") && exchanges == 2);
}

/// The service need not say anything of itself for a token of its own to be replaced.
#[test]
fn renewing_needs_no_description_of_the_service() {
    for (status, body) in [(404, "{}"), (200, "<html>"), (302, ""), (503, "{}"), (200, "[]"), (200, "{}")] {
        let count = std::sync::atomic::AtomicUsize::new(0);
        let service = Server::start(move |request| match request.path() {
            "/t/acme/api/v1/oauth/token" => {
                let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                let token =
                    format!(r#"{{"access_token":"t{number}","token_type":"Bearer","expires_in":300}}"#);
                Reply::json(200, token)
            }
            "/t/acme/api/v1/mcp" if request.header("authorization") == Some("Bearer t1") => {
                challenged(401, "Bearer")
            }
            "/t/acme/api/v1/mcp" => Reply::json(200, "{}"),
            "/.well-known/oauth-protected-resource/t/acme/api/v1/mcp" => {
                let host = request.header("host").unwrap_or_default();
                document(&format!("http://{host}/t/acme/api/v1/mcp"), "https://issuer.test")
            }
            _ => Reply::json(status, body).header("Location", "https://x.test/"),
        });
        let builder = Agent::builder().base_url(service.url()).tenant("acme");
        let agent = builder.client_id("a").client_secret("b").build().unwrap();
        let url = format!("{}/t/acme/api/v1/mcp", service.url());
        let server = agent.mcp(&url).unwrap();
        assert_eq!(server.request(ApiRequest::get("")).unwrap().status(), 200, "{status} {body}");
        assert!(server.discover().is_err(), "{status} {body}: whose tokens it takes is not known");
    }
}
