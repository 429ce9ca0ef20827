//! Operations: what a method of a path takes and answers.

use std::collections::{BTreeMap, BTreeSet};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// What a value looks like: a type's schema, or one that is written down.
#[derive(Debug, Clone)]
pub enum Shape {
    /// Of a type; it may refer to others.
    Of(fn(&mut SchemaGenerator) -> Schema),
    /// Itself.
    Is(Value),
}

impl Shape {
    /// The schema of a type.
    #[must_use]
    pub fn of<T: JsonSchema>() -> Self {
        Self::Of(SchemaGenerator::subschema_for::<T>)
    }

    /// The schema of a type, written out where it is used: it is going to be narrowed there.
    #[must_use]
    pub fn inline<T: JsonSchema>() -> Self {
        Self::Of(T::json_schema)
    }

    /// The schema; what it refers to is left with the generator.
    #[must_use]
    pub fn schema(&self, generator: &mut SchemaGenerator) -> Value {
        match self {
            Self::Of(schema) => present(schema(generator).to_value()),
            Self::Is(schema) => schema.clone(),
        }
    }
}

/// The schemas to which others refer, by name.
pub(super) fn shared(generator: &mut SchemaGenerator) -> Map<String, Value> {
    generator.take_definitions(true).into_iter().map(|(name, schema)| (name, present(schema))).collect()
}

/// What we write has no field that may be absent and may be null as well: a nothing that is not always told is left
/// out. The types' schemas do not know that.
fn present(mut schema: Value) -> Value {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let fields = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (name, field) in fields.into_iter().flatten() {
        if !required.iter().any(|required| required == name) {
            not_null(field);
        }
    }
    match schema {
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, present(value))).collect(),
        Value::Array(items) => items.into_iter().map(present).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => schema,
    }
}

fn not_null(field: &mut Value) {
    if let Some([one, Value::String(null)]) = field["type"].as_array().map(Vec::as_slice)
        && null == "null"
    {
        field["type"] = one.clone();
    }
    if let Some([one, null]) = field.get("anyOf").and_then(Value::as_array).map(Vec::as_slice)
        && null["type"] == "null"
    {
        let one = one.clone();
        let members = field.as_object_mut().into_iter();
        members.for_each(|members| drop(members.remove("anyOf")));
        // Beside a description.
        field["allOf"] = json!([one]);
    }
}

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
    Header,
}

impl Place {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Parameter {
    pub(super) place: Place,
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) schema: Value,
}

#[derive(Debug, Clone)]
pub(super) struct RequestBody {
    pub(super) shape: Shape,
    pub(super) required: bool,
    pub(super) example: Value,
}

/// An answer that is no problem.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) about: &'static str,
    /// By media type; empty when there is no body.
    pub(super) contents: Vec<(&'static str, Shape)>,
    pub(super) headers: Vec<(&'static str, &'static str)>,
}

/// A method of a path, described.
#[derive(Debug, Clone)]
pub struct Operation {
    pub(super) id: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) about: &'static str,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<RequestBody>,
    pub(super) answers: BTreeMap<u16, Answer>,
    pub(super) problems: BTreeMap<u16, BTreeSet<&'static str>>,
    pub(super) takes_bearer: bool,
}

impl Operation {
    /// An operation under a heading, with a line that says what it does.
    #[must_use]
    pub fn new(id: &'static str, tag: &'static str, summary: &'static str) -> Self {
        Self {
            id,
            tag,
            summary,
            about: "",
            parameters: Vec::new(),
            body: None,
            answers: BTreeMap::new(),
            problems: BTreeMap::new(),
            takes_bearer: false,
        }
        // What every request may meet before it is routed.
        .problems(421, &["foreign_host"])
        .problems(429, &["rate_limited"])
        .problems(503, &["too_many_connections"])
    }

    /// More about it than its line, in Markdown.
    #[must_use]
    pub const fn about(mut self, text: &'static str) -> Self {
        self.about = text;
        self
    }

    /// A part of the path.
    #[must_use]
    pub fn path(self, name: &'static str, about: &'static str, schema: Value) -> Self {
        self.parameter(Place::Path, name, about, schema)
    }

    /// An optional parameter of the query.
    #[must_use]
    pub fn query(self, name: &'static str, about: &'static str, schema: Value) -> Self {
        self.parameter(Place::Query, name, about, schema)
    }

    /// An optional header of the request.
    #[must_use]
    pub fn header(self, name: &'static str, about: &'static str, schema: Value) -> Self {
        self.parameter(Place::Header, name, about, schema)
    }

    fn parameter(mut self, place: Place, name: &'static str, about: &'static str, schema: Value) -> Self {
        self.parameters.push(Parameter { place, name, about, schema });
        self
    }

    /// A body of JSON, with an example that is accepted; `required` unless it may be left out.
    #[must_use]
    pub fn body(mut self, shape: Shape, required: bool, example: Value) -> Self {
        self.body = Some(RequestBody { shape, required, example });
        self.problems(400, &["malformed_request"])
            .problems(403, &["origin_not_allowed"])
            .problems(408, &["request_timeout"])
            .problems(413, &["body_too_large"])
            .problems(415, &["unsupported_media_type"])
    }

    /// An answer of JSON with the type's schema.
    #[must_use]
    pub fn answers<T: JsonSchema>(self, status: u16, about: &'static str) -> Self {
        self.answers_as(status, "application/json", Shape::of::<T>(), about)
    }

    /// An answer of another media type; a further one when the status has an answer already.
    #[must_use]
    pub fn answers_as(
        mut self,
        status: u16,
        media_type: &'static str,
        shape: Shape,
        about: &'static str,
    ) -> Self {
        self.answer(status, about).contents.push((media_type, shape));
        self
    }

    /// An answer of text.
    #[must_use]
    pub fn answers_text(self, status: u16, media_type: &'static str, about: &'static str) -> Self {
        self.answers_as(status, media_type, Shape::Is(json!({ "type": "string" })), about)
    }

    /// An answer without a body.
    #[must_use]
    pub fn answers_empty(mut self, status: u16, about: &'static str) -> Self {
        self.answer(status, about);
        self
    }

    /// A header of the answer with this status.
    #[must_use]
    pub fn answer_header(mut self, status: u16, name: &'static str, about: &'static str) -> Self {
        self.answer(status, "").headers.push((name, about));
        self
    }

    fn answer(&mut self, status: u16, about: &'static str) -> &mut Answer {
        let new = Answer { about, contents: Vec::new(), headers: Vec::new() };
        self.answers.entry(status).or_insert(new)
    }

    /// Problems that it may answer, by their codes.
    #[must_use]
    pub fn problems(mut self, status: u16, codes: &[&'static str]) -> Self {
        self.problems.entry(status).or_default().extend(codes);
        self
    }

    /// It finds out who asks: by a name without authentication, by a bearer token with it.
    #[must_use]
    pub fn asks_who(mut self) -> Self {
        self.takes_bearer = true;
        let user = json!({ "type": "string", "format": "uuid" });
        self.query("user_id", "Who asks. With authentication at most the token's own subject.", user.clone())
            .header("X-User-Id", "As the query's user_id.", user)
            .problems(400, &["malformed_request"])
            .problems(
                401,
                &[
                    "authentication_not_configured",
                    "authentication_required",
                    "invalid_request",
                    "invalid_token",
                ],
            )
            .problems(403, &["another_user", "origin_not_allowed"])
            .problems(422, &["invalid_fields"])
            .problems(503, &["keys_unavailable"])
    }
}

#[cfg(test)]
mod tests {
    use schemars::generate::SchemaSettings;
    use serde::Serialize;

    use super::*;

    #[derive(Serialize, JsonSchema)]
    struct Inner {
        always: Option<u8>,
    }

    #[derive(Serialize, JsonSchema)]
    struct Told {
        always: Option<u8>,
        #[serde(skip_serializing_if = "Option::is_none")]
        perhaps: Option<u8>,
        #[serde(skip_serializing_if = "Option::is_none")]
        inner: Option<Inner>,
    }

    #[test]
    fn what_may_be_absent_is_never_null_and_what_is_always_there_may_be() {
        let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
        let schema = Shape::inline::<Told>().schema(&mut generator);
        let fields = &schema["properties"];
        assert_eq!(schema["required"], json!(["always"]));
        assert_eq!(fields["always"]["type"], json!(["integer", "null"]));
        assert_eq!(fields["perhaps"]["type"], "integer");
        assert_eq!(fields["inner"]["allOf"], json!([{ "$ref": "#/$defs/Inner" }]));
        assert_eq!(
            shared(&mut generator)["Inner"]["properties"]["always"]["type"],
            json!(["integer", "null"])
        );
    }
}
