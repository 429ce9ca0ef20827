//! Subjects as NATS reads them: tokens between dots, `*` and `>` as wildcards.

/// Bytes of a subject: the server takes protocol lines of 4096, and drops the connection of whoever sends more.
const MAX_SUBJECT: usize = 1024;

/// Whether a record can be stored there.
pub(crate) fn is_literal(subject: &str) -> bool {
    let token = |token: &str| !matches!(token, "" | "*" | ">");
    subject.len() <= MAX_SUBJECT
        && subject.split('.').all(token)
        && !subject.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// Whether a pattern covers a literal subject: `*` is one token, `>` the rest.
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
