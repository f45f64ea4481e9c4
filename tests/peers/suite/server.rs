//! An MCP server made with rmcp that has what the conformance suite asks for: its tools, resources and prompts, with the answers that its
//! scenarios describe.

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, CompleteRequestParams,
    CompleteResult, ErrorCode, GetPromptRequestParams, GetPromptResponse, GetPromptResult,
    InputRequiredResult, InputResponses, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListToolsResult, PaginatedRequestParams, ProgressNotificationParam, ReadResourceRequestParams,
    ReadResourceResponse, ReadResourceResult, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

type Context = RequestContext<RoleServer>;

/// One red pixel.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
/// A sound without samples.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";
/// What a client must bring back as it was: nobody can guess it, and nothing is read out of it.
const STATES: [&str; 2] = ["first-5b1f0c0e8f7a4a0b", "second-77a2c9d41e6b4c55"];

const TOOLS: [&str; 20] = [
    "test_simple_text",
    "test_image_content",
    "test_audio_content",
    "test_embedded_resource",
    "test_multiple_content_types",
    "test_error_handling",
    "test_tool_with_progress",
    "test_logging_tool",
    "test_missing_capability",
    "test_streaming_elicitation",
    "test_input_required_result_elicitation",
    "test_input_required_result_sampling",
    "test_input_required_result_list_roots",
    "test_input_required_result_request_state",
    "test_input_required_result_multiple_inputs",
    "test_input_required_result_multi_round",
    "test_input_required_result_tampered_state",
    "test_input_required_result_capabilities",
    "test_custom_headers",
    "json_schema_2020_12_tool",
];

/// The server; it has no state.
#[derive(Clone)]
pub struct SuiteServer;

fn read<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value).map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

/// A result that needs nothing more.
fn complete<T: DeserializeOwned>(mut result: Value) -> Result<T, ErrorData> {
    result["resultType"] = json!("complete");
    read(result)
}

/// The same with how long it may be kept.
fn kept<T: DeserializeOwned>(mut result: Value) -> Result<T, ErrorData> {
    result["ttlMs"] = json!(60_000);
    result["cacheScope"] = json!("private");
    complete(result)
}

fn said(content: Value) -> Result<CallToolResponse, ErrorData> {
    complete::<CallToolResult>(json!({"content": content})).map(CallToolResponse::Complete)
}

/// What a tool takes. Two of them take something that a guard must not change on its way.
fn schema(tool: &str) -> Value {
    match tool {
        "test_custom_headers" => json!({
            "type": "object", "required": ["region"],
            "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
        }),
        "json_schema_2020_12_tool" => json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "additionalProperties": false,
            "$defs": {"place": {"$anchor": "place", "type": "object", "properties": {"city": {"type": "string"}}}},
            "properties": {
                "by": {"enum": ["phone", "mail"]}, "phone": {"type": "string"}, "mail": {"type": "string"},
                "home": {"$ref": "#/$defs/place"},
            },
            "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["mail"]}]}],
            "if": {"properties": {"by": {"const": "phone"}}, "required": ["by"]},
            "then": {"required": ["phone"]}, "else": {"required": ["mail"]},
        }),
        _ => json!({"type": "object"}),
    }
}

fn tool(name: &str) -> Value {
    json!({"name": name, "description": "A tool of the suite", "inputSchema": schema(name)})
}

fn text(text: &str) -> Result<CallToolResponse, ErrorData> {
    said(json!([{"type": "text", "text": text}]))
}

/// Questions for the client, by their names.
fn asked(questions: &Value, state: Option<&str>) -> Result<InputRequiredResult, ErrorData> {
    let mut result = json!({"resultType": "input_required", "inputRequests": questions});
    if let Some(state) = state {
        result["requestState"] = json!(state);
    }
    read(result)
}

fn ask(questions: &Value, state: Option<&str>) -> Result<CallToolResponse, ErrorData> {
    asked(questions, state).map(CallToolResponse::InputRequired)
}

/// A form with one field.
fn form(message: &str, field: &str, kind: &str) -> Value {
    json!({"method": "elicitation/create", "params": {
        "mode": "form", "message": message,
        "requestedSchema": {"type": "object", "properties": {field: {"type": kind}}, "required": [field]},
    }})
}

fn sampling(prompt: &str, tokens: u32) -> Value {
    json!({"method": "sampling/createMessage", "params": {
        "messages": [{"role": "user", "content": {"type": "text", "text": prompt}}], "maxTokens": tokens,
    }})
}

fn roots() -> Value {
    json!({"method": "roots/list", "params": {}})
}

/// What a person wrote into a field of a form, if it was sent.
fn field<'a>(answers: Option<&'a InputResponses>, question: &str, field: &str) -> Option<&'a Value> {
    answers?.get(question)?.get("content")?.get(field)
}

/// The state must be one of ours, if it came back.
fn state(brought: Option<&str>) -> Result<Option<&str>, ErrorData> {
    match brought {
        Some(other) if !STATES.contains(&other) => {
            Err(ErrorData::invalid_params("this state was not given out here", None))
        }
        state => Ok(state),
    }
}

fn needs(capability: &str) -> ErrorData {
    let missing = json!({"requiredCapabilities": {capability: {}}});
    ErrorData::new(
        ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY,
        format!("the client has no {capability}"),
        Some(missing),
    )
}

impl SuiteServer {
    async fn plain(&self, name: &str, context: &Context) -> Option<Result<CallToolResponse, ErrorData>> {
        let resource = |uri: &str, kind: &str, text: &str| json!({"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": text}});
        Some(match name {
            "test_simple_text" => text("This is a simple text response for testing."),
            "test_image_content" => said(json!([{"type": "image", "data": PNG, "mimeType": "image/png"}])),
            "test_audio_content" => said(json!([{"type": "audio", "data": WAV, "mimeType": "audio/wav"}])),
            "test_embedded_resource" => said(json!([resource(
                "test://embedded-resource",
                "text/plain",
                "This is an embedded resource content."
            )])),
            "test_multiple_content_types" => said(json!([
                {"type": "text", "text": "Multiple content types test:"},
                {"type": "image", "data": PNG, "mimeType": "image/png"},
                resource("test://mixed-content-resource", "application/json", r#"{"test":"data","value":123}"#),
            ])),
            "test_error_handling" => {
                let content =
                    json!([{"type": "text", "text": "This tool intentionally returns an error for testing"}]);
                complete::<CallToolResult>(json!({"isError": true, "content": content}))
                    .map(CallToolResponse::Complete)
            }
            "test_tool_with_progress" => {
                for progress in [0, 50, 100] {
                    let Some(token) = context.meta.get_progress_token() else { break };
                    let told = json!({"progressToken": token, "progress": progress, "total": 100});
                    match read::<ProgressNotificationParam>(told) {
                        Ok(told) => drop(context.peer.notify_progress(told).await),
                        Err(error) => return Some(Err(error)),
                    }
                }
                text("done")
            }
            "test_logging_tool" | "test_custom_headers" | "json_schema_2020_12_tool" => text("done"),
            _ => return None,
        })
    }

    fn with_questions(
        &self,
        request: &CallToolRequestParams,
        can: &ClientCapabilities,
    ) -> Result<CallToolResponse, ErrorData> {
        let answers = request.input_responses.as_ref();
        let state = state(request.request_state.as_deref())?;
        let name = form("What is your name?", "name", "string");
        let confirm = json!({"confirm": form("Please confirm", "ok", "boolean")});
        match &*request.name {
            "test_missing_capability" if can.sampling.is_none() => Err(needs("sampling")),
            "test_streaming_elicitation" if can.elicitation.is_none() => Err(needs("elicitation")),
            "test_missing_capability" => text("the client can sample"),
            "test_streaming_elicitation" => ask(&json!({"user_name": name}), None),
            "test_input_required_result_elicitation" => {
                match field(answers, "user_name", "name").and_then(Value::as_str) {
                    Some(name) => text(&format!("Hello, {name}!")),
                    None => ask(&json!({"user_name": name}), None),
                }
            }
            "test_input_required_result_sampling" => {
                match answers.and_then(|all| all.get("capital_question")) {
                    Some(answer) => text(&format!("The answer is: {}", answer["content"]["text"])),
                    None => ask(
                        &json!({"capital_question": sampling("What is the capital of France?", 100)}),
                        None,
                    ),
                }
            }
            "test_input_required_result_list_roots" => {
                match answers.and_then(|all| all.get("client_roots")) {
                    Some(answer) => text(&format!("The roots are: {}", answer["roots"])),
                    None => ask(&json!({"client_roots": roots()}), None),
                }
            }
            "test_input_required_result_request_state" | "test_input_required_result_tampered_state" => {
                match (field(answers, "confirm", "ok"), state) {
                    (Some(_), Some(_)) => text("state-ok"),
                    _ => ask(&confirm, Some(STATES[0])),
                }
            }
            "test_input_required_result_multiple_inputs" => {
                let questions = json!({
                    "user_name": name, "greeting": sampling("Generate a greeting", 50), "client_roots": roots(),
                });
                let has_all = ["user_name", "greeting", "client_roots"]
                    .iter()
                    .all(|name| answers.is_some_and(|all| all.contains_key(*name)));
                if has_all && state.is_some() {
                    return text("all inputs have come");
                }
                ask(&questions, Some(STATES[0]))
            }
            "test_input_required_result_multi_round" => {
                let first = json!({"step1": form("Step 1: What is your name?", "name", "string")});
                let second =
                    json!({"step2": form("Step 2: What is your favorite color?", "color", "string")});
                if field(answers, "step2", "color").is_some() && state == Some(STATES[1]) {
                    text("both steps were taken")
                } else if field(answers, "step1", "name").is_some() && state == Some(STATES[0]) {
                    ask(&second, Some(STATES[1]))
                } else {
                    ask(&first, Some(STATES[0]))
                }
            }
            "test_input_required_result_capabilities" => {
                let mut questions = json!({});
                if can.sampling.is_some() {
                    questions["greeting"] = sampling("Generate a greeting", 50);
                }
                if can.elicitation.is_some() {
                    questions["user_name"] = name;
                }
                ask(&questions, Some(STATES[0]))
            }
            other => Err(ErrorData::invalid_params(format!("there is no tool {other:?}"), None)),
        }
    }
}

impl ServerHandler for SuiteServer {
    fn get_info(&self) -> ServerConfig {
        let capabilities = json!({"tools": {}, "prompts": {}, "resources": {}, "completions": {}});
        ServerConfig::new(serde_json::from_value(capabilities).unwrap())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListToolsResult, ErrorData> {
        kept(json!({"tools": TOOLS.map(tool)}))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        TOOLS.contains(&name).then(|| serde_json::from_value(tool(name)).unwrap())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        match self.plain(&request.name, &context).await {
            Some(answer) => answer,
            None => self.with_questions(&request, &context.client_capabilities().unwrap_or_default()),
        }
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListResourcesResult, ErrorData> {
        let resource =
            |uri, kind| json!({"uri": uri, "name": uri, "description": "A resource", "mimeType": kind});
        let resources =
            [resource("test://static-text", "text/plain"), resource("test://static-binary", "image/png")];
        kept(json!({"resources": resources}))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let template = json!({"uriTemplate": "test://template/{id}/data", "name": "data", "description": "By id", "mimeType": "application/json"});
        kept(json!({"resourceTemplates": [template]}))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = &request.uri;
        let id = uri.strip_prefix("test://template/").and_then(|rest| rest.strip_suffix("/data"));
        let contents = match (uri.as_str(), id) {
            ("test://static-text", _) => {
                json!({"uri": uri, "mimeType": "text/plain", "text": "This is the content of the static text resource."})
            }
            ("test://static-binary", _) => json!({"uri": uri, "mimeType": "image/png", "blob": PNG}),
            (_, Some(id)) => {
                let data = json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
                json!({"uri": uri, "mimeType": "application/json", "text": data.to_string()})
            }
            _ => return Err(ErrorData::invalid_params("Resource not found", Some(json!({"uri": uri})))),
        };
        kept::<ReadResourceResult>(json!({"contents": [contents]})).map(ReadResourceResponse::Complete)
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListPromptsResult, ErrorData> {
        let prompt = |name: &str, arguments: &[&str]| {
            let argument = |name: &&str| json!({"name": name, "description": "Text", "required": true});
            let arguments: Vec<Value> = arguments.iter().map(argument).collect();
            json!({"name": name, "description": "A prompt of the suite", "arguments": arguments})
        };
        let prompts = [
            prompt("test_simple_prompt", &[]),
            prompt("test_prompt_with_arguments", &["arg1", "arg2"]),
            prompt("test_prompt_with_embedded_resource", &["resourceUri"]),
            prompt("test_prompt_with_image", &[]),
            prompt("test_input_required_result_prompt", &[]),
        ];
        kept(json!({"prompts": prompts}))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        let given = |name: &str| {
            let arguments = request.arguments.as_ref();
            arguments.and_then(|all| all.get(name)).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let text = |text: &str| json!({"type": "text", "text": text});
        let contents = match request.name.as_str() {
            "test_simple_prompt" => vec![text("This is a simple prompt for testing.")],
            "test_prompt_with_arguments" => {
                let (one, two) = (given("arg1"), given("arg2"));
                vec![text(&format!("Prompt with arguments: arg1='{one}', arg2='{two}'"))]
            }
            "test_prompt_with_embedded_resource" => vec![
                json!({"type": "resource", "resource": {
                    "uri": given("resourceUri"), "mimeType": "text/plain", "text": "Embedded resource content for testing.",
                }}),
                text("Please process the embedded resource above."),
            ],
            "test_prompt_with_image" => vec![
                json!({"type": "image", "data": PNG, "mimeType": "image/png"}),
                text("Please analyze the image above."),
            ],
            "test_input_required_result_prompt" => {
                match field(request.input_responses.as_ref(), "user_context", "context") {
                    Some(context) => vec![text(&format!("With this context: {context}"))],
                    None => {
                        let question = form("What context should the prompt use?", "context", "string");
                        let questions = json!({"user_context": question});
                        return asked(&questions, None).map(GetPromptResponse::InputRequired);
                    }
                }
            }
            other => return Err(ErrorData::invalid_params(format!("there is no prompt {other:?}"), None)),
        };
        let messages: Vec<Value> =
            contents.into_iter().map(|content| json!({"role": "user", "content": content})).collect();
        complete::<GetPromptResult>(json!({"messages": messages})).map(GetPromptResponse::Complete)
    }

    async fn complete(&self, _: CompleteRequestParams, _: Context) -> Result<CompleteResult, ErrorData> {
        complete(json!({"completion": {"values": ["paris", "park", "party"], "total": 3, "hasMore": false}}))
    }
}
