use super::*;
use crate::{AccountError, tables};
use kv::Read;

fn device(id: &str) -> NewDevice {
    NewDevice { id: Some(id.into()), ..NewDevice::default() }
}

fn refreshing() -> NewDevice {
    NewDevice { refresh: true, ..device("PHONE") }
}

async fn is_known(world: &World, token: &str) -> bool {
    match world.accounts.who(token).await {
        Ok(_) => true,
        Err(AccountError::UnknownToken { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn who_logs_in_gets_a_token_that_stands_for_the_device() {
    let world = world().await;
    world.user("alice").await;
    let issued = world.accounts.log_in("Alice", "sesame", device("LAPTOP")).await.unwrap();
    let who = world.accounts.who(&issued.access_token).await.unwrap();
    assert_eq!((who.user.as_str(), who.device.as_str()), ("@alice:hearth.test", "LAPTOP"));
    assert_eq!((issued.refresh_token, issued.expires_in_ms), (None, None));
}

#[tokio::test]
async fn wrong_passwords_and_unknown_users_are_refused_alike() {
    let world = world().await;
    world.user("alice").await;
    for (name, password) in [("alice", "wrong"), ("nobody", "sesame"), ("@x:other.test", "sesame"), ("", "")] {
        let answer = world.accounts.log_in(name, password, NewDevice::default()).await;
        assert!(matches!(answer, Err(AccountError::BadCredentials)), "{name}");
    }
}

#[tokio::test]
async fn locked_accounts_cannot_log_in_and_keep_their_tokens() {
    let world = world().await;
    let alice = world.user("alice").await;
    world.accounts.update(&alice.user, |row| row.locked = true).await.unwrap();
    let answer = world.accounts.log_in("alice", "sesame", NewDevice::default()).await;
    assert!(matches!(answer, Err(AccountError::Locked)));
    assert!(world.accounts.who(&alice.access_token).await.unwrap().account.locked);
}

#[tokio::test]
async fn logging_in_again_with_a_device_ends_its_old_tokens() {
    let world = world().await;
    world.user("alice").await;
    let first = world.accounts.log_in("alice", "sesame", refreshing()).await.unwrap();
    let second = world.accounts.log_in("alice", "sesame", refreshing()).await.unwrap();
    assert!(!is_known(&world, &first.access_token).await);
    assert!(is_known(&world, &second.access_token).await);
    assert!(world.accounts.refresh(&first.refresh_token.unwrap()).await.is_err());
}

#[tokio::test]
async fn device_ids_have_1_to_255_bytes() {
    let world = world().await;
    world.user("alice").await;
    for id in ["", &"x".repeat(256)] {
        let answer = world.accounts.log_in("alice", "sesame", device(id)).await;
        assert!(matches!(answer, Err(AccountError::BadDeviceId)));
    }
}

#[tokio::test]
async fn an_expired_access_token_is_a_soft_logout_and_can_be_refreshed() {
    let world = world().await;
    world.user("alice").await;
    let old = world.accounts.log_in("alice", "sesame", refreshing()).await.unwrap();
    assert_eq!(old.expires_in_ms, Some(3_600_000));
    world.clock.advance(3_600_000);
    let answer = world.accounts.who(&old.access_token).await;
    assert!(matches!(answer, Err(AccountError::UnknownToken { soft_logout: true })));
    let new = world.accounts.refresh(&old.refresh_token.unwrap()).await.unwrap();
    assert_eq!(world.accounts.who(&new.access_token).await.unwrap().device, "PHONE");
}

#[tokio::test]
async fn old_tokens_live_until_the_new_access_token_is_used() {
    let world = world().await;
    world.user("alice").await;
    let old = world.accounts.log_in("alice", "sesame", refreshing()).await.unwrap();
    let lost = world.accounts.refresh(old.refresh_token.as_ref().unwrap()).await.unwrap();
    assert!(is_known(&world, &old.access_token).await);
    // The answer was lost; the client asks again with the old token, and what was lost dies.
    let new = world.accounts.refresh(old.refresh_token.as_ref().unwrap()).await.unwrap();
    assert!(!is_known(&world, &lost.access_token).await);
    assert!(is_known(&world, &old.access_token).await);
    assert!(is_known(&world, &new.access_token).await);
    assert!(!is_known(&world, &old.access_token).await);
    let answer = world.accounts.refresh(&old.refresh_token.unwrap()).await;
    assert!(matches!(answer, Err(AccountError::UnknownToken { soft_logout: false })));
}

#[tokio::test]
async fn old_tokens_die_when_the_new_refresh_token_is_used() {
    let world = world().await;
    world.user("alice").await;
    let first = world.accounts.log_in("alice", "sesame", refreshing()).await.unwrap();
    let second = world.accounts.refresh(first.refresh_token.as_ref().unwrap()).await.unwrap();
    world.accounts.refresh(second.refresh_token.as_ref().unwrap()).await.unwrap();
    assert!(world.accounts.refresh(first.refresh_token.as_ref().unwrap()).await.is_err());
    assert!(!is_known(&world, &first.access_token).await);
}

#[tokio::test]
async fn refresh_tokens_expire_when_that_is_configured() {
    let mut config = config(RegistrationMode::Open);
    config.sessions.refresh_token_seconds = 10;
    let world = world_with(config, Vec::new()).await;
    world.user("alice").await;
    let old = world.accounts.log_in("alice", "sesame", refreshing()).await.unwrap();
    world.clock.advance(10_000);
    let answer = world.accounts.refresh(&old.refresh_token.unwrap()).await;
    assert!(matches!(answer, Err(AccountError::UnknownToken { soft_logout: true })));
}

#[tokio::test]
async fn no_token_row_outlives_its_device() {
    let world = world().await;
    let alice = world.user("alice").await;
    let phone = world.accounts.log_in("alice", "sesame", refreshing()).await.unwrap();
    world.accounts.refresh(phone.refresh_token.as_ref().unwrap()).await.unwrap();
    world.accounts.remove_all_devices(&alice.user).await.unwrap();
    let view = world.db.view();
    assert_eq!(view.scan(&tables::ACCESS, tables::ACCESS.all()).collect().await.unwrap(), []);
    assert_eq!(view.scan(&tables::REFRESH, tables::REFRESH.all()).collect().await.unwrap(), []);
    assert_eq!(view.scan(&tables::SESSIONS, tables::SESSIONS.all()).collect().await.unwrap(), []);
}

#[tokio::test]
async fn a_new_password_logs_out_all_but_the_device_that_set_it() {
    let world = world().await;
    let alice = world.user("alice").await;
    let phone = world.accounts.log_in("alice", "sesame", device("PHONE")).await.unwrap();
    world.accounts.set_password(&alice.user, "better", true, Some(&alice.device)).await.unwrap();
    assert!(is_known(&world, &alice.access_token).await);
    assert!(!is_known(&world, &phone.access_token).await);
    assert!(world.accounts.log_in("alice", "sesame", NewDevice::default()).await.is_err());
    assert!(world.accounts.log_in("alice", "better", NewDevice::default()).await.is_ok());
}

#[tokio::test]
async fn a_login_token_works_once_and_for_two_minutes() {
    let world = world().await;
    let alice = world.user("alice").await;
    let (token, lives) = world.accounts.login_token(&alice.user).await.unwrap();
    assert_eq!(lives, 120_000);
    let issued = world.accounts.log_in_by_token(&token, device("NEW")).await.unwrap();
    assert_eq!(issued.user, alice.user);
    let again = world.accounts.log_in_by_token(&token, device("NEW")).await;
    assert!(matches!(again, Err(AccountError::BadCredentials)));
    let (token, _) = world.accounts.login_token(&alice.user).await.unwrap();
    world.clock.advance(120_000);
    let late = world.accounts.log_in_by_token(&token, device("NEW")).await;
    assert!(matches!(late, Err(AccountError::BadCredentials)));
}

#[tokio::test]
async fn an_openid_token_tells_who_it_is_for_an_hour() {
    let world = world().await;
    let alice = world.user("alice").await;
    let openid = world.accounts.openid_token(&alice.user).await.unwrap();
    assert_eq!(world.accounts.openid_user(&openid.token).await.unwrap(), Some(alice.user));
    assert!(!is_known(&world, &openid.token).await);
    world.clock.advance(openid.expires_in_ms);
    assert_eq!(world.accounts.openid_user(&openid.token).await.unwrap(), None);
}

#[tokio::test]
async fn sweeping_twice_removes_what_expired_once() {
    let world = world().await;
    let alice = world.user("alice").await;
    world.accounts.login_token(&alice.user).await.unwrap();
    world.accounts.openid_token(&alice.user).await.unwrap();
    assert_eq!(world.accounts.sweep().await.unwrap(), 0);
    world.clock.advance(120_000);
    assert_eq!(world.accounts.sweep().await.unwrap(), 1);
    world.clock.advance(3_600_000);
    assert_eq!(world.accounts.sweep().await.unwrap(), 1);
    assert_eq!(world.accounts.sweep().await.unwrap(), 0);
}

#[tokio::test]
async fn the_hash_of_an_imported_account_is_replaced_when_its_user_logs_in() {
    let world = world().await;
    let alice = world.user("alice").await;
    let stored = async || world.accounts.db.view().get(&tables::PASSWORDS, &alice.user).await.unwrap().unwrap();
    let mut tx = world.accounts.db.begin();
    tx.put(&tables::PASSWORDS, &alice.user, &bcrypt::hash("short", 4).unwrap());
    tx.commit().await.unwrap();
    assert!(world.accounts.log_in("alice", "wrong", NewDevice::default()).await.is_err());
    assert!(stored().await.starts_with("$2"), "a wrong password replaces nothing");
    world.accounts.log_in("alice", "short", NewDevice::default()).await.unwrap();
    assert!(stored().await.starts_with("$argon2id$"));
    world.accounts.log_in("alice", "short", NewDevice::default()).await.unwrap();
}
