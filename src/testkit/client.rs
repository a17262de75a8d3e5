use http::Method;
use ruma::{OwnedDeviceId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde_json::{Value, json};

use crate::{Answer, Http};

/// A device of an account, with its access token.
#[derive(Debug, Clone)]
pub struct Client {
    /// The account.
    pub user_id: OwnedUserId,
    /// The device.
    pub device_id: OwnedDeviceId,
    /// The access token.
    pub token: String,
    http: Http,
}

impl Client {
    /// The session that `/register` or `/login` answered with.
    pub fn new(http: Http, session: &Value) -> Self {
        let field = |name: &str| session.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no {name}"));
        let user_id = field("user_id").try_into().expect("a user id");
        Self { user_id, device_id: field("device_id").into(), token: field("access_token").to_owned(), http }
    }

    /// `GET`, which must succeed. Paths start after `/_matrix/client`.
    pub async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, None).await.ok()
    }

    /// `PUT`, which must succeed.
    pub async fn put(&self, path: &str, body: Value) -> Value {
        self.call(Method::PUT, path, Some(body)).await.ok()
    }

    /// `POST`, which must succeed.
    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.call(Method::POST, path, Some(body)).await.ok()
    }

    /// `DELETE`, which must succeed.
    pub async fn delete(&self, path: &str) -> Value {
        self.call(Method::DELETE, path, None).await.ok()
    }

    /// Any request, whatever comes of it.
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let path = format!("/_matrix/client{path}");
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        self.http.send(method, &path, Some(&self.token), body).await
    }

    /// Creates a room.
    pub async fn create_room(&self, body: Value) -> OwnedRoomId {
        let answer = self.post("/v3/createRoom", body).await;
        id(&answer, "room_id").as_str().try_into().expect("a room id")
    }

    /// Invites `user`.
    pub async fn invite(&self, room: &RoomId, user: &UserId) {
        self.post(&format!("/v3/rooms/{room}/invite"), json!({ "user_id": user })).await;
    }

    /// Joins `room`.
    pub async fn join(&self, room: &RoomId) {
        self.post(&format!("/v3/rooms/{room}/join"), json!({})).await;
    }

    /// Leaves `room`.
    pub async fn leave(&self, room: &RoomId) {
        self.post(&format!("/v3/rooms/{room}/leave"), json!({})).await;
    }

    /// Sends a text message.
    pub async fn send_text(&self, room: &RoomId, txn: &str, text: &str) -> OwnedEventId {
        self.send(room, "m.room.message", txn, json!({ "msgtype": "m.text", "body": text })).await
    }

    /// Sends an event.
    pub async fn send(&self, room: &RoomId, kind: &str, txn: &str, content: Value) -> OwnedEventId {
        let answer = self.put(&format!("/v3/rooms/{room}/send/{kind}/{txn}"), content).await;
        id(&answer, "event_id").as_str().try_into().expect("an event id")
    }

    /// One `/sync` that does not wait.
    pub async fn sync(&self, since: Option<&str>) -> Value {
        self.get(&since.map_or("/v3/sync".to_owned(), |since| format!("/v3/sync?since={since}"))).await
    }
}

fn id(answer: &Value, name: &str) -> String {
    answer.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no {name} in {answer}")).to_owned()
}
