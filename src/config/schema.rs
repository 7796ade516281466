//! A JSON Schema of the inventory, by which editors complete and check it: the keys are those that the reader knows, and
//! the words about them are the comments of the example.

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};

use super::EXAMPLE;
use super::inventory::keys::ROOT;
use super::toml::key::{Key, Kind, Value};

/// One or more numbers with their units.
const DURATION: &str = "^ *([0-9]+ *[a-zµ]+ *)+$";

/// The schema (draft 7, which editors for TOML know).
pub fn schema() -> Json {
    let example = Example::read();
    let mut schema = example.table("", ROOT);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("An inventory for hemfleet");
    schema
}

/// What the example says of each key.
struct Example {
    /// By table and key; the comment above a table itself is that of the key `""`.
    comments: HashMap<(String, String), String>,
    /// The values that are in force: outside of devices they are the defaults.
    values: Json,
}

impl Example {
    fn read() -> Self {
        let mut comments = HashMap::new();
        let (mut table, mut comment) = (String::new(), Vec::new());
        for line in EXAMPLE.lines() {
            let paragraph = (line == "#").then_some("");
            if let Some(prose) = line.strip_prefix("# ").or(paragraph) {
                comment.push(prose);
                continue;
            }
            let said = std::mem::take(&mut comment).join("\n");
            let bare = line.trim_start_matches('#');
            let key = if let Some(header) = bare.strip_prefix('[') {
                let name = header.trim_matches(['[', ']']);
                name.split('.')
                    .next()
                    .unwrap_or(name)
                    .clone_into(&mut table);
                ""
            } else if let Some((key, _)) = bare.split_once(" = ") {
                key
            } else {
                continue;
            };
            if !said.is_empty() {
                let place = (table.clone(), key.to_owned());
                comments.entry(place).or_insert(said);
            }
        }
        let values = toml::from_str(EXAMPLE).unwrap_or_default();
        Self { comments, values }
    }

    /// The comment of a key. What a device and `[defaults]` have in common is told at one of them.
    fn comment(&self, table: &str, key: &str) -> Option<&String> {
        let at = |table: &str| self.comments.get(&(table.to_owned(), key.to_owned()));
        match table {
            // What is said there is about all devices; at a device it may be about that one.
            "device" | "defaults" => at("defaults").or_else(|| at("device")),
            _ => at(table),
        }
    }

    fn table(&self, table: &str, keys: &'static [Key]) -> Json {
        let described = keys.iter().map(|key| {
            let mut schema = self.value(key);
            let comment = if table.is_empty() {
                self.comment(key.name, "")
            } else {
                self.comment(table, key.name)
            };
            if let Some(comment) = comment {
                schema["description"] = json!(comment);
            }
            let default = &self.values[table][key.name];
            if table != "defaults" && !default.is_null() {
                schema["default"] = default.clone();
            }
            (key.name.to_owned(), schema)
        });
        object(&described.collect())
    }

    fn value(&self, key: &Key) -> Json {
        match &key.value {
            Value::Text => json!({ "type": "string" }),
            Value::Number(of) => {
                json!({ "type": "integer", "minimum": of.start(), "maximum": of.end() })
            }
            Value::NumberOrText => json!({ "type": ["integer", "string"], "minimum": 0 }),
            Value::Duration(_) => json!({ "type": "string", "pattern": DURATION }),
            Value::Flag => json!({ "type": "boolean" }),
            Value::True => json!({ "const": true }),
            Value::FlagOr(word) => json!({ "enum": [true, false, word] }),
            Value::Choice(words) => json!({ "enum": words() }),
            Value::Texts { may_be_empty } => json!({
                "type": "array",
                "items": { "type": "string" },
                "minItems": usize::from(!may_be_empty),
            }),
            Value::Table(keys) => self.table(key.name, keys),
            Value::Tables(keys) => {
                let mut item = self.table(key.name, keys);
                let first = keys.iter().take(1).map(|key| key.name);
                item["required"] = first.collect();
                json!({ "type": "array", "items": item, "minItems": 1 })
            }
            Value::Named(keys) => {
                json!({ "type": "object", "additionalProperties": self.one_of(keys) })
            }
            Value::OneOf(keys) => self.one_of(keys),
            Value::ByKind { keys, kinds, word } => self.by_kind(keys, kinds, word),
        }
    }

    /// A table with exactly one of these keys.
    fn one_of(&self, keys: &'static [Key]) -> Json {
        let one = |key: &Key| (key.name.to_owned(), self.value(key));
        let mut schema = object(&keys.iter().map(one).collect());
        schema["minProperties"] = json!(1);
        schema["maxProperties"] = json!(1);
        schema
    }

    fn by_kind(&self, keys: &'static [Key], kinds: &[Kind], word: &str) -> Json {
        let Some((first, others)) = keys.split_first() else {
            return json!({});
        };
        let mut ways = vec![json!({ "const": word })];
        ways.extend(kinds.iter().map(|(kind, has)| {
            let mut properties = Map::new();
            properties.insert(first.name.to_owned(), json!({ "const": kind }));
            for key in others.iter().filter(|key| has.contains(&key.name)) {
                properties.insert(key.name.to_owned(), self.value(key));
            }
            let mut way = object(&properties);
            way["required"] = [first.name]
                .into_iter()
                .chain(has.iter().take(1).copied())
                .collect();
            way
        }));
        json!({ "oneOf": ways })
    }
}

/// A table that has no other keys.
fn object(properties: &Map<String, Json>) -> Json {
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}
