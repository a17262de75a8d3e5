//! What application services are asked: for users and aliases that are not known yet, whether they are there, and for
//! third-party networks. Application Service API, "Querying", "Pinging" and "Third-party networks".

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::future::join_all;
use http::Method;
use ruma::{RoomAliasId, UserId};
use serde_json::{Map, Value, json};

use crate::{Appservice, Appservices, PostError};

/// Most locations or users that one application service may answer with.
const MAX_FOUND: usize = 1000;

/// What is looked up in third-party networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// Rooms.
    Location,
    /// Users.
    User,
}

impl Lookup {
    fn as_str(self) -> &'static str {
        match self {
            Self::Location => "location",
            Self::User => "user",
        }
    }
}

impl Appservices {
    /// Whether an application service in whose namespace `user` is says that there is such a user; it has registered
    /// the user then.
    pub async fn brings_user(&self, user: &UserId) -> bool {
        let path = format!("_matrix/app/v1/users/{}", escaped(user.as_str()));
        self.brings(&path, |service| service.has_user(user)).await
    }

    /// Whether an application service in whose namespace `alias` is says that there is such an alias; it has created
    /// the room then.
    pub async fn brings_alias(&self, alias: &RoomAliasId) -> bool {
        let path = format!("_matrix/app/v1/rooms/{}", escaped(alias.as_str()));
        self.brings(&path, |service| service.has_alias(alias)).await
    }

    async fn brings(&self, path: &str, fits: impl Fn(&Appservice) -> bool) -> bool {
        for service in self.answering().filter(|service| fits(service)) {
            match self.post.ask(service, Method::GET, path, Bytes::new()).await {
                Ok(_) => return true,
                Err(error) if error.is_not_found() => {}
                Err(cause) => tracing::info!(appservice = service.id, %cause, "a question was not answered"),
            }
        }
        false
    }

    /// How long `service` takes to answer; `transaction` is what it has given to recognize the question by.
    ///
    /// # Errors
    /// [`PostError`]
    pub async fn ping(&self, service: &Appservice, transaction: Option<&str>) -> Result<Duration, PostError> {
        let body = match transaction {
            Some(id) => json!({ "transaction_id": id }),
            None => json!({}),
        };
        let begun = Instant::now();
        let body = Bytes::from(body.to_string());
        self.post.ask(service, Method::POST, "_matrix/app/v1/ping", body).await?;
        self.retry(service);
        Ok(begun.elapsed())
    }

    /// The third-party networks that application services know, by name; one if `wanted`.
    pub async fn protocols(&self, wanted: Option<&str>) -> BTreeMap<String, Value> {
        let known =
            |service: &&Appservice| wanted.is_none_or(|wanted| service.protocols.iter().any(|own| own == wanted));
        let asked = self.answering().filter(known).flat_map(|service| {
            let protocols = service.protocols.iter().filter(|own| wanted.is_none_or(|wanted| *own == wanted));
            protocols.map(move |protocol| async move {
                let path = format!("_matrix/app/v1/thirdparty/protocol/{}", escaped(protocol));
                let answer = self.post.ask(service, Method::GET, &path, Bytes::new()).await;
                (service, protocol, answer)
            })
        });
        let mut protocols = BTreeMap::new();
        for (service, protocol, answer) in join_all(asked).await {
            match answer {
                Ok(Value::Object(answer)) => add_protocol(&mut protocols, service, protocol, answer),
                Ok(_) => {}
                Err(cause) => tracing::info!(appservice = service.id, %cause, "a question was not answered"),
            }
        }
        protocols
    }

    /// Locations or users of a third-party network, asked for by its own fields.
    pub async fn look_up(&self, what: Lookup, protocol: &str, fields: &BTreeMap<String, String>) -> Vec<Value> {
        // Clients may put their token beside the fields.
        let fields = fields.iter().filter(|(key, _)| *key != "access_token");
        let fields: Vec<_> = fields.map(|(key, value)| format!("{}={}", escaped(key), escaped(value))).collect();
        let path = format!("_matrix/app/v1/thirdparty/{}/{}?{}", what.as_str(), escaped(protocol), fields.join("&"));
        self.found(&path, |service| service.protocols.iter().any(|own| own == protocol)).await
    }

    /// What an alias or a user of this server stands for in third-party networks.
    pub async fn look_up_here(&self, what: Lookup, name: &str) -> Vec<Value> {
        let key = match what {
            Lookup::Location => "alias",
            Lookup::User => "userid",
        };
        let path = format!("_matrix/app/v1/thirdparty/{}?{key}={}", what.as_str(), escaped(name));
        self.found(&path, |service| !service.protocols.is_empty()).await
    }

    async fn found(&self, path: &str, fits: impl Fn(&Appservice) -> bool) -> Vec<Value> {
        let asked = self.answering().filter(|service| fits(service));
        let answers = join_all(asked.map(|service| self.post.ask(service, Method::GET, path, Bytes::new()))).await;
        let lists = answers.into_iter().filter_map(|answer| match answer {
            Ok(Value::Array(list)) => Some(list),
            _ => None,
        });
        lists.flat_map(|list| list.into_iter().filter(Value::is_object).take(MAX_FOUND)).collect()
    }
}

/// Puts what one application service knows of a protocol to what others know of it.
fn add_protocol(
    protocols: &mut BTreeMap<String, Value>,
    service: &Appservice,
    protocol: &str,
    mut answer: Map<String, Value>,
) {
    let mut instances = match answer.remove("instances") {
        Some(Value::Array(instances)) => instances,
        _ => Vec::new(),
    };
    instances.retain(Value::is_object);
    for instance in instances.iter_mut().filter_map(Value::as_object_mut) {
        let network = instance.get("network_id").and_then(Value::as_str).unwrap_or_default();
        let id = format!("{}|{network}", service.id);
        instance.insert("instance_id".into(), id.into());
    }
    let known = protocols.entry(protocol.to_owned()).or_insert_with(|| {
        answer.insert("instances".into(), Value::Array(Vec::new()));
        answer.into()
    });
    if let Some(Value::Array(known)) = known.get_mut("instances") {
        known.append(&mut instances);
    }
}

/// `text` as a part of a path or of a query.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_in_paths() {
        assert_eq!(escaped("@_ghost_ä/b:c.example"), "%40_ghost_%C3%A4%2Fb%3Ac.example");
    }
}
