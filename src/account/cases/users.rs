use super::*;
use crate::{AccountData, AccountError, Filters, ProfileError, Profiles};

#[tokio::test]
async fn a_deactivated_account_leaves_nothing_but_its_name() {
    let world = world().await;
    let alice = world.user("alice").await;
    let (data, profiles, filters) =
        (AccountData::new(world.db.clone()), Profiles::new(world.db.clone()), Filters::new(world.db.clone()));
    data.set(&alice.user, None, "m.direct", "{}").await.unwrap();
    profiles.set(&alice.user, "displayname", Some("Alice".into())).await.unwrap();
    let filter = filters.put(&alice.user, "{}").await.unwrap();

    world.accounts.deactivate(&alice.user, true).await.unwrap();
    world.accounts.deactivate(&alice.user, false).await.unwrap();

    assert!(world.accounts.who(&alice.access_token).await.is_err());
    let login = world.accounts.log_in("alice", "sesame", NewDevice::default()).await;
    assert!(matches!(login, Err(AccountError::Deactivated)));
    assert_eq!(world.accounts.devices(&alice.user).await.unwrap(), []);
    assert!(matches!(profiles.get(&alice.user).await, Err(ProfileError::UnknownUser)));
    assert_eq!(data.get(&alice.user, None, "m.direct").await.unwrap(), None);
    assert_eq!(filters.get(&alice.user, &filter).await.unwrap(), None);
    assert!(matches!(world.accounts.check_name("ALICE").await, Err(AccountError::NameTaken)));
    let row = world.accounts.user(&alice.user).await.unwrap().unwrap();
    assert!(row.deactivated && row.erased);
}

#[tokio::test]
async fn flags_of_unknown_and_deactivated_accounts_cannot_be_changed() {
    let world = world().await;
    let alice = world.user("alice").await;
    world.accounts.deactivate(&alice.user, false).await.unwrap();
    for user in [alice.user.as_str(), "@nobody:hearth.test"] {
        let answer = world.accounts.update(user.try_into().unwrap(), |row| row.admin = true).await;
        assert!(matches!(answer, Err(AccountError::UnknownUser)));
    }
}

#[tokio::test]
async fn accounts_are_paged_in_order() {
    let world = world().await;
    for name in ["carol", "alice", "bob"] {
        world.user(name).await;
    }
    let names = |page: Vec<(ruma::OwnedUserId, _)>| {
        page.iter().map(|(user, _)| user.localpart().to_owned()).collect::<Vec<_>>()
    };
    let first = world.accounts.page(None, 2).await.unwrap();
    let after = first.last().unwrap().0.clone();
    assert_eq!(names(first), ["alice", "bob"]);
    assert_eq!(names(world.accounts.page(Some(&after), 2).await.unwrap()), ["carol"]);
    assert_eq!(world.accounts.count().await.unwrap(), 3);
}
