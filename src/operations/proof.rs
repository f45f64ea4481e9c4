//! Proofs that an action was allowed, which the code that does it asks for.

use std::fmt;
use std::marker::PhantomData;

use super::decision::Decision;
use crate::error::{Error, ProtocolError, ProtocolFault};

/// An action that code is guarded by, declared once. [`guarded_actions!`](crate::guarded_actions) writes it for you.
pub trait GuardedAction {
    /// The action as the service knows it, such as `document.read`.
    const NAME: &'static str;
}

/// The proof that this action was allowed: what `agent.guard::<ReadDocument>()?` returns, and what the function that does it takes
/// by value. Nothing else makes one, it cannot be copied, and it is of the one action alone. It has no end of its own: ask right before
/// the action, and keep no proof for later.
///
/// ```
/// # #[cfg(all(feature = "emulator", feature = "blocking"))] {
/// use lumoauth::Allowed;
/// lumoauth::guarded_actions! { ReadDocument = "document.read"; }
///
/// /// Whoever calls this has asked.
/// fn read(id: &str, _: Allowed<ReadDocument>) -> String {
///     format!("the text of {id}")
/// }
///
/// # let agent = lumoauth::Emulator::demo()?.agent()?;
/// let text = read("doc-123", agent.guard::<ReadDocument>()?);
/// # assert_eq!(text, "the text of doc-123"); }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Forgetting to ask does not compile:
///
/// ```compile_fail,E0061
/// # use lumoauth::Allowed;
/// lumoauth::guarded_actions! { ReadDocument = "document.read"; }
/// fn read(id: &str, _: Allowed<ReadDocument>) {}
///
/// read("doc-123");
/// ```
///
/// Nor does asking for something else:
///
/// ```compile_fail,E0308
/// # use lumoauth::{Agent, Allowed, Error};
/// lumoauth::guarded_actions! { ReadDocument = "document.read"; ListDocuments = "document.list"; }
/// fn read(id: &str, _: Allowed<ReadDocument>) {}
///
/// fn called(agent: &Agent) -> Result<(), Error> {
///     read("doc-123", agent.guard::<ListDocuments>()?);
///     Ok(())
/// }
/// ```
///
/// Nor using one answer twice:
///
/// ```compile_fail,E0382
/// # use lumoauth::{Agent, Allowed, Error};
/// lumoauth::guarded_actions! { ReadDocument = "document.read"; }
/// fn read(id: &str, _: Allowed<ReadDocument>) {}
///
/// fn called(agent: &Agent) -> Result<(), Error> {
///     let proof = agent.guard::<ReadDocument>()?;
///     read("doc-123", proof);
///     read("doc-124", proof);
///     Ok(())
/// }
/// ```
///
/// Nor copying it:
///
/// ```compile_fail,E0599
/// # use lumoauth::{Agent, Allowed, Error};
/// lumoauth::guarded_actions! { ReadDocument = "document.read"; }
///
/// fn called(agent: &Agent) -> Result<(), Error> {
///     let proof: Allowed<ReadDocument> = agent.guard()?;
///     let _: Allowed<ReadDocument> = proof.clone();
///     Ok(())
/// }
/// ```
///
/// Nor making a proof of one's own:
///
/// ```compile_fail,E0451
/// # use lumoauth::{Allowed, embed::operations::Decision};
/// lumoauth::guarded_actions! { ReadDocument = "document.read"; }
/// let decision = Decision::denied("document.read", "never asked");
/// let proof = Allowed::<ReadDocument> { decision, action: std::marker::PhantomData };
/// ```
#[must_use = "a proof is for the function that does the action"]
pub struct Allowed<A: GuardedAction> {
    decision: Decision,
    action: PhantomData<fn() -> A>,
}

impl<A: GuardedAction> Allowed<A> {
    /// Only of a decision that allows this very action.
    #[cfg_attr(not(any(feature = "blocking", feature = "async")), allow(dead_code))]
    pub(crate) fn of(decision: Decision) -> Result<Self, Error> {
        allows(&decision, A::NAME)?;
        Ok(Allowed { decision, action: PhantomData })
    }

    /// The decision behind it, with its audit record.
    pub fn decision(&self) -> &Decision {
        &self.decision
    }
}

impl<A: GuardedAction> fmt::Debug for Allowed<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Allowed").field("decision", &self.decision).finish()
    }
}

/// The proof that an action was allowed whose name is known only when the program runs. It is compared when it is used, and used up.
#[derive(Debug)]
#[must_use = "a proof is for the code that does the action"]
pub struct AllowedDynamic(Decision);

impl AllowedDynamic {
    #[cfg_attr(not(any(feature = "blocking", feature = "async")), allow(dead_code))]
    pub(crate) fn of(decision: Decision, action: &str) -> Result<Self, Error> {
        allows(&decision, action)?;
        Ok(AllowedDynamic(decision))
    }

    /// Uses it up for this action: the first thing that the code does which does the action, as `proof.use_for("send_mail")?;`.
    ///
    /// # Errors
    /// [`Error::Denied`] if it is the proof of another action.
    pub fn use_for(self, action: &str) -> Result<Granted, Error> {
        if self.0.action() != action {
            Decision::denied(action, "the proof is of another action").require()?;
        }
        Granted::of(self.0)
    }

    /// The decision behind it, with its audit record.
    pub fn decision(&self) -> &Decision {
        &self.0
    }
}

/// What was allowed, with its audit record. The asking is done: it may be kept for the record, or dropped.
///
/// ```
/// # #[cfg(all(feature = "emulator", feature = "blocking"))] {
/// # let agent = lumoauth::Emulator::demo()?.agent()?;
/// agent.require("read_document")?;
/// let granted = agent.require("read_document")?;
/// println!("read under {}", granted.audit_id().unwrap_or("no record")); }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Granted(Decision);

impl Granted {
    /// Only of a decision that allows.
    pub(crate) fn of(decision: Decision) -> Result<Self, Error> {
        decision.require().map(|()| Granted(decision))
    }

    /// The decision behind it.
    pub fn decision(&self) -> &Decision {
        &self.0
    }

    /// The service's audit record of it.
    pub fn audit_id(&self) -> Option<&str> {
        self.0.audit_id()
    }
}

fn allows(decision: &Decision, action: &str) -> Result<(), Error> {
    decision.require()?;
    if decision.action() == action {
        return Ok(());
    }
    Err(ProtocolError::new(super::ask::ASK.name(), 200, ProtocolFault::OtherAction).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::guarded_actions! { Read = "read"; }

    #[test]
    fn only_an_allow_of_the_very_action_is_a_proof() {
        let allow = |action: &str| Decision::bare(true, action);
        assert!(Allowed::<Read>::of(allow("read")).is_ok());
        assert!(matches!(Allowed::<Read>::of(allow("Read")), Err(Error::Protocol(_))));
        assert!(matches!(Allowed::<Read>::of(Decision::bare(false, "read")), Err(Error::Denied { .. })));
        let proof = |action| AllowedDynamic::of(allow(action), action).unwrap();
        assert_eq!(proof("read").use_for("read").unwrap().decision().action(), "read");
        assert!(matches!(Granted::of(Decision::bare(false, "read")), Err(Error::Denied { .. })));
        assert!(
            matches!(proof("read").use_for("write"), Err(Error::Denied { action, .. }) if action == "write")
        );
        assert!(AllowedDynamic::of(allow("read"), "write").is_err());
    }

    #[test]
    fn what_a_model_is_told() {
        let told = Decision::bare(false, "del\u{1b}ete")
            .because(Some("no\nright".into()), Some("aud_1".into()))
            .for_model();
        assert_eq!(told["allowed"], false);
        assert_eq!(told["audit_id"], "aud_1");
        assert!(told["instead"].as_str().unwrap().contains("Do not try"));
        assert!(!told.to_string().contains("\\u001b") && !told.to_string().contains("\\n"), "{told}");
        let told = Decision::bare(true, "read").for_model();
        assert_eq!(told, serde_json::json!({"allowed": true, "action": "read"}));
    }
}
