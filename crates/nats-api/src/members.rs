//! The members of a payload that is a JSON object, each as it was written.

use std::fmt;

use fillstream_http_edge::Problem;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// In the order in which they were written; one that stands twice is here twice.
#[derive(Debug)]
pub(crate) struct Members<'a>(pub(crate) Vec<(String, &'a RawValue)>);

impl<'a> Members<'a> {
    /// Reads a payload; an empty one has none.
    pub(crate) fn of(payload: &'a [u8]) -> Result<Self, Problem> {
        if payload.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let text =
            str::from_utf8(payload).map_err(|_| Problem::malformed("", "must be a JSON object in UTF-8"))?;
        serde_json::from_str(text)
            .map_err(|error| Problem::malformed("", format!("must be a JSON object: {error}")))
    }

    /// Takes the member that stands in the path, a text.
    pub(crate) fn take_text(&mut self, name: &str) -> Result<String, Problem> {
        let found = self.0.iter().position(|(member, _)| member == name).map(|at| self.0.remove(at).1);
        let text = found.and_then(|raw| serde_json::from_str(raw.get()).ok());
        text.filter(|text: &String| !text.is_empty())
            .ok_or_else(|| Problem::malformed(format!("/{name}"), "must be there, a text"))
    }

    /// What is left, as an object.
    pub(crate) fn object(&self) -> String {
        let member = |(name, value): &(String, &RawValue)| {
            let name = serde_json::to_string(name).expect("a text always becomes JSON");
            format!("{name}:{}", value.get())
        };
        let members: Vec<_> = self.0.iter().map(member).collect();
        format!("{{{}}}", members.join(","))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Reader).map(Members)
    }
}
