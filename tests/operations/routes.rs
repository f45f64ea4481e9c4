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
    for row in page.lines().filter_map(|line| line.strip_prefix("| `")) {
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
        assert!(what.len() > 5, "{name}: say why there is no operation");
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
    invalid_user_id attestation_rejected access_policy_denied";

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
