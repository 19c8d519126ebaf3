//! Text that must not show: not in logs, not in errors, not in printed settings.

use serde::{Deserialize, Serialize, Serializer};

/// What stands in a secret's place.
pub const REDACTED: &str = "<redacted>";

/// A password or key; only [`reveal`](Self::reveal) gives it away.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Makes a secret of plain text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the plain text, for the client that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

/// Words in the names of librdkafka's properties whose values are secrets.
const SECRET_WORDS: [&str; 6] = [
    "password",
    "secret",
    "key.pem",
    "token",
    "jaas",
    "oauthbearer.config",
];

/// Whether a property of the client holds a secret.
pub(super) fn is_secret(property: &str) -> bool {
    SECRET_WORDS.iter().any(|word| property.contains(word))
}

/// Replaces the password in `scheme://user:password@host`.
pub(crate) fn without_password(address: &str) -> String {
    match url::Url::parse(address) {
        Ok(mut url) if url.password().is_some() => match url.set_password(Some("redacted")) {
            Ok(()) => url.into(),
            Err(()) => REDACTED.to_owned(),
        },
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_in_no_form() {
        let secret = Secret::new("hunter2");
        let forms = [
            format!("{secret:?}"),
            serde_json::to_string(&secret).expect("text"),
        ];
        for form in forms {
            assert!(!form.contains("hunter2"), "{form}");
        }
        assert_eq!(secret.reveal(), "hunter2");
    }

    #[test]
    fn addresses_lose_their_password_only() {
        assert_eq!(
            without_password("http://me:hunter2@registry:8081/apis"),
            "http://me:redacted@registry:8081/apis"
        );
        for plain in ["http://registry:8081/apis", "lake", "/var/lib/lake"] {
            assert_eq!(without_password(plain), plain);
        }
    }

    #[test]
    fn properties_with_secrets_are_known() {
        for name in [
            "sasl.password",
            "ssl.key.pem",
            "ssl.keystore.password",
            "sasl.oauthbearer.client.secret",
        ] {
            assert!(is_secret(name), "{name}");
        }
        assert!(!is_secret("session.timeout.ms"));
    }
}
