//! Lists that come a page at a time (`docs/wire.md`, J-pages).

use http::Uri;
use serde::Serialize;
use serde_json::Value;

use super::{Request, Response, succeeded};
use crate::error::{Error, InputError, ProtocolFault};
use crate::json::{self, Fields};

/// Where a page stands among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Page {
    /// Which page it is, from 1.
    pub number: u64,
    /// How many items there are in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// True if there is another page behind it.
    pub has_next: bool,
}

/// What one page holds.
pub(crate) struct Listed {
    pub(crate) items: Vec<Fields>,
    pub(crate) page: Option<Page>,
    /// What else the answer says, if it is an object.
    pub(crate) rest: Option<Fields>,
}

/// Asks for a page.
pub(crate) fn page(
    mut request: Request,
    number: Option<u32>,
    limit: Option<u32>,
    more: &[(&str, &str)],
) -> Result<Request, Error> {
    if number == Some(0) || limit.is_some_and(|limit| limit == 0 || limit > 100) {
        return Err(InputError::new("page", "begins at 1, and holds 1 to 100 items").into());
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(more);
    for (name, value) in [("page", number), ("limit", limit)] {
        if let Some(value) = value {
            query.append_pair(name, &value.to_string());
        }
    }
    let query = query.finish();
    if !query.is_empty() {
        // Made of checked pieces only, so this is always a URL.
        let url = format!("{}?{query}", request.url());
        request.0.url = url.parse::<Uri>().map_err(|_| InputError::new("page", "cannot be sent"))?;
    }
    Ok(request)
}

/// The items of a page: the first of these members that is there, or the answer itself if it is a list.
pub(crate) fn read_page(
    operation: &'static str,
    response: &Response,
    members: &[&'static str],
) -> Result<Listed, Error> {
    succeeded(operation, response)?;
    let status = response.status().as_u16();
    let value = json::parse(response.body()).map_err(|fault| response.fault(operation, fault))?;
    let item = |value: Value| match value {
        Value::Object(map) => Ok(Fields::new(operation, status, map)),
        other => Err(response.fault(
            operation,
            ProtocolFault::Mistyped { field: "an item", expected: "an object", found: json::kind(&other) },
        )),
    };
    let map = match value {
        Value::Array(items) => {
            let items = items.into_iter().map(item).collect::<Result<_, _>>()?;
            return Ok(Listed { items, page: None, rest: None });
        }
        value => value,
    };
    let mut fields = item(map)?;
    let mut items = None;
    for member in members {
        if let Some(value) = fields.value(member)
            && items.is_none()
        {
            let Value::Array(list) = value else {
                return Err(fields.mistyped("data", "a list", &value));
            };
            items = Some(list.into_iter().map(item).collect::<Result<Vec<_>, _>>()?);
        }
    }
    let items = items.ok_or_else(|| fields.missing("data"))?;
    let mut about = fields.object("meta")?;
    if let Some(newer) = fields.object("pagination")? {
        about = about.or(Some(newer));
    }
    let page = match about {
        None => None,
        Some(mut about) => {
            let mut number = |field| Ok::<_, Error>(about.value(field).and_then(|value| value.as_u64()));
            let (at, total) = (number("page")?, number("total")?);
            let has_next = about.value("hasNextPage").is_some_and(|next| next == true);
            Some(Page { number: at.unwrap_or(1), total, has_next })
        }
    };
    Ok(Listed { items, page, rest: Some(fields) })
}
