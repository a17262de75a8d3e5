use kv::Read;
use serde_json::json;

use super::*;
use crate::{ProfileChange, ProfileError, Profiles};

#[tokio::test]
async fn a_field_is_set_read_and_removed() {
    let world = world().await;
    let alice = world.user("alice").await.user;
    let profiles = Profiles::new(world.db.clone());
    // Until they set another name, people have the one that they registered.
    assert_eq!(json!(profiles.get(&alice).await.unwrap()), json!({ "displayname": "alice" }));
    let change = profiles.set(&alice, "displayname", Some(json!("Alice"))).await.unwrap();
    assert_eq!(change, ProfileChange { previous: Some(json!("alice")), now: Some(json!("Alice")) });
    assert!(!profiles.set(&alice, "displayname", Some(json!("Alice"))).await.unwrap().is_change());
    profiles.set(&alice, "org.example.pets", Some(json!({ "cats": 2 }))).await.unwrap();
    assert_eq!(profiles.field(&alice, "org.example.pets").await.unwrap(), Some(json!({ "cats": 2 })));
    assert_eq!(profiles.for_member(&alice).await.unwrap(), (Some("Alice".into()), None));
    profiles.set(&alice, "displayname", None).await.unwrap();
    assert!(!profiles.set(&alice, "displayname", None).await.unwrap().is_change());
    assert_eq!(profiles.field(&alice, "displayname").await.unwrap(), None);
}

#[tokio::test]
async fn keys_sizes_and_types_are_limited() {
    let world = world().await;
    let alice = world.user("alice").await.user;
    let profiles = Profiles::new(world.db.clone());
    let set = async |key: &str, value| profiles.set(&alice, key, Some(value)).await;
    assert!(matches!(set(&"k".repeat(256), json!(1)).await, Err(ProfileError::KeyTooLarge)));
    assert!(set(&"k".repeat(255), json!(1)).await.is_ok());
    assert!(matches!(set("displayname", json!(7)).await, Err(ProfileError::NotAString(_))));
    assert!(set("org.example.a", json!("x".repeat(40_000))).await.is_ok());
    assert!(matches!(set("org.example.b", json!("x".repeat(40_000))).await, Err(ProfileError::TooLarge)));
}

#[tokio::test]
async fn unknown_users_have_no_profile() {
    let profiles = Profiles::new(world().await.db);
    let nobody = ruma::user_id!("@nobody:hearth.test");
    assert!(matches!(profiles.get(nobody).await, Err(ProfileError::UnknownUser)));
    assert!(matches!(profiles.set(nobody, "displayname", None).await, Err(ProfileError::UnknownUser)));
    assert_eq!(profiles.for_member(nobody).await.unwrap(), (None, None));
}

async fn found(world: &World, term: &str) -> Vec<String> {
    let (profiles, view) = (Profiles::new(world.db.clone()), world.db.view());
    let mut people = profiles.people(&view, term);
    let mut names = Vec::new();
    while let Some(person) = people.next().await.unwrap() {
        names.push(person.user.localpart().to_owned());
    }
    assert!(!people.is_cut());
    names.sort();
    names
}

#[tokio::test]
async fn people_are_found_by_the_words_of_their_names() {
    let world = world().await;
    for name in ["alice", "al-bert", "bob"] {
        world.user(name).await;
    }
    let profiles = Profiles::new(world.db.clone());
    let bob = ruma::user_id!("@bob:hearth.test");
    profiles.set(bob, "displayname", Some(json!("Alice Älg \u{1f98c}"))).await.unwrap();
    for (term, expected) in [
        ("al", vec!["al-bert", "alice", "bob"]),
        ("ALICE", vec!["alice", "bob"]),
        ("älG ali", vec!["bob"]),
        ("bert", vec!["al-bert"]),
        ("@al-bert:hearth.test", vec!["al-bert"]),
        ("lice", vec![]),
        ("", vec![]),
        ("@", vec![]),
        ("!?", vec![]),
    ] {
        assert_eq!(found(&world, term).await, expected, "{term}");
    }
    profiles.set(bob, "displayname", Some(json!("Robert"))).await.unwrap();
    assert_eq!(found(&world, "alice").await, ["alice"]);
    assert_eq!(found(&world, "rob").await, ["bob"]);
    world.accounts.deactivate(bob, false).await.unwrap();
    for term in ["bob", "rob"] {
        assert!(found(&world, term).await.is_empty(), "{term}");
    }
    assert_eq!(
        world.db.view().scan(&crate::tables::NAMES, crate::tables::NAMES.all()).collect().await.unwrap().len(),
        3
    );
}
