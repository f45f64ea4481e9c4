//! Waiting for people, dropped at any moment, leaves nothing behind: no task, no connection in use, and later calls work.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lumoauth::approvals::{Approval, ApprovalError, CreatedApproval, PendingApproval};
use lumoauth::asynchronous::{Agent, Approvals, store::MemoryStore};
use lumoauth::embed::operations::{DeviceAuthorization, DeviceCode};
use lumoauth::emulator::{Emulator, Tenant};
use lumoauth::jit::{AuthorizationDetails, FileAction};
use lumoauth::{Error, ToolCall};
use serde_json::json;

use super::dropped::{Slow, Yield};
use super::support::{ENOUGH, polled, single};
use crate::hostile::{Recorded, Reply, Server};
use crate::stores::{Answered, AnswersLater, Asked, Io, Later};

const LONG: Duration = Duration::from_secs(200);

fn details() -> AuthorizationDetails {
    AuthorizationDetails::file_access([FileAction::Delete]).identifier("q3.pdf")
}

fn call() -> ToolCall {
    ToolCall::new("send_payment", &json!({"to": "bob", "amount": 100})).unwrap()
}

fn approval() -> Approval {
    Approval::of(call()).on_behalf_of("alice")
}

/// What is waited for.
enum Wait {
    Permission(String),
    Approval(PendingApproval),
    Device(Box<DeviceCode>),
}

const KINDS: [&str; 3] = ["permission", "approval", "device"];

type Waiting<'a> = Pin<Box<dyn Future<Output = Result<bool, Error>> + Send + 'a>>;

impl Wait {
    async fn begin(kind: &str, agent: &Agent) -> Self {
        match kind {
            "permission" => {
                // Left to the agent, the task would be ended, and its requests with it.
                let task = Box::leak(Box::new(agent.jit().begin("clean up").await.unwrap()));
                Wait::Permission(task.request(details()).await.unwrap().request_id().to_owned())
            }
            "approval" => match agent.approvals().create(approval()).await.unwrap() {
                CreatedApproval::Pending(pending) => Wait::Approval(pending),
                other => panic!("{other:?}"),
            },
            _ => Wait::Device(Box::new(agent.run(DeviceAuthorization::new("openid")).await.unwrap())),
        }
    }

    /// True if the person agreed.
    fn wait<'a>(&'a self, agent: &'a Agent) -> Waiting<'a> {
        Box::pin(async move {
            Ok(match self {
                Wait::Permission(id) => agent.jit().wait(id, &details(), LONG).await?.is_approved(),
                Wait::Approval(pending) => agent.approvals().wait(pending).await?.is_approved(),
                Wait::Device(code) => agent.run(code.poll()).await.map(|_| true)?,
            })
        })
    }

    fn agree(&self, emulator: &Emulator) {
        match self {
            Wait::Permission(id) => emulator.approve_permission(id).unwrap(),
            Wait::Approval(pending) => emulator.person_approves(pending.token()).unwrap(),
            Wait::Device(code) => emulator.approve_device(&code.user_code, "alice").unwrap(),
        }
    }
}

fn emulator() -> Emulator {
    Emulator::builder().tenant(Tenant::demo()).build().unwrap()
}

fn slow(emulator: &Emulator) -> Agent {
    let builder = Agent::builder().base_url(emulator.site().base_url()).tenant(emulator.tenant());
    let builder = builder.client_id(emulator.client_id()).client_secret(emulator.secret().clone());
    builder.build_with(Slow { inner: emulator.transport(), before: 2, after: 2 }).unwrap()
}

fn done<T>(future: impl Future<Output = T>) -> T {
    polled(pin!(future), ENOUGH).expect("it hangs")
}

#[test]
fn t11_waiting_dropped_at_any_await_point_leaves_it_to_be_waited_for() {
    for kind in KINDS {
        // The first questions and the pauses between them; what comes then is the same again.
        const POINTS: usize = 40;
        for n in 0..POINTS {
            let emulator = emulator();
            let agent = slow(&emulator);
            let wait = done(Wait::begin(kind, &agent));
            {
                let mut waiting = wait.wait(&agent);
                assert!(polled(Pin::new(&mut waiting), n).is_none(), "{kind}: nobody has decided");
            }
            let before = emulator.count_all();
            // Nothing goes on by itself; other calls work, and so does waiting again.
            assert_eq!(emulator.count_all(), before);
            assert!(done(agent.is_allowed("read_document")).unwrap(), "{kind} after {n} polls");
            wait.agree(&emulator);
            // A device that comes back at once is told to slow down, and does.
            assert!(done(wait.wait(&agent)).unwrap(), "{kind} after {n} polls");
            for asked in
                ["approvals.create", "jit.request.create", "jit.task.create", "oauth.device_authorization"]
            {
                assert!(emulator.count(asked).unwrap() <= 1, "{kind}: {asked}");
            }
        }
        println!(
            "F14: waiting for a {kind}, dropped after each of {POINTS} polls, could be waited for again"
        );
    }
}

/// A store that takes its time for each answer.
struct Waits(Arc<MemoryStore>);

impl AnswersLater for Waits {
    fn answer<'a>(&'a self, asked: Asked<'a>) -> Io<'a, Answered> {
        Box::pin(async move {
            Yield(1).await;
            let answer = asked.later(&self.0).await;
            Yield(1).await;
            answer
        })
    }
}

#[test]
fn a_run_dropped_before_the_call_began_is_made_by_the_next_and_never_two() {
    let (mut before, mut during) = (0, 0);
    for n in 0.. {
        let emulator = emulator();
        let agent = slow(&emulator);
        let store = Arc::new(MemoryStore::new());
        let approvals: Approvals = agent.approvals().store(Later(Waits(Arc::clone(&store))));
        let CreatedApproval::Pending(pending) = done(approvals.create(approval())).unwrap() else {
            panic!("asked")
        };
        emulator.person_approves(pending.token()).unwrap();
        let proof = done(approvals.wait(&pending)).unwrap().require().unwrap();
        let runs = AtomicU32::new(0);
        let run = |call| {
            approvals.run(&proof, call, async |_| {
                runs.fetch_add(1, Ordering::SeqCst);
                Yield(2).await;
            })
        };
        let call = call();
        let ended = polled(pin!(run(&call)), n);
        if ended.is_some() {
            break;
        }
        if runs.load(Ordering::SeqCst) == 0 {
            // Whatever the store has of its claim, nobody uses it: it is waited for as before, and runs.
            done(approvals.wait(&pending)).unwrap().require().unwrap();
            done(run(&call)).unwrap();
            before += 1;
        } else {
            let error = done(run(&call)).unwrap_err();
            let told = matches!(
                error,
                Error::Approval(ApprovalError::OutcomeUnknown { .. } | ApprovalError::AlreadyRan { .. })
            );
            assert!(told, "{error:?}");
            during += 1;
        }
        assert_eq!(runs.load(Ordering::SeqCst), 1, "dropped after {n} polls");
    }
    println!(
        "A1: a run was dropped {before} times before the call began, and then ran once; {during} times later"
    );
    assert!(before >= 4 && during >= 2, "{before} and {during}");
}

/// Answers everything but the question whether somebody has decided: that one gets nothing.
fn undecided(request: &Recorded) -> Reply {
    let path = request.path();
    let body = match path.rsplit('/').next().unwrap_or_default() {
        "status" => return Reply::stall(),
        "token" if request.form_value("device_code").is_some() => return Reply::stall(),
        "token" => json!({"access_token": "tok", "token_type": "Bearer", "expires_in": 3600, "scope": ""}),
        "device_authorization" => json!({"device_code": "d", "user_code": "WDJB-MJHT", "expires_in": 900,
            "verification_uri": format!("http://{}/device", request.header("host").unwrap()), "interval": 5}),
        "approvals" => json!({"approval_token": "ap_1", "status": "pending"}),
        "task" => json!({"task_id": "task_1"}),
        "request" => {
            json!({"request_id": "jit_1", "task_id": "task_1", "status": "pending", "risk_level": "high"})
        }
        "ask" => json!({"allowed": true, "action": "read_document", "reason": "ok", "audit_id": "aud_1"}),
        _ => json!({}),
    };
    Reply::json(200, body.to_string())
}

#[test]
fn f14_waiting_dropped_in_the_middle_of_a_question_leaves_no_task_and_no_connection() {
    for kind in KINDS {
        let server = Server::start(undecided);
        let runtime = single();
        runtime.block_on(async {
            let builder = Agent::builder().base_url(server.url()).tenant("acme");
            let agent = builder.client_id("agt_1").client_secret("secret").build().unwrap();
            let wait = Wait::begin(kind, &agent).await;
            let tasks = tokio::runtime::Handle::current().metrics();
            {
                let mut waiting = wait.wait(&agent);
                // Until the question is on its way: the answer to it never comes.
                let asked = async {
                    while server.count(is_question) == 0 {
                        tokio::task::yield_now().await;
                    }
                };
                tokio::select! {
                    outcome = &mut waiting => panic!("{kind}: {outcome:?}"),
                    () = asked => {}
                }
            }
            // What a connection needs to be ended, the runtime does when it gets its turn.
            while server.open_connections() > server.idle_connections()
                || tasks.num_alive_tasks() > server.idle_connections()
            {
                tokio::task::yield_now().await;
            }
            assert!(agent.is_allowed("read_document").await.unwrap(), "{kind}");
            println!(
                "F14: waiting for a {kind}, dropped in a question: {} tasks, {} connections in use",
                tasks.num_alive_tasks(),
                server.open_connections() - server.idle_connections()
            );
        });
        drop(runtime);
        assert!(server.wait_until(LONG, |server| server.open_connections() == server.idle_connections()));
    }
}

fn is_question(request: &Recorded) -> bool {
    request.path().ends_with("/status") || request.form_value("device_code").is_some()
}
