//! A tenant with an agent that runs in a cluster.

use std::path::PathBuf;

use lumoauth::emulator::{AgentSeed, Emulator, Tenant};
use lumoauth::{Agent, AgentBuilder};

pub const POD: &str = "agt_pod";

pub fn emulator() -> Emulator {
    let pod = AgentSeed::new(POD).name("pod").capability("read:documents").workload(
        "kubernetes",
        "https://kubernetes.default.svc",
        "system:serviceaccount:prod:bot",
        "lumoauth",
    );
    Emulator::builder().tenant(Tenant::new("acme").agent(pod)).build().unwrap()
}

pub fn builder(emulator: &Emulator) -> AgentBuilder {
    Agent::builder().base_url(emulator.site().base_url()).tenant("acme")
}

/// A file that goes with the test.
pub struct TokenFile(pub PathBuf);

impl TokenFile {
    pub fn new(name: &str) -> Self {
        let name = format!("workload-{}-{name}", std::process::id());
        TokenFile(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name))
    }

    pub fn write(&self, bytes: impl AsRef<[u8]>) {
        std::fs::write(&self.0, bytes).unwrap();
    }

    /// As platforms write it: with a line break.
    pub fn rotate(&self, emulator: &Emulator) {
        self.write(format!("\n {}\n", emulator.workload_token(POD).unwrap().expose()));
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
