//! The deadline holds in every phase of a call.

use crate::hostile::{Accept, Builder, Reply, Server, Tls, answer, script};
use crate::late::{OVERSHOOT, Stopwatch};
use http::Method;
use lumoauth::{ApiRequest, Error, asynchronous};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;

const TOTAL: Duration = Duration::from_millis(400);
const PAUSE: Duration = Duration::from_millis(15);
/// What must succeed has all the time that a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The same call in both mounts.
type Calls<'a> = [(&'static str, Box<dyn Fn() -> Result<(), Error> + 'a>); 2];

/// One agent of each mount, with a deadline of [`TOTAL`] for everything.
struct Agents {
    blocking: lumoauth::Agent,
    asynchronous: asynchronous::Agent,
    runtime: Runtime,
}

macro_rules! built {
    ($agent:ty, $url:expr, $tls:expr) => {{
        let tls: Option<&Tls> = $tls;
        let builder =
            <$agent>::builder().base_url($url).tenant("acme").client_id("agt_1").client_secret("secret");
        let builder = tls.iter().fold(builder, |builder, tls| builder.root_certificates(tls.ca_pem()));
        builder.timeout(TOTAL).build().unwrap()
    }};
}

impl Agents {
    fn at(url: &str, tls: Option<&Tls>) -> Self {
        Agents {
            blocking: built!(lumoauth::Agent, url, tls),
            asynchronous: built!(asynchronous::Agent, url, tls),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        }
    }

    /// Both have a token.
    fn authenticated(self) -> Self {
        self.blocking.with_timeout(PATIENCE).ensure_authenticated().unwrap();
        let patient = self.asynchronous.with_timeout(PATIENCE);
        self.runtime.block_on(patient.ensure_authenticated()).unwrap();
        self
    }

    fn ask(&self) -> Calls<'_> {
        [
            ("blocking", Box::new(|| self.blocking.ask("read").map(drop))),
            ("async", Box::new(|| self.runtime.block_on(self.asynchronous.ask("read")).map(drop))),
        ]
    }

    fn run(&self, request: ApiRequest) -> Calls<'_> {
        let other = request.clone();
        [
            ("blocking", Box::new(move || self.blocking.run(request.clone()).map(drop))),
            (
                "async",
                Box::new(move || self.runtime.block_on(self.asynchronous.run(other.clone())).map(drop)),
            ),
        ]
    }
}

/// How much later than their deadline the calls end, which must be errors about time.
fn late(name: &str, calls: Calls<'_>) -> Duration {
    let lates = calls.map(|(mount, call)| {
        let watch = Stopwatch::start();
        let result = call();
        let (took, late) = (watch.elapsed(), watch.beyond(TOTAL));
        let error = result.expect_err(name);
        assert!(error.is_timeout(), "{name}, {mount}: {error:?}");
        assert!(
            took + Duration::from_millis(150) >= TOTAL,
            "{name}, {mount} ended after {took:?}: {error:?}"
        );
        println!("f4 {name}, {mount}: {late:?} late");
        late
    });
    lates.into_iter().max().unwrap()
}

fn on_accept(accept: Accept) -> Builder {
    Server::builder().on_accept(move |_| accept.clone())
}

/// Tokens come at once, everything else is this.
fn answers(reply: Reply) -> Server {
    Server::start(script(move |request| match request.path().ends_with("/oauth/token") {
        true => answer(request, "tok"),
        false => reply.clone(),
    }))
}

#[test]
fn f4_the_deadline_holds_in_every_phase() {
    let mut worst = Duration::ZERO;
    let mut note = |late: Duration| worst = worst.max(late);

    let never = script(|_| Reply::stall());
    for (name, accept) in [
        ("the connection is accepted and left alone", Accept::Hang),
        ("the server reads slowly", Accept::Sip(64, PAUSE)),
    ] {
        let server = on_accept(accept).start(script(|_| Reply::stall()));
        note(late(name, Agents::at(server.url(), None).ask()));
    }
    for (name, tls) in
        [("the TLS handshake hangs", Tls::hangs()), ("the TLS handshake dribbles", Tls::dribbles(PAUSE))]
    {
        let server = Server::start_tls(&tls, script(|_| Reply::stall()));
        note(late(name, Agents::at(server.url(), Some(&tls)).ask()));
    }
    let tls = Tls::valid_for("localhost");
    let server = Server::start_tls(&tls, never);
    note(late("silence over TLS", Agents::at(server.url(), Some(&tls)).ask()));

    let good = Reply::json(200, r#"{"allowed":true,"action":"read"}"#);
    let head = good.bytes().len() - 10;
    for (name, reply) in [
        ("no head", Reply::stall()),
        ("half a head", good.clone().stall_at(20)),
        ("half a body", good.clone().stall_at(head)),
        ("a dribbled head", good.clone().dribble_every(1, PAUSE)),
        ("a dribbled body", Reply::json(200, "x".repeat(4000)).dribble_every(40, PAUSE)),
        ("dribbled chunks", Reply::json(200, "x".repeat(4000)).chunked(1).dribble_every(40, PAUSE)),
        ("dribbled headers", Reply::json(200, "{}").many_headers(90).dribble_every(20, PAUSE)),
    ] {
        let server = answers(reply);
        note(late(name, Agents::at(server.url(), None).authenticated().ask()));
    }

    // A body too big for the buffers between the two, sent to a server that reads none of it, or very little. The
    // connections of the token requests are served, the others are not.
    for (name, accept) in [
        ("a body that nobody reads", Accept::Hang),
        ("a body that is read slowly", Accept::Sip(3000, Duration::from_millis(5))),
    ] {
        let ready = Arc::new(AtomicBool::new(false));
        let (known, accept) = (Arc::clone(&ready), Arc::new(accept));
        let server = Server::builder()
            .on_accept(move |_| if known.load(Ordering::SeqCst) { (*accept).clone() } else { Accept::Serve })
            .start(script(|request| answer(request, "tok").announce_close()));
        let agents = Agents::at(server.url(), None).authenticated();
        ready.store(true, Ordering::SeqCst);
        let put = ApiRequest::put("things").body("application/octet-stream", vec![b'x'; 2 << 20]);
        note(late(name, agents.run(put)));
    }
    println!("f4: worst overshoot {worst:?}");
    assert!(worst <= OVERSHOOT, "{worst:?}");
}

/// A listener whose queue is full drops what else comes: a connection that neither stands nor fails.
#[cfg(target_os = "linux")]
#[test]
fn f4_the_deadline_holds_while_connecting() {
    use std::net::{Ipv4Addr, SocketAddr, TcpStream};
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    socket.listen(1).unwrap();
    let addr = socket.local_addr().unwrap().as_socket().unwrap();
    let mut held = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&addr, Duration::from_millis(200)) {
        held.push(stream);
        assert!(held.len() < 100, "the queue never fills");
    }
    let agents = Agents::at(&format!("http://{addr}"), None);
    let late = late("connecting", agents.run(ApiRequest::new(Method::GET, "x")));
    assert!(late <= OVERSHOOT, "{late:?}");
}
