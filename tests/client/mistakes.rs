//! What people do wrong first, and the exact text that they see: as the command line prints it, and as a `main` that returns the error does.

use std::fmt::Debug;
use std::time::Duration;

use lumoauth::emulator::{AgentSeed, Emulator, Served, Tenant, UserSeed};
use lumoauth::http::Method;
use lumoauth::verify::VerifierConfig;
use lumoauth::{Agent, AgentBuilder, ApiRequest, DelegationChain, TokenVerifier};

const REDIRECT: &str = "https://app.test/callback";

fn world() -> (Emulator, Served) {
    let agent =
        AgentSeed::new("agt_1").secret("s3cret").capabilities(["read_document"]).redirect_uri(REDIRECT);
    let tenant = Tenant::new("acme").agent(agent).user(UserSeed::new("alice").scopes(["read_document"]));
    let emulator = Emulator::builder().tenant(tenant).build().unwrap();
    let served = emulator.serve("127.0.0.1:0").unwrap();
    (emulator, served)
}

fn agent(url: &str) -> AgentBuilder {
    Agent::builder()
        .base_url(url)
        .tenant("acme")
        .client_id("agt_1")
        .client_secret("s3cret")
        .timeout(Duration::from_secs(5))
}

/// The text of `{:?}`, with what differs from run to run left out.
fn seen(error: impl Debug, url: &str) -> String {
    format!("{error:?}").replace(url, "URL").replace(url.trim_start_matches("http://"), "HOST")
}

#[test]
fn what_people_do_wrong_first_is_told_in_words_that_help() {
    let (emulator, served) = world();
    let url = served.url();
    let good = agent(url).build().unwrap();
    let chain = DelegationChain::new(&good, REDIRECT).unwrap();
    let token = good.access_token().unwrap();
    let issuer = format!("{url}/t/acme/api/v1");
    let verify = |issuer: &str, audience: &str| {
        let config = VerifierConfig::new(issuer, audience);
        TokenVerifier::new(config).unwrap().verify(token.secret()).unwrap_err()
    };
    #[derive(Debug, serde::Deserialize)]
    #[allow(dead_code)]
    struct Mine {
        sub: u64,
    }
    let cases: Vec<(&str, String)> = vec![
        (
            "wrong secret",
            seen(agent(url).client_secret("another").build().unwrap().ask("read_document").unwrap_err(), url),
        ),
        (
            "wrong tenant",
            seen(agent(url).tenant("other").build().unwrap().ask("read_document").unwrap_err(), url),
        ),
        ("tenant's URL as base URL", seen(agent(&format!("{url}/t/acme/api/v1")).build().unwrap_err(), url)),
        ("nothing set", seen(Agent::builder().build().unwrap_err(), url)),
        (
            "one variable missing",
            seen(Agent::builder().tenant("acme").client_id("agt_1").build().unwrap_err(), url),
        ),
        ("http to a foreign host", seen(agent("http://lumoauth.example.com").build().unwrap_err(), url)),
        ("foreign origin", seen(good.run(ApiRequest::get("https://other.example.com/x")).unwrap_err(), url)),
        ("bare code", seen(chain.handle_callback_url("s", "c0de").unwrap_err(), url)),
        ("no consent", seen(chain.exchange("s", ["read"]).unwrap_err(), url)),
        ("wrong audience", seen(verify(&issuer, "https://api.example.com"), url)),
        ("wrong issuer", seen(verify(&format!("{url}/t/other/api/v1"), "agt_1"), url)),
        ("unknown scope", seen(good.authenticate(["never:heard"]).unwrap_err(), url)),
        (
            "unreachable host",
            seen(agent("http://127.0.0.1:1").build().unwrap().ask("read_document").unwrap_err(), url),
        ),
        (
            "JSON that does not fit",
            seen(good.request(Method::GET, "agents/me").unwrap().json::<Mine>().unwrap_err(), url),
        ),
    ];
    let late = chain.consent_url("late", ["read_document"]).unwrap();
    let late = emulator.consent_as("alice", &late).unwrap();
    emulator.advance(Duration::from_secs(3600));
    let late = ("expired consent", seen(chain.handle_callback_url("late", late.expose()).unwrap_err(), url));
    let text: String =
        cases.iter().chain([&late]).map(|(name, text)| format!("-- {name}\n{text}\n")).collect();
    assert_eq!(text, include_str!("mistakes.txt"), "{text}");
}

/// What an async agent says that is polled by something else than tokio.
#[cfg(feature = "reqwest")]
#[test]
fn an_async_call_outside_of_a_runtime_says_what_it_stands_on() {
    use std::task::{Context, Poll, Waker};
    let agent =
        lumoauth::asynchronous::Agent::builder().tenant("acme").client_id("agt_1").client_secret("s3cret");
    let agent = agent.build().unwrap();
    let mut asking = Box::pin(agent.ask("read_document"));
    let Poll::Ready(answer) = asking.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it waits for a runtime that is not there")
    };
    let text = "oauth.token: this transport works inside a tokio runtime only: start one, or take the blocking client, which needs none (nothing was sent)\nhelp: See the message: such a request is never sent. Plain http is for addresses of this machine.";
    assert_eq!(seen(answer.unwrap_err(), "-"), text);
}

/// What the compiler says, of which the library can choose the words where a transport is missing.
#[test]
fn what_does_not_compile_says_what_is_missing() {
    if !crate::beginner::may_build() {
        return;
    }
    for (name, added, main, expected) in [
        (
            "async without reqwest",
            "cargo add --path ../lumoauth --no-default-features --features async",
            "fn main() {\n    let _ = lumoauth::asynchronous::Agent::from_env();\n}\n",
            &[
                "error[E0277]: no transport is built in: give lumoauth the feature `ureq` (blocking) or `reqwest` (async), or bring your own to `build_with`",
            ][..],
        ),
        (
            "blocking without ureq",
            "cargo add --path ../lumoauth --no-default-features --features blocking",
            "fn main() {\n    let _ = lumoauth::Agent::builder().tenant(\"acme\").build();\n}\n",
            &[
                "error[E0277]: no transport is built in: give lumoauth the feature `ureq` (blocking) or `reqwest` (async), or bring your own to `build_with`",
            ],
        ),
        (
            "a type of a feature that is not there",
            "cargo add --path ../lumoauth --no-default-features --features blocking",
            "use lumoauth::TokenVerifier;\n\nfn main() {}\n",
            &["error[E0432]: unresolved import `lumoauth::TokenVerifier`", "the item is gated"],
        ),
        (
            "blocking in async",
            "cargo add --path ../lumoauth --no-default-features --features blocking",
            "pub async fn ask(agent: &lumoauth::Agent) -> Result<bool, lumoauth::Error> {\n    agent.is_allowed(\"read\").await\n}\n\nfn main() {}\n",
            &["error[E0277]: `Result<bool, lumoauth::Error>` is not a future", "help: remove the `.await`"],
        ),
    ] {
        let folder = crate::beginner::project(&name.replace(' ', "-"), main);
        crate::beginner::run(&folder, added).unwrap();
        let says = crate::beginner::run(&folder, "cargo check --offline").unwrap_err();
        for line in expected {
            assert!(says.contains(line), "{name}: {line} is not in\n{says}");
        }
    }
}
