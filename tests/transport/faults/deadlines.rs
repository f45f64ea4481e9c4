//! The deadline holds in every phase of a call.

use super::OVERSHOOT;
use crate::hostile::{Accept, Builder, Reply, Server, Tls, agent, answer, script};
use http::Method;
use lumoauth::{Agent, ApiRequest, Error};
use std::time::{Duration, Instant};

const TOTAL: Duration = Duration::from_millis(400);
const PAUSE: Duration = Duration::from_millis(15);

/// How much later than its deadline a call ended, which must be an error about time.
/// How much later than its deadline the call ends. A machine that is busy with other things can stop a thread for a
/// while: the best of three counts. A deadline that does not hold is late every time.
fn late(name: &str, call: impl Fn() -> Result<(), Error>) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let began = Instant::now();
        let result = call();
        let took = began.elapsed();
        let error = result.expect_err(name);
        assert!(error.is_timeout(), "{name}: {error:?}");
        assert!(took + Duration::from_millis(150) >= TOTAL, "{name} ended after {took:?}: {error:?}");
        best = best.min(took.saturating_sub(TOTAL));
        if best <= OVERSHOOT {
            break;
        }
    }
    println!("f4 {name}: {best:?} late");
    best
}

fn built(server: &Server) -> Agent {
    agent(server.url()).timeout(TOTAL).attempt_timeout(TOTAL).connect_timeout(TOTAL).build().unwrap()
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
        note(late(name, || built(&server).ask("read").map(drop)));
    }
    for (name, tls) in
        [("the TLS handshake hangs", Tls::hangs()), ("the TLS handshake dribbles", Tls::dribbles(PAUSE))]
    {
        let server = Server::start_tls(&tls, script(|_| Reply::stall()));
        let agent = agent(server.url())
            .root_certificates(tls.ca_pem())
            .timeout(TOTAL)
            .attempt_timeout(TOTAL)
            .connect_timeout(TOTAL)
            .build()
            .unwrap();
        note(late(name, || agent.ask("read").map(drop)));
    }
    let tls = Tls::valid_for("localhost");
    let server = Server::start_tls(&tls, never);
    let over_tls = agent(server.url())
        .root_certificates(tls.ca_pem())
        .timeout(TOTAL)
        .attempt_timeout(TOTAL)
        .build()
        .unwrap();
    note(late("silence over TLS", || over_tls.ask("read").map(drop)));

    let good = Reply::json(200, r#"{"allowed":true,"action":"read"}"#);
    let head = good.bytes().len() - 10;
    for (name, reply) in [
        ("no head", Reply::stall()),
        ("half a head", good.clone().stall_at(20)),
        ("half a body", good.clone().stall_at(head)),
        ("a dribbled head", good.clone().dribble_every(1, PAUSE)),
        ("a dribbled body", Reply::json(200, "x".repeat(4000)).dribble_every(40, PAUSE)),
        ("dribbled chunks", Reply::json(200, "x".repeat(4000)).chunked(1).dribble_every(40, PAUSE)),
        ("dribbled headers", Reply::json(200, "{}").many_headers(100).dribble_every(20, PAUSE)),
    ] {
        let server = answers(reply);
        let agent = built(&server);
        agent.ensure_authenticated().unwrap();
        note(late(name, || agent.ask("read").map(drop)));
    }

    // A body too big for the buffers between the two, sent to a server that reads none of it, or very little.
    for (name, accept) in [
        ("a body that nobody reads", Accept::Hang),
        ("a body that is read slowly", Accept::Sip(3000, Duration::from_millis(5))),
    ] {
        let server = Server::builder()
            .on_accept(move |n| if n == 0 { Accept::Serve } else { accept.clone() })
            .start(script(|request| answer(request, "tok").announce_close()));
        let agent = built(&server);
        agent.ensure_authenticated().unwrap();
        let put = ApiRequest::put("things").body("application/octet-stream", vec![b'x'; 2 << 20]);
        note(late(name, || agent.run(put.clone()).map(drop)));
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
    let built = |connect: Duration| {
        agent(&format!("http://{addr}"))
            .timeout(TOTAL)
            .attempt_timeout(TOTAL)
            .connect_timeout(connect)
            .build()
    };
    let agent = built(TOTAL).unwrap();
    let late = late("connecting", || agent.request(Method::GET, "x").map(drop));
    assert!(late <= OVERSHOOT, "{late:?}");
}
