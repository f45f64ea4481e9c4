//! Fifty processes of twenty threads find a token over at the same moment: one request, of the agent's own, for an MCP server, for a user.

use std::path::Path;
use std::time::Duration;

use lumoauth::embed::wire::Request;
use lumoauth::emulator::{AgentSeed, Emulator, McpServerSeed, Served, Tenant, UserSeed};
use lumoauth::http::{Method, header::LOCATION};
use lumoauth::{Agent, DelegationChain};
use serde_json::Value;

use crate::engine::{Engine, programs};
use crate::member::{Member, Ways, sealed};

pub const SECRET: &str = "canary-secret-of-the-agent";
const REDIRECT: &str = "https://myapp.com/consent";
/// Every token is over by then.
pub const LONG: Duration = Duration::from_secs(2 * 3_600);

pub struct World {
    pub emulator: Emulator,
    pub served: Served,
    pub engine: Engine,
    pub start: u64,
    /// How far time has gone since then, in milliseconds.
    pub ahead: u64,
}

impl World {
    pub fn new(program: &Path) -> Self {
        let agent = AgentSeed::new("agt_1").secret(SECRET).redirect_uri(REDIRECT);
        let agent = agent.capabilities(["read:documents", "delegate:on_behalf"]);
        let files =
            McpServerSeed::new("files").resource_uri("https://files.test/mcp").scopes(["read:documents"]);
        let user = UserSeed::new("alice").scopes(["read:documents", "offline_access"]);
        let tenant = Tenant::new("acme").agent(agent).mcp_server(files).user(user);
        let emulator = Emulator::builder().tenant(tenant).auto_consent("alice").build().unwrap();
        let served = emulator.serve("127.0.0.1:0").unwrap();
        let start = emulator.now().unix_millis();
        World {
            emulator,
            served,
            engine: Engine::start(program, &["--rdbcompression", "no"]),
            start,
            ahead: 0,
        }
    }

    /// The user consents, and the session lies in the store.
    pub fn consent(&self) {
        let agent = Agent::builder().base_url(self.served.url()).tenant("acme").client_id("agt_1");
        let agent = agent.client_secret(SECRET).build_with(self.emulator.transport()).unwrap();
        let chain = DelegationChain::new(&agent, REDIRECT).unwrap().store(sealed(&self.engine.url()));
        let url = chain.consent_url("alice", ["read:documents", "offline_access"]).unwrap();
        let answer =
            self.emulator.handle_in_process(&Request::new(Method::GET, url.parse().unwrap())).response;
        chain.handle_callback_url("alice", answer.header(LOCATION).unwrap()).unwrap();
    }

    pub fn pass(&mut self) {
        self.emulator.advance(LONG);
        self.ahead += u64::try_from(LONG.as_millis()).unwrap();
    }

    pub fn asked(&self) -> u64 {
        self.emulator.count("oauth.token").unwrap()
    }

    /// How many requests for tokens were refused: a refresh token that is sent twice is.
    pub fn refused(&self) -> usize {
        self.emulator.log().iter().filter(|entry| entry.route == "oauth.token" && entry.status != 200).count()
    }

    /// All of them at once; what each says, and how many requests it took.
    pub fn all(&self, members: &mut [Member], what: &str) -> (Vec<Value>, u64) {
        let before = self.asked();
        members.iter_mut().for_each(|member| member.tell(what, self.ahead));
        let ends = members.iter_mut().map(Member::end).collect();
        (ends, self.asked() - before)
    }
}

/// No errors, and the tokens that were seen.
pub fn tokens(ends: &[Value]) -> std::collections::BTreeSet<String> {
    for end in ends {
        assert_eq!(end["errors"].as_array().unwrap().len(), 0, "{end}");
    }
    let tokens = ends.iter().flat_map(|end| end["tokens"].as_array().unwrap());
    tokens.map(|token| token.as_str().unwrap().to_owned()).collect()
}

#[test]
fn t16_fifty_processes_of_twenty_threads_ask_once() {
    for program in programs("fifty processes") {
        let mut world = World::new(&program);
        world.consent();
        // Whoever looks has a long time, and counts each pause five times: nobody is taken for dead because the machine is slow.
        let ways = Ways { threads: 20, pace: 5_000, patience: 60, tells: false };
        let apart = |number: u64| (number % 2) * 30_000;
        let mut members: Vec<Member> =
            (0..50).map(|number| Member::start(&world, ways, apart(number))).collect();
        members.iter_mut().for_each(|member| assert_eq!(member.hear().unwrap()["ready"], true));
        let rounds = if crate::rounds::all() { 20 } else { 2 };
        let (mut seen, mut users) = (std::collections::BTreeSet::new(), 0);
        for round in 0..=rounds {
            let (own, asked) = world.all(&mut members, "own");
            assert_eq!((tokens(&own).len(), asked), (1, 1), "round {round}: the agent's own token");
            let (mcp, asked) = world.all(&mut members, "mcp");
            assert_eq!((tokens(&mcp).len(), asked), (1, 1), "round {round}: the token for an MCP server");
            // Each process exchanges the user's token for one of its own; that was renewed once, but in the first round.
            let (user, asked) = world.all(&mut members, "user");
            users = tokens(&user).len();
            assert_eq!(asked, 50 + u64::from(round > 0), "round {round}: the user's session");
            seen.extend([own, mcp, user].iter().flat_map(|ends| tokens(ends)));
            world.pass();
        }
        assert_eq!((world.refused(), users), (0, 50));
        println!(
            "T16 on {}: 50 processes of 20 threads, clocks 30 s apart, {rounds} rounds: 1 request each for the agent's own token, an MCP \
             token and a user's",
            program.file_name().unwrap().display()
        );
        // Nothing of it can be read on the server.
        let _: () = redis::cmd("SAVE").query(&mut world.engine.aside()).unwrap();
        let dump = std::fs::read(world.engine.folder.join("dump.rdb")).unwrap();
        let secrets =
            seen.iter().map(String::as_str).chain([SECRET, "alice", "agt_1", "read:documents", "files.test"]);
        let mut looked = 0;
        for secret in secrets {
            let found =
                dump.windows(secret.len().min(12)).any(|piece| piece == &secret.as_bytes()[..piece.len()]);
            assert!(!found, "{secret} stands in the dump");
            looked += 1;
        }
        assert!(dump.len() > 500 && dump.windows(9).any(|piece| piece == b"lumoauth:"));
        println!("T16: a dump of {} bytes holds none of {looked} secrets and names", dump.len());
    }
}

/// How often a command was asked since the figures began anew; scripts' own included.
fn asked_for(engine: &Engine, command: &str) -> u64 {
    let info: String = redis::cmd("INFO").arg("commandstats").query(&mut engine.aside()).unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.and_then(|rest| rest.split(',').next()?.parse().ok()).unwrap_or_default()
}

#[test]
fn a_renewal_is_three_trips_to_the_server_and_what_is_fresh_none() {
    for program in programs("trips to the server") {
        let mut world = World::new(&program);
        world.consent();
        let ways = Ways { threads: 4, pace: 10, patience: 60, tells: false };
        let mut members = vec![Member::start(&world, ways, 0), Member::start(&world, ways, 0)];
        members.iter_mut().for_each(|member| assert_eq!(member.hear().unwrap()["ready"], true));
        for what in ["own", "mcp", "user"] {
            tokens(&world.all(&mut members, what).0);
        }
        world.pass();
        let reset = |world: &World| {
            let _: () = redis::cmd("CONFIG").arg("RESETSTAT").query(&mut world.engine.aside()).unwrap();
        };
        let trips =
            |world: &World| ["get", "evalsha", "eval"].map(|command| asked_for(&world.engine, command));
        reset(&world);
        tokens(&world.all(&mut members[..1], "own").0);
        assert_eq!(trips(&world), [1, 2, 0], "a load, a claim, a token");
        reset(&world);
        tokens(&world.all(&mut members[1..], "own").0);
        assert_eq!(trips(&world), [1, 0, 0], "another process finds it");
        reset(&world);
        for _ in 0..10 {
            tokens(&world.all(&mut members, "own").0);
        }
        assert_eq!(trips(&world), [0, 0, 0], "what is fresh");
        tokens(&world.all(&mut members[..1], "mcp").0);
        assert_eq!(trips(&world), [1, 2, 0], "a token for an MCP server");
        reset(&world);
        tokens(&world.all(&mut members[..1], "user").0);
        let user = trips(&world);
        println!("a user's renewal by four threads: {} loads, {} changes", user[0], user[1] + user[2]);
        let mut alone = Member::start(&world, Ways { threads: 1, ..ways }, 0);
        assert_eq!(alone.hear().unwrap()["ready"], true);
        world.pass();
        tokens(&world.all(std::slice::from_mut(&mut alone), "own").0);
        reset(&world);
        tokens(&world.all(std::slice::from_mut(&mut alone), "user").0);
        assert_eq!(
            trips(&world),
            [2, 2, 0],
            "a load for the call; a load, a claim and a token for the renewal"
        );
        let mut aside = world.engine.aside();
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut aside).unwrap();
        for key in keys {
            let bytes: u64 = redis::cmd("STRLEN").arg(&key).query(&mut aside).unwrap();
            let memory: u64 = redis::cmd("MEMORY").arg("USAGE").arg(&key).query(&mut aside).unwrap();
            let shelf = key.split(':').nth(1).unwrap();
            println!(
                "a record of {shelf}: {bytes} bytes under a name of {}, {memory} of the server's memory",
                key.len()
            );
            assert!(bytes < 4_096);
        }
    }
}
