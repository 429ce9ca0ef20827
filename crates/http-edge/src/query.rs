//! Reading one parameter of a query string.

/// The first value of a parameter, percent-decoded, `+` as a space. Nothing when it is absent or not UTF-8.
#[must_use]
pub fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let pairs = query?.split('&').filter_map(|pair| pair.split_once('=').or(Some((pair, ""))));
    let (_, value) = pairs.into_iter().find(|(key, _)| *key == name)?;
    decode(value)
}

fn decode(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let (digits, behind) = rest.split_at_checked(2)?;
                bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
                rest = behind;
            }
            other => bytes.push(*other),
        }
    }
    String::from_utf8(bytes).ok()
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
            (Some("id=two+words"), Some("two words")),
            (Some("id"), Some("")),
            (Some("id=%"), None),
            (Some("id=%zz"), None),
            (Some("id=%ff"), None),
            (Some("id=1&id=2"), Some("1")),
        ] {
            assert_eq!(parameter(query, "id").as_deref(), value, "{query:?}");
        }
    }
}
