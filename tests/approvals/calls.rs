//! The hash of a tool's call: one for every spelling of one meaning, another for every other meaning.

use lumoauth::ToolCall;
use lumoauth::error::CallError;
use serde_json::{Map, Value, json};

/// Numbers that follow from a seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 11) as usize % end.max(1)
    }

    fn of<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }
}

const CHARACTERS: &[char] = &[
    'a', 'b', 'Z', '0', ' ', '"', '\\', '/', '\n', '\t', '\u{1}', '\u{7f}', 'é', 'e', '\u{301}', '€',
    '\u{2028}', '\u{202e}', '日', '😀', '\u{fffd}', '\u{e000}', '~', '{', ':',
];

fn text(dice: &mut Dice) -> String {
    (0..dice.below(6)).map(|_| dice.of(CHARACTERS)).collect()
}

fn number(dice: &mut Dice) -> Value {
    match dice.below(5) {
        0 => json!(dice.below(10)),
        1 => json!(-(dice.below(1_000_000) as i64)),
        2 => json!(dice.of(&[0.1, 12.5, -0.25, 1e-7, 1e21, 123.456, 5e-324, 0.300_000_000_000_000_04])),
        3 => json!((dice.next() >> 11) as f64 / 1024.0),
        _ => json!(dice.of(&[0_u64, 1, 9_007_199_254_740_991, 9_007_199_254_740_992, 9_007_199_254_740_994])),
    }
}

fn value(dice: &mut Dice, depth: usize) -> Value {
    match dice.below(if depth == 0 { 5 } else { 9 }) {
        0 => Value::Null,
        1 => json!(dice.below(2) == 0),
        2 => number(dice),
        3 | 4 => json!(text(dice)),
        5 | 6 => (0..dice.below(4)).map(|_| value(dice, depth - 1)).collect(),
        _ => Value::Object((0..dice.below(5)).map(|_| (text(dice), value(dice, depth - 1))).collect()),
    }
}

fn arguments(dice: &mut Dice) -> Value {
    let mut members: Map<String, Value> = Map::new();
    for name in ["amount", "to", "options"].iter().take(1 + dice.below(3)) {
        members.insert((*name).to_owned(), value(dice, 3));
    }
    Value::Object(members)
}

/// The same value, in another spelling.
fn spelled(value: &Value, dice: &mut Dice) -> String {
    let blank = |dice: &mut Dice| dice.of(&["", "", " ", "\n", "\t ", "\r\n"]);
    let (before, after) = (blank(dice), blank(dice));
    let inner = match value {
        Value::Null | Value::Bool(_) => value.to_string(),
        Value::Number(number) => spelled_number(&number.to_string(), dice),
        Value::String(text) => spelled_text(text, dice),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| spelled(item, dice)).collect();
            format!("[{}{}]", blank(dice), items.join(","))
        }
        Value::Object(members) => {
            let mut members: Vec<String> = members
                .iter()
                .map(|(name, value)| {
                    let name = spelled_text(name, dice);
                    format!("{}{name}{}:{}", blank(dice), blank(dice), spelled(value, dice))
                })
                .collect();
            for at in (1..members.len()).rev() {
                members.swap(at, dice.below(at + 1));
            }
            format!("{{{}{}}}", blank(dice), members.join(","))
        }
    };
    format!("{before}{inner}{after}")
}

fn spelled_number(number: &str, dice: &mut Dice) -> String {
    let (mantissa, exponent) = number.split_once('e').unwrap_or((number, "0"));
    let exponent: i64 = exponent.parse().unwrap();
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    match dice.below(5) {
        0 => number.to_owned(),
        1 => format!("{sign}{whole}.{fraction}0e{exponent}"),
        2 => format!("{sign}{whole}.{fraction}000E+{exponent}").replace("+-", "-"),
        // All digits before the point.
        3 => {
            let digits = format!("{whole}{fraction}");
            let digits = digits.trim_start_matches('0');
            let digits = if digits.is_empty() { "0" } else { digits };
            format!("{sign}{digits}e{}", exponent - fraction.len() as i64)
        }
        // All behind it.
        _ => format!("{sign}0.{whole}{fraction}e{}", exponent + whole.len() as i64),
    }
}

fn spelled_text(text: &str, dice: &mut Dice) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        let must = character < ' ' || character == '"' || character == '\\';
        let short = match character {
            '"' => Some("\\\""),
            '\\' => Some("\\\\"),
            '/' => Some("\\/"),
            '\n' => Some("\\n"),
            '\t' => Some("\\t"),
            _ => None,
        };
        match (dice.below(3), short) {
            (0, Some(short)) => out.push_str(short),
            (0 | 1, None) if !must => out.push(character),
            (1, Some(_)) if !must => out.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let digits = format!("{unit:04x}");
                    out.push_str("\\u");
                    out.push_str(&if dice.below(2) == 0 { digits.to_uppercase() } else { digits });
                }
            }
        }
    }
    out + "\""
}

/// True if they mean the same, decided without any hash.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        _ => one == other,
    }
}

/// Changes one thing somewhere in it.
fn change(value: &mut Value, dice: &mut Dice) {
    let down = dice.below(4) > 0;
    match value {
        Value::Array(items) if down && !items.is_empty() => {
            let at = dice.below(items.len());
            return change(&mut items[at], dice);
        }
        Value::Object(members) if down && !members.is_empty() => {
            let at = dice.below(members.len());
            return change(members.values_mut().nth(at).unwrap(), dice);
        }
        _ => {}
    }
    match value {
        Value::Array(items) if !items.is_empty() => match dice.below(4) {
            0 => drop(items.pop()),
            1 => items.rotate_left(1),
            2 => items.push(items[0].clone()),
            _ => *value = json!([value.clone()]),
        },
        Value::Object(members) if !members.is_empty() => {
            let name = members.keys().nth(dice.below(members.len())).unwrap().clone();
            let held = members.remove(&name).unwrap();
            match dice.below(4) {
                0 => {}
                1 => drop(members.insert(name + "s", held)),
                2 => drop(members.insert(name, json!({"value": held}))),
                _ => drop((members.insert(name.clone(), held), members.insert(name + " ", Value::Null))),
            }
        }
        Value::Number(number) => {
            let double = number.as_f64().unwrap();
            *value = match dice.below(4) {
                0 => json!(f64::from_bits(double.to_bits() ^ 1)),
                1 => json!(-double),
                2 => json!(number.to_string()),
                _ => json!(double * 10.0),
            };
        }
        Value::String(text) => match dice.below(5) {
            0 => text.push(dice.of(CHARACTERS)),
            1 => *text = text.to_uppercase(),
            2 => *text = text.replace('é', "e\u{301}"),
            3 => drop(text.pop()),
            _ => *value = json!([text]),
        },
        Value::Bool(known) => {
            *value =
                dice.of(&[json!(!*known), Value::Null, json!(known.to_string()), json!(u8::from(*known))])
        }
        _ => *value = dice.of(&[json!(0), json!(false), json!(""), json!([]), json!({}), json!("null")]),
    }
}

const ROUNDS: usize = 10_000;

#[test]
fn a1_ten_thousand_spellings_of_one_meaning_are_one_call() {
    let mut other = 0;
    for seed in 1..=ROUNDS as u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let value = arguments(&mut dice);
        let call = ToolCall::new("pay", &value).unwrap();
        let text = spelled(&value, &mut dice);
        let again =
            ToolCall::from_json("pay", &text).unwrap_or_else(|error| panic!("seed {seed}: {error}: {text}"));
        assert_eq!(again.sha256(), call.sha256(), "seed {seed}: {text}");
        assert!(call.differences(&again).is_empty(), "seed {seed}");
        // What is shown says the same again.
        let shown: Value = serde_json::from_str(call.canonical()).unwrap();
        assert_eq!(ToolCall::new("pay", &shown["arguments"]).unwrap().sha256(), call.sha256(), "seed {seed}");
        let usual = value.to_string();
        other += usize::from(text != usual);
    }
    println!("{ROUNDS} spellings of the same meaning taken, {other} of them other texts");
    assert!(other > ROUNDS * 9 / 10);
}

#[test]
fn a1_ten_thousand_changes_of_meaning_are_other_calls() {
    let (mut changed, mut refused, mut seed) = (0, 0, 0_u64);
    while changed < ROUNDS {
        seed += 1;
        let mut dice = Dice(seed.wrapping_mul(0xd134_2543_de82_ef95));
        let value = arguments(&mut dice);
        let mut other = value.clone();
        change(&mut other, &mut dice);
        if same(&value, &other) {
            continue;
        }
        changed += 1;
        let call = ToolCall::new("pay", &value).unwrap();
        match ToolCall::from_json("pay", spelled(&other, &mut dice)) {
            Ok(another) => {
                assert_ne!(call.sha256(), another.sha256(), "seed {seed}: {value} {other}");
                let differences = call.differences(&another);
                assert!(!differences.is_empty() && differences.len() <= 8, "seed {seed}: {value} {other}");
            }
            Err(CallError::Inexact { .. }) => refused += 1,
            Err(error) => panic!("seed {seed}: {error}: {other}"),
        }
    }
    println!("{changed} changes of meaning refused, {refused} of them because no double holds the number");
    assert!(refused < changed / 10);
}

#[test]
fn the_tool_is_part_of_it() {
    let call = |tool: &str| ToolCall::new(tool, &json!({"a": 1})).unwrap();
    assert_ne!(call("pay").sha256(), call("Pay").sha256());
    assert_eq!(call("pay").differences(&call("Pay")), ["/tool"]);
    // The hash is of this text, by any other program too.
    assert_eq!(call("pay").canonical(), r#"{"arguments":{"a":1},"tool":"pay"}"#);
    assert_eq!(call("pay").sha256(), "d71f724db0d68e0dc07c771a2672f316df4381206da956129811f0992b93cf76");
}

/// The text that other programs hash (RFC 8785), for what they are known to differ in.
#[test]
fn the_canonical_text_is_the_standards() {
    for (text, canonical) in [
        // Names are ordered by UTF-16 code units: a pair of surrogates goes before U+E000, though its code point is greater.
        (
            r#"{"\ue000":1,"\ud83d\ude00":2,"z":3,"\u00f6":4,"":5,"1":6,"\r":7}"#,
            "{\"\":5,\"\\r\":7,\"1\":6,\"z\":3,\"ö\":4,\"😀\":2,\"\u{e000}\":1}",
        ),
        (
            r#"["\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/\u007f"]"#,
            "[\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\u{7f}\"]",
        ),
        (
            "[4.50,2e-3,1E22,1e-27,-0,-0.0,0e9,1e21,1e20,100,-5e-324]",
            "[4.5,0.002,1e+22,1e-27,0,0,0,1e+21,100000000000000000000,100,-5e-324]",
        ),
        ("[null,true,false,[],{}]", "[null,true,false,[],{}]"),
    ] {
        let call = ToolCall::from_json("pay", text).unwrap();
        assert_eq!(call.canonical(), format!(r#"{{"arguments":{canonical},"tool":"pay"}}"#), "{text}");
    }
}

/// What runs is handed one value for one meaning, however it was written.
#[test]
fn arguments_have_one_type_for_one_meaning() {
    for (text, same) in [
        ("[1e2,100.0,1.0E+2]", json!([100, 100, 100])),
        ("[-0,-0.0,0e7]", json!([0, 0, 0])),
        (
            "[-1e3,9007199254740992.0,1e19]",
            json!([-1000, 9_007_199_254_740_992_u64, 10_000_000_000_000_000_000_u64]),
        ),
        (r#"{"a":{"b":[2.0]}}"#, json!({"a": {"b": [2]}})),
        ("[0.5,1e21,-1e19]", json!([0.5, 1e21, -1e19])),
    ] {
        let call = ToolCall::from_json("pay", text).unwrap();
        assert_eq!(call.arguments(), &same, "{text}");
        assert_eq!(call, ToolCall::new("pay", &same).unwrap(), "{text}");
        let written: Value = serde_json::from_str(text).unwrap();
        assert_eq!(call, ToolCall::new("pay", &written).unwrap(), "{text}");
    }
}

#[test]
fn what_programs_do_not_agree_on_is_refused() {
    let refused = |text: &str| ToolCall::from_json("pay", text).unwrap_err();
    for text in [r#"{"a":1,"a":1}"#, r#"{"b":[{"a":1,"\u0061":2}]}"#] {
        assert_eq!(refused(text), CallError::Twice { member: "a".into() }, "{text}");
    }
    for number in
        ["9007199254740993", "1e400", "1e-400", "0.10000000000000001", "1e23", "-18446744073709551615"]
    {
        let text = format!(r#"{{"a":[{number}]}}"#);
        assert_eq!(refused(&text), CallError::Inexact { number: number.into() }, "{text}");
    }
    for value in [json!({"a": 9_007_199_254_740_993_u64}), json!([i64::MAX])] {
        assert!(matches!(ToolCall::new("pay", &value), Err(CallError::Inexact { .. })), "{value}");
    }
    let odd = [
        r#"["\udc00\ud800"]"#,
        r#"{"\ud83d":1}"#,
        "[Infinity]",
        "[+1]",
        "[.5]",
        "[1.]",
        "[0x1]",
        "\u{feff}{}",
        "{}\0",
        "{a:1}",
    ];
    for text in odd {
        assert!(ToolCall::from_json("pay", text).is_err(), "{text}");
    }
    assert!(
        ToolCall::from_json("pay", b"[\"\xff\"]").is_err()
            && ToolCall::from_json("pay", b"[\"\xed\xa0\x80\"]").is_err()
    );
    for fine in [r#"["NaN","Infinity","-0","1e400"]"#, r#"[null]"#, r#"{"":""}"#] {
        assert!(ToolCall::from_json("pay", fine).is_ok(), "{fine}");
    }
    for text in ["", "{", "{}x", "<a>", "{\"a\":\"\\ud800\"}", "{'a':1}", "[1,]", "01", "NaN"] {
        assert!(matches!(refused(text), CallError::NotJson(_)), "{text}");
    }
    // What is in a text is no number, and a name may be one.
    assert!(ToolCall::from_json("pay", r#"{"9007199254740993":"9007199254740993\" 1e400"}"#).is_ok());
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert!(ToolCall::from_json("pay", deep(32)).is_ok());
    let nested: Value = serde_json::from_str(&deep(33)).unwrap();
    assert!(matches!(ToolCall::new("pay", &nested), Err(CallError::TooDeep)));
    assert!(
        ToolCall::from_json("pay", deep(33)).is_err() && ToolCall::from_json("pay", deep(30_000)).is_err()
    );
    let long = |length: usize| json!({"a": "x".repeat(length)});
    assert!(ToolCall::new("pay", &long(60_000)).is_ok());
    assert!(matches!(ToolCall::new("pay", &long(70_000)), Err(CallError::TooLong)));
    assert!(matches!(ToolCall::from_json("pay", long(70_000).to_string()), Err(CallError::TooLong)));
    for tool in ["", "  ", "a\u{202e}b", "a\n", &"x".repeat(129)] {
        assert!(matches!(ToolCall::new(tool, &json!({})), Err(CallError::BadTool(_))), "{tool:?}");
    }
    assert!(ToolCall::new("x".repeat(128), &json!({})).is_ok());
}

#[test]
fn what_differs_is_named_by_where_it_stands() {
    let call = |value: Value| ToolCall::new("pay", &value).unwrap();
    let shown = call(json!({"to": "bob", "amount": 100, "a/b~": [1, {"x": 1}], "one": 1.0}));
    let other = call(json!({"to": "eve", "amount": 1e2, "a/b~": [1, {"x": 2, "y": 3}], "one": 1}));
    let mut found = shown.differences(&other);
    found.sort();
    assert_eq!(found, ["/arguments/a~1b~0/1/x", "/arguments/a~1b~0/1/y", "/arguments/to"]);
    assert_eq!(call(json!([1])).differences(&call(json!([1, 2]))), ["/arguments"]);
    let many: Map<String, Value> = (0..100).map(|at| (format!("m{at}"), json!(at))).collect();
    assert_eq!(call(json!({})).differences(&call(Value::Object(many))).len(), 8);
    // Nothing of the arguments is in what is printed for logs.
    assert!(!format!("{shown:?}").contains("bob"));
}
