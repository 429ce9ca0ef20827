//! Descriptions of the log's address.

use fillstream_http_edge::described::{Operation, Shape};
use serde_json::json;

use super::asked::MAX_LIMIT;

pub(super) fn log() -> Operation {
    let number = json!({ "type": "integer", "minimum": 0 });
    let text = json!({ "type": "string" });
    let message = json!({
        "type": "object",
        "required": ["seq", "subject", "stored_at", "payload", "headers"],
        "properties": {
            "seq": number,
            "subject": text,
            "stored_at": { "type": "string", "format": "date-time" },
            "payload": { "description": "The payload; a text when it is no JSON." },
            "encoding": { "const": "base64", "description": "Said of a payload that is neither JSON nor text." },
            "headers": { "type": "object", "additionalProperties": text },
        },
    });
    let page = json!({
        "type": "object",
        "required": ["messages", "next", "more"],
        "properties": {
            "messages": { "type": "array", "items": message },
            "next": { "type": "string", "description": "The `after` of what follows." },
            "more": { "type": "boolean", "description": "There is more already." },
        },
    });
    let events = json!({ "type": "string", "description": "Server-sent events: `message_stored`, `status`, `reset`, `shutdown`. A `reset` says why what follows is not what follows `after`: `ahead_of_stream`, the stream does not go that far; `other_history`, it has lost its end and begins anew." });
    let sequence = json!({ "type": "string", "pattern": "^[0-9]{1,19}$" });
    let limit = json!({ "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": 100 });
    Operation::new("getLog", "log", "What is stored in the stream, as it is stored")
        .about(
            "With `Accept: text/event-stream` the newest messages, then each as it comes; `id` is its sequence. Else a \
             page. For operators: with authentication on it is refused.",
        )
        .asks_who()
        .query("subject", "A pattern of subjects; `*` is one token, `>` the rest.", json!({ "type": "string", "default": ">", "examples": ["orders.>"] }))
        .query("after", "Everything behind this sequence; without it the newest messages.", sequence.clone())
        .query("limit", "Messages of a page, and of a feed's beginning.", limit)
        .header("Last-Event-ID", "As `after`, and before it; only for event streams.", sequence)
        .answers_as(200, "application/json", Shape::Is(page), "A page; a megabyte at most.")
        .answers_as(200, "text/event-stream", Shape::Is(events), "The feed.")
        .problems(403, &["log_is_for_operators", "origin_not_allowed"])
        .problems(503, &["going_down", "stream_unreachable", "too_many_readers", "too_many_sockets"])
}
