//! Signatures of tools, as prompts show them: `query {sql: string, show?: {as: "table" | "bar"}}`, in the notation of TypeScript's
//! types, which says what a JSON Schema says in a third of its characters.

use super::ToolSpec;
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

/// The signatures of tools, a line each.
pub fn signatures(tools: &[ToolSpec]) -> String {
    let line = |tool: &ToolSpec| format!("- `{} {}`: {}", tool.name, of(&tool.parameters), tool.description);
    tools.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A schema's type; a schema that can't be read stands as it is.
fn of(schema: &str) -> String {
    serde_json::from_str::<Shape>(schema).map_or_else(|_| schema.to_owned(), |shape| shape.written())
}

/// As much of JSON Schema as the tools use, with properties in their order.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Shape {
    r#type: Option<String>,
    r#enum: Vec<Value>,
    items: Option<Box<Shape>>,
    properties: IndexMap<String, Shape>,
    required: Vec<String>,
    additional_properties: Option<Box<Shape>>,
    description: Option<String>,
}

impl Shape {
    fn written(&self) -> String {
        let written = match (self.r#type.as_deref(), &self.items, &self.additional_properties) {
            _ if !self.r#enum.is_empty() => self.r#enum.iter().map(Value::to_string).collect::<Vec<_>>().join(" | "),
            (Some("array"), Some(items), _) if items.r#enum.is_empty() => format!("{}[]", items.written()),
            (Some("array"), Some(items), _) => format!("({})[]", items.written()),
            (_, _, Some(values)) => format!("{{[name]: {}}}", values.written()),
            (Some("object"), ..) if !self.properties.is_empty() => {
                let property = |(name, shape): (&String, &Shape)| {
                    let optional = if self.required.contains(name) { "" } else { "?" };
                    format!("{name}{optional}: {}", shape.written())
                };
                format!("{{{}}}", self.properties.iter().map(property).collect::<Vec<_>>().join(", "))
            }
            (Some(plain), ..) => plain.to_owned(),
            (None, ..) => "any".to_owned(),
        };
        self.description.iter().fold(written, |written, description| format!("{written} /* {description} */"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::tools::ALL;

    #[test]
    fn a_signature_says_what_its_schema_says() {
        for (schema, signature) in [
            (r#"{"type":"object","properties":{"b":{"type":"string"},"a":{}},"required":["b"]}"#, "{b: string, a?: any}"),
            (r#"{"type":"array","items":{"type":"array","items":{}}}"#, "any[][]"),
            (r#"{"type":"array","items":{"enum":["x",1]}}"#, r#"("x" | 1)[]"#),
            (r#"{"type":"object","additionalProperties":{"type":"number"}}"#, "{[name]: number}"),
            (r#"{"type":"object","description":"free"}"#, "object /* free */"),
            (r#"{"type":"object","maxProperties":3}"#, r#"{"type":"object","maxProperties":3}"#),
        ] {
            assert_eq!(of(schema), signature);
        }
    }

    #[test]
    fn every_tool_has_a_shorter_signature_than_schema() {
        for tool in ALL {
            let signature = of(tool.parameters);
            assert!(!signature.contains("\"type\":") && signature.len() < tool.parameters.len(), "{}: {signature}", tool.name);
        }
    }
}
