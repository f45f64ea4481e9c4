//! The constants of routes against the project's own copy of the list of all routes, and the page that says what became of each.

use std::collections::BTreeMap;

use lumoauth::embed::{Route, operations::routes};
use lumoauth::{Layout, Site};
use serde_json::Value;

/// Every route of the list, by name.
fn listed() -> BTreeMap<String, Value> {
    let list: Vec<Value> = serde_json::from_str(include_str!("../vectors/routes.json")).unwrap();
    list.into_iter().map(|route| (route["name"].as_str().unwrap().to_owned(), route)).collect()
}

/// The path with its ids, whatever they are called.
fn shape(path: &str) -> String {
    let pieces = path.split('/').map(|piece| if piece.starts_with('{') { "{}" } else { piece });
    pieces.collect::<Vec<_>>().join("/")
}

/// Where a route is on a site of this layout, in the list's own words.
fn path(route: Route, layout: Layout, slug: &str) -> String {
    let site = Site::new("https://lumoauth.test", layout).unwrap();
    let path = site.url(route).path().replace("%7B", "{").replace("%7D", "}");
    shape(&path.replace("/slug/", &format!("/{{{slug}}}/")))
}

#[test]
fn every_constant_is_a_route_of_the_list() {
    let listed = listed();
    assert!(listed.len() > 100, "the list was not read");
    let mut wrong = Vec::new();
    for route in routes::all() {
        let Some(row) = listed.get(route.name()) else {
            wrong.push(format!("{} is not in the list", route.name()));
            continue;
        };
        let tenant = path(route, Layout::Tenant("slug".into()), "tenant");
        let organization = path(route, Layout::Organization("slug".into()), "org");
        let same = row["method"] == route.method().as_str()
            && shape(row["path_tenant"].as_str().unwrap_or_default()) == tenant
            && shape(row["path_org"].as_str().unwrap_or_default()) == organization;
        if !same {
            wrong.push(format!("{}: {} {tenant} {organization}; {row}", route.name(), route.method()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_page_says_of_every_route_what_became_of_it() {
    let page = include_str!("../../docs/coverage.md");
    let mut said = BTreeMap::new();
    let (_, rows) = page.split_once("\n## Routes\n").unwrap();
    for row in rows.lines().filter_map(|line| line.strip_prefix("| `")) {
        let mut cells = row.trim_end_matches('|').split(" | ").map(str::trim);
        let (name, what) = (cells.next().unwrap().trim_end_matches('`'), cells.last().unwrap());
        assert!(said.insert(name.to_owned(), what.to_owned()).is_none(), "{name} has two rows");
    }
    let constants: Vec<&str> = routes::all().map(Route::name).collect();
    for name in listed().keys() {
        let what = said.get(name).unwrap_or_else(|| panic!("{name} has no row in docs/coverage.md"));
        let is_operation = what.starts_with("operation");
        if cfg!(feature = "aauth") {
            assert_eq!(is_operation, constants.contains(&name.as_str()), "{name}: {what}");
        }
        let reason = what.strip_prefix("not yet: ").unwrap_or(what);
        assert!(is_operation || reason.len() > 12, "{name}: say why there is no operation");
    }
    // Where documentation has a route at another place as well, the page says so.
    let elsewhere =
        listed().into_iter().filter_map(|(name, row)| Some((name, row["also"].as_str()?.to_owned())));
    for (name, also) in elsewhere.collect::<Vec<_>>() {
        let place = also.strip_prefix("/t/{tenant}/api/v1/").unwrap().rsplit_once("/abac/").unwrap().0;
        assert!(said[&name].contains(&format!("`{place}/abac`")), "{name}: also at {also}");
    }
}

/// What the service says of itself: its capabilities, each in a word of its row.
const CAPABILITIES: [&str; 22] = [
    "AI access control",
    "capability scoping",
    "delegation",
    "Chain of Agency",
    "Ask API",
    "just-in-time",
    "approvals",
    "MCP servers",
    "RBAC",
    "ReBAC",
    "ABAC",
    "AuthZEN",
    "token vault",
    "OAuth 2.0",
    "OpenID Connect",
    "CIBA",
    "shared signals",
    "SSO",
    "passkeys",
    "multi-tenant",
    "SCIM",
    "error codes",
];

#[test]
fn every_capability_has_its_operations_an_example_or_a_reason_and_they_are_there() {
    let page = include_str!("../../docs/coverage.md");
    let (_, table) = page.split_once("\n## Capabilities\n").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows: Vec<Vec<&str>> = rows.skip(1).map(|row| row.split('|').map(str::trim).collect()).collect();
    let without: Vec<_> =
        CAPABILITIES.iter().filter(|own| !rows.iter().any(|row| row[0].contains(*own))).collect();
    assert!(without.is_empty(), "no row for {without:?}");
    let constants: Vec<&str> = routes::all().map(Route::name).collect();
    let listed = listed();
    for row in &rows {
        let [what, _, by] = row[..] else { panic!("{row:?} has not three cells") };
        if let Some(names) = by.strip_prefix("operations: ") {
            for name in names.split(", ").map(|name| name.trim_matches('`')) {
                assert!(listed.contains_key(name), "{what}: {name} is no route");
                let is_there =
                    constants.contains(&name) || (name.starts_with("aauth.") && !cfg!(feature = "aauth"));
                assert!(is_there, "{what}: {name} is no operation");
            }
        } else if let Some(link) = by.strip_prefix("example: [") {
            let (text, target) = link.split_once(']').unwrap();
            match target.strip_prefix("(#").and_then(|target| target.strip_suffix(')')) {
                Some(_) => {
                    let heading = format!("\n## {}{}\n", text[..1].to_uppercase(), &text[1..]);
                    let (_, section) =
                        page.split_once(&heading).unwrap_or_else(|| panic!("{what}: no {text}"));
                    let (section, _) = section.split_once("\n## ").unwrap_or((section, ""));
                    assert!(section.contains("```\n"), "{what}: {text} shows no code");
                }
                None => assert!(page.contains(&format!("\n[{text}]: ")), "{what}: no {text}"),
            }
        } else {
            let reason = by.strip_prefix("none: ").map_or(by == "not yet", |reason| reason.len() > 20);
            assert!(reason, "{what}: operations, an example, a reason or not yet, not {by:?}");
        }
    }
}

/// The codes that the service documents for OAuth, agents, exchanges, permissions, registration, REST, polls, discovery, AAuth,
/// approvals and the vault.
const CODES: &str = "invalid_request invalid_client invalid_grant unauthorized_client unsupported_grant_type invalid_scope \
    access_denied server_error temporarily_unavailable invalid_token insufficient_scope invalid_target \
    unsupported_token_type delegation_not_allowed budget_exceeded capability_denied workload_identity_failed \
    delegation_depth_exceeded MISSING_PERMISSION INVALID_PERMISSIONS MISSING_FIELDS ZANZIBAR_CHECK_FAILED CHECK_FAILED \
    LIST_FAILED INSUFFICIENT_PERMISSIONS SUBJECT_NOT_FOUND invalid_redirect_uri registration_not_allowed \
    invalid_client_metadata resource_not_found duplicate_resource validation_error rate_limit_exceeded tenant_not_found \
    permission_denied authorization_pending slow_down expired_token invalid_tenant not_applicable not_found \
    authorization_required authentication_required invalid_signature no_enrolled_device test_token_not_accepted \
    agent_token_required cross_tenant delegation_not_permitted agent_not_allowed connection_disabled connection_not_found \
    grant_not_found grant_revoked grant_expired refresh_failed rate_limited refresh_in_progress provider_unavailable \
    invalid_user_id attestation_rejected access_policy_denied too_many_requests unauthorized conflict invalid_json \
    missing_attestation_token";

#[test]
fn every_code_of_the_service_has_a_line_in_the_page_of_errors() {
    let page = include_str!("../../docs/errors.md");
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let listed = |code: &str| {
        let first = |row: &&str| row[2..].split(" | ").next().unwrap().contains(&format!("`{code}`"));
        rows.iter().any(first)
    };
    let missing: Vec<&str> = CODES.split_whitespace().filter(|code| !listed(code)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Codes of which the status says all that a person can do.
const PLAIN: &str = "forbidden too_many_requests rate_limit_exceeded rate_limited resource_not_found not_found duplicate_resource \
    validation_error invalid_request server_error temporarily_unavailable MISSING_PERMISSION INVALID_PERMISSIONS MISSING_FIELDS \
    invalid_redirect_uri invalid_client_metadata conflict unauthorized invalid_json missing_attestation_token";

/// The page's word on a code is no use to whoever sees the error alone: the advice has it too.
#[test]
fn every_code_of_the_page_has_advice_of_its_own_or_needs_none() {
    use lumoauth::http::{HeaderMap, StatusCode};
    let page = include_str!("../../docs/errors.md");
    let table =
        page.split("| code | status | when | what to do |").nth(1).unwrap().split("\n\n").next().unwrap();
    let advice = |code: &str, status: u16| {
        let body = format!(r#"{{"error":"{code}"}}"#);
        let status = StatusCode::from_u16(status).unwrap();
        let response = lumoauth::Response::new(status, HeaderMap::new(), body.as_bytes());
        response.error_for_status().unwrap_err().advice()
    };
    let (mut wrong, mut codes) = (Vec::new(), 0);
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let status = cells[1].split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
        for code in cells[0].split('`').skip(1).step_by(2) {
            let plain = PLAIN.split_whitespace().any(|plain| plain == code);
            let own = advice(code, status) != advice("never_heard_of", status);
            codes += 1;
            if own == plain {
                wrong.push(code);
            }
        }
    }
    assert!(codes > 50, "only {codes} codes were found");
    assert!(wrong.is_empty(), "{wrong:?}");
}
