//! The page, as a pure function of what it shows. Every text goes through [`escape`].

use super::views::{AgentView, AskView, Kind, RequestView, Snapshot, TokenView, WaitingView};
use crate::emulator::values::html::escape;

/// The whole page.
pub(super) fn page(snapshot: &Snapshot) -> String {
    let count = snapshot.waiting.len();
    let title = if count == 0 { String::new() } else { format!("({count}) ") };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}LumoAuth emulator</title>\n\
         <link rel=\"stylesheet\" href=\"style.css\">\n<link rel=\"icon\" href=\"data:,\">\n\
         <script src=\"script.js\" defer></script>\n\
         <noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>\n</head>\n<body>\n\
         {header}<main>\n{waiting}{agents}{asks}{tokens}{log}</main>\n</body>\n</html>\n",
        header = header(snapshot),
        waiting = waiting(&snapshot.waiting),
        agents = agents(snapshot),
        asks = asks(&snapshot.asks),
        tokens = tokens(&snapshot.tokens),
        log = log(&snapshot.log),
    )
}

fn header(snapshot: &Snapshot) -> String {
    format!(
        "<header id=\"head\" data-live>\n<h1>LumoAuth emulator</h1>\n<p class=\"facts\"><code>{base}</code> \
         <span><b>{agents}</b> {word}</span> <span><b>{requests}</b> requests</span> \
         <span>its clock: <time>{time}</time> UTC</span></p>\n\
         <p class=\"gone\" role=\"alert\">The emulator does not answer any more.</p>\n</header>\n",
        base = escape(&snapshot.base),
        agents = snapshot.agents_in_all,
        word = if snapshot.agents_in_all == 1 { "agent" } else { "agents" },
        requests = snapshot.requests,
        time = escape(&snapshot.time),
    )
}

/// A part of the page that is brought up to date by itself.
fn section(id: &str, title: &str, body: &str) -> String {
    format!(
        "<section id=\"{id}\" data-live aria-labelledby=\"{id}-title\">\n<h2 id=\"{id}-title\">{title}</h2>\n{body}</section>\n"
    )
}

fn none(text: &str) -> String {
    format!("<p class=\"none\">{text}</p>\n")
}

fn hidden(name: &str, value: &str) -> String {
    format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value))
}

fn waiting(rows: &[WaitingView]) -> String {
    if rows.is_empty() {
        return section("waiting", "Waits for a person", &none("Nothing waits."));
    }
    let body: String = rows.iter().map(waits).collect();
    section("waiting", "Waits for a person", &format!("<ul class=\"cards\">\n{body}</ul>\n"))
}

fn waits(row: &WaitingView) -> String {
    let (label, target) = match row.kind {
        // The browser goes on to whoever asked, so that is another window.
        Kind::Consent => ("Consent", " target=\"_blank\""),
        Kind::Device => ("Device", ""),
        Kind::Approval => ("Approval", ""),
        Kind::Permission => ("Permission", ""),
    };
    let details: String = row
        .details
        .iter()
        .map(|(name, value)| format!("<div><dt>{name}</dt><dd>{}</dd></div>", escape(value)))
        .collect();
    let users: String = row
        .users
        .iter()
        .map(|(name, shown)| format!("<option value=\"{}\">{}</option>", escape(name), escape(shown)))
        .collect();
    let users = if users.is_empty() {
        String::new()
    } else {
        format!("<label>as <select name=\"user\">{users}</select></label>")
    };
    format!(
        "<li class=\"card {word}\">\n<p><span class=\"kind\">{label}</span> <span class=\"left\">{left} s left</span></p>\n\
         <p class=\"what\"><b>{agent}</b> <span>{what}</span></p>\n<dl>{details}</dl>\n\
         <form method=\"post\" action=\"do\"{target}>{kind}{it}{users}\
         <button class=\"yes\" name=\"do\" value=\"approve\">Approve</button>\
         <button class=\"no\" name=\"do\" value=\"deny\">Deny</button></form>\n</li>\n",
        word = row.kind.word(),
        left = row.left,
        agent = escape(&row.agent),
        what = escape(&row.what),
        kind = hidden("kind", row.kind.word()),
        it = hidden("it", &row.handle),
    )
}

fn agents(snapshot: &Snapshot) -> String {
    let mut body = String::new();
    if snapshot.agents_in_all > snapshot.agents.len() || !snapshot.wanted.is_empty() {
        body.push_str(&format!(
            "<form class=\"find\" method=\"get\" action=\"./\"><label>Name or id <input name=\"agent\" value=\"{}\" \
             maxlength=\"256\"></label><button>Find</button> <span>{} of {} shown</span></form>\n",
            escape(&snapshot.wanted),
            snapshot.agents.len(),
            snapshot.agents_in_all
        ));
    }
    body.push_str("<ul class=\"cards\">\n");
    body.extend(snapshot.agents.iter().map(agent));
    body.push_str("</ul>\n");
    section("agents", "Agents", &body)
}

fn agent(agent: &AgentView) -> String {
    let chip = |(shown, whole): &(String, Option<String>)| {
        let take = agent.whole.as_ref().zip(whole.as_ref()).map(|(id, capability)| {
            format!(
                "<form method=\"post\" action=\"do\">{}{}<button name=\"do\" value=\"take\" \
                 aria-label=\"Take {} away\" title=\"Take away\">×</button></form>",
                hidden("client_id", id),
                hidden("capability", capability),
                escape(shown)
            )
        });
        format!("<li><code>{}</code>{}</li>", escape(shown), take.unwrap_or_default())
    };
    let mut chips: String = agent.capabilities.iter().map(chip).collect();
    if agent.more_capabilities > 0 {
        chips.push_str(&format!("<li class=\"none\">and {} more</li>", agent.more_capabilities));
    }
    let chips =
        if chips.is_empty() { none("No capability.") } else { format!("<ul class=\"chips\">{chips}</ul>\n") };
    let give = agent.whole.as_ref().map(|id| {
        format!(
            "<form class=\"give\" method=\"post\" action=\"do\">{}<label><span class=\"quiet\">Capability</span> \
             <input name=\"capability\" placeholder=\"document.read\" maxlength=\"256\" required autocomplete=\"off\" \
             spellcheck=\"false\"></label><button name=\"do\" value=\"give\">Give</button></form>\n",
            hidden("client_id", id)
        )
    });
    let used = |(what, used, limit): &(&'static str, u64, Option<u64>)| match limit {
        Some(limit) => format!(
            "<p class=\"budget\"><span>{what}: {used} of {limit}</span> <meter min=\"0\" max=\"{limit}\" value=\"{used}\">\
             {used} of {limit}</meter></p>\n"
        ),
        None => format!("<p class=\"budget\"><span>{what}: {used}</span></p>\n"),
    };
    format!(
        "<li class=\"card\">\n<p class=\"what\"><b>{name}</b> <code>{id}</code> <span class=\"left\">{tenant}</span>{over}</p>\n\
         {chips}{budget}{give}</li>\n",
        name = escape(&agent.name),
        id = escape(&agent.client_id),
        tenant = escape(&agent.tenant),
        over = if agent.exhausted { " <span class=\"no\">budget used up</span>" } else { "" },
        budget = agent.budget.iter().map(used).collect::<String>(),
        give = give.unwrap_or_default(),
    )
}

/// A table whose cells name their columns, for narrow windows.
fn table<T>(heads: &[&str], rows: &[T], cells: impl Fn(&T) -> Vec<String>) -> String {
    let head: String = heads.iter().map(|head| format!("<th scope=\"col\">{head}</th>")).collect();
    let row = |row: &T| {
        let cells = cells(row);
        let cells = heads
            .iter()
            .zip(&cells)
            .map(|(head, cell)| format!("<td data-head=\"{head}\"><div>{cell}</div></td>"));
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    };
    let rows: String = rows.iter().map(row).collect();
    format!("<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n")
}

fn asks(rows: &[AskView]) -> String {
    if rows.is_empty() {
        return section("asks", "Last asks", &none("No agent has asked yet."));
    }
    let cells = |row: &AskView| {
        let (word, class) = if row.allowed { ("allowed", "yes") } else { ("denied", "no") };
        let give = row.give.as_ref().map(|(id, action)| {
            format!(
                " <form method=\"post\" action=\"do\">{}{}<button name=\"do\" value=\"give\" \
                 aria-label=\"Give {} the capability {}\">Give</button></form>",
                hidden("client_id", id),
                hidden("capability", action),
                escape(&row.client_id),
                escape(&row.action)
            )
        });
        let ordered = if row.ordered { " <span class=\"left\">by order of the seed</span>" } else { "" };
        vec![
            escape(&row.time),
            escape(&row.client_id),
            format!("<code>{}</code>", escape(&row.action)),
            format!("<span class=\"{class}\">{word}</span>{}", give.unwrap_or_default()),
            format!("{}{ordered}", escape(&row.reason)),
            format!("<code>{}</code>", escape(&row.audit_id)),
        ]
    };
    section(
        "asks",
        "Last asks",
        &table(&["Time", "Agent", "Action", "Decision", "Reason", "Audit id"], rows, cells),
    )
}

fn tokens(rows: &[TokenView]) -> String {
    if rows.is_empty() {
        return section("tokens", "Tokens", &none("No token is good now."));
    }
    let cells = |row: &TokenView| {
        vec![
            row.kind.to_owned(),
            format!("<code>{}</code>", escape(&row.thumbprint)),
            escape(&row.client_id),
            escape(&row.subject),
            escape(&row.scopes),
            escape(&row.audience),
            format!("{} s", row.left),
        ]
    };
    let note = "<p class=\"none\">A thumbprint is the start of the token's SHA-256.</p>\n";
    let heads = ["Kind", "Thumbprint", "Agent", "Subject", "Scopes", "For", "Left"];
    section("tokens", "Newest tokens", &format!("{}{note}", table(&heads, rows, cells)))
}

fn log(rows: &[RequestView]) -> String {
    if rows.is_empty() {
        return section("log", "Last requests", &none("No request has come yet."));
    }
    let cells = |row: &RequestView| {
        let class = if row.status < 400 { "yes" } else { "no" };
        vec![
            escape(&row.time),
            format!("<span class=\"{class}\">{}</span>", row.status),
            escape(&row.method),
            format!("<code>{}</code>", escape(row.route)),
            escape(&row.client_id),
        ]
    };
    section("log", "Last requests", &table(&["Time", "Status", "Method", "Route", "Agent"], rows, cells))
}
