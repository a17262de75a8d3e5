//! Which servers are in a room.

use kv::{Read, Tx};
use ruma::{OwnedServerName, server_name};

use super::rig::{Rig, user};
use crate::{
    Membership,
    servers::record_server,
    tables::{RELAYS, SERVER_LOG},
};

async fn change(rig: &Rig, tx: &mut Tx, name: &str, from: Membership, to: Membership) {
    let slot = tx.stamp();
    record_server(tx, rig.num, &user(name), from, to, slot).await.unwrap();
}

async fn servers(rig: &Rig) -> Vec<OwnedServerName> {
    rig.rooms.servers_in(&rig.rooms.db().view(), rig.num).await.unwrap()
}

#[tokio::test]
async fn a_server_comes_with_its_first_member_and_goes_with_its_last() {
    use Membership::{Ban, Invite, Join, Leave};
    let rig = Rig::new().await;
    let remote = server_name!("remote.test");
    assert_eq!(servers(&rig).await, [server_name!("hearth.test")]);

    let mut tx = rig.rooms.db().begin();
    change(&rig, &mut tx, "bob:remote.test", Leave, Invite).await;
    change(&rig, &mut tx, "bob:remote.test", Invite, Join).await;
    change(&rig, &mut tx, "carol:remote.test", Leave, Join).await;
    change(&rig, &mut tx, "carol:remote.test", Join, Join).await;
    tx.commit().await.unwrap();
    assert_eq!(servers(&rig).await, [server_name!("hearth.test"), remote]);

    let mut tx = rig.rooms.db().begin();
    change(&rig, &mut tx, "bob:remote.test", Join, Ban).await;
    tx.commit().await.unwrap();
    let view = rig.rooms.db().view();
    assert!(rig.rooms.server_is_in(&view, rig.num, remote).await.unwrap());
    assert!(rig.rooms.shares_a_room_with(&view, remote).await.unwrap());
    assert_eq!(rig.rooms.rooms_of_server(&view, remote).await.unwrap(), [rig.num]);
    assert_eq!(rig.rooms.known_servers(&view, None, 1).await.unwrap(), [server_name!("hearth.test")]);
    assert_eq!(rig.rooms.known_servers(&view, Some(server_name!("i.test")), 9).await.unwrap(), [remote]);

    let mut tx = rig.rooms.db().begin();
    change(&rig, &mut tx, "carol:remote.test", Join, Leave).await;
    tx.commit().await.unwrap();
    let view = rig.rooms.db().view();
    assert!(!rig.rooms.server_is_in(&view, rig.num, remote).await.unwrap());
    assert!(!rig.rooms.shares_a_room_with(&view, remote).await.unwrap());

    let log = view.scan(&SERVER_LOG, SERVER_LOG.all()).collect().await.unwrap();
    let log: Vec<_> = log.into_iter().map(|((_, _, server), entered)| (server.to_string(), entered)).collect();
    let (own, remote) = ("hearth.test".to_owned(), remote.to_string());
    assert_eq!(log, [(own, true), (remote.clone(), true), (remote, false)]);
}

#[tokio::test]
async fn an_event_to_pass_on_is_marked_with_where_it_came_from() {
    let rig = Rig::new().await;
    let id = rig.say("alice", "hello").await;
    let (num, _) = rig.row(&id).await;
    let mut tx = rig.rooms.db().begin();
    rig.rooms.relay(&mut tx, rig.num, num, server_name!("remote.test"));
    tx.commit().await.unwrap();
    let marked = rig.rooms.db().view().peek(&RELAYS, (rig.num, num)).await.unwrap();
    assert_eq!(marked.as_deref(), Some("remote.test"));
}
