use std::collections::HashSet;

use super::rig::{NOW, Rig, document, name, signer};

#[tokio::test(start_paused = true)]
async fn of_servers_that_we_have_nothing_to_do_with_those_heard_of_last_are_kept() {
    let rig = Rig::new();
    for n in 0..30_u8 {
        let server = format!("s{n}.test");
        rig.world.publishes(&document(&signer(&server, "k", n), &[], NOW * 2));
        assert!(rig.valid_now(&server, "k").await.is_some());
        rig.later(1000).await;
    }
    let known = HashSet::from([name("s0.test")]);
    assert_eq!(rig.keys.sweep_to(29, &known).await.unwrap(), 0);
    assert_eq!(rig.keys.sweep_to(20, &known).await.unwrap(), 11, "some more than it must");
    assert_eq!(rig.keys.sweep_to(20, &known).await.unwrap(), 0);
    let asked = rig.world.asked();
    for n in [0, 29, 12] {
        assert!(rig.valid_now(&format!("s{n}.test"), "k").await.is_some());
    }
    assert_eq!(rig.world.asked(), asked, "they are still here");
    rig.later(60_000).await;
    assert!(rig.valid_now("s11.test", "k").await.is_some());
    assert_eq!(rig.world.asked(), asked + 1, "what was forgotten is fetched again");
}
