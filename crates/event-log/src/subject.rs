//! Subjects as NATS reads them: tokens between dots, `*` and `>` as wildcards.

/// Bytes of a subject: the server takes protocol lines of 4096, and drops the connection of whoever sends more.
const MAX_SUBJECT: usize = 1024;

/// True when a record can be stored there.
pub(crate) fn is_literal(subject: &str) -> bool {
    let token = |token: &str| !matches!(token, "" | "*" | ">");
    subject.len() <= MAX_SUBJECT
        && subject.split('.').all(token)
        && !subject.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// True when a text is a pattern of subjects: tokens between dots, `*` for one of them, `>` at the end for the rest.
#[must_use]
pub fn is_pattern(pattern: &str) -> bool {
    let mut tokens = pattern.split('.').rev();
    let last = tokens.next().is_some_and(|last| !last.is_empty());
    pattern.len() <= MAX_SUBJECT
        && last
        && tokens.all(|token| !matches!(token, "" | ">"))
        && !pattern.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// True when a pattern covers a literal subject: `*` is one token, `>` the rest.
pub(crate) fn matches(pattern: &str, subject: &str) -> bool {
    let (mut pattern, mut subject) = (pattern.split('.'), subject.split('.'));
    loop {
        match (pattern.next(), subject.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(wanted), Some(token)) if wanted == token => {}
            (Some(_) | None, Some(_) | None) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_told_from_what_is_none() {
        let check = |pattern: &str, expected: bool| assert_eq!(is_pattern(pattern), expected, "{pattern:?}");
        for good in [">", "*", "orders.>", "orders.swap.*.placed", "*.*", "markets.BTC-USDT", "a*b"] {
            check(good, true);
        }
        for bad in
            ["", ".", "orders.", ".orders", "orders..swap", ">.placed", "orders.>.placed", "a b", "a\n"]
        {
            check(bad, false);
        }
        check(&"x".repeat(MAX_SUBJECT), true);
        check(&"x".repeat(MAX_SUBJECT + 1), false);
    }
}
