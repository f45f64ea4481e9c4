//! A service on actix-web, as `docs/web.md` has it: who calls, and may the service's agent do this?

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::web::{Data, ServiceConfig, get};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use lumoauth::asynchronous::{Agent, TokenVerifier};
use lumoauth::http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use lumoauth::service::{Answer, Caller, refusal};

/// A refusal, for handlers that end with `?`.
#[derive(Debug)]
pub struct Refused(Answer);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused: {}", self.0.status())
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status().as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        for (name, value) in self.0.headers() {
            response.append_header((name.as_str(), value.as_bytes()));
        }
        response.body(self.0.body().clone())
    }
}

impl From<lumoauth::Error> for Refused {
    fn from(error: lumoauth::Error) -> Self {
        Refused(error.answer())
    }
}

/// Who calls. Both sides have header maps of their own, so what counts is carried over: all of it, since two credentials are none.
async fn caller(request: &HttpRequest, verifier: &TokenVerifier) -> Result<Caller, Refused> {
    let mut headers = HeaderMap::new();
    for value in request.headers().get_all("authorization") {
        let value = HeaderValue::from_bytes(value.as_bytes());
        headers.append(
            AUTHORIZATION,
            value.map_err(|_| Refused(refusal(lumoauth::http::StatusCode::BAD_REQUEST)))?,
        );
    }
    let token = verifier.verify_headers(&headers).await;
    token.map(Caller::new).map_err(|error| Refused(verifier.answer(&error)))
}

async fn me(request: HttpRequest, verifier: Data<TokenVerifier>) -> Result<String, Refused> {
    Ok(caller(&request, &verifier).await?.subject().to_owned())
}

async fn documents(agent: Data<Agent>) -> Result<String, Refused> {
    match agent.ask("read_documents").await?.refusal() {
        Some(denied) => Err(Refused(denied)),
        None => Ok("[]".to_owned()),
    }
}

/// The document that challenges name (RFC 9728).
async fn described(verifier: Data<TokenVerifier>) -> HttpResponse {
    match verifier.verifier().resource_metadata() {
        Some(document) => HttpResponse::Ok().content_type("application/json").body(document.to_string()),
        None => HttpResponse::NotFound().finish(),
    }
}

/// For `App::new().configure(..)`.
pub fn routes(agent: Agent, verifier: TokenVerifier) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        let at = verifier.verifier().resource_metadata_path().unwrap_or_default().to_owned();
        config.app_data(Data::new(agent)).app_data(Data::new(verifier));
        config
            .route("/me", get().to(me))
            .route("/documents", get().to(documents))
            .route(&at, get().to(described));
    }
}
