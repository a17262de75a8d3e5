use ruma::api::client::uiaa::AuthData;
use serde_json::json;

use super::*;
use crate::{Challenge, Operation, Passed, Refusal, Uia, UiaError, UiaFlow, stage};

fn auth(json: serde_json::Value) -> AuthData {
    serde_json::from_value(json).unwrap()
}

fn dummy(session: Option<&str>) -> AuthData {
    auth(match session {
        Some(session) => json!({ "type": "m.login.dummy", "session": session }),
        None => json!({ "type": "m.login.dummy" }),
    })
}

fn password(user: &str, password: &str, session: &str) -> AuthData {
    let identifier = json!({ "type": "m.id.user", "user": user });
    auth(json!({ "type": "m.login.password", "identifier": identifier, "password": password, "session": session }))
}

fn flow(stages: &[&'static str]) -> Vec<UiaFlow> {
    vec![UiaFlow(stages.to_vec())]
}

fn challenge(answer: Result<Passed, UiaError>) -> Challenge {
    match answer {
        Err(UiaError::Challenge(challenge)) => *challenge,
        other => panic!("no challenge: {other:?}"),
    }
}

#[tokio::test]
async fn the_first_request_is_told_what_to_do() {
    let uia = Uia::new(world().await.accounts);
    let op = Operation::new("register", None, b"");
    let asked = challenge(uia.check(&op, &flow(&[stage::DUMMY]), None).await);
    assert_eq!((asked.flows, asked.completed, asked.refusal), (flow(&[stage::DUMMY]), vec![], None));
    let done = uia.check(&op, &flow(&[stage::DUMMY]), Some(&dummy(Some(&asked.session)))).await.unwrap();
    assert_eq!(done, Passed::default());
}

#[tokio::test]
async fn a_stage_without_a_session_counts() {
    let uia = Uia::new(world().await.accounts);
    let op = Operation::new("register", None, b"");
    assert!(uia.check(&op, &flow(&[stage::DUMMY]), Some(&dummy(None))).await.is_ok());
}

#[tokio::test]
async fn a_session_is_good_for_its_operation_and_time() {
    let world = world().await;
    let uia = Uia::new(world.accounts.clone());
    let (register, other) = (Operation::new("register", None, b""), Operation::new("other", None, b""));
    let flows = flow(&[stage::DUMMY]);
    let session = challenge(uia.check(&other, &flows, None).await).session;
    for auth in [dummy(Some(&session)), dummy(Some("made up"))] {
        let asked = challenge(uia.check(&register, &flows, Some(&auth)).await);
        assert_eq!(asked.refusal, Some(Refusal::UnknownSession));
        assert_ne!(asked.session, session);
    }
    world.clock.advance(3_600_000);
    let asked = challenge(uia.check(&other, &flows, Some(&dummy(Some(&session)))).await);
    assert_eq!(asked.refusal, Some(Refusal::UnknownSession));
}

#[tokio::test]
async fn only_the_own_password_passes() {
    let world = world().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let uia = Uia::new(world.accounts.clone());
    let op = Operation::new("delete_devices", Some(alice.user.clone()), b"PHONE");
    let asked = challenge(uia.check(&op, &UiaFlow::password(), None).await);
    let check = async |auth: AuthData| uia.check(&op, &UiaFlow::password(), Some(&auth)).await;
    let wrong = challenge(check(password("alice", "wrong", &asked.session)).await);
    assert_eq!((wrong.refusal, &wrong.session), (Some(Refusal::BadPassword), &asked.session));
    let other = check(password(bob.user.as_str(), "sesame", &asked.session)).await;
    assert!(matches!(other, Err(UiaError::OtherUser)));
    let passed = check(password("@alice:hearth.test", "sesame", &asked.session)).await.unwrap();
    assert_eq!(passed.user, Some(alice.user));
}

#[tokio::test]
async fn a_password_is_guessed_ten_times_an_hour_also_at_once() {
    let world = world().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let uia = Uia::new(world.accounts.clone());
    let check = async |user: &Issued, guess: &str| {
        let op = Operation::new("delete_devices", Some(user.user.clone()), b"PHONE");
        let session = challenge(uia.check(&op, &UiaFlow::password(), None).await).session;
        uia.check(&op, &UiaFlow::password(), Some(&password(user.user.as_str(), guess, &session))).await
    };
    for _ in 0..9 {
        challenge(check(&alice, "wrong").await);
    }
    check(&alice, "sesame").await.unwrap();
    let guesses = futures::future::join_all((0..20).map(|_| check(&alice, "wrong"))).await;
    let refused = guesses.iter().filter(|answer| matches!(answer, Err(UiaError::TooManyTries { .. }))).count();
    assert_eq!(refused, 10, "a success starts anew");
    check(&bob, "sesame").await.unwrap();
    world.clock.advance(3_599_999);
    assert!(matches!(check(&alice, "sesame").await, Err(UiaError::TooManyTries { wait_ms: 1 })));
    world.clock.advance(1);
    check(&alice, "sesame").await.unwrap();
}

#[tokio::test]
async fn a_stage_that_is_not_asked_for_is_refused() {
    let uia = Uia::new(world().await.accounts);
    let op = Operation::new("register", None, b"");
    let asked = challenge(uia.check(&op, &flow(&[stage::REGISTRATION_TOKEN]), Some(&dummy(None))).await);
    assert_eq!(asked.refusal, Some(Refusal::NotAsked));
}

#[tokio::test]
async fn several_stages_are_completed_in_order_for_one_request() {
    let world = world_with(config(RegistrationMode::Token), vec![]).await;
    let uia = Uia::new(world.accounts.clone());
    let flows = flow(&[stage::REGISTRATION_TOKEN, stage::DUMMY]);
    let op = Operation::new("register", None, b"alice");
    let asked = challenge(uia.check(&op, &flows, None).await);
    let token = |token| auth(json!({ "type": stage::REGISTRATION_TOKEN, "token": token, "session": asked.session }));
    let early = challenge(uia.check(&op, &flows, Some(&dummy(Some(&asked.session)))).await);
    assert_eq!(early.refusal, Some(Refusal::NotAsked));
    let wrong = challenge(uia.check(&op, &flows, Some(&token("wrong"))).await);
    assert_eq!(wrong.refusal, Some(Refusal::BadToken));
    let half = challenge(uia.check(&op, &flows, Some(&token("letmein"))).await);
    assert_eq!((half.completed, half.refusal), (vec![stage::REGISTRATION_TOKEN.to_owned()], None));

    let poll = auth(json!({ "session": asked.session }));
    assert_eq!(challenge(uia.check(&op, &flows, Some(&poll)).await).completed.len(), 1);
    let changed = Operation::new("register", None, b"mallory");
    let answer = uia.check(&changed, &flows, Some(&dummy(Some(&asked.session)))).await;
    assert!(matches!(answer, Err(UiaError::Changed)));
    let passed = uia.check(&op, &flows, Some(&dummy(Some(&asked.session)))).await.unwrap();
    assert_eq!(passed.permit, Some(Permit::Mode));
    // The session has ended: its first stage is to be completed again.
    let again = challenge(uia.check(&op, &flows, Some(&dummy(Some(&asked.session)))).await);
    assert_eq!(again.refusal, Some(Refusal::NotAsked));
}
