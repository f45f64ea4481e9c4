//! What the HTTP stack below the blocking client logs: alone in its process, because the log is the process'.
#![cfg(feature = "ureq")]

mod hostile;

#[allow(dead_code)] // it looks into errors as well
#[path = "secrets/canary.rs"]
mod canary;

use canary::{Canaries, Log};
use hostile::{Server, agent, answer, script};

const SECRET: &str = "scr+Q7/x2=Zv&9K%Lm4B81_TnYc~Wd";
const TOKEN: &str = "tok_R7hQx3Pz0VbK5sWdLm92EgJfUi";

#[test]
fn s2_the_http_stack_shows_secrets_at_trace_and_nowhere_else() {
    let (log, canaries) = (Log::install(), Canaries::new(&[SECRET, TOKEN]));
    let server = Server::start(script(|request| answer(request, TOKEN)));
    let agent = agent(server.url()).client_secret(SECRET).build().unwrap();
    for _ in 0..20 {
        agent.info().unwrap();
        agent.authenticate([]).unwrap();
    }
    let counts = log.find(&canaries);
    println!(
        "s2: {} of {} records of ureq hold a secret, {} of them above TRACE",
        counts.ureq_hits,
        counts.ureq,
        counts.ureq_hits_at_debug.len()
    );
    assert!(counts.ureq_hits > 0, "ureq holds its tongue now: say so in the README");
    assert!(counts.ureq_hits_at_debug.is_empty(), "{:?}", counts.ureq_hits_at_debug.first());
}
