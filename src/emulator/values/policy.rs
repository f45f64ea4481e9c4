//! Policies over attributes, in the two documented forms, and what they decide: denials count more, and nothing is a denial.

use std::fmt;

use regex::Regex;
use serde_json::{Map, Number, Value};

/// One policy, read.
#[derive(Clone)]
pub(crate) struct Policy {
    pub id: u64,
    pub name: String,
    pub denies: bool,
    pub priority: u64,
    resources: Vec<String>,
    actions: Vec<String>,
    condition: Condition,
    pub active: bool,
    /// As it was given.
    pub source: Map<String, Value>,
}

#[derive(Clone, Debug)]
enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    None(Vec<Condition>),
    Is(Comparison),
}

#[derive(Clone, Debug)]
struct Comparison {
    /// Names of members, from the outermost.
    attribute: Vec<String>,
    operator: Operator,
    value: Operand,
}

#[derive(Clone, Debug)]
enum Operand {
    Value(Value),
    /// Another attribute.
    Of(Vec<String>),
}

#[derive(Clone, Debug)]
enum Operator {
    Equals,
    NotEquals,
    In,
    NotIn,
    Contains,
    NotContains,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Matches(Regex),
    Exists,
    NotExists,
}

/// The longest pattern of `matches`, and how large it may become.
const LONGEST_PATTERN: usize = 1024;
/// How deep conditions nest.
const DEEPEST: usize = 16;

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Policy { id, name, denies, priority, resources, actions, condition, active, source: _ } = self;
        f.debug_struct("Policy")
            .field("id", id)
            .field("name", name)
            .field("denies", denies)
            .field("priority", priority)
            .field("resources", resources)
            .field("actions", actions)
            .field("condition", condition)
            .field("active", active)
            .finish_non_exhaustive()
    }
}

impl Policy {
    /// Reads a policy in either form.
    pub(crate) fn read(id: u64, value: &Value) -> Result<Self, &'static str> {
        let map = value.as_object().ok_or("a policy is an object")?;
        let text = |name: &str| map.get(name).and_then(Value::as_str);
        let name = text("name").filter(|name| !name.is_empty()).ok_or("it has no name")?.to_owned();
        let denies = match text("effect") {
            Some("allow") => false,
            Some("deny") => true,
            _ => return Err("its effect is neither allow nor deny"),
        };
        let list = |value: Option<&Value>| -> Result<Vec<String>, &'static str> {
            match value {
                None | Some(Value::Null) => Ok(vec!["*".to_owned()]),
                Some(Value::String(one)) => Ok(vec![one.clone()]),
                Some(Value::Array(items)) => items
                    .iter()
                    .map(|item| item.as_str().map(str::to_owned).ok_or("its target is no list of texts"))
                    .collect(),
                Some(_) => Err("its target is no list of texts"),
            }
        };
        let (resources, actions) = match map.get("target") {
            Some(Value::Object(target)) => (list(target.get("resources"))?, list(target.get("actions"))?),
            Some(target) if !target.is_null() => return Err("its target is no object"),
            _ => (list(map.get("resourceType"))?, list(map.get("action"))?),
        };
        let priority = match map.get("priority") {
            None | Some(Value::Null) => 0,
            Some(priority) => priority
                .as_u64()
                .filter(|priority| *priority <= 1000)
                .ok_or("its priority is not 0 to 1000")?,
        };
        let condition = match map.get("conditions") {
            None | Some(Value::Null) => Condition::All(Vec::new()),
            Some(conditions) => Condition::read(conditions, 0)?,
        };
        let active = match map.get("isActive") {
            None | Some(Value::Null) => true,
            Some(Value::Bool(active)) => *active,
            Some(_) => return Err("its isActive is neither true nor false"),
        };
        let source = map.clone();
        Ok(Policy { id, name, denies, priority, resources, actions, condition, active, source })
    }

    fn matches(&self, resource: &str, action: &str, facts: &Map<String, Value>) -> bool {
        let named = |list: &[String], own: &str| list.iter().any(|item| item == "*" || item == own);
        self.active
            && named(&self.resources, resource)
            && named(&self.actions, action)
            && self.condition.holds(facts)
    }
}

impl Condition {
    fn read(value: &Value, depth: usize) -> Result<Self, &'static str> {
        if depth > DEEPEST {
            return Err("its conditions nest too deeply");
        }
        let depth = depth.saturating_add(1);
        let map = value.as_object().ok_or("a condition is an object")?;
        let each = |value: &Value| -> Result<Vec<Condition>, &'static str> {
            let items = value.as_array().ok_or("conditions are a list")?;
            items.iter().map(|item| Condition::read(item, depth)).collect()
        };
        if let Some(conditions) = map.get("conditions") {
            return match map.get("operator").and_then(Value::as_str) {
                Some("AND") => each(conditions).map(Condition::All),
                Some("OR") => each(conditions).map(Condition::Any),
                _ => Err("conditions are joined by AND or OR"),
            };
        }
        if map.contains_key("operator") {
            return Comparison::read(map).map(Condition::Is);
        }
        let mut all = Vec::new();
        for (name, value) in map {
            all.push(match name.as_str() {
                "all" => Condition::All(each(value)?),
                "any" => Condition::Any(each(value)?),
                "none" => Condition::None(each(value)?),
                _ => return Err("a condition has a member that is not known"),
            });
        }
        Ok(Condition::All(all))
    }

    fn holds(&self, facts: &Map<String, Value>) -> bool {
        match self {
            Condition::All(all) => all.iter().all(|condition| condition.holds(facts)),
            Condition::Any(any) => any.iter().any(|condition| condition.holds(facts)),
            Condition::None(none) => !none.iter().any(|condition| condition.holds(facts)),
            Condition::Is(comparison) => comparison.holds(facts),
        }
    }
}

/// The names on the way to an attribute. The second form calls the user the subject.
fn names(text: &str) -> Result<Vec<String>, &'static str> {
    let mut names: Vec<String> = text.split('.').map(str::to_owned).collect();
    if names.iter().any(String::is_empty) || names.len() < 2 {
        return Err("an attribute is named as user.department, resource.owner_id or environment.hour");
    }
    if let Some(first) = names.first_mut().filter(|first| *first == "subject") {
        "user".clone_into(first);
    }
    Ok(names)
}

/// The value of an attribute; what is null is not there.
fn value_of<'f>(facts: &'f Map<String, Value>, names: &[String]) -> Option<&'f Value> {
    let (first, rest) = names.split_first()?;
    let mut value = facts.get(first)?;
    // A name may have a dot in it.
    if let Some(whole) = value.get(rest.join(".")) {
        return Some(whole).filter(|value| !value.is_null());
    }
    for name in rest {
        value = value.get(name)?;
    }
    Some(value).filter(|value| !value.is_null())
}

impl Comparison {
    fn read(map: &Map<String, Value>) -> Result<Self, &'static str> {
        let named = map.get("subject").or_else(|| map.get("attribute")).and_then(Value::as_str);
        let attribute = names(named.ok_or("a condition names no attribute")?)?;
        let value = map.get("value").filter(|value| !value.is_null()).cloned();
        let operator = match map.get("operator").and_then(Value::as_str).unwrap_or_default() {
            "equals" => Operator::Equals,
            "not_equals" => Operator::NotEquals,
            "in" => Operator::In,
            "not_in" => Operator::NotIn,
            "contains" => Operator::Contains,
            "not_contains" => Operator::NotContains,
            "gt" | "greater_than" => Operator::Greater,
            "lt" | "less_than" => Operator::Less,
            "gte" | "greater_than_or_equal" => Operator::GreaterOrEqual,
            "lte" | "less_than_or_equal" => Operator::LessOrEqual,
            "exists" => Operator::Exists,
            "not_exists" => Operator::NotExists,
            "matches" => {
                let pattern = value.as_ref().and_then(Value::as_str);
                let pattern = pattern.filter(|pattern| pattern.len() <= LONGEST_PATTERN);
                let regex = pattern.and_then(|pattern| {
                    regex::RegexBuilder::new(pattern).size_limit(1024 * LONGEST_PATTERN).build().ok()
                });
                Operator::Matches(regex.ok_or("the pattern of matches cannot be used")?)
            }
            _ => return Err("an operator is not known"),
        };
        let value = match value {
            // What is compared with nothing would hold for everything but that.
            None if !matches!(operator, Operator::Exists | Operator::NotExists) => {
                return Err("a condition has no value to compare with");
            }
            value => value.unwrap_or_default(),
        };
        let value = match value.as_str().and_then(|text| text.strip_prefix('$')) {
            Some(other) if !matches!(operator, Operator::Matches(_)) => Operand::Of(names(other)?),
            _ => Operand::Value(value),
        };
        Ok(Comparison { attribute, operator, value })
    }

    /// With what is not there, no comparison holds but `not_exists`.
    fn holds(&self, facts: &Map<String, Value>) -> bool {
        let own = value_of(facts, &self.attribute);
        match self.operator {
            Operator::Exists => return own.is_some(),
            Operator::NotExists => return own.is_none(),
            _ => {}
        }
        let other = match &self.value {
            Operand::Value(value) => Some(value),
            Operand::Of(names) => value_of(facts, names),
        };
        let (Some(own), Some(other)) = (own, other) else { return false };
        match &self.operator {
            Operator::Equals => same(own, other),
            Operator::NotEquals => !same(own, other),
            Operator::In => among(other, own),
            Operator::NotIn => !among(other, own),
            Operator::Contains => contains(own, other),
            Operator::NotContains => !contains(own, other),
            Operator::Greater => order(own, other).is_some_and(|order| order.is_gt()),
            Operator::Less => order(own, other).is_some_and(|order| order.is_lt()),
            Operator::GreaterOrEqual => order(own, other).is_some_and(|order| order.is_ge()),
            Operator::LessOrEqual => order(own, other).is_some_and(|order| order.is_le()),
            Operator::Matches(pattern) => own.as_str().is_some_and(|own| pattern.is_match(own)),
            Operator::Exists | Operator::NotExists => false,
        }
    }
}

/// Numbers are the same by their value: 1 and 1.0.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare(a, b) == Some(std::cmp::Ordering::Equal),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        _ => a == b,
    }
}

fn compare(a: &Number, b: &Number) -> Option<std::cmp::Ordering> {
    if let (Some(a), Some(b)) = (a.as_i64(), b.as_i64()) {
        return Some(a.cmp(&b));
    }
    if let (Some(a), Some(b)) = (a.as_u64(), b.as_u64()) {
        return Some(a.cmp(&b));
    }
    a.as_f64()?.partial_cmp(&b.as_f64()?)
}

/// Numbers by their value; texts by their characters, which is right for dates as ISO 8601 writes them.
fn order(a: &Value, b: &Value) -> Option<std::cmp::Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare(a, b),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// True if the list has it; of several, one of them.
fn among(list: &Value, own: &Value) -> bool {
    let Value::Array(items) = list else { return same(list, own) };
    let has = |own: &Value| items.iter().any(|item| same(item, own));
    match own {
        Value::Array(several) => several.iter().any(has) || has(own),
        one => has(one),
    }
}

/// A list has an item, a text has a part.
fn contains(own: &Value, part: &Value) -> bool {
    match (own, part) {
        (Value::Array(items), part) => items.iter().any(|item| same(item, part)),
        (Value::String(own), Value::String(part)) => own.contains(part.as_str()),
        _ => false,
    }
}

/// What the policies decide, and those that matched: denials first, then by priority.
pub(crate) struct Outcome<'p> {
    pub allowed: bool,
    pub reason: String,
    pub matched: Vec<&'p Policy>,
}

/// Decides: a denial that matches counts more than all that allow, whatever their priorities; if nothing matches it is denied.
pub(crate) fn decide<'p>(
    policies: &'p [Policy],
    resource: &str,
    action: &str,
    facts: &Map<String, Value>,
) -> Outcome<'p> {
    let mut matched: Vec<&Policy> =
        policies.iter().filter(|policy| policy.matches(resource, action, facts)).collect();
    matched.sort_by_key(|policy| (!policy.denies, std::cmp::Reverse(policy.priority), policy.id));
    match matched.first() {
        None => Outcome { allowed: false, reason: "No policy matched".to_owned(), matched },
        Some(first) if first.denies => {
            Outcome { allowed: false, reason: format!("Denied by policy: {}", first.name), matched }
        }
        Some(first) => {
            Outcome { allowed: true, reason: format!("Allowed by policy: {}", first.name), matched }
        }
    }
}
