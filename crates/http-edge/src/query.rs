//! Reading parameters of a query string.

/// All values of a parameter, percent-decoded, `+` as a space. Bytes that are no UTF-8 read as U+FFFD: a value that
/// cannot be right is refused as any other is, and never taken for absent.
pub fn parameters(query: Option<&str>, name: &str) -> impl Iterator<Item = String> {
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.filter(move |(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// The first value of a parameter; nothing when it is absent.
#[must_use]
pub fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    parameters(query, name).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded() {
        for (query, value) in [
            (None, None),
            (Some("a=1"), None),
            (Some("a=1&id=x%2Fy"), Some("x/y")),
            (Some("%69d=1"), Some("1")),
            (Some("id=two+words"), Some("two words")),
            (Some("id"), Some("")),
            (Some("id=%"), Some("%")),
            (Some("id=%zz"), Some("%zz")),
            (Some("id=%ff"), Some("\u{fffd}")),
            (Some("id=1&id=2"), Some("1")),
        ] {
            assert_eq!(parameter(query, "id").as_deref(), value, "{query:?}");
        }
        assert_eq!(parameters(Some("id=1&a=2&id=3"), "id").collect::<Vec<_>>(), ["1", "3"]);
    }
}
