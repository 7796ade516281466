//! The schema for editors: it knows the keys that the reader knows, and what their values may be.

use hemfleet::config::schema;
use serde_json::{Value, json};

use super::{EXAMPLE, everything_in_force};

/// Where `value` does not fit `schema`, by the rules of JSON Schema that the schema uses; a rule that is not known here
/// fails the test.
fn faults(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut wrong = |what: &str| found.push(format!("{at}: {what}"));
    let fits = |schema: &Value| faults(schema, value, at).is_empty();
    let mut deeper = Vec::new();
    for (rule, wanted) in schema.as_object().unwrap() {
        let count = |n: Option<usize>, ok: fn(usize, usize) -> bool| {
            let wanted = usize::try_from(wanted.as_u64().unwrap()).unwrap();
            n.is_none_or(|n| ok(n, wanted))
        };
        let ok = match rule.as_str() {
            "$schema" | "title" | "description" | "default" | "properties" => true,
            "type" => {
                let types = wanted.as_array().cloned().unwrap_or(vec![wanted.clone()]);
                types.iter().any(|t| t == kind(value))
            }
            "const" => value == wanted,
            "enum" => wanted.as_array().unwrap().contains(value),
            "minimum" => value.as_i64().is_none_or(|n| n >= wanted.as_i64().unwrap()),
            "maximum" => value.as_i64().is_none_or(|n| n <= wanted.as_i64().unwrap()),
            "pattern" => value.as_str().is_none_or(is_duration),
            "oneOf" => {
                wanted
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(|s| fits(s))
                    .count()
                    == 1
            }
            "minItems" => count(value.as_array().map(Vec::len), |n, min| n >= min),
            "minProperties" => count(value.as_object().map(serde_json::Map::len), |n, min| {
                n >= min
            }),
            "maxProperties" => count(value.as_object().map(serde_json::Map::len), |n, max| {
                n <= max
            }),
            "required" => wanted
                .as_array()
                .unwrap()
                .iter()
                .all(|key| value.get(key.as_str().unwrap()).is_some()),
            "items" => {
                for (n, item) in value.as_array().into_iter().flatten().enumerate() {
                    deeper.extend(faults(wanted, item, &format!("{at}[{n}]")));
                }
                true
            }
            "additionalProperties" => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    let at = format!("{at}.{key}");
                    match schema["properties"].get(key).unwrap_or(wanted) {
                        Value::Bool(_) => deeper.push(format!("{at}: unknown key")),
                        schema => deeper.extend(faults(schema, value, &at)),
                    }
                }
                true
            }
            other => panic!("{at}: what is {other}?"),
        };
        if !ok {
            wrong(rule);
        }
    }
    found.extend(deeper);
    found
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The one pattern there is.
fn is_duration(text: &str) -> bool {
    humantime::parse_duration(text).is_ok()
}

fn faults_of(text: &str) -> Vec<String> {
    faults(&schema(), &toml::from_str(text).unwrap(), "")
}

#[test]
fn every_key_of_the_example_fits() {
    assert_eq!(faults_of(EXAMPLE), [""; 0]);
    assert_eq!(faults_of(&everything_in_force()), [""; 0]);
    for path in super::files("valid") {
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(faults_of(&text), [""; 0], "{}", path.display());
    }
}

#[test]
fn what_the_reader_refuses_for_its_shape_does_not_fit() {
    for (text, wrong) in [
        ("colour = 1", ".colour: unknown key"),
        ("[fleet]\nfirmwre = \"x\"", ".fleet.firmwre: unknown key"),
        ("[fleet]\nconcurrency = 0", ".fleet.concurrency: minimum"),
        ("[timeouts]\nconnect = 5", ".timeouts.connect: type"),
        ("[timeouts]\nconnect = \"5\"", ".timeouts.connect: pattern"),
        ("[audit]\nmode = \"on\"", ".audit.mode: enum"),
        ("[images]\nallow = []", ".images.allow: minItems"),
        ("[[device]]\nurl = \"https://x\"", ".device[0]: required"),
        ("[defaults]\nname = \"x\"", ".defaults.name: unknown key"),
        ("[defaults]\nauth = \"secret\"", ".defaults.auth: oneOf"),
        (
            "[defaults]\nauth = { kind = \"token\" }",
            ".defaults.auth: oneOf",
        ),
        (
            "[defaults]\ntls = { ca = \"x\", pin = \"y\" }",
            ".defaults.tls: maxProperties",
        ),
        ("[secrets.a]\nname = \"b\"", ".secrets.a.name: unknown key"),
    ] {
        assert_eq!(faults_of(text), [wrong], "{text}");
    }
}

#[test]
fn each_key_has_the_words_and_the_default_of_the_example() {
    let schema = schema();
    let mut bare = Vec::new();
    for (table, schema) in schema["properties"].as_object().unwrap() {
        let keys = schema["items"]
            .get("properties")
            .or(schema.get("properties"));
        for (key, schema) in keys.and_then(Value::as_object).into_iter().flatten() {
            if schema["description"].as_str().is_none_or(str::is_empty) {
                bare.push(format!("{table}.{key}"));
            }
        }
    }
    assert_eq!(bare, [""; 0]);
    let device = &schema["properties"]["device"]["items"]["properties"];
    let said = device["auth"]["description"].as_str().unwrap();
    assert!(said.starts_with("How to log in, by kind"), "{said}");
    let timeouts = &schema["properties"]["timeouts"]["properties"];
    assert_eq!(timeouts["connect"]["default"], json!("5s"));
    let fleet = &schema["properties"]["fleet"]["properties"];
    assert_eq!(
        (
            fleet["concurrency"]["default"].as_i64(),
            fleet["firmware"].get("default")
        ),
        (Some(8), None)
    );
    let said = fleet["firmware"]["description"].as_str().unwrap();
    assert!(said.starts_with("The signed image"), "{said}");
}
