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
