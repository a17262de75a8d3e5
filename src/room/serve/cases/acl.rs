use ruma::ServerName;
use serde_json::{Value, json};

use crate::{RoomError, cases::rig::Rig, serve::Acl};

fn allows(acl: &Value, server: &str) -> bool {
    Acl::of_content(&acl.to_string()).allows(<&ServerName>::try_from(server).unwrap())
}

#[test]
fn a_list_says_who_may_take_part() {
    let open = json!({ "allow": ["*"], "deny": [] });
    let no_literals = json!({ "allow": ["*"], "allow_ip_literals": false });
    let evil = json!({ "allow": ["*"], "deny": ["*.evil.test", "evil.test", "1.1.1.*", "[2001:db8::1]", "b?d.test"] });
    let few = json!({ "allow": ["good.test", "*.good.test"] });
    for (acl, server, expected) in [
        (&open, "any.test", true),
        (&open, "1.2.3.4", true),
        (&open, "[::1]:8448", true),
        (&no_literals, "any.test", true),
        (&no_literals, "1.2.3.4", false),
        (&no_literals, "1.2.3.4:8448", false),
        (&no_literals, "[::1]", false),
        (&no_literals, "[::1]:443", false),
        (&no_literals, "1.2.3.4.test", true),
        (&evil, "evil.test", false),
        (&evil, "EVIL.test", false),
        (&evil, "evil.test:8448", false),
        (&evil, "sub.evil.test", false),
        (&evil, "sub.evil.test:1", false),
        (&evil, "notevil.test", true),
        (&evil, "evil.test.org", true),
        (&evil, "1.1.1.7", false),
        (&evil, "1.1.1.7:8448", false),
        (&evil, "1.1.2.7", true),
        (&evil, "[2001:db8::1]", false),
        (&evil, "[2001:db8::1]:8448", false),
        (&evil, "bad.test", false),
        (&evil, "baad.test", true),
        (&few, "good.test", true),
        (&few, "good.test:8448", true),
        (&few, "a.b.good.test", true),
        (&few, "other.test", false),
        // What is missing or malformed is empty, and an empty list allows nobody.
        (&json!({}), "any.test", false),
        (&json!({ "deny": ["evil.test"] }), "any.test", false),
        (&json!({ "allow": "*" }), "any.test", false),
        (&json!({ "allow": [1, null, "*"], "deny": [{}] }), "any.test", true),
        (&json!({ "allow": ["*"], "deny": ["*"] }), "any.test", false),
        (&json!({ "allow": ["*"], "allow_ip_literals": "no" }), "1.2.3.4", true),
        (&json!([]), "any.test", false),
    ] {
        assert_eq!(allows(acl, server), expected, "{acl} {server}");
    }
}

#[test]
fn the_worst_list_takes_no_time() {
    let deny: Vec<_> = (0..100).map(|i| format!("{}{i}", "*a?".repeat(200))).collect();
    assert!(allows(&json!({ "allow": ["*"], "deny": deny }), &"a".repeat(250)));
}

#[tokio::test]
async fn the_list_that_holds_now_decides() {
    let rig = Rig::new().await;
    let other = <&ServerName>::try_from("other.test").unwrap();
    rig.join("bob:other.test").await;
    let allowed = async || rig.rooms.acl_allows(&rig.rooms.db().view(), rig.num, other).await.unwrap();
    assert!(allowed().await, "no list");
    rig.state("alice", "m.room.server_acl", "", &json!({ "allow": ["*"], "deny": ["other.test"] })).await;
    assert!(!allowed().await && !allowed().await, "denied, from the cache too");
    let room = rig.rooms.served_room(&rig.rooms.db().view(), &rig.id, other).await;
    assert!(matches!(room, Err(RoomError::Denied(_))));
    let own = rig.rooms.server().to_owned();
    assert!(rig.rooms.acl_allows(&rig.rooms.db().view(), rig.num, &own).await.unwrap());
    rig.state("alice", "m.room.server_acl", "", &json!({ "allow": ["*"] })).await;
    assert!(allowed().await, "allowed again");
}

#[tokio::test]
async fn only_servers_with_a_joined_member_read_from_a_room() {
    let rig = Rig::new().await;
    let served = async |server: &str| {
        let server = <&ServerName>::try_from(server).unwrap();
        rig.rooms.served_room(&rig.rooms.db().view(), &rig.id, server).await.is_ok()
    };
    rig.member("alice", "bob:invited.test", "invite").await;
    rig.join("carl:joined.test").await;
    rig.join("dora:left.test").await;
    rig.member("dora:left.test", "dora:left.test", "leave").await;
    assert!(served("joined.test").await);
    assert!(!served("invited.test").await && !served("left.test").await && !served("never.test").await);
    let (view, nowhere) = (rig.rooms.db().view(), ruma::owned_room_id!("!nowhere:joined.test"));
    let unknown = rig.rooms.served_room(&view, &nowhere, "joined.test".try_into().unwrap()).await;
    assert!(matches!(unknown, Err(RoomError::UnknownRoom)));
}
