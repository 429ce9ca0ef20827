//! The members of a JSON object, each as it was written, so that none is passed over.

use std::{collections::BTreeMap, fmt};

use fillstream_domain::book::Flag;
use fillstream_http_edge::{FieldProblem, Problem};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::body::Scalar;

/// Unknown members that a refusal names; a larger object is told how many more there are.
const NAMED_UNKNOWN: usize = 20;

/// Members of an object that were not taken yet.
#[derive(Debug)]
pub(super) struct Members<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Members<'a> {
    /// Reads a body.
    pub(super) fn of_body(body: &'a [u8]) -> Result<Self, Problem> {
        let text =
            str::from_utf8(body).map_err(|_| Problem::malformed("", "must be a JSON object in UTF-8"))?;
        Self::of_text(text).map_err(|must| Problem::malformed("", must))
    }

    /// Reads an object's text; says what it must be when it is none.
    pub(super) fn of_text(text: &'a str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| format!("must be a JSON object: {error}"))
    }

    /// Takes a member; null stands for one that is not there.
    pub(super) fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        self.0.remove(name).filter(|raw| raw.get() != "null")
    }

    pub(super) fn scalar(&mut self, name: &str) -> Scalar<'a> {
        Scalar::of(self.take(name))
    }

    pub(super) fn flag(&mut self, name: &str) -> Flag {
        match self.take(name).map(RawValue::get) {
            None => Flag::Missing,
            Some("true") => Flag::Is(true),
            Some("false") => Flag::Is(false),
            Some(_) => Flag::Other,
        }
    }

    /// Refuses what nobody has taken.
    pub(super) fn unknown(&self, known: &[&str]) -> Vec<FieldProblem> {
        let detail = format!("is not known; known are {}", known.join(", "));
        let unknown = |name: &String| {
            // RFC 6901: these two have another meaning in a pointer.
            let name = name.replace('~', "~0").replace('/', "~1");
            FieldProblem { pointer: format!("/{name}"), detail: detail.clone() }
        };
        let mut errors: Vec<_> = self.0.keys().take(NAMED_UNKNOWN).map(unknown).collect();
        let more = self.0.len() - errors.len();
        if more > 0 {
            let detail = format!("has {more} more members that are not known");
            errors.push(FieldProblem { pointer: String::new(), detail });
        }
        errors
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor(std::marker::PhantomData))
    }
}

struct MembersVisitor<'a>(std::marker::PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for MembersVisitor<'a> {
    type Value = Members<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members<'a>, M::Error> {
        let mut members = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value::<&'de RawValue>()?;
            // Which of two is meant cannot be known.
            if members.contains_key(&name) {
                return Err(M::Error::custom(format!("{name:?} is there twice")));
            }
            members.insert(name, value);
        }
        Ok(Members(members))
    }
}
