//! The pages that ask a person: consent and device.

use http::StatusCode;

use crate::emulator::state::grants::{Pending, What};
use crate::emulator::state::tenants::LiveTenant;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::html::{escape, html, problem};

/// What the consent page says of a request.
struct Shown<'a> {
    name: &'a str,
    id: &'a str,
    scopes: &'a [String],
    resources: &'a [String],
    back: &'a str,
    hint: Option<&'a str>,
}

/// Asks who agrees to what an agent wants.
pub(crate) fn consent(tenant: &LiveTenant, pending: &Pending) -> Answer {
    let shown = match &pending.what {
        What::Device => return problem("There is nothing to decide"),
        What::Client(asked) => {
            let agent = tenant.agent(&asked.client_id);
            Shown {
                name: agent.map_or(asked.client_id.as_str(), |agent| agent.seed.name.as_str()),
                id: &asked.client_id,
                scopes: &asked.scopes,
                resources: &asked.resources,
                back: &asked.redirect_uri,
                hint: asked.hint.as_deref(),
            }
        }
        What::Agent(asking) => {
            let asked = &asking.asked;
            let mut agents = tenant.seed.aauth_agents.iter();
            let agent = agents.find(|agent| agent.identifier == asked.agent);
            Shown {
                name: agent.and_then(|agent| agent.name.as_deref()).unwrap_or(&asked.agent),
                id: &asked.agent,
                scopes: &asked.scopes,
                resources: std::slice::from_ref(&asked.resource),
                back: asked.redirect_uri.as_deref().unwrap_or_default(),
                hint: asked.user.as_deref(),
            }
        }
    };
    let mut body = format!(
        "<p><strong>{}</strong> ({}) wants to act for you at {}.</p>\n",
        escape(shown.name),
        escape(shown.id),
        escape(&tenant.seed.name)
    );
    body.push_str(&list("It asks for:", shown.scopes));
    body.push_str(&list("At:", shown.resources));
    body.push_str(&format!("<p>You will go back to {}.</p>\n", escape(shown.back)));
    body.push_str(&form(tenant, pending, shown.hint, ""));
    html(StatusCode::OK, "Allow this agent?", &body)
}

/// Asks for the code that a device shows (RFC 8628 section 3.3).
pub(crate) fn device(tenant: &LiveTenant, pending: &Pending, user_code: &str) -> Answer {
    let field = format!(
        "<p><label for=\"user_code\">Code on the device</label> <input id=\"user_code\" name=\"user_code\" \
         value=\"{}\" autocomplete=\"off\" required></p>\n",
        escape(user_code)
    );
    let body = format!(
        "<p>Go on only if you hold the device and it shows this code.</p>\n{}",
        form(tenant, pending, None, &field)
    );
    html(StatusCode::OK, "Connect a device", &body)
}

/// The form goes to the page's own address.
fn form(tenant: &LiveTenant, pending: &Pending, hint: Option<&str>, fields: &str) -> String {
    let chosen = tenant
        .seed
        .users
        .iter()
        .position(|user| hint.is_some_and(|hint| user.name == hint || user.email.as_deref() == Some(hint)))
        .unwrap_or_default();
    let mut out = format!(
        "<form method=\"post\" action=\"?\">\n<input type=\"hidden\" name=\"request\" value=\"{}\">\n\
         <input type=\"hidden\" name=\"csrf\" value=\"{}\">\n{fields}<fieldset>\n<legend>You are</legend>\n",
        escape(&pending.id),
        escape(pending.csrf.expose())
    );
    for (index, user) in tenant.seed.users.iter().enumerate() {
        let checked = if index == chosen { " checked" } else { "" };
        out.push_str(&format!(
            "<p><input type=\"radio\" id=\"user{index}\" name=\"user\" value=\"{}\"{checked}> \
             <label for=\"user{index}\">{}</label></p>\n",
            escape(&user.name),
            escape(user.display.as_ref().unwrap_or(&user.name))
        ));
    }
    out.push_str(
        "</fieldset>\n<p><button name=\"decision\" value=\"approve\">Approve</button>\
         <button name=\"decision\" value=\"deny\">Deny</button></p>\n</form>\n",
    );
    out
}

fn list(title: &str, items: &[String]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let items: String = items.iter().map(|item| format!("<li>{}</li>\n", escape(item))).collect();
    format!("<p>{}</p>\n<ul>\n{items}</ul>\n", escape(title))
}
