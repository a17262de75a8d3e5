use event::{Draft, Pdu, Place, RoomVersionRules};
use ruma::{MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, RoomVersionId, UserId};
use serde_json::{Value, json, value::to_raw_value};

use crate::{Answer, Remote};

/// A user of another server who is in a room here: makes events as that server would.
#[derive(Debug, Clone)]
pub struct RemoteMember {
    remote: Remote,
    room: OwnedRoomId,
    user: OwnedUserId,
    rules: RoomVersionRules,
    /// What allows this user to send messages.
    auth_events: Vec<OwnedEventId>,
    /// Their join.
    pub join: Pdu,
}

impl Remote {
    /// Brings `user` of this server into a room of version 11 that is open to all.
    pub async fn join(&self, room: &RoomId, user: &UserId) -> RemoteMember {
        let federation = "/_matrix/federation";
        let made = self.get(&format!("{federation}/v1/make_join/{room}/{user}?ver=11")).await;
        let rules = event::rules(&RoomVersionId::V11).expect("rules of version 11");
        let template = made.get("event").expect("a template");
        let content = to_raw_value(&template["content"]).expect("JSON");
        let place = Place {
            room_id: Some(room),
            sender: user,
            prev_events: &ids(&template["prev_events"]),
            auth_events: &ids(&template["auth_events"]),
            hashes: &[],
            depth: template["depth"].as_u64().expect("a depth"),
            origin_server_ts: MilliSecondsSinceUnixEpoch::now(),
            random: [0; 16],
        };
        let draft = Draft::state("m.room.member".into(), user.as_str(), content);
        let join = draft.build(&place, self.keys.signer(), &rules).expect("a join");
        let body = serde_json::from_slice(join.json()).expect("JSON");
        let joined = self.put(&format!("{federation}/v2/send_join/{room}/{}", join.event_id), body).await;
        let mut auth_events = vec![join.event_id.clone()];
        for event in joined.get("state").and_then(Value::as_array).expect("state") {
            if ["m.room.create", "m.room.power_levels"].iter().any(|kind| event["type"] == *kind) {
                let json = event.to_string();
                auth_events.push(Pdu::parse(json.as_bytes(), &rules).expect("an event").event_id);
            }
        }
        RemoteMember { remote: self.clone(), room: room.to_owned(), user: user.to_owned(), rules, auth_events, join }
    }
}

impl RemoteMember {
    /// A message after other events.
    pub fn message(&self, prev_events: &[OwnedEventId], body: &str) -> Pdu {
        let content = to_raw_value(&json!({ "msgtype": "m.text", "body": body })).expect("JSON");
        self.event(prev_events, Draft::message("m.room.message".into(), content))
    }

    /// A name of the room after other events.
    pub fn name(&self, prev_events: &[OwnedEventId], name: &str) -> Pdu {
        let content = to_raw_value(&json!({ "name": name })).expect("JSON");
        self.event(prev_events, Draft::state("m.room.name".into(), "", content))
    }

    /// Right after the join in depth.
    fn event(&self, prev_events: &[OwnedEventId], draft: Draft) -> Pdu {
        let place = Place {
            room_id: Some(&self.room),
            sender: &self.user,
            prev_events,
            auth_events: &self.auth_events,
            hashes: &[],
            depth: self.join.depth + 1,
            origin_server_ts: MilliSecondsSinceUnixEpoch::now(),
            random: [0; 16],
        };
        draft.build(&place, self.remote.keys.signer(), &self.rules).expect("an event")
    }

    /// Sends events in a transaction.
    pub async fn push(&self, txn_id: &str, pdus: Vec<Pdu>) -> Answer {
        let pdus: Vec<Value> = pdus.iter().map(|pdu| serde_json::from_slice(pdu.json()).expect("JSON")).collect();
        let body = json!({ "origin": self.user.server_name(), "origin_server_ts": 0, "pdus": pdus });
        self.remote.call(http::Method::PUT, &format!("/_matrix/federation/v1/send/{txn_id}"), Some(body)).await
    }
}

fn ids(list: &Value) -> Vec<OwnedEventId> {
    serde_json::from_value(list.clone()).expect("event ids")
}
