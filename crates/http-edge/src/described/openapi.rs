//! Descriptions of routes as one OpenAPI 3.1 document.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    Described, Operation,
    operation::{Answer, Parameter, shared},
};
use crate::Problem;

/// Media type of problems.
const PROBLEM: &str = "application/problem+json";

/// Statements about the whole document.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// Of the service.
    pub title: &'static str,
    /// Of the service.
    pub version: &'static str,
    /// For people, in Markdown.
    pub text: &'static str,
    /// Headings with what they are about, in their order.
    pub tags: &'static [(&'static str, &'static str)],
}

/// The document.
#[must_use]
pub fn openapi(about: &About, described: &[Described]) -> Value {
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.definitions_path = "/components/schemas".into();
    let mut generator = settings.into_generator();
    let problem = generator.subschema_for::<Problem>().to_value();
    let mut paths = Map::new();
    for Described { path, method, operation } in described {
        let item = paths.entry(*path).or_insert_with(|| json!({}));
        item[method.as_str().to_ascii_lowercase()] = told(operation, &problem, &mut generator);
    }
    let codes: BTreeSet<_> =
        described.iter().flat_map(|one| one.operation.problems.values().flatten()).collect();
    let types: Vec<_> = codes.into_iter().map(|code| format!("- `{}`", Problem::kind(code))).collect();
    let text = format!("{}\n\nProblems have one of these types:\n\n{}", about.text, types.join("\n"));
    let tags: Vec<_> =
        about.tags.iter().map(|(name, text)| json!({ "name": name, "description": text })).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": about.title,
            "version": about.version,
            "description": text,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": [{ "url": "/", "description": "Where this document was read." }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": shared(&mut generator),
            "securitySchemes": { "bearer": {
                "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description": "Only where the server runs with authentication; elsewhere it is refused.",
            } },
        },
    })
}

fn told(operation: &Operation, problem: &Value, generator: &mut SchemaGenerator) -> Value {
    let mut told = json!({
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": operation.parameters.iter().map(parameter).collect::<Vec<_>>(),
    });
    if !operation.about.is_empty() {
        told["description"] = json!(operation.about);
    }
    if operation.takes_bearer {
        told["security"] = json!([{}, { "bearer": [] }]);
    }
    if let Some(body) = &operation.body {
        let content = json!({ "schema": body.shape.schema(generator), "example": body.example });
        told["requestBody"] =
            json!({ "required": body.required, "content": { "application/json": content } });
    }
    let mut responses = Map::new();
    for (status, given) in &operation.answers {
        responses.insert(status.to_string(), answer(given, generator));
    }
    for (status, codes) in &operation.problems {
        let name = StatusCode::from_u16(*status).ok().and_then(|status| status.canonical_reason());
        let narrowed = json!({ "allOf": [problem, { "properties": {
            "status": { "const": status },
            "code": { "enum": codes },
            "type": { "enum": codes.iter().map(|code| Problem::kind(code)).collect::<Vec<_>>() },
        } }] });
        let response = responses
            .entry(status.to_string())
            .or_insert_with(|| json!({ "description": name.unwrap_or("A problem."), "content": {} }));
        response["content"][PROBLEM] = json!({ "schema": narrowed });
    }
    told["responses"] = responses.into();
    told
}

fn parameter(parameter: &Parameter) -> Value {
    let Parameter { place, name, about, schema } = parameter;
    let required = place.name() == "path";
    json!({ "in": place.name(), "name": name, "description": about, "required": required, "schema": schema })
}

fn answer(answer: &Answer, generator: &mut SchemaGenerator) -> Value {
    let mut told = json!({ "description": answer.about });
    if !answer.headers.is_empty() {
        let header = |(name, about): &(&str, &str)| {
            ((*name).to_owned(), json!({ "description": about, "schema": { "type": "string" } }))
        };
        told["headers"] = answer.headers.iter().map(header).collect::<Map<_, _>>().into();
    }
    if !answer.contents.is_empty() {
        let content = |(media_type, shape): &(&str, super::Shape)| {
            ((*media_type).to_owned(), json!({ "schema": shape.schema(generator) }))
        };
        told["content"] = answer.contents.iter().map(content).collect::<Map<_, _>>().into();
    }
    told
}
