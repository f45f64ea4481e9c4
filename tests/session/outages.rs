//! Outages of every kind end, and what they leave behind ends too.

use std::time::Duration;

use lumoauth::error::{TransportError, TransportFault};

use super::server::{Hit, Reply, broken, hang, mint, read, reply};
use super::world::{World, credentials, session};

const HOUR: Duration = Duration::from_secs(3600);
/// The longest that a failure is remembered when the service names no time.
const MEMO: u64 = 30_000;

fn outage(kind: &str, hit: &Hit) -> Reply {
    match kind {
        "no name" => broken(TransportError::not_sent(TransportFault::Name, "no such host")),
        "refused" => broken(TransportError::not_sent(TransportFault::Connect, "refused")),
        "reset" => broken(TransportError::unknown(TransportFault::Broken, "reset")),
        "TLS" => broken(TransportError::not_sent(TransportFault::Tls, "wrong host")),
        "no answer" => hang(),
        "framing" => broken(TransportError::unknown(TransportFault::Framing, "not HTTP")),
        "too large" => broken(TransportError::unknown(TransportFault::TooLarge, "too large")),
        "unknown" => broken(TransportError::unknown(TransportFault::Other, "odd")),
        "torn JSON" => reply(200, r#"{"access_token":"abc","expi"#),
        "HTML 200" => reply(200, "<html>welcome to the hotel</html>"),
        "redirect" => reply(302, ""),
        "dead token" => mint(hit, "0"),
        "bad lifetime" => mint(hit, "-1"),
        "invalid_client" => reply(401, r#"{"error":"invalid_client"}"#),
        "invalid_grant" => reply(400, r#"{"error":"invalid_grant"}"#),
        "invalid_scope" => reply(400, r#"{"error":"invalid_scope"}"#),
        "429" => reply(429, r#"{"error":"rate_limit_exceeded"}"#),
        "budget" => reply(429, r#"{"error":"budget_exceeded"}"#),
        status => reply(status.parse().unwrap(), "oops"),
    }
}

#[test]
fn t5_never_permanently_poisoned() {
    let kinds = [
        "no name",
        "refused",
        "reset",
        "TLS",
        "no answer",
        "framing",
        "too large",
        "unknown",
        "torn JSON",
        "HTML 200",
        "redirect",
        "dead token",
        "bad lifetime",
        "invalid_client",
        "invalid_grant",
        "invalid_scope",
        "429",
        "budget",
        "403",
        "404",
        "408",
        "500",
        "502",
        "503",
        "504",
    ];
    let mut most = 0;
    for kind in kinds {
        let (mut world, session) = (World::new(5), session());
        world.server.on_token(move |hit| outage(kind, hit));
        let begin = world.truth;
        while world.truth - begin < HOUR {
            world.run(session.call(read())).expect_err(kind);
            world.pass_millis(5000);
        }
        assert_eq!(world.server.calls, 0, "{kind}: a call whose credential could not be got is never sent");
        most = most.max(world.server.tokens);
        world.server.on_token(|hit| mint(hit, "3600"));
        world.pass_millis(MEMO);
        world.run(session.call(read())).unwrap_or_else(|error| panic!("{kind}: {error:?}"));
    }
    println!(
        "T5: {} kinds of outage for 1 h, at most {most} token requests; the first call {MEMO} ms after is good",
        kinds.len()
    );
}

#[test]
fn t5_new_credentials_end_it_at_once() {
    for kind in ["invalid_client", "invalid_grant", "429", "503"] {
        let (mut world, session) = (World::new(5), session());
        world.server.on_token(move |hit| outage(kind, hit));
        world.run(session.call(read())).unwrap_err();
        let before = world.server.tokens;
        world.run(session.call(read())).unwrap_err();
        assert_eq!(world.server.tokens, before, "{kind}: it is remembered");
        world.server.on_token(|hit| mint(hit, "3600"));
        session.set_credentials(credentials("agt_1"));
        world.run(session.call(read())).expect(kind);
    }
}

#[test]
fn t5_outages_of_the_api_leave_nothing_behind() {
    for kind in ["no name", "reset", "no answer", "500", "503", "HTML 200", "404"] {
        let (mut world, session) = (World::new(5), session());
        world.server.on_call(move |hit| outage(kind, hit));
        let begin = world.truth;
        while world.truth - begin < HOUR {
            let _ = world.run(session.call(read()));
            world.pass_millis(20_000);
        }
        world.server.on_call(|_| reply(200, "{}"));
        world.run(session.call(read())).expect(kind);
    }
}

#[test]
fn secrets_echoed_by_the_service_are_not_in_errors() {
    let secret = "a-long-client-secret";
    for kind in ["refusal", "text", "HTML 200", "transport"] {
        let (mut world, session) = (World::new(5), session());
        let echo = move |text: &str| match kind {
            "refusal" => reply(400, &format!(r#"{{"error":"bad","error_description":"you sent {text}"}}"#)),
            "text" => reply(500, &format!("you sent {text}")),
            "HTML 200" => reply(200, &format!("<html>{text}</html>")),
            _ => broken(TransportError::unknown(TransportFault::Other, format!("while sending {text}"))),
        };
        world.server.on_token(move |hit| echo(&hit.form["client_secret"]));
        let error = world.run(session.call(read())).unwrap_err();
        let remembered = world.run(session.call(read())).unwrap_err();
        for shown in [format!("{error} {error:?}"), format!("{remembered} {remembered:?}")] {
            assert!(!shown.contains(secret), "{kind}: {shown}");
        }
        let (mut world, session) = (World::new(5), self::session());
        let token = "the-token-that-nobody-may-see";
        world.server.on_token(move |_| reply(200, &format!(r#"{{"access_token":"{token}"}}"#)));
        world.server.on_call(move |hit| echo(hit.bearer.as_ref().unwrap()));
        for effect in [lumoauth::embed::operation::Effect::Read, lumoauth::embed::operation::Effect::Once] {
            if let Err(error) = world.run(session.call(super::server::probe(effect))) {
                let mut shown = format!("{error} {error:?}");
                let mut source = std::error::Error::source(&error);
                while let Some(below) = source {
                    shown += &format!(" {below} {below:?}");
                    source = below.source();
                }
                assert!(!shown.contains(token), "{kind}: {shown}");
            }
        }
    }
}
