//! Tickets, over the address that gives them out.

use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    http::{Request, header},
    response::Response,
};
use fillstream_http_edge::{Askers, Tokens, ticket_router};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{
    headers,
    issuer::{ANN, BOB, SECRET, Signer, claims, token},
    now, refused, told,
};

async fn post(askers: &Arc<Askers>, query: &str, authorization: Option<&str>) -> Response {
    let mut request = Request::post(format!("/api/ws-ticket{query}"));
    if let Some(value) = authorization {
        request = request.header(header::AUTHORIZATION, value);
    }
    let router = ticket_router(Arc::clone(askers)).into_router();
    router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn ticket(askers: &Arc<Askers>, query: &str, authorization: Option<&str>) -> String {
    let answer = post(askers, query, authorization).await;
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
    let body: Value = serde_json::from_slice(&to_bytes(answer.into_body(), 1000).await.unwrap()).unwrap();
    assert_eq!(body["expires_at"], "2026-01-09T23:07:10.000Z");
    body["ticket"].as_str().unwrap().to_owned()
}

fn verified() -> (Arc<Askers>, String) {
    let tokens = Tokens::with_secret(SECRET.as_bytes()).unwrap();
    let token = token(&Signer::secret(SECRET), &json!({"alg": "HS256"}), &claims(json!({})));
    (Arc::new(Askers::verified(tokens, now)), format!("Bearer {token}"))
}

#[tokio::test]
async fn a_ticket_stands_for_the_token_once() {
    let (askers, bearer) = verified();
    let nobody = headers(&[]);
    let given = ticket(&askers, "", Some(&bearer)).await;
    assert_eq!((given.len(), given.contains('=')), (43, false), "32 bytes, fit for an address");
    let query = format!("after=7&ticket={given}");
    assert_eq!(told(askers.asker(&nobody, Some(&query)).await), refused(401, "authentication_required"));
    assert_eq!(told(askers.socket(&nobody, Some(&query)).await), Ok(Some(ANN.to_owned())));
    assert_eq!(told(askers.socket(&nobody, Some(&query)).await), refused(401, "invalid_token"));
    assert_eq!(told(askers.socket_guest(&nobody, Some(&query)).await), refused(401, "invalid_token"));
    let query = format!("ticket={}", ticket(&askers, "", Some(&bearer)).await);
    assert_eq!(told(askers.socket_guest(&nobody, Some(&query)).await), Ok(Some(ANN.to_owned())));
}

#[tokio::test]
async fn a_ticket_goes_with_nothing_else() {
    let (askers, bearer) = verified();
    for (more, authorization, expected) in [
        (format!("&user_id={ANN}"), None, Ok(Some(ANN.to_owned()))),
        (format!("&user_id={BOB}"), None, refused(403, "another_user")),
        ("&ticket=x".to_owned(), None, refused(401, "invalid_request")),
        (String::new(), Some(bearer.as_str()), refused(401, "invalid_request")),
    ] {
        let query = format!("ticket={}{more}", ticket(&askers, "", Some(&bearer)).await);
        let pairs: Vec<_> = authorization.map(|value| ("authorization", value)).into_iter().collect();
        assert_eq!(told(askers.socket(&headers(&pairs), Some(&query)).await), expected, "{more} {pairs:?}");
    }
    for made_up in ["", "x", "AAAA", "%ff", &"A".repeat(43), &"A".repeat(4096)] {
        let query = format!("ticket={made_up}");
        let found = askers.socket(&headers(&[]), Some(&query)).await;
        assert_eq!(told(found), refused(401, "invalid_token"), "{made_up:?}");
    }
}

#[tokio::test]
async fn only_somebody_gets_a_ticket() {
    let (askers, _) = verified();
    assert_eq!(post(&askers, "", None).await.status(), 401);
    assert_eq!(post(&askers, &format!("?user_id={ANN}"), None).await.status(), 401);
    assert_eq!(post(&askers, "", Some("Bearer x")).await.status(), 401);
    let open = Arc::new(Askers::open(now));
    assert_eq!(post(&open, "", None).await.status(), 400);
    let query = format!("ticket={}", ticket(&open, &format!("?user_id={ANN}"), None).await);
    assert_eq!(told(open.socket(&headers(&[]), Some(&query)).await), Ok(Some(ANN.to_owned())));
    assert_eq!(told(open.socket(&headers(&[]), Some(&query)).await), refused(401, "invalid_token"));
}
