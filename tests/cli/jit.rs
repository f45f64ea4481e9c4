//! Permissions just in time on the command line.

use serde_json::Value;

use super::commands::service;

const READ: &str = r#"{"type":"file_access","actions":["read"],"identifier":"q3.pdf"}"#;
const DELETE: &str = r#"{"type":"file_access","actions":["delete"],"identifier":"q3.pdf"}"#;

#[test]
fn a_permission_is_asked_for_waited_for_and_its_token_printed() {
    let service = service();
    let (code, out, err) = service.run(&["jit", "request", "--details", READ, "--why", "to read it"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let read: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((read["status"].as_str(), read["risk"].as_str()), (Some("approved"), Some("low")));
    let id = read["request_id"].as_str().unwrap();
    // For something else than was asked for there is no token.
    let (code, out, err) = service.run(&["jit", "token", id, "--details", READ]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.len() > 20 && out.lines().count() == 1);

    let (code, out, _) = service.run(&["jit", "request", "--details", DELETE]);
    assert_eq!(code, 5);
    let delete: Value = serde_json::from_str(&out).unwrap();
    let id = delete["request_id"].as_str().unwrap();
    let (code, out, _) = service.run(&["jit", "status", id]);
    assert!(code == 5 && out.contains("pending"), "{code} {out}");
    let (code, out, _) = service.run(&["jit", "wait", id, "--details", DELETE, "--within", "0"]);
    assert!(matches!(code, 5 | 75), "{code} {out}");
    let (code, out, err) = service.run(&["jit", "token", id, "--details", DELETE]);
    assert_eq!((code, out.as_str()), (5, ""), "{err}");
    service.emulator.deny_permission(id, "not today").unwrap();
    let (code, out, _) = service.run(&["jit", "wait", id, "--details", DELETE]);
    assert!(code == 3 && out.contains("not today"), "{code} {out}");
    let (code, out, _) = service.run(&["jit", "token", id, "--details", DELETE]);
    assert_eq!((code, out.as_str()), (3, ""));
}

#[test]
fn a_token_for_something_else_is_not_printed() {
    let service = service();
    let (_, out, _) = service.run(&["jit", "request", "--details", READ, "--ttl", "300"]);
    let read: Value = serde_json::from_str(&out).unwrap();
    let (code, out, err) =
        service.run(&["jit", "token", read["request_id"].as_str().unwrap(), "--details", DELETE]);
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert!(err.contains("something else"), "{err}");
}

#[test]
fn wrong_details_are_told_before_anything_is_sent() {
    let service = service();
    for details in ["{}", "[]", "file_access", r#"{"type":"a","type":"b"}"#] {
        let (code, out, err) = service.run(&["jit", "request", "--details", details]);
        assert_eq!((code, out.as_str()), (2, ""), "{details}: {err}");
    }
    assert_eq!(service.emulator.count_all(), 0);
    for command in ["approve", "deny", "pending"] {
        assert_eq!(service.run(&["jit", command, "jit_1"]).0, 2, "there is no command for reviewers");
    }
}
