//! Requests of clients to the log.

use axum::http::HeaderValue;
use fillstream_domain::Seq;
use fillstream_event_log::is_pattern;
use fillstream_http_edge::{Problem, parameter};

/// Messages of a page, and of a feed's beginning, when the client does not say.
pub(super) const DEFAULT_LIMIT: usize = 100;
/// Messages of a page at most; a page ends at a megabyte, too.
pub(super) const MAX_LIMIT: usize = 1000;

/// See the module's first line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Pattern of subjects.
    pub(super) pattern: String,
    /// Everything behind this sequence; nothing for the newest messages.
    pub(super) after: Option<Seq>,
    /// Number of messages at once.
    pub(super) limit: usize,
}

impl Asked {
    /// Reads the query. `Last-Event-ID`, when it counts, goes before `after`, which stays as it was when the address
    /// was made.
    pub(super) fn read(query: Option<&str>, last_event_id: Option<&HeaderValue>) -> Result<Self, Problem> {
        let pattern = parameter(query, "subject").unwrap_or_else(|| ">".to_owned());
        if !is_pattern(&pattern) {
            let must = "must be a pattern of subjects such as orders.swap.*.placed or markets.>";
            return Err(Problem::malformed("query:subject", must));
        }
        let must = "must be a sequence of the stream";
        let sequence = |text: &str| text.parse::<Seq>().ok();
        let after = match last_event_id {
            Some(id) => {
                let seq = id.to_str().ok().and_then(sequence);
                Some(seq.ok_or_else(|| Problem::malformed("header:Last-Event-ID", must))?)
            }
            None => match parameter(query, "after") {
                Some(text) => Some(sequence(&text).ok_or_else(|| Problem::malformed("query:after", must))?),
                None => None,
            },
        };
        let limit = match parameter(query, "limit") {
            None => Some(DEFAULT_LIMIT),
            Some(text) => text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit)),
        };
        let limit = limit.ok_or_else(|| {
            Problem::malformed("query:limit", format!("must be a number from 1 to {MAX_LIMIT}"))
        })?;
        Ok(Self { pattern, after, limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_or_its_field_is_named() {
        let check = |query: &str, id: Option<&str>, expected: Result<(&str, Option<u64>, usize), &str>| {
            let id = id.map(|id| HeaderValue::from_str(id).unwrap());
            let read = Asked::read(Some(query), id.as_ref());
            let told = read.as_ref().map(|asked| (&*asked.pattern, asked.after.map(Seq::get), asked.limit));
            let told = told
                .map_err(|problem| serde_json::to_value(problem).unwrap()["errors"][0]["pointer"].clone());
            assert_eq!(told, expected.map_err(Into::into), "{query} {id:?}");
        };
        check("", None, Ok((">", None, 100)));
        check("subject=orders.%3E&after=7&limit=1000", None, Ok(("orders.>", Some(7), 1000)));
        check("after=7", Some("9"), Ok((">", Some(9), 100)));
        check("after=0&subject=*.swap", None, Ok(("*.swap", Some(0), 100)));
        for bad in ["subject=", "subject=orders.", "subject=a%20b", "subject=%3E.a", "subject=a%0Ab"] {
            check(bad, None, Err("query:subject"));
        }
        for bad in ["after=", "after=x", "after=-1", "after=99999999999999999999"] {
            check(bad, None, Err("query:after"));
        }
        check("after=7", Some("x"), Err("header:Last-Event-ID"));
        for bad in ["limit=0", "limit=1001", "limit="] {
            check(bad, None, Err("query:limit"));
        }
    }
}
