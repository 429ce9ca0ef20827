//! Subjects and the requests that they stand for.

/// Use of a payload, besides what goes into the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payload {
    /// The body, byte for byte.
    Body,
    /// A JSON object: one member goes into the path, the others stay the body as they were written.
    PathAndBody,
    /// A JSON object, or nothing: members are parameters of path and query.
    Parameters,
}

/// A subject and the request that it stands for.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) subject: &'static str,
    pub(crate) method: &'static str,
    /// As HTTP has it; what is in braces is a member of the payload.
    pub(crate) path: &'static str,
    pub(crate) payload: Payload,
    pub(crate) about: &'static str,
    /// A payload.
    pub(crate) example: &'static str,
}

impl Route {
    /// The path around the member in it, and the member's name.
    pub(crate) fn template(&self) -> (&'static str, Option<(&'static str, &'static str)>) {
        let Some((before, rest)) = self.path.split_once('{') else { return (self.path, None) };
        match rest.split_once('}') {
            Some((member, after)) => (before, Some((member, after))),
            None => (self.path, None),
        }
    }

    /// Place in the OpenAPI description that tells of it (RFC 6901, as a fragment). There the members of the path are called as
    /// the handlers call them.
    pub(crate) fn pointer(&self) -> String {
        let path = self.path.replace("{orderId}", "{order_id}").replace('~', "~0").replace('/', "~1");
        let path = path.replace('{', "%7B").replace('}', "%7D");
        format!("#/paths/{path}/{}", self.method.to_ascii_lowercase())
    }
}

const ORDER: &str =
    r#"{"order_id":"0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e","user_id":"01990000-0000-7000-8000-000000000001"}"#;

/// All of them. Their order is the endpoints' number.
pub(crate) const ROUTES: &[Route] = &[
    Route {
        subject: "fillstream.orders.execute",
        method: "POST",
        path: "/api/orders/execute",
        payload: Payload::Body,
        about: "Place a swap order",
        example: r#"{"tokenIn":"SOL","tokenOut":"USDC","amount":10,"slippage":0.5}"#,
    },
    Route {
        subject: "fillstream.orders.get",
        method: "GET",
        path: "/api/orders/{orderId}",
        payload: Payload::Parameters,
        about: "A swap order",
        example: r#"{"orderId":"0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e"}"#,
    },
    Route {
        subject: "fillstream.book.place",
        method: "POST",
        path: "/api/v1/orders",
        payload: Payload::Body,
        about: "Place a book order",
        example: r#"{"user_id":"01990000-0000-7000-8000-000000000001","symbol":"BTC/USDT","side":"BUY","type":"LIMIT","quantity":"1","price":"100"}"#,
    },
    Route {
        subject: "fillstream.book.batch",
        method: "POST",
        path: "/api/v1/orders/batch",
        payload: Payload::Body,
        about: "Place up to 1,000 book orders",
        example: r#"{"user_id":"01990000-0000-7000-8000-000000000001","orders":[{"symbol":"BTC/USDT","side":"BUY","type":"LIMIT","quantity":"1","price":"100"}]}"#,
    },
    Route {
        subject: "fillstream.book.get",
        method: "GET",
        path: "/api/v1/orders/{order_id}",
        payload: Payload::Parameters,
        about: "A book order",
        example: ORDER,
    },
    Route {
        subject: "fillstream.book.list",
        method: "GET",
        path: "/api/v1/orders",
        payload: Payload::Parameters,
        about: "Own book orders, newest first: symbol, status, limit, cursor",
        example: r#"{"user_id":"01990000-0000-7000-8000-000000000001","symbol":"BTC/USDT","limit":10}"#,
    },
    Route {
        subject: "fillstream.book.amend",
        method: "PATCH",
        path: "/api/v1/orders/{order_id}",
        payload: Payload::PathAndBody,
        about: "Amend a book order; answers with what the matcher made of it",
        example: r#"{"order_id":"0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e","user_id":"01990000-0000-7000-8000-000000000001","quantity":"2"}"#,
    },
    Route {
        subject: "fillstream.book.cancel",
        method: "DELETE",
        path: "/api/v1/orders/{order_id}",
        payload: Payload::PathAndBody,
        about: "Cancel a book order; answers with what the matcher made of it",
        example: ORDER,
    },
    Route {
        subject: "fillstream.markets.list",
        method: "GET",
        path: "/api/v1/markets",
        payload: Payload::Parameters,
        about: "Markets with filters and fees",
        example: "{}",
    },
    Route {
        subject: "fillstream.markets.show",
        method: "GET",
        path: "/api/v1/markets/{symbol}",
        payload: Payload::Parameters,
        about: "A market",
        example: r#"{"symbol":"BTC/USDT"}"#,
    },
    Route {
        subject: "fillstream.markets.book",
        method: "GET",
        path: "/api/v1/markets/{symbol}/book",
        payload: Payload::Parameters,
        about: "A market's book: depth, at",
        example: r#"{"symbol":"BTC/USDT","depth":10}"#,
    },
    Route {
        subject: "fillstream.markets.trades",
        method: "GET",
        path: "/api/v1/markets/{symbol}/trades",
        payload: Payload::Parameters,
        about: "Latest trades: limit, cursor",
        example: r#"{"symbol":"BTC/USDT","limit":10}"#,
    },
];
