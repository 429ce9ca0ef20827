//! Tokens, good and bad, against a secret and against public keys.

use std::path::PathBuf;

use fillstream_http_edge::{Askers, KeyTimes, Tokens, TokensError};
use serde_json::{Value, json};

use crate::{
    Refused, headers,
    issuer::{ANN, RSA_PUBLIC, SECRET, Signer, claims, in_seconds, token, url},
    now, refused, told,
};

type Found = Result<Option<String>, Refused>;

fn ann() -> Found {
    Ok(Some(ANN.to_owned()))
}

fn invalid() -> Found {
    refused(401, "invalid_token")
}

async fn found(askers: &Askers, authorization: &str) -> Found {
    told(askers.asker(&headers(&[("authorization", authorization)]), None).await)
}

async fn check(askers: &Askers, rows: Vec<(&str, String, Found)>) {
    for (case, token, expected) in rows {
        assert_eq!(found(askers, &format!("Bearer {token}")).await, expected, "{case}");
    }
}

/// Asks for both issuer and audience.
fn strict(tokens: Tokens) -> Askers {
    let tokens = tokens.issued_by(Some("https://issuer.example".to_owned()));
    Askers::verified(tokens.meant_for(Some("fillstream".to_owned())), now)
}

fn with_secret() -> Askers {
    strict(Tokens::with_secret(SECRET.as_bytes()).unwrap())
}

#[tokio::test]
async fn what_a_token_says_is_checked() {
    let signer = Signer::secret(SECRET);
    let with = |other: Value| token(&signer, &json!({"alg": "HS256", "typ": "JWT"}), &claims(other));
    let rows = vec![
        ("good", with(json!({})), ann()),
        ("one of its audiences is ours", with(json!({"aud": ["other", "fillstream"]})), ann()),
        ("without nbf", with(json!({"nbf": null})), ann()),
        ("expired within the leeway", with(json!({"exp": in_seconds(-10)})), ann()),
        ("expired", with(json!({"exp": in_seconds(-40)})), invalid()),
        ("expired long ago", with(json!({"exp": 0})), invalid()),
        ("without exp", with(json!({"exp": null})), invalid()),
        ("exp is a text", with(json!({"exp": in_seconds(600).to_string()})), invalid()),
        ("exp is negative", with(json!({"exp": -1})), invalid()),
        ("not yet valid, within the leeway", with(json!({"nbf": in_seconds(10)})), ann()),
        ("not yet valid", with(json!({"nbf": in_seconds(90)})), invalid()),
        ("nbf is a text", with(json!({"nbf": "tomorrow"})), invalid()),
        ("other audience", with(json!({"aud": "other"})), invalid()),
        ("other audiences", with(json!({"aud": ["other", "fillstream2"]})), invalid()),
        ("no audience", with(json!({"aud": null})), invalid()),
        ("an empty list of audiences", with(json!({"aud": []})), invalid()),
        ("other issuer", with(json!({"iss": "https://issuer.example.org"})), invalid()),
        ("no issuer", with(json!({"iss": null})), invalid()),
        ("no subject", with(json!({"sub": null})), invalid()),
        ("a subject that is no UUID", with(json!({"sub": "ann"})), invalid()),
        ("a subject that is a number", with(json!({"sub": 7})), invalid()),
        ("a subject without hyphens", with(json!({"sub": ANN.replace('-', "")})), invalid()),
    ];
    check(&with_secret(), rows).await;
}

#[tokio::test]
async fn who_signed_a_token_is_checked() {
    let good = token(&Signer::secret(SECRET), &json!({"alg": "HS256"}), &claims(json!({})));
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = message.split_once('.').unwrap();
    let other = url(claims(json!({"sub": "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d02"})).to_string().as_bytes());
    let by = |signer: &Signer, header: Value| token(signer, &header, &claims(json!({})));
    let secret = Signer::secret(SECRET);
    let rows = vec![
        ("good", good.clone(), ann()),
        ("a name of a key, when there is but one", by(&secret, json!({"alg": "HS256", "kid": "x"})), ann()),
        ("forged", by(&Signer::secret(&SECRET.replace('3', "4")), json!({"alg": "HS256"})), invalid()),
        ("other claims, same signature", format!("{header}.{other}.{signature}"), invalid()),
        ("no signature", format!("{message}."), invalid()),
        ("a cut signature", format!("{message}.{}", &signature[..20]), invalid()),
        ("alg none", by(&Signer::Nothing, json!({"alg": "none"})), invalid()),
        ("alg nOnE", by(&Signer::Nothing, json!({"alg": "nOnE"})), invalid()),
        ("alg none with a signature", by(&secret, json!({"alg": "none"})), invalid()),
        ("another algorithm", by(&secret, json!({"alg": "HS512"})), invalid()),
        ("a public key's algorithm", by(&secret, json!({"alg": "RS256"})), invalid()),
        ("no algorithm", by(&secret, json!({"typ": "JWT"})), invalid()),
        ("critical extensions", by(&secret, json!({"alg": "HS256", "crit": ["exp"], "exp": 0})), invalid()),
        (
            "its own key",
            by(&Signer::rsa(), json!({"alg": "RS256", "jwk": Signer::rsa().jwk("x")})),
            invalid(),
        ),
        ("garbage", "garbage".to_owned(), invalid()),
        ("dots", "..".to_owned(), invalid()),
        ("four parts", format!("{good}.x"), invalid()),
        ("two parts", message.to_owned(), invalid()),
        ("base64 with padding", format!("{message}.{signature}="), invalid()),
        ("nothing", String::new(), invalid()),
        ("beyond ASCII", "caf\u{e9}".to_owned(), refused(401, "invalid_request")),
    ];
    check(&with_secret(), rows).await;
}

#[tokio::test]
async fn one_header_says_it() {
    let askers = with_secret();
    let good = token(&Signer::secret(SECRET), &json!({"alg": "HS256"}), &claims(json!({})));
    for (case, pairs, expected) in [
        ("as usual", vec![format!("Bearer {good}")], ann()),
        ("lower case", vec![format!("bearer {good}")], ann()),
        ("upper case", vec![format!("BEARER  {good}")], ann()),
        ("none", vec![], refused(401, "authentication_required")),
        ("two", vec![format!("Bearer {good}"); 2], refused(401, "invalid_request")),
        ("another scheme", vec!["Basic eDp5".to_owned()], refused(401, "invalid_request")),
        ("no scheme", vec![good.clone()], refused(401, "invalid_request")),
        ("no token", vec!["Bearer".to_owned()], refused(401, "invalid_request")),
        ("empty", vec![String::new()], refused(401, "invalid_request")),
    ] {
        let pairs: Vec<_> = pairs.iter().map(|value| ("authorization", value.as_str())).collect();
        assert_eq!(told(askers.asker(&headers(&pairs), None).await), expected, "{case}");
    }
}

/// A key set in a file; gone when this is dropped.
struct SetFile(PathBuf);

impl SetFile {
    fn new(name: &str, text: &str) -> Self {
        let path =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}.json", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    async fn tokens(&self) -> Result<Tokens, TokensError> {
        Tokens::with_key_set(self.0.to_str().unwrap(), KeyTimes::default()).await
    }
}

impl Drop for SetFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn the_key_says_which_algorithm() {
    let (rsa, p256, ed25519) = (Signer::rsa(), Signer::p256(), Signer::ed25519());
    let keys = json!({"keys": [rsa.jwk("r"), p256.jwk("p"), ed25519.jwk("e")]});
    let file = SetFile::new("three", &keys.to_string());
    let askers = strict(file.tokens().await.unwrap());
    let modulus = keys["keys"][0]["n"].as_str().unwrap();
    let by = |signer: &Signer, alg: &str, kid: &str| {
        token(signer, &json!({"alg": alg, "kid": kid}), &claims(json!({})))
    };
    let rows = vec![
        ("RS256", by(&rsa, "RS256", "r"), ann()),
        ("ES256", by(&p256, "ES256", "p"), ann()),
        ("EdDSA", by(&ed25519, "EdDSA", "e"), ann()),
        ("the public key's text as a secret", by(&Signer::secret(RSA_PUBLIC), "HS256", "r"), invalid()),
        ("the public key's modulus as a secret", by(&Signer::secret(modulus), "HS256", "r"), invalid()),
        ("signed by RSA, says HS256", by(&rsa, "HS256", "r"), invalid()),
        ("signed by RSA, says RS512", by(&rsa, "RS512", "r"), invalid()),
        ("signed by RSA, says PS256", by(&rsa, "PS256", "r"), invalid()),
        ("another's key", by(&rsa, "RS256", "p"), invalid()),
        ("another's key and algorithm", by(&ed25519, "ES256", "p"), invalid()),
        ("another pair", by(&Signer::p256(), "ES256", "p"), invalid()),
        ("alg none", by(&Signer::Nothing, "none", "r"), invalid()),
        ("an unknown key", by(&rsa, "RS256", "x"), invalid()),
        ("no key's name, of three", token(&rsa, &json!({"alg": "RS256"}), &claims(json!({}))), invalid()),
        ("expired", token(&rsa, &json!({"alg": "RS256", "kid": "r"}), &claims(json!({"exp": 1}))), invalid()),
    ];
    check(&askers, rows).await;
}

#[tokio::test]
async fn a_set_with_one_key_needs_no_name() {
    let rsa = Signer::rsa();
    let other = json!({"kty": "RSA", "use": "enc", "kid": "x", "n": "AQAB", "e": "AQAB"});
    let file = SetFile::new("one", &json!({"keys": [other, rsa.jwk("r"), {"kty": "new"}]}).to_string());
    let askers = strict(file.tokens().await.unwrap());
    let good = token(&rsa, &json!({"alg": "RS256"}), &claims(json!({})));
    assert_eq!(found(&askers, &format!("Bearer {good}")).await, ann());
}

#[tokio::test]
async fn sets_that_are_of_no_use_are_refused() {
    let with = |name: &str, value: &str| {
        let mut key = Signer::rsa().jwk("r");
        key[name] = value.into();
        json!({"keys": [key]}).to_string()
    };
    let secret = json!({"keys": [Signer::secret(SECRET).jwk("s")]}).to_string();
    for (case, text, says) in [
        ("no JSON", "-----BEGIN PUBLIC KEY-----".to_owned(), "is no JWK set"),
        ("no set", Signer::rsa().jwk("r").to_string(), "is no JWK set"),
        ("empty", r#"{"keys":[]}"#.to_owned(), "has no public key"),
        ("a secret among public keys", secret, "has no public key"),
        ("for encryption", with("use", "enc"), "has no public key"),
        ("for another algorithm", with("alg", "RS512"), "has no public key"),
        ("too short", with("n", &url(&[0xff; 128])), "has no public key"),
    ] {
        let refused = SetFile::new("bad", &text).tokens().await.map(|_| ()).unwrap_err().to_string();
        assert!(refused.contains(says), "{case}: {refused}");
    }
    let missing = Tokens::with_key_set("/does/not/exist", KeyTimes::default())
        .await
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert!(missing.contains("cannot read the key set /does/not/exist"), "{missing}");
    let short = Tokens::with_secret(&[7; 31]).map(|_| ()).unwrap_err().to_string();
    assert!(short.contains("at least 32"), "{short}");
}
