//! What is told of rooms after a long time, through filters, and while many speak at once.

use super::*;

fn part<'a>(response: &'a Value, section: &str, room: &OwnedRoomId) -> &'a Value {
    &response["rooms"][section][room.as_str()]
}

impl Rig {
    async fn react(&self, room: &OwnedRoomId, key: usize) {
        let draft = Draft::message("m.custom".into(), raw(&json!({ "key": key })));
        self.rooms.send(room, &Outgoing::new(&user("alice"), draft)).await.unwrap();
    }
}

#[tokio::test]
async fn who_was_removed_long_ago_is_told_what_was_before_and_nothing_after() {
    let rig = Rig::new();
    let room = rig.room("alice").await;
    rig.member(&room, "bob", MemberAction::Join).await;
    let since = token(&rig.now("bob", None).await);
    let heard = rig.say(&room, "alice", "goodbye").await;
    let kick = MemberChange::of(user("alice"), user("bob"), MemberAction::Kick);
    rig.rooms.change_member(&room, &kick).await.unwrap();
    for n in 0..30 {
        rig.say(&room, "alice", &n.to_string()).await;
    }
    let news = rig.now("bob", Some(&since)).await;
    let events = part(&news, "leave", &room)["timeline"]["events"].as_array().unwrap();
    assert_eq!(events.len(), 2);
    assert_eq!(events[0]["event_id"], heard);
    assert_eq!(events[1]["content"]["membership"], "leave");
    assert_eq!(part(&news, "leave", &room)["timeline"]["limited"], false);
}

#[tokio::test]
async fn what_a_filter_leaves_out_makes_no_gap() {
    let rig = Rig::new();
    let room = rig.room("alice").await;
    let since = token(&rig.now("alice", None).await);
    let first = rig.say(&room, "alice", "first").await;
    for key in 0..40 {
        rig.react(&room, key).await;
    }
    let second = rig.say(&room, "alice", "second").await;
    let ask = async |limit: usize| {
        let filter = json!({ "room": { "timeline": { "types": ["m.room.message"], "limit": limit } } });
        let wants = Wants::new(&serde_json::from_value(filter).unwrap());
        rig.ask_with("alice", Some(&since), Duration::ZERO, wants).await
    };
    let news = ask(10).await;
    assert_eq!(timeline(&news, &room), [first.clone(), second.clone()]);
    assert_eq!(part(&news, "join", &room)["timeline"]["limited"], false);
    let one = ask(1).await;
    assert_eq!(timeline(&one, &room), [second]);
    assert_eq!(part(&one, "join", &room)["timeline"]["limited"], true);
    let before = room::TimelineToken::parse(part(&one, "join", &room)["timeline"]["prev_batch"].as_str().unwrap());
    let view = rig.rooms.db().view();
    let num = rig.rooms.num(&view, &room).await.unwrap();
    let bound = before.unwrap().bound(room::Direction::Backward);
    let page = rig.rooms.timeline(&view, num, bound, room::Direction::Backward, 41).await.unwrap();
    assert_eq!(page.events.last().unwrap().2.event.event_id(), first, "reading on leads to what was left out");
}

#[tokio::test]
async fn who_did_not_sync_before_wakes_those_who_share_a_room() {
    let rig = Arc::new(Rig::new());
    let room = rig.room("alice").await;
    rig.member(&room, "bob", MemberAction::Join).await;
    let since = token(&rig.now("alice", None).await);
    let waiting = tokio::spawn({
        let rig = rig.clone();
        async move { rig.ask("alice", Some(&since), Duration::from_secs(60)).await }
    });
    tokio::task::yield_now().await;
    rig.presence.set_remote(&user("bob"), PresenceState::Online, None, None).await.unwrap();
    let news = waiting.await.unwrap();
    assert_eq!(news["presence"]["events"][0]["sender"], user("bob").as_str());
}

/// Rooms with messages that several people send at once while others follow them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_or_told_twice_while_many_speak_at_once() {
    const EACH: usize = 40;
    let rig = Arc::new(Rig::new());
    let rooms = [rig.room("alice").await, rig.room("alice").await, rig.room("alice").await];
    for room in &rooms {
        rig.member(room, "bob", MemberAction::Join).await;
    }
    let start = token(&rig.now("alice", None).await);
    let mut speakers = tokio::task::JoinSet::new();
    for (n, room) in rooms.iter().cycle().take(6).enumerate() {
        let (rig, room) = (rig.clone(), room.clone());
        let name = if n % 2 == 0 { "alice" } else { "bob" };
        speakers.spawn(async move {
            let mut sent = Vec::new();
            for text in 0..EACH {
                sent.push(rig.say(&room, name, &format!("{n} {text}")).await);
            }
            sent
        });
    }
    let mut followers = tokio::task::JoinSet::new();
    for name in ["alice", "bob", "bob"] {
        let (rig, rooms, mut since) = (rig.clone(), rooms.clone(), start.clone());
        followers.spawn(async move {
            let mut heard = Vec::new();
            while heard.len() < 6 * EACH {
                let filter = json!({ "room": { "timeline": { "limit": 100 } } });
                let wants = Wants::new(&serde_json::from_value(filter).unwrap());
                let news = rig.ask_with(name, Some(&since), Duration::from_secs(20), wants).await;
                for room in &rooms {
                    heard.extend(timeline(&news, room));
                }
                assert_ne!(token(&news), since, "a wait ended without news");
                since = token(&news);
            }
            (heard, since)
        });
    }
    let sent: BTreeSet<_> = speakers.join_all().await.concat().into_iter().collect();
    for (heard, since) in followers.join_all().await {
        assert_eq!(heard.len(), sent.len(), "told twice");
        assert_eq!(heard.into_iter().collect::<BTreeSet<_>>(), sent);
        assert_eq!(rig.now("bob", Some(&since)).await["rooms"], Value::Null);
    }
}
