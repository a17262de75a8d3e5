use super::*;
use crate::{AccountError, SharedSecretRequest, UiaFlow, stage};

#[tokio::test]
async fn a_name_is_taken_once_in_any_case() {
    let world = world().await;
    let (user, issued) = world.accounts.register(&new_account("Alice")).await.unwrap();
    assert_eq!(user, "@alice:hearth.test");
    assert_eq!(issued.unwrap().user, user);
    let again = world.accounts.register(&new_account("aLICE")).await;
    assert!(matches!(again, Err(AccountError::NameTaken)));
    assert_eq!(world.accounts.count().await.unwrap(), 1);
}

#[tokio::test]
async fn of_two_who_want_a_name_at_once_one_gets_it() {
    let world = world().await;
    let wanted = new_account("alice");
    let (a, b) = tokio::join!(world.accounts.register(&wanted), world.accounts.register(&wanted));
    assert!(a.is_ok() != b.is_ok());
}

#[tokio::test]
async fn reserved_names_are_refused() {
    let mut config = config(RegistrationMode::Open);
    config.registration.reserved_names = vec!["Support".into()];
    let world = world_with(config, Vec::new()).await;
    assert!(matches!(world.accounts.check_name("support").await, Err(AccountError::NameReserved)));
    assert!(world.accounts.check_name("support2").await.is_ok());
}

#[tokio::test]
async fn who_gives_no_name_gets_one_and_who_wants_no_session_none() {
    let world = world().await;
    let new = NewAccount { name: None, device: None, ..new_account("") };
    let (user, issued) = world.accounts.register(&new).await.unwrap();
    assert!(world.accounts.is_active(&user).await.unwrap());
    assert!(issued.is_none());
    assert_eq!(world.accounts.devices(&user).await.unwrap(), []);
}

#[tokio::test]
async fn the_first_administrator_can_register_in_every_mode_and_once() {
    for mode in [RegistrationMode::Closed, RegistrationMode::Token, RegistrationMode::Open] {
        let world = world_with(config(mode), Vec::new()).await;
        let token = world.accounts.first_admin_token().await.unwrap().unwrap();
        let with_token = UiaFlow(vec![stage::REGISTRATION_TOKEN, stage::DUMMY]);
        assert!(world.accounts.registration_flows().await.unwrap().contains(&with_token));
        assert!(world.accounts.is_valid_token(&token).await.unwrap());
        let permit = world.accounts.permit(&token).await.unwrap().unwrap();
        let root = NewAccount { permit: permit.clone(), ..new_account("root") };
        let (user, _) = world.accounts.register(&root).await.unwrap();
        assert!(world.accounts.user(&user).await.unwrap().unwrap().admin);
        assert_eq!(world.accounts.permit(&token).await.unwrap(), None);
        let second = world.accounts.register(&NewAccount { permit, ..new_account("second") }).await;
        assert!(matches!(second, Err(AccountError::RegistrationClosed)));
    }
}

#[tokio::test]
async fn the_first_administrators_token_survives_a_restart_and_ordinary_accounts() {
    let world = world().await;
    let token = world.accounts.first_admin_token().await.unwrap();
    world.user("alice").await;
    let server = owned_server_name!("hearth.test");
    let again = Accounts::open(world.db.clone(), world.clock.clone(), server, config(RegistrationMode::Closed), vec![]);
    assert_eq!(again.await.unwrap().first_admin_token().await.unwrap(), token);
}

#[tokio::test]
async fn an_administrator_made_otherwise_voids_the_first_ones_token() {
    let world = world().await;
    let new = NewAccount { permit: Permit::Operator { admin: true }, ..new_account("root") };
    world.accounts.register(&new).await.unwrap();
    assert_eq!(world.accounts.first_admin_token().await.unwrap(), None);
}

#[tokio::test]
async fn the_modes_ask_for_what_they_say() {
    for (mode, flows) in [
        (RegistrationMode::Open, Some(vec![stage::DUMMY])),
        (RegistrationMode::Token, Some(vec![stage::REGISTRATION_TOKEN, stage::DUMMY])),
        (RegistrationMode::Closed, None),
    ] {
        let world = world_with(config(mode), Vec::new()).await;
        let new = NewAccount { permit: Permit::Operator { admin: true }, ..new_account("root") };
        world.accounts.register(&new).await.unwrap();
        let asked = world.accounts.registration_flows().await.ok();
        assert_eq!(asked, flows.map(|stages| vec![UiaFlow(stages)]));
        let valid = world.accounts.is_valid_token("letmein").await;
        match mode {
            RegistrationMode::Token => assert!(valid.unwrap()),
            _ => assert!(matches!(valid, Err(AccountError::RegistrationClosed))),
        }
        assert_eq!(world.accounts.permit("wrong").await.unwrap(), None);
    }
}

fn by_secret(nonce: &str, mac: &str) -> SharedSecretRequest {
    SharedSecretRequest {
        nonce: nonce.into(),
        username: "alice".into(),
        password: "sesame".into(),
        admin: true,
        user_type: None,
        mac: mac.into(),
    }
}

#[tokio::test]
async fn without_a_shared_secret_there_is_no_nonce() {
    let world = world().await;
    assert!(matches!(world.accounts.registration_nonce(), Err(AccountError::RegistrationClosed)));
}

#[tokio::test]
async fn who_knows_the_shared_secret_registers_once_per_nonce() {
    let mut config = config(RegistrationMode::Closed);
    config.registration.shared_secret = Some("secret".into());
    let world = world_with(config, Vec::new()).await;
    let nonce = world.accounts.registration_nonce().unwrap();
    let mut req = by_secret(&nonce, "");
    req.mac = crate::shared_secret::proof("secret", &req);
    let issued = world.accounts.register_by_secret(&req).await.unwrap();
    assert!(world.accounts.who(&issued.access_token).await.unwrap().account.admin);
    assert!(matches!(world.accounts.register_by_secret(&req).await, Err(AccountError::BadMac)));

    let late = world.accounts.registration_nonce().unwrap();
    world.clock.advance(60_000);
    let mut req = by_secret(&late, "");
    req.mac = crate::shared_secret::proof("secret", &req);
    assert!(matches!(world.accounts.register_by_secret(&req).await, Err(AccountError::BadMac)));
    let wrong = by_secret(&world.accounts.registration_nonce().unwrap(), "00");
    assert!(matches!(world.accounts.register_by_secret(&wrong).await, Err(AccountError::BadMac)));
}
