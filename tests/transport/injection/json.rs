//! A small strict JSON parser of the tests' own, to judge the library's reading by.

/// A JSON value; objects keep the order and the repeats of their keys.
#[derive(Clone, Debug)]
pub enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl PartialEq for Json {
    /// Objects are equal in whatever order their keys are.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Json::Null, Json::Null) => true,
            (Json::Bool(a), Json::Bool(b)) => a == b,
            (Json::Number(a), Json::Number(b)) => a == b,
            (Json::Text(a), Json::Text(b)) => a == b,
            (Json::List(a), Json::List(b)) => a == b,
            (Json::Object(a), Json::Object(b)) => a.len() == b.len() && a.iter().all(|pair| b.contains(pair)),
            _ => false,
        }
    }
}

impl From<&serde_json::Value> for Json {
    fn from(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Json::Null,
            serde_json::Value::Bool(value) => Json::Bool(*value),
            serde_json::Value::Number(number) => Json::Number(number.to_string()),
            serde_json::Value::String(text) => Json::Text(text.clone()),
            serde_json::Value::Array(items) => Json::List(items.iter().map(Json::from).collect()),
            serde_json::Value::Object(map) => {
                Json::Object(map.iter().map(|(key, value)| (key.clone(), Json::from(value))).collect())
            }
        }
    }
}

/// Parses one JSON text with nothing but blanks around it.
pub fn parse(text: &str) -> Option<Json> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    let value = parser.value()?;
    parser.blanks();
    (parser.at == text.len()).then_some(value)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    fn eat(&mut self, token: &str) -> bool {
        self.blanks();
        let eaten = self.rest().starts_with(token);
        self.at += if eaten { token.len() } else { 0 };
        eaten
    }

    fn value(&mut self) -> Option<Json> {
        self.depth += 1;
        if self.depth > 100 {
            return None;
        }
        let value = self.any();
        self.depth -= 1;
        value
    }

    fn any(&mut self) -> Option<Json> {
        if self.eat("null") {
            Some(Json::Null)
        } else if self.eat("true") {
            Some(Json::Bool(true))
        } else if self.eat("false") {
            Some(Json::Bool(false))
        } else if self.eat("[") {
            let mut items = Vec::new();
            if self.eat("]") {
                return Some(Json::List(items));
            }
            loop {
                items.push(self.value()?);
                if self.eat("]") {
                    return Some(Json::List(items));
                }
                self.eat(",").then_some(())?;
            }
        } else if self.eat("{") {
            let mut pairs = Vec::new();
            if self.eat("}") {
                return Some(Json::Object(pairs));
            }
            loop {
                self.eat("\"").then_some(())?;
                let key = self.string()?;
                self.eat(":").then_some(())?;
                pairs.push((key, self.value()?));
                if self.eat("}") {
                    return Some(Json::Object(pairs));
                }
                self.eat(",").then_some(())?;
            }
        } else if self.eat("\"") {
            self.string().map(Json::Text)
        } else {
            self.number()
        }
    }

    fn string(&mut self) -> Option<String> {
        let mut units: Vec<u16> = Vec::new();
        loop {
            let character = self.rest().chars().next()?;
            self.at += character.len_utf8();
            match character {
                '"' => return String::from_utf16(&units).ok(),
                '\\' => {
                    let escape = self.rest().chars().next()?;
                    self.at += escape.len_utf8();
                    units.push(match escape {
                        '"' | '\\' | '/' => escape as u16,
                        'b' => 8,
                        'f' => 12,
                        'n' => 10,
                        'r' => 13,
                        't' => 9,
                        'u' => {
                            let digits = self.rest().get(..4)?;
                            digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
                            let unit = u16::from_str_radix(digits, 16).ok()?;
                            self.at += 4;
                            unit
                        }
                        _ => return None,
                    });
                }
                control if control < ' ' => return None,
                other => units.extend_from_slice(other.encode_utf16(&mut [0; 2])),
            }
        }
    }

    fn number(&mut self) -> Option<Json> {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_digit() && !"+-.eE".contains(c)).unwrap_or(rest.len());
        let number = &rest[..end];
        let unsigned = number.strip_prefix('-').unwrap_or(number);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (unsigned, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let good = digits(whole)
            && (whole == "0" || !whole.starts_with('0'))
            && fraction.is_none_or(digits)
            && exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)));
        let number = Json::Number(number.to_owned());
        self.at += end;
        good.then_some(number)
    }
}
