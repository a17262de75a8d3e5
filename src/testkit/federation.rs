use std::net::{SocketAddr, TcpListener};

use hearth::{
    Config,
    config::{Listener, Serve},
};
use http::Method;
use ruma::{OwnedServerName, RoomId};
use serde_json::{Value, json};

use crate::{Answer, Authority, Builder, Client, TestServer, escaped};

/// Two servers that talk to each other, each under its own name and certificate.
#[derive(Debug)]
pub struct Federation {
    /// The first.
    pub one: TestServer,
    /// The second.
    pub two: TestServer,
    authority: Authority,
}

impl Federation {
    /// Starts both, with everything in memory.
    pub async fn pair() -> Self {
        Self::pair_with(|_| {}).await
    }

    /// As [`Federation::pair`], with another configuration of both.
    pub async fn pair_with(change: impl Fn(&mut Config)) -> Self {
        let authority = Authority::new();
        let one = Self::builder(&authority).config(&change).in_memory().start().await;
        let two = Self::builder(&authority).config(&change).in_memory().start().await;
        Self { one, two, authority }
    }

    /// Starts one more server that the others can talk to.
    pub async fn another(&self) -> TestServer {
        Self::builder(&self.authority).in_memory().start().await
    }

    /// Starts one more with an application service, given as the text of its registration file.
    pub async fn with_appservice(&self, registration: &str) -> TestServer {
        Self::builder(&self.authority).appservice(registration).in_memory().start().await
    }

    /// A server that others reach under its name, `127.0.0.1` and a port, and that trusts `authority`.
    pub fn builder(authority: &Authority) -> Builder {
        TestServer::builder().config_in(|config, dir| {
            let bind = free_port();
            let (certificate, key) = authority.write(&["127.0.0.1"], dir);
            config.server_name = name(bind);
            config.federation.trusted_key_servers = Vec::new();
            config.federation.allow_private_addresses = true;
            config.federation.extra_root_certificates = vec![authority.file()];
            config.listeners.push(Listener {
                tls_certificate: Some(certificate),
                tls_private_key: Some(key),
                serves: vec![Serve::Federation],
                ..Listener::on(bind)
            });
        })
    }

    /// Stops both.
    pub async fn stop(self) {
        Box::pin(self.one.stop()).await;
        Box::pin(self.two.stop()).await;
    }
}

impl TestServer {
    /// Its name.
    pub fn name(&self) -> &OwnedServerName {
        &self.config().server_name
    }
}

impl Client {
    /// Joins `room` through `server`, whatever comes of it.
    pub async fn try_join_via(&self, room: &RoomId, server: &TestServer) -> Answer {
        let path = format!("/v3/join/{}?via={}", escaped(room.as_str()), escaped(server.name().as_str()));
        self.call(Method::POST, &path, Some(json!({}))).await
    }

    /// Joins `room` through `server`.
    pub async fn join_via(&self, room: &RoomId, server: &TestServer) {
        self.try_join_via(room, server).await.ok();
    }

    /// The content of a state event, or what is answered instead.
    pub async fn state(&self, room: &RoomId, kind: &str, key: &str) -> Value {
        let path = format!("/v3/rooms/{}/state/{kind}/{}", escaped(room.as_str()), escaped(key));
        self.call(Method::GET, &path, None).await.json()
    }
}

fn name(bind: SocketAddr) -> OwnedServerName {
    bind.to_string().try_into().expect("a server name")
}

/// A port that nobody listens on: a server's name has it, so it must be known before the server starts.
fn free_port() -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("its address")
}
