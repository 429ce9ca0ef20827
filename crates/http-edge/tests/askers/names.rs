//! Users by name: without authentication, and beside a token.

use fillstream_http_edge::{Askers, Tokens};
use serde_json::json;

use crate::{
    Refused, headers,
    issuer::{ANN, BOB, SECRET, Signer, claims, token},
    now, refused, told,
};

async fn found(
    askers: &Askers,
    pairs: &[(&'static str, &str)],
    query: &str,
    body: Option<&str>,
) -> Result<Option<String>, Refused> {
    let asker = askers.asker(&headers(pairs), Some(query)).await;
    told(asker.and_then(|asker| asker.and_body(body)))
}

#[tokio::test]
async fn without_authentication_whoever_is_named_is_believed() {
    let askers = Askers::open(now);
    let (ann, ann_and_bob) = (format!("user_id={ANN}"), format!("user_id={ANN}&user_id={BOB}"));
    let ann_is = || Ok(Some(ANN.to_owned()));
    for (query, header, body, expected) in [
        ("", None, None, Ok(None)),
        (&ann, None, None, ann_is()),
        ("", Some(ANN), Some(ANN), ann_is()),
        (&ann, Some(ANN), Some(ANN), ann_is()),
        ("", None, Some(ANN), ann_is()),
        (&ann, None, Some(BOB), refused(422, "invalid_fields")),
        (&ann, Some(BOB), None, refused(422, "invalid_fields")),
        (&ann_and_bob, None, None, refused(422, "invalid_fields")),
        ("user_id=", None, None, refused(400, "malformed_request")),
        ("user_id=%ff", None, None, refused(400, "malformed_request")),
        ("", Some("me"), None, refused(400, "malformed_request")),
        ("", None, Some("*"), refused(400, "malformed_request")),
    ] {
        let header: Vec<_> = header.map(|user| ("x-user-id", user)).into_iter().collect();
        let found = found(&askers, &header, query, body).await;
        assert_eq!(found, expected, "{query:?} {header:?} {body:?}");
    }
}

#[tokio::test]
async fn without_authentication_an_authorization_header_is_never_half_read() {
    let askers = Askers::open(now);
    for value in ["Bearer x", "Basic eDp5", ""] {
        let found = found(&askers, &[("authorization", value)], "", None).await;
        assert_eq!(found, refused(401, "authentication_not_configured"), "{value:?}");
    }
    assert_eq!(told(askers.guest(&headers(&[]), None).await), Ok(None));
}

#[tokio::test]
async fn with_authentication_a_name_must_agree_with_the_token() {
    let askers = Askers::verified(Tokens::with_secret(SECRET.as_bytes()).unwrap(), now);
    let bearer =
        format!("Bearer {}", token(&Signer::secret(SECRET), &json!({"alg": "HS256"}), &claims(json!({}))));
    let [ann, bob] = [ANN, BOB].map(|user| format!("user_id={user}"));
    let ann_is = || Ok(Some(ANN.to_owned()));
    for (query, header, body, expected) in [
        ("", None, None, ann_is()),
        (&ann, Some(ANN), Some(ANN), ann_is()),
        (&bob, None, None, refused(403, "another_user")),
        ("", Some(BOB), None, refused(403, "another_user")),
        ("", None, Some(BOB), refused(403, "another_user")),
        ("user_id=me", None, None, refused(400, "malformed_request")),
        ("", None, Some("*"), refused(400, "malformed_request")),
    ] {
        let mut pairs = vec![("authorization", bearer.as_str())];
        pairs.extend(header.map(|user| ("x-user-id", user)));
        assert_eq!(found(&askers, &pairs, query, body).await, expected, "{query:?} {header:?} {body:?}");
    }
}

#[tokio::test]
async fn with_authentication_only_what_is_public_is_for_nobody() {
    let askers = Askers::verified(Tokens::with_secret(SECRET.as_bytes()).unwrap(), now);
    let (nobody, forged) = (headers(&[]), headers(&[("authorization", "Bearer x")]));
    let ann = format!("user_id={ANN}");
    for (found, expected) in [
        (askers.asker(&nobody, None).await, refused(401, "authentication_required")),
        (askers.socket(&nobody, None).await, refused(401, "authentication_required")),
        (askers.guest(&nobody, None).await, Ok(None)),
        (askers.socket_guest(&nobody, None).await, Ok(None)),
        // A name alone proves nothing, and a token that does not hold is never taken for none.
        (askers.guest(&nobody, Some(&ann)).await, refused(401, "authentication_required")),
        (askers.socket_guest(&nobody, Some(&ann)).await, refused(401, "authentication_required")),
        (askers.guest(&forged, None).await, refused(401, "invalid_token")),
        (askers.socket_guest(&forged, None).await, refused(401, "invalid_token")),
    ] {
        assert_eq!(told(found), expected);
    }
}

#[tokio::test]
async fn swap_orders_belong_to_who_placed_them() {
    let open = Askers::open(now).asker(&headers(&[]), None).await.unwrap();
    let tokens = Tokens::with_secret(SECRET.as_bytes()).unwrap();
    let bearer =
        format!("Bearer {}", token(&Signer::secret(SECRET), &json!({"alg": "HS256"}), &claims(json!({}))));
    let ann =
        Askers::verified(tokens, now).asker(&headers(&[("authorization", &bearer)]), None).await.unwrap();
    for (owner, ann_may) in [(Some(ANN), true), (Some(BOB), false), (None, false)] {
        let owner = owner.map(|user| user.parse().unwrap());
        assert_eq!((ann.may_see(owner), open.may_see(owner)), (ann_may, true), "{owner:?}");
    }
}
