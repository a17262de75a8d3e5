//! Messages to devices: what was acknowledged to the sender comes to each device of the receiver, once and in order.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinSet};

use crate::process::{Api, Process, text};

const ROUNDS: usize = 20;
const SENDERS: usize = 6;

/// Somebody who sends one message after the other to all devices of the receiver.
struct Sender {
    name: String,
    token: String,
    /// How many were acknowledged.
    acked: usize,
}

impl Sender {
    async fn send(&self, api: &Api, number: usize) -> Option<Value> {
        let content = json!({ "from": self.name, "number": number });
        let body = json!({ "messages": { "@receiver:test.example": { "*": content } } });
        api.call(Method::PUT, &format!("/sendToDevice/org.example.test/{number}"), &self.token, Some(body)).await
    }

    /// Sends until the server dies.
    async fn load(mut self, api: Api, acked: mpsc::UnboundedSender<()>) -> Self {
        while self.send(&api, self.acked + 1).await.is_some() {
            self.acked += 1;
            let _ = acked.send(());
        }
        self
    }

    /// Repeats the last message that was acknowledged, as if the answer was lost, and the one that was not.
    async fn check(&mut self, api: &Api) {
        if self.acked > 0 {
            self.send(api, self.acked).await.expect("a living server");
        }
        self.acked += 1;
        self.send(api, self.acked).await.expect("a living server");
    }
}

/// A device of the receiver.
struct Device {
    token: String,
    since: String,
    /// The numbers that came from each sender.
    seen: BTreeMap<String, Vec<u64>>,
}

impl Device {
    async fn new(api: &Api, token: String) -> Self {
        let since = text(&api.get("/sync", &token).await.unwrap()["next_batch"]);
        Self { token, since, seen: BTreeMap::new() }
    }

    /// One sync; whether it brought messages, or nothing when the server died over it.
    async fn sync(&mut self, api: &Api, timeout_ms: u64) -> Option<bool> {
        let path = format!("/sync?since={}&timeout={timeout_ms}", self.since);
        let answer = api.get(&path, &self.token).await?;
        let events = answer["to_device"]["events"].as_array().into_iter().flatten();
        let mut any = false;
        for event in events.filter(|event| event["type"] == "org.example.test") {
            let (from, number) = (text(&event["content"]["from"]), event["content"]["number"].as_u64().unwrap());
            self.seen.entry(from).or_default().push(number);
            any = true;
        }
        self.since = text(&answer["next_batch"]);
        Some(any)
    }

    /// Syncs until the server dies.
    async fn load(mut self, api: Api) -> Self {
        while self.sync(&api, 2000).await.is_some() {}
        self
    }

    async fn check(&mut self, api: &Api, senders: &[Sender]) {
        while self.sync(api, 0).await.expect("a living server") {}
        for sender in senders {
            let seen = self.seen.get(&sender.name).map_or(&[][..], Vec::as_slice);
            let sent: Vec<u64> = (1..).take(sender.acked).collect();
            assert_eq!(seen, sent, "what {} sent", sender.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_under_load_lose_and_repeat_no_message_to_a_device() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Process::start(directory.path());
    let api = server.api();
    let mut devices = vec![Device::new(&api, api.register("receiver").await).await];
    let identifier = json!({ "type": "m.id.user", "user": "receiver" });
    let login = json!({ "type": "m.login.password", "identifier": identifier, "password": "receiver" });
    let second = text(&api.post("/login", "", login).await["access_token"]);
    devices.push(Device::new(&api, second).await);
    let mut senders = Vec::new();
    for n in 0..SENDERS {
        let name = format!("sender{n}");
        senders.push(Sender { token: api.register(&name).await, name, acked: 0 });
    }
    for round in 0..ROUNDS {
        let (tell, mut acked) = mpsc::unbounded_channel();
        let (mut sending, mut receiving) = (JoinSet::new(), JoinSet::new());
        senders.into_iter().for_each(|sender| drop(sending.spawn(sender.load(server.api(), tell.clone()))));
        devices.into_iter().for_each(|device| drop(receiving.spawn(device.load(server.api()))));
        for _ in 0..5 + round * 29 % 150 {
            acked.recv().await.expect("senders that send");
        }
        server.kill();
        senders = sending.join_all().await;
        devices = receiving.join_all().await;
        server = Process::start(directory.path());
        for sender in &mut senders {
            sender.check(&server.api()).await;
        }
        for device in &mut devices {
            device.check(&server.api(), &senders).await;
        }
    }
}
