//! Invites of e-mail addresses, once an identity server has found the user: between two servers and on one.

use event::Signer;
use http::{Method, StatusCode};
use ruma::{CanonicalJsonObject, RoomId, UserId};
use serde_json::{Value, json};
use testkit::{Client, Federation, TestServer};

const TOKEN: &str = "a.token";

fn identity_server(seed: u8) -> Signer {
    Signer::new("id.test".try_into().unwrap(), "ed25519:0".try_into().unwrap(), &[seed; 32])
}

/// What the identity server says of a user who has shown that an address is theirs.
fn signed(by: &Signer, user: &UserId, token: &str) -> Value {
    let mut signed: CanonicalJsonObject = serde_json::from_value(json!({ "mxid": user, "token": token })).unwrap();
    by.sign_json(&mut signed).unwrap();
    serde_json::to_value(signed).unwrap()
}

/// The room knows of an invite whose identity server has this key.
async fn invited_by_address(client: &Client, room: &RoomId, by: &Signer) {
    let content = json!({
        "display_name": "b…@example.org",
        "key_validity_url": "https://id.test/valid",
        "public_key": by.public_key_base64(),
    });
    client.put(&format!("/v3/rooms/{room}/state/m.room.third_party_invite/{TOKEN}"), content).await;
}

/// The identity server tells `server` that an address belongs to `user`.
async fn tell(server: &TestServer, user: &UserId, room: &RoomId, sender: &UserId, signed: &Value) -> StatusCode {
    let invite = json!({
        "address": "bob@example.org", "medium": "email", "mxid": user, "room_id": room, "sender": sender,
        "signed": signed,
    });
    let body = json!({ "address": "bob@example.org", "medium": "email", "mxid": user, "invites": [invite] });
    let path = "/_matrix/federation/v1/3pid/onbind";
    server.http().send(Method::PUT, path, None, body.to_string()).await.status
}

async fn membership(client: &Client, room: &RoomId, user: &UserId) -> Value {
    client.state(room, "m.room.member", user.as_str()).await["membership"].clone()
}

#[tokio::test]
async fn an_address_that_turns_out_to_be_of_another_server_is_invited() {
    let servers = Federation::pair().await;
    let (alice, bob) = (servers.one.user("alice").await, servers.two.user("bob").await);
    let (identity, stranger) = (identity_server(1), identity_server(2));
    for version in ["1", "6", "11", "12"] {
        let room = alice.create_room(json!({ "room_version": version })).await;
        invited_by_address(&alice, &room, &identity).await;
        // What the room's identity server did not sign makes no invite, nor what it signed for somebody else.
        for forged in [
            signed(&stranger, &bob.user_id, TOKEN),
            signed(&identity, &bob.user_id, "another"),
            signed(&identity, &alice.user_id, TOKEN),
        ] {
            assert_eq!(tell(&servers.two, &bob.user_id, &room, &alice.user_id, &forged).await, StatusCode::OK);
            assert_ne!(membership(&alice, &room, &bob.user_id).await, "invite", "version {version}");
        }

        let good = signed(&identity, &bob.user_id, TOKEN);
        assert_eq!(tell(&servers.two, &bob.user_id, &room, &alice.user_id, &good).await, StatusCode::OK);
        let member = alice.state(&room, "m.room.member", bob.user_id.as_str()).await;
        assert_eq!(member["membership"], "invite", "version {version}: {member}");
        assert_eq!(member["third_party_invite"]["display_name"], "b…@example.org");
        assert_eq!(member["third_party_invite"]["signed"]["token"], TOKEN);
        let news = bob.sync(None).await;
        assert!(news["rooms"]["invite"].get(room.as_str()).is_some(), "version {version}: {news}");
        bob.join_via(&room, &servers.one).await;
        assert_eq!(membership(&alice, &room, &bob.user_id).await, "join", "version {version}");
    }
    servers.stop().await;
}

#[tokio::test]
async fn an_address_that_turns_out_to_be_of_this_server_is_invited() {
    let servers = Federation::pair().await;
    let (alice, bob) = (servers.one.user("alice").await, servers.one.user("bob").await);
    let identity = identity_server(1);
    let room = alice.create_room(json!({})).await;
    invited_by_address(&alice, &room, &identity).await;
    let good = signed(&identity, &bob.user_id, TOKEN);
    assert_eq!(tell(&servers.one, &bob.user_id, &room, &alice.user_id, &good).await, StatusCode::OK);
    assert_eq!(membership(&alice, &room, &bob.user_id).await, "invite");
    bob.join(&room).await;
    let nobody = <&UserId>::try_from("@nobody:other.test").unwrap();
    assert_eq!(tell(&servers.one, nobody, &room, &alice.user_id, &good).await, StatusCode::NOT_FOUND);
    servers.stop().await;
}

#[tokio::test]
async fn another_server_has_an_invite_made_real_only_by_the_rules() {
    let server = TestServer::new().await;
    let alice = server.user("alice").await;
    let remote = server.remote("other.test").await;
    let identity = identity_server(1);
    let room = alice.create_room(json!({})).await;
    invited_by_address(&alice, &room, &identity).await;
    let bob = <&UserId>::try_from("@bob:other.test").unwrap();
    let ask = async |sender: &UserId, target: &UserId, signed: &Value| {
        let content = json!({ "membership": "invite", "third_party_invite": { "signed": signed } });
        let body = json!({
            "type": "m.room.member", "room_id": room, "sender": sender, "state_key": target, "content": content,
        });
        let path = format!("/_matrix/federation/v1/exchange_third_party_invite/{room}");
        let answer = remote.call(Method::PUT, &path, Some(body)).await;
        (answer.status, answer.errcode())
    };
    let good = signed(&identity, bob, TOKEN);
    let denied = (StatusCode::FORBIDDEN, "M_FORBIDDEN".to_owned());
    assert_eq!(ask(&alice.user_id, bob, &signed(&identity, bob, "another")).await, denied);
    assert_eq!(ask(&alice.user_id, bob, &signed(&identity_server(2), bob, TOKEN)).await, denied);
    assert_eq!(ask(bob, bob, &good).await, denied);
    assert_eq!(ask(&alice.user_id, &alice.user_id, &good).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(ask(&alice.user_id, bob, &json!({})).await.0, StatusCode::BAD_REQUEST);
    assert_ne!(membership(&alice, &room, bob).await, "invite");
    server.stop().await;
}
