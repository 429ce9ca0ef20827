//! Identifiers. Each kind has a type of its own, so that mixing them does not compile.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Namespace of order ids that are derived from a client's key (UUIDv5, RFC 9562 section 5.5). Never changes:
/// a repetition of an old request must find the old order.
const DERIVED_ORDER_IDS: Uuid = Uuid::from_u128(0x6f0e_3c1a_52d7_5b6f_9d1e_6669_6c6c_7374);

/// The text is not a lower-case or upper-case hyphenated UUID of 36 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a hyphenated UUID such as 0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e")]
pub struct IdError;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID that was minted elsewhere.
            #[must_use]
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID inside.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            /// Accepts the hyphenated form only: braces, URNs and bare hex would make two spellings of one subject.
            fn from_str(text: &str) -> Result<Self, IdError> {
                if text.len() != 36 {
                    return Err(IdError);
                }
                Uuid::try_parse(text).map(Self).map_err(|_| IdError)
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "format": "uuid" })
            }
        }
    };
}

id! {
    /// One order: UUIDv7 when minted at the intake, UUIDv5 when derived from a client's key.
    OrderId
}
id! {
    /// Who places orders and owns them.
    UserId
}

id! {
    /// One trade: UUIDv5 of market, input and place, the same again on every replay.
    TradeId
}

impl OrderId {
    /// The id that the same client request always gets: scope is family and user (if one is named).
    #[must_use]
    pub fn derived(family: &str, user: Option<UserId>, key: &ClientKey) -> Self {
        let user = user.map_or_else(|| "-".to_owned(), |user| user.to_string());
        Self(Uuid::new_v5(&DERIVED_ORDER_IDS, format!("{family}/{user}/{}", key.as_str()).as_bytes()))
    }
}

/// A client's own name for a request: `Idempotency-Key` or client order id.
/// 1 to [`ClientKey::MAX_CHARS`] visible ASCII characters, so that it reads the same in headers, logs and JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClientKey(String);

/// The text cannot be a client key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 255 visible ASCII characters")]
pub struct ClientKeyError;

impl ClientKey {
    /// Longest key; the customary bound of idempotency keys.
    pub const MAX_CHARS: usize = 255;

    /// # Errors
    /// When the text is empty, too long or holds anything but visible ASCII characters.
    pub fn new(text: &str) -> Result<Self, ClientKeyError> {
        let fits = (1..=Self::MAX_CHARS).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ClientKeyError)
        }
    }

    /// The key as the client wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ClientKey {
    type Error = ClientKeyError;
    fn try_from(text: String) -> Result<Self, ClientKeyError> {
        Self::new(&text)
    }
}

impl From<ClientKey> for String {
    fn from(key: ClientKey) -> Self {
        key.0
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for ClientKey {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ClientKey".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hyphenated_uuids_are_ids() {
        let good = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e";
        assert_eq!(good.parse::<OrderId>().unwrap().to_string(), good);
        assert_eq!(good.to_uppercase().parse::<OrderId>().unwrap().to_string(), good);
        for bad in [
            "",
            "*",
            ">",
            "a.b",
            "../x",
            "\0",
            &"a".repeat(300),
            "0198c0de7a5e7c3a9f003f2a1b4c5d6e",
            "{0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d}",
        ] {
            assert_eq!(bad.parse::<OrderId>(), Err(IdError), "{bad:?}");
        }
    }

    #[test]
    fn derived_ids_depend_on_family_user_and_key() {
        let user = UserId::new(Uuid::from_u128(1));
        let key = ClientKey::new("k-1").unwrap();
        let id = OrderId::derived("swap", Some(user), &key);
        assert_eq!(id, OrderId::derived("swap", Some(user), &key));
        assert_eq!(id.uuid().get_version_num(), 5);
        assert_ne!(id, OrderId::derived("book", Some(user), &key));
        assert_ne!(id, OrderId::derived("swap", None, &key));
        assert_ne!(id, OrderId::derived("swap", Some(user), &ClientKey::new("k-2").unwrap()));
    }

    #[test]
    fn keys_are_visible_ascii() {
        for bad in ["", "two words", "tab\t", "ключ", &"k".repeat(256)] {
            assert_eq!(ClientKey::new(bad), Err(ClientKeyError), "{bad:?}");
        }
        assert!(ClientKey::new(&"k".repeat(255)).is_ok());
    }
}
