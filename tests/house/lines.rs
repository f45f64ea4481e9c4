//! How much the author of a service writes: the lines between the marks of the examples, blank ones not counted.

use super::root;

/// The quickstart's app in Python with FastAPI, imports left out on both sides: agent, the dependency that asks, and two routes.
const FASTAPI: &str = r#"
app = FastAPI()
agent = LumoAuthAgent()
def check_permission(action: str):
    def check():
        agent.ensure_authenticated()
        if not agent.is_allowed(action):
            raise HTTPException(status_code=403, detail="Forbidden")
    return check
@app.get("/api/documents", dependencies=[Depends(check_permission("read_documents"))])
def list_documents():
    return {"documents": ["doc-1", "doc-2", "doc-3"]}
@app.delete("/api/documents/{id}", dependencies=[Depends(check_permission("delete_documents"))])
def delete_document(id: str):
    return {"deleted": id}
"#;

fn lines(text: &str) -> usize {
    text.lines().filter(|line| !line.trim().is_empty()).count()
}

/// What stands between the marks.
fn written(example: &str) -> usize {
    let text = std::fs::read_to_string(root().join("examples").join(example)).unwrap();
    let (_, rest) = text.split_once("from here ...\n").unwrap();
    let (written, _) = rest.split_once("// ... to here.").unwrap();
    lines(written)
}

#[test]
fn a_service_takes_no_more_lines_than_in_python() {
    let (ours, theirs) = (written("web.rs"), lines(FASTAPI));
    println!("the quickstart's app: {ours} lines, with FastAPI {theirs}");
    assert!(ours > 5 && ours <= theirs);
}

#[test]
fn the_guard_of_an_mcp_server_takes_ten_lines_at_most() {
    let ours = written("mcp_server.rs");
    println!("a protected MCP server with two rules: {ours} lines beside rmcp's own");
    assert!(ours > 3 && ours <= 10);
}

#[test]
fn the_page_shows_the_service_for_actix_that_is_compiled() {
    let read = |file: &str| std::fs::read_to_string(root().join(file)).unwrap();
    let (page, code) = (read("docs/web.md"), read("tests/actix/src/app.rs"));
    let (_, block) = page.split_once("The same with actix-web").unwrap();
    let (block, _) = block.split_once("```text\n").unwrap().1.split_once("```\n").unwrap();
    let (_, code) = code.split_once("\n\n").unwrap();
    assert_eq!(block, code, "docs/web.md and tests/actix/src/app.rs");
    println!("the service for actix-web: {} lines", lines(code));
}
