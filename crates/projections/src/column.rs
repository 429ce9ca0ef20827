//! Forms of values in a column, where that is not their own JSON.

/// JSON may hold U+0000 and PostgreSQL's TEXT may not; one foreign reason must not stop the whole model.
pub(crate) fn storable(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

/// Booleans are 0 and 1 in a column: the one form that both databases read.
pub(crate) mod flag {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer>(flag: &bool, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(u8::from(*flag))
    }

    pub(crate) fn serialize_option<S: Serializer>(
        flag: &Option<bool>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match flag {
            Some(flag) => serialize(flag, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
        match u8::deserialize(deserializer)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(D::Error::custom(format!("{other} is neither 0 nor 1"))),
        }
    }
}

/// A value as the text of its JSON.
pub(crate) mod json_text {
    use serde::de::{DeserializeOwned, Error as _};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error as _};

    pub(crate) fn serialize<T: Serialize, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&serde_json::to_string(value).map_err(S::Error::custom)?)
    }

    pub(crate) fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        serde_json::from_str(&text).map_err(D::Error::custom)
    }

    /// The same where there may be none.
    pub(crate) mod option {
        use super::{Deserialize, DeserializeOwned, Deserializer, Serialize, Serializer};

        pub(crate) fn serialize<T: Serialize, S: Serializer>(
            value: &Option<T>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match value {
                Some(value) => super::serialize(value, serializer),
                None => serializer.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<T>, D::Error> {
            #[derive(Deserialize)]
            #[serde(transparent, bound = "T: DeserializeOwned")]
            struct Text<T>(#[serde(with = "super")] T);
            Ok(Option::<Text<T>>::deserialize(deserializer)?.map(|text| text.0))
        }
    }
}
