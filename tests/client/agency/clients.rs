//! Who authenticates at the token endpoint: a client without a secret names itself, a sub-agent proves who it is itself.

use lumoauth::embed::operations::{DeviceAuthorization, Exchange, RedeemCode, Refresh, Revoke};
use lumoauth::embed::wire::{Request, Response};
use lumoauth::error::{ConfigError, TransportError};
use lumoauth::http::header::AUTHORIZATION;
use lumoauth::http::{HeaderMap, Method, StatusCode};
use lumoauth::{Agent, ClientAuth, Credentials, DelegationChain, Error};

use super::support::{REDIRECT, SECRET, Seen};

const ANSWER: &str = r#"{"access_token":"t","token_type":"Bearer","expires_in":60,"refresh_token":"r",
    "device_code":"d","user_code":"u","verification_uri":"https://app.lumoauth.dev/device",
    "issuer":"https://app.lumoauth.dev/t/acme/api/v1"}"#;

fn service() -> (Seen, impl Fn(Request) -> Result<Response, TransportError> + Send + Sync + 'static) {
    let seen = Seen::default();
    let own = seen.clone();
    let answer = move |request: Request| {
        own.lock().unwrap().push(request);
        Ok(Response::new(StatusCode::OK, HeaderMap::new(), ANSWER))
    };
    (seen, answer)
}

fn form(request: &Request) -> Vec<(String, String)> {
    form_urlencoded::parse(request.body()).into_owned().collect()
}

fn field<'f>(form: &'f [(String, String)], name: &str) -> Vec<&'f str> {
    form.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str()).collect()
}

#[test]
fn a_public_client_names_itself_and_has_no_token_of_its_own() {
    for how in [ClientAuth::Post, ClientAuth::Basic] {
        let (seen, answer) = service();
        let builder = Agent::builder().tenant("acme").client_id("app").public_client().client_auth(how);
        let agent = builder.build_with(answer).unwrap();
        let chain = DelegationChain::new(&agent, REDIRECT).unwrap();
        let url = chain.consent_url("s", ["read:documents"]).unwrap();
        let query: Vec<_> =
            form_urlencoded::parse(url.split_once('?').unwrap().1.as_bytes()).into_owned().collect();
        assert_eq!(
            (field(&query, "client_id"), field(&query, "code_challenge_method")),
            (vec!["app"], vec!["S256"])
        );
        chain
            .handle_callback_url("s", &format!("{REDIRECT}?code=c&state={}", field(&query, "state")[0]))
            .unwrap();

        let pkce = lumoauth::Pkce::from_verifier("v".repeat(43)).unwrap();
        agent.run(RedeemCode::new("c", REDIRECT, pkce)).unwrap();
        agent.run(Refresh::new("r")).unwrap();
        agent.run(DeviceAuthorization::new("a")).unwrap();
        agent.run(Revoke::new("r")).unwrap();
        agent.run(Exchange::new("t").client_auth(how)).unwrap();
        let sent = seen.lock().unwrap().len();
        for request in seen.lock().unwrap().iter().filter(|request| request.method() == Method::POST) {
            let form = form(request);
            assert_eq!(field(&form, "client_id"), ["app"], "{form:?}");
            assert!(
                field(&form, "client_secret").is_empty() && !request.headers().contains_key(AUTHORIZATION)
            );
        }
        // What needs the client's own token says so, and nothing is sent.
        for error in [
            agent.ensure_authenticated().unwrap_err(),
            agent.ask("read").unwrap_err(),
            agent.mcp_token("files").unwrap_err(),
        ] {
            let missing = ConfigError::Missing { setting: "client_secret", hint: "" };
            let Error::Config(error) = error else { panic!("{error:?}") };
            assert_eq!(std::mem::discriminant(&error), std::mem::discriminant(&missing), "{error}");
            assert!(error.to_string().contains("public client"), "{error}");
        }
        assert_eq!(seen.lock().unwrap().len(), sent);
    }
    let both = Agent::builder().tenant("acme").client_id("app").client_secret(SECRET).public_client();
    let error = both.build_with(service().1).unwrap_err().to_string();
    assert!(error.contains("public_client"), "{error}");
    let forgotten = Agent::builder().tenant("acme").client_id("app").build_with(service().1);
    assert!(forgotten.is_err(), "a secret that was forgotten makes no public client");
}

/// A JWT with these claims, which nobody verifies here.
fn jwt(claims: &str) -> String {
    use base64::Engine;
    format!("e30.{}.c2ln", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims))
}

/// A chain with a user, whose exchanges give this token.
fn chain_that_gets(token: &str, token_type: &str) -> (Seen, DelegationChain) {
    let body = format!(r#"{{"access_token":"{token}","token_type":"{token_type}","expires_in":600}}"#);
    let (seen, agent) = super::support::agent_and(move |_| (200, body.clone()));
    let chain = DelegationChain::without_consent(&agent);
    chain.set_user_token("s", "user-token").unwrap();
    (seen, chain)
}

#[test]
fn a_chain_can_refuse_tokens_that_show_nobody_who_acts() {
    let (bare, acting) = (jwt(r#"{"sub":"alice"}"#), jwt(r#"{"sub":"alice","act":{"sub":"agent:a"}}"#));
    let unusable = |error: Error| {
        let Error::Protocol(error) = &error else { panic!("{error:?}") };
        assert!(error.to_string().contains("names nobody who acts"), "{error}");
    };
    let (_, lax) = chain_that_gets(&bare, "Bearer");
    assert_eq!(lax.exchange("s", []).unwrap().unverified_names_actor(), Some(false));
    // What was taken by one that does not mind is not given to one that does, although they share what they hold.
    unusable(lax.clone().must_show_actor().exchange("s", []).unwrap_err());
    let (_, strict) = chain_that_gets(&bare, "Bearer");
    let strict = strict.must_show_actor();
    unusable(strict.exchange("s", []).unwrap_err());
    unusable(strict.request("s", Method::GET, "/x").unwrap_err());
    unusable(strict.send("s", lumoauth::ApiRequest::get("/x"), ["a"]).unwrap_err());
    for token in [acting.as_str(), "an-opaque-token"] {
        let (_, strict) = chain_that_gets(token, "Bearer");
        let strict = strict.must_show_actor();
        strict.exchange("s", []).unwrap();
        strict.delegate_to_sub_agent("s", "sub", []).unwrap();
    }
    // Handed on as well: the first exchange is good, the second is not.
    let count = std::sync::atomic::AtomicUsize::new(0);
    let (_, agent) = super::support::agent_and(move |_| {
        let first = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        (200, format!(r#"{{"access_token":"{}","expires_in":600}}"#, if first { &acting } else { &bare }))
    });
    let chain = DelegationChain::without_consent(&agent).must_show_actor();
    chain.set_user_token("s", "user-token").unwrap();
    unusable(chain.delegate_to_sub_agent("s", "sub", []).unwrap_err());
}

#[test]
fn a_delegated_token_that_cannot_be_sent_is_an_error_when_it_arrives() {
    for token_type in ["DPoP", "mac"] {
        let (seen, chain) = chain_that_gets("t", token_type);
        for error in [
            chain.exchange("s", []).unwrap_err(),
            chain.exchange_for("s", [], "https://api.example/x").unwrap_err(),
            chain.request("s", Method::GET, "/x").unwrap_err(),
            chain.delegate_to_sub_agent("s", "sub", []).unwrap_err(),
        ] {
            assert!(
                matches!(&error, Error::Protocol(error) if error.to_string().contains("not Bearer")),
                "{error}"
            );
        }
        assert!(
            seen.lock().unwrap().iter().all(|request| request.method() == Method::POST),
            "nothing was sent with it"
        );
    }
}

#[test]
fn actors_may_have_tokens_of_other_kinds_and_sub_agents_their_own_authentication() {
    use lumoauth::embed::operations::{ExchangeTokenType, SubAgent};
    let (seen, chain) = chain_that_gets("t", "bearer");
    let exchanges = || {
        let seen = seen.lock().unwrap();
        let forms = seen.iter().map(form);
        forms.filter(|form| field(form, "grant_type")[0].ends_with("token-exchange")).collect::<Vec<_>>()
    };
    let own = Credentials::new("agt_2", "the-sub-agents-own-secret").unwrap();
    let chain = chain.client_auth(ClientAuth::Post).actor_token_type(ExchangeTokenType::Jwt);
    let sub_agent =
        SubAgent::new("sub").token_type(ExchangeTokenType::IdToken).client(own.clone(), ClientAuth::Post);
    assert!(!format!("{sub_agent:?}").contains("own-secret"));
    chain.delegate_to_sub_agent("s", sub_agent, ["a"]).unwrap();
    let sent = exchanges();
    assert_eq!(sent.len(), 2);
    let (first, second) = (&sent[0], &sent[1]);
    assert_eq!(field(first, "actor_token_type"), [ExchangeTokenType::Jwt.uri()]);
    assert_eq!((field(first, "client_id"), field(first, "client_secret")), (vec!["agt_1"], vec![SECRET]));
    assert_eq!(field(second, "actor_token"), ["sub"]);
    assert_eq!(field(second, "actor_token_type"), [ExchangeTokenType::IdToken.uri()]);
    let (id, secret) = (field(second, "client_id"), field(second, "client_secret"));
    assert_eq!((id, secret), (vec!["agt_2"], vec!["the-sub-agents-own-secret"]));
    // By its token alone it is what it was: an access token, and the chain's own client.
    chain.delegate_to_sub_agent_for("s", "sub", ["a"], "https://api.example/x").unwrap();
    let third = exchanges().pop().unwrap();
    assert_eq!(field(&third, "actor_token_type"), [ExchangeTokenType::AccessToken.uri()]);
    assert_eq!(
        (field(&third, "client_id"), field(&third, "resource")),
        (vec!["agt_1"], vec!["https://api.example/x"])
    );
}

#[test]
fn an_exchange_takes_the_client_that_it_is_given() {
    let (seen, answer) = service();
    let agent =
        Agent::builder().tenant("acme").client_id("agt_1").client_secret(SECRET).build_with(answer).unwrap();
    let sub_agent = Credentials::new("sub-agent", "the-sub-agents-own-secret").unwrap();
    let exchange = Exchange::new("user").actor("sub-agents-token");
    agent.run(exchange.clone().client(sub_agent.clone(), ClientAuth::Post)).unwrap();
    agent.run(exchange.client(sub_agent, ClientAuth::Basic)).unwrap();
    let seen = seen.lock().unwrap();
    let post = form(&seen[0]);
    assert_eq!(field(&post, "client_id"), ["sub-agent"]);
    assert_eq!(field(&post, "client_secret"), ["the-sub-agents-own-secret"]);
    let basic = form(&seen[1]);
    assert_eq!((field(&basic, "client_id"), field(&basic, "client_secret")), (vec!["sub-agent"], vec![]));
    let header = seen[1].headers()[AUTHORIZATION].to_str().unwrap();
    let pair = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, &header["Basic ".len()..])
        .unwrap();
    assert_eq!(pair, b"sub-agent:the-sub-agents-own-secret");
    assert!(seen.iter().all(|request| !form(request).iter().any(|(_, value)| value == SECRET)));
    assert_eq!(seen.len(), 2);
}
