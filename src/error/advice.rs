//! What to do about an error, in one sentence.

use super::{
    ApiError, ApprovalError, ConsentError, Error, PermissionError, ProtocolFault, Sent, TransportFault,
};

impl Error {
    /// What to do about it. Never contains anything the service or the caller wrote.
    pub fn advice(&self) -> &'static str {
        match self {
            Error::Config(_) => "Correct the setting; nothing was sent.",
            Error::Input(_) => "Correct the argument; the request was not sent.",
            Error::Approval(error) => approval(error),
            Error::Call(_) => {
                "Write the arguments so that every program reads the same in them; nobody was asked."
            }
            Error::Protocol(error) if matches!(error.fault(), ProtocolFault::UnusableToken { .. }) => {
                "Check how the service issues tokens to this agent: their type and their lifetime."
            }
            Error::Protocol(error)
                if matches!(error.fault(), ProtocolFault::OtherAction | ProtocolFault::Cached) =>
            {
                "Something between here and the service mixes up answers: do not act, and look for a proxy or cache."
            }
            Error::Protocol(error) if matches!(error.fault(), ProtocolFault::Misfit { .. }) => {
                "Read the answer into a type that fits it; if the answer is a surprise, see who answers in the service's place."
            }
            Error::Protocol(error) if matches!(error.fault(), ProtocolFault::Other(_)) => {
                "See what the message says is wrong with the answer."
            }
            Error::Protocol(_) => {
                "Check that the base URL and the tenant point at LumoAuth and that no proxy answers in its place."
            }
            Error::Store(error) if error.is_full() => "Make room in the store: nothing was changed.",
            Error::Store(error) if error.is_corrupt() => {
                "Look after what the store holds: it is damaged, or was written by something else or with another key."
            }
            Error::Store(_) => "Look after the store; what was to be saved may be saved or not.",
            Error::NotSaved { .. } => {
                "Look after the store and call again for the session; if the program ends before, save or revoke the tokens."
            }
            Error::Workload(_) => {
                "Check the file or the source that the workload token comes from: its path, its permissions, its content."
            }
            Error::Signer(_) => "Give the client the signer of its key, and look after where the key lives.",
            Error::Consent(ConsentError::Needed) => {
                "Send the user to a new consent URL (consent_url), and hand what comes back to handle_callback_url."
            }
            Error::Consent(ConsentError::NoUrl) => {
                "Give it what the browser came back with, from https:// to the end."
            }
            Error::Consent(ConsentError::Refused { .. }) => {
                "The person, or the service, said no: do not ask again at once, and for less if at all."
            }
            Error::Consent(_) => {
                "Use nothing of the answer: start the consent anew with a new consent URL (consent_url)."
            }
            Error::Denied { .. } => {
                "The decision is final for now: grant the capability, ask for it just in time, or do something else."
            }
            Error::Cancelled => "Nothing is wrong: the program ended the call itself.",
            Error::Permission(PermissionError::Pending { .. }) => "Go on waiting, by the request's id.",
            Error::Permission(PermissionError::Expired { .. }) => "Make a new request if it is still needed.",
            Error::Permission(PermissionError::Denied { .. }) => {
                "Do not act: do something else, or ask a person."
            }
            Error::Permission(PermissionError::OtherDetails { .. }) => {
                "Do not act: look at what the service grants, and end the task, which revokes the token."
            }
            Error::DeadlineExceeded { .. } => {
                "Try again later, or give the call a longer deadline if the service is known to be slow."
            }
            Error::OutcomeUnknown { .. } => {
                "Find out at the service whether it took effect before doing it again."
            }
            Error::Transport(error) => match (error.fault(), error.sent()) {
                (TransportFault::Name, _) => {
                    "Check the host in the base URL and this machine's name service."
                }
                (TransportFault::Connect, _) => "Check the network, the port, and whether a proxy is needed.",
                (TransportFault::Tls, _) => {
                    "Check the host and the clock; behind a company proxy, add its root certificate."
                }
                (TransportFault::TooLarge, _) => {
                    "Raise the limit of this request if the answer is yours to trust."
                }
                (TransportFault::Refused, _) => {
                    "See the message: such a request is never sent. Plain http is for addresses of this machine."
                }
                (_, Sent::NotSent) => "Try again; nothing was sent.",
                (_, Sent::Unknown) => "Try again if the operation may run twice.",
            },
            Error::Api(api) if api.is_budget_exceeded() => {
                "The agent's budget is used up: raise it, or wait for its next period."
            }
            Error::Api(api) => of_code(api).unwrap_or_else(|| match api.status() {
                400 | 422 => "Correct the request as the description says.",
                401 => "Authenticate anew; if it persists, check the credentials and the tenant.",
                403 => "Ask for the missing permission, or for a token with the required scopes.",
                404 => "Check the path, the id and the tenant.",
                408 => "Try again later.",
                409 => "The thing exists already or has changed: read it back.",
                429 => "Wait as long as retry_after says, then try again.",
                500..=599 => {
                    "Try again later; if it persists, report it to LumoAuth with the time and the operation."
                }
                _ => "See the code and the description.",
            }),
        }
    }
}

/// The codes that the service documents and that say more than their status does.
const CODES: &[(&[&str], &str)] = &[
    (
        &["invalid_client", "unauthorized_client"],
        "Check the client id and secret, and that the agent is active in this tenant.",
    ),
    (&["invalid_scope", "insufficient_scope"], "Ask for scopes that the agent is registered for."),
    (&["invalid_tenant", "tenant_not_found"], "Check the tenant's slug and the base URL."),
    (&["invalid_grant"], "Begin the consent anew; if it is the agent's own token, check the credentials."),
    (&["unsupported_grant_type"], "Allow this grant to the client at the service."),
    (
        &["invalid_token"],
        "Check that the token is of this tenant, and that nobody suspended whom it belongs to.",
    ),
    (
        &["permission_denied", "capability_denied", "INSUFFICIENT_PERMISSIONS"],
        "Grant the permission or capability at the service, or ask for it just in time.",
    ),
    (
        &["access_denied"],
        "Do not act: a person or a policy said no. Ask for something else, or talk to them.",
    ),
    (
        &["invalid_target"],
        "Check the resource's URI, and that it is registered at the service for this client.",
    ),
    (
        &["unsupported_token_type"],
        "Name another type of token: this one is not traded, or not revoked, here.",
    ),
    (&["delegation_not_allowed"], "Give the agent the capability delegate:on_behalf at the service."),
    (&["delegation_depth_exceeded"], "Do it in the last agent: the chain is as long as it may be."),
    (
        &["workload_identity_failed", "attestation_rejected"],
        "Compare the issuer, subject and audience of the platform's token with the agent's workload at the service.",
    ),
    (&["access_policy_denied"], "Change the policy at the service that keeps this workload out."),
    (
        &["ZANZIBAR_CHECK_FAILED"],
        "Write objects and subjects as type:id; a subject may go on with #relation.",
    ),
    (&["CHECK_FAILED", "LIST_FAILED"], "Do not act: what is not known is not allowed. Try again later."),
    (&["SUBJECT_NOT_FOUND"], "Check the subject's id, and whether it is a user or an agent."),
    (&["registration_not_allowed"], "Register the client at the service itself."),
    (&["authorization_pending", "slow_down"], "Go on polling, more slowly: the person has not decided yet."),
    (&["expired_token"], "Begin the login on the device anew."),
    (&["not_applicable"], "Call the MCP server without a token: it is not protected by OAuth."),
    (&["authorization_required"], "Send the person to the consent's URL."),
    (
        &["authentication_required"],
        "Check the agent's key and its agent token: nobody known signed the request.",
    ),
    (&["invalid_signature"], "Check the key, its id, and this machine's clock."),
    (&["no_enrolled_device"], "Have the person enrol a device, or ask somebody else."),
    (
        &["test_token_not_accepted", "agent_token_required", "cross_tenant"],
        "Use the agent's own token, of this tenant.",
    ),
    (
        &["agent_not_allowed", "delegation_not_permitted", "connection_disabled"],
        "Change the connection at the service so that this agent may have its token.",
    ),
    (
        &["connection_not_found", "grant_not_found"],
        "Check the connection's id and the user, and have the user link the account.",
    ),
    (&["grant_revoked", "grant_expired", "refresh_failed"], "Have the user link the account again."),
    (
        &["refresh_in_progress", "provider_unavailable"],
        "Try again later: the vault waits for the other service.",
    ),
    (&["invalid_user_id"], "Give the user's id or mail address."),
];

fn of_code(api: &ApiError) -> Option<&'static str> {
    let (_, advice) = CODES.iter().find(|(codes, _)| codes.iter().any(|code| api.has_code(code)))?;
    Some(advice)
}

fn approval(error: &ApprovalError) -> &'static str {
    match error {
        ApprovalError::Denied { .. } => "Do not act: do something else, or talk to the person.",
        ApprovalError::Expired { .. } => "Ask anew if it is still needed.",
        ApprovalError::TimedOut { .. } => "Go on waiting, from the text of the approval.",
        ApprovalError::NotDelivered { .. } => {
            "Do not act: have the person enrol a device, or ask somebody else."
        }
        ApprovalError::OtherCall { .. } => "Do not act: ask anew for the call that is to run now.",
        ApprovalError::AlreadyRan { .. } => "Nothing is left to do: ask anew if it is to run again.",
        ApprovalError::OutcomeUnknown { .. } => "Look at what the call was to do before you ask anew.",
        ApprovalError::NotHere => {
            "Run it in the process that asked, or give the store that it was asked with."
        }
        ApprovalError::NotOfACall => "Ask with Approval::for_call, so that what runs is what was shown.",
    }
}
