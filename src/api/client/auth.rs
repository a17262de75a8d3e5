use std::convert::Infallible;

use account::{Operation, Uia, UiaFlow};
use axum::extract::FromRequestParts;
use http::request::Parts;
use ruma::{UserId, api::client::uiaa::AuthData};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Map, Value, json};

use crate::{AppState, MatrixError};

/// `auth` of a request. Some clients still name the user by `user` instead of `identifier`, which ruma's type
/// does not take.
#[derive(Debug, Clone)]
pub struct Auth(pub AuthData);

impl<'de> Deserialize<'de> for Auth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut auth = Map::<String, Value>::deserialize(deserializer)?;
        let is_password = auth.get("type").is_some_and(|kind| kind == "m.login.password");
        if is_password
            && !auth.contains_key("identifier")
            && let Some(user) = auth.remove("user")
        {
            auth.insert("identifier".to_owned(), json!({ "type": "m.id.user", "user": user }));
        }
        serde_json::from_value(Value::Object(auth)).map(Self).map_err(D::Error::custom)
    }
}

/// A request of which nothing matters but its `auth`.
#[derive(Debug, Clone, Deserialize)]
pub struct OnlyAuth {
    /// What proves who asks.
    pub auth: Option<Auth>,
}

impl OnlyAuth {
    /// As [`account::Uia::check`] takes it.
    pub fn data(&self) -> Option<&AuthData> {
        self.auth.as_ref().map(|auth| &auth.0)
    }
}

/// Asks for the password of who is logged in before what is worth it.
#[derive(Debug)]
pub struct Confirm(Uia);

impl FromRequestParts<AppState> for Confirm {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        Ok(Self(state.uia.clone()))
    }
}

impl Confirm {
    /// Lets `user` do the operation `name`, with everything of the request that matters as `body`.
    ///
    /// # Errors
    /// 401 with what is to be done, 403 when the request changed or somebody else's password is given, 429 after too many
    /// wrong ones.
    pub async fn by_password(
        &self,
        name: &str,
        user: &UserId,
        body: &[u8],
        auth: Option<&AuthData>,
    ) -> Result<(), MatrixError> {
        let operation = Operation::new(name, Some(user.to_owned()), body);
        Ok(self.0.check(&operation, &UiaFlow::password(), auth).await.map(drop)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_without_identifier_is_taken_as_one() {
        let old = json!({ "auth": { "type": "m.login.password", "user": "alice", "password": "p", "session": "s" } });
        let body: OnlyAuth = serde_json::from_value(old).unwrap();
        let data = body.data().unwrap();
        assert_eq!(data.session(), Some("s"));
        assert_eq!(data.data().get("identifier"), Some(&json!({ "type": "m.id.user", "user": "alice" })));
    }

    #[test]
    fn a_request_may_have_no_auth() {
        assert!(serde_json::from_value::<OnlyAuth>(json!({})).unwrap().data().is_none());
        assert!(serde_json::from_value::<OnlyAuth>(json!({ "auth": 1 })).is_err());
    }
}
