use ruma::{OwnedEventId, ServerName};
use serde_json::{Value, json};

use crate::{Direction, RoomError, cases::rig::Rig};

/// alice speaks before and after every change of bob's membership, who is of another server; so is eve, who stays.
async fn story(visibility: &str) -> Rig {
    let rig = Rig::new().await;
    rig.state("alice", "m.room.history_visibility", "", &json!({ "history_visibility": visibility })).await;
    rig.join("eve:stays.test").await;
    rig.say("alice", "before").await;
    rig.member("alice", "bob:other.test", "invite").await;
    rig.say("alice", "invited").await;
    rig.join("bob:other.test").await;
    rig.say("alice", "joined").await;
    rig.member("bob:other.test", "bob:other.test", "leave").await;
    rig.say("alice", "left").await;
    // Another user of the server keeps it in the room.
    rig.join("zoe:other.test").await;
    rig.say("alice", "again").await;
    rig
}

async fn sent(rig: &Rig, server: &str) -> Vec<Value> {
    let server = <&ServerName>::try_from(server).unwrap();
    let sent = rig.rooms.for_server(&rig.rooms.db().view(), rig.num, server, &rig.all().await).await.unwrap();
    sent.iter().map(|json| serde_json::from_slice(json).unwrap()).collect()
}

#[tokio::test]
async fn a_server_sees_what_any_of_its_users_could() {
    for (visibility, expected) in [
        ("world_readable", "before invited joined left again"),
        ("shared", "before invited joined left again"),
        ("nonsense", "before invited joined left again"),
        ("invited", "invited joined again"),
        ("joined", "joined again"),
    ] {
        let rig = story(visibility).await;
        let sent = sent(&rig, "other.test").await;
        let heard: Vec<_> = sent.iter().filter_map(|event| event["content"]["body"].as_str()).collect();
        assert_eq!(heard.join(" "), expected, "{visibility}");
        let messages = sent.iter().filter(|event| event["type"] == "m.room.message").count();
        assert_eq!(messages, 5, "what is not seen is sent redacted");
    }
}

#[tokio::test]
async fn a_redacted_event_keeps_its_id() {
    let rig = story("joined").await;
    let version = rig.rooms.info(&rig.rooms.db().view(), rig.num).await.unwrap().version.clone();
    let rules = event::rules(&version).unwrap();
    let server = <&ServerName>::try_from("other.test").unwrap();
    let rows = rig.all().await;
    let sent = rig.rooms.for_server(&rig.rooms.db().view(), rig.num, server, &rows).await.unwrap();
    let ids: Vec<_> = sent.iter().map(|json| event::Pdu::parse(json, &rules).unwrap().event_id).collect();
    assert_eq!(ids, rows.iter().map(|(_, row)| row.event.event_id()).collect::<Vec<_>>());
}

#[tokio::test]
async fn events_about_the_servers_own_users_are_seen() {
    let rig = story("joined").await;
    rig.member("alice", "fred:other.test", "invite").await;
    let events = sent(&rig, "other.test").await;
    let own = events.iter().filter(|event| event["state_key"].as_str().is_some_and(|key| key.ends_with(":other.test")));
    let memberships: Vec<_> = own.map(|event| event["content"]["membership"].as_str().unwrap()).collect();
    assert_eq!(memberships, ["invite", "join", "leave", "join", "invite"]);
}

async fn ask(rig: &Rig, server: &str, event: &OwnedEventId) -> Result<Value, RoomError> {
    let server = <&ServerName>::try_from(server).unwrap();
    let json = rig.rooms.event_for_server(&rig.rooms.db().view(), event, server).await?;
    Ok(serde_json::from_slice(&json).unwrap())
}

#[tokio::test]
async fn a_single_event_is_given_to_those_who_may_see_it() {
    let rig = story("joined").await;
    let secret = rig.all().await.iter().find(|(_, row)| row.event.content().contains("before")).unwrap().1.clone();
    let secret: OwnedEventId = secret.event.event_id().try_into().unwrap();
    let open = rig.say("alice", "for all").await;
    assert_eq!(ask(&rig, "other.test", &open).await.unwrap()["content"]["body"], "for all");
    assert_eq!(ask(&rig, "stays.test", &secret).await.unwrap()["content"]["body"], "before");
    assert!(matches!(ask(&rig, "other.test", &secret).await, Err(RoomError::UnknownEvent)));
    assert!(matches!(ask(&rig, "never.test", &open).await, Err(RoomError::Denied(_))));
    let unknown = "$nowhere".try_into().unwrap();
    assert!(matches!(ask(&rig, "other.test", &unknown).await, Err(RoomError::UnknownEvent)));
}

#[tokio::test]
async fn by_time_a_server_finds_only_what_it_may_see() {
    let rig = story("joined").await;
    let view = rig.rooms.db().view();
    let find = async |server: &str, ts| {
        let server = <&ServerName>::try_from(server).unwrap();
        let found = rig.rooms.event_by_time_for(&view, rig.num, server, ts, Direction::Forward).await.unwrap();
        found.and_then(|(_, row)| Some(serde_json::from_str::<Value>(row.event.content()).ok()?["body"].clone()))
    };
    let ts = |text: &str| {
        let text = text.to_owned();
        let rig = &rig;
        async move {
            let rows = rig.all().await;
            rows.iter().find(|(_, row)| row.event.content().contains(&text)).unwrap().1.event.origin_server_ts()
        }
    };
    let before = ts("before").await;
    assert_eq!(find("stays.test", before).await, Some("before".into()));
    assert_ne!(find("other.test", before).await, Some("before".into()));
    let joined = ts("joined\"").await;
    let last = ts("again").await;
    assert_eq!(find("other.test", last).await, Some("again".into()));
    assert_eq!(find("other.test", last + 1).await, None);
    assert!(joined < last);
}
