//! The Ask API.

use lumoauth::Ask;
use lumoauth::embed::operations::routes;
use serde_json::json;

use super::harness::Folder;

pub const FOLDERS: &[Folder] = &[Folder {
    name: routes::ASK.name(),
    replay: |vector| {
        vector.replay(
            |input| {
                let ask = match input.optional("question") {
                    Some(question) => Ask::question(question),
                    None => Ask::new(input.text("action")),
                };
                Ok(ask.context(input.value("context")))
            },
            |decision| json!(decision),
        )
    },
}];
