//! Server access lists. Client-server API, "Server Access Control Lists (ACLs) for rooms".

use std::{collections::HashSet, sync::Arc};

use base::glob::Glob;
use kv::Read;
use ruma::ServerName;
use serde_json::Value;

use crate::{Result, Rooms, num::RoomNum, tables::TIPS};

/// Which servers may take part in a room: the content of an `m.room.server_acl` event, ready to be asked.
#[derive(Debug)]
pub struct Acl {
    allow_ip_literals: bool,
    allow: Names,
    deny: Names,
}

/// Server names and patterns of them. Lists have mostly names, of which one look-up finds any.
#[derive(Debug, Default)]
struct Names {
    plain: HashSet<String>,
    globs: Vec<Glob>,
}

impl Names {
    /// Entries that are no strings count for nothing, as does a list that is none.
    fn of(list: Option<&Value>) -> Self {
        let entries = list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let mut names = Self::default();
        for entry in entries {
            if entry.contains(['*', '?']) {
                names.globs.extend(Glob::new(entry));
            } else {
                names.plain.insert(entry.to_lowercase());
            }
        }
        names
    }

    fn has(&self, host: &str) -> bool {
        self.plain.contains(&host.to_lowercase()) || self.globs.iter().any(|glob| glob.matches(host))
    }
}

impl Acl {
    /// Reads the content of an `m.room.server_acl` event. What is missing is empty, so that an event without lists
    /// (as a redacted one) keeps everybody out.
    pub fn of_content(content: &str) -> Self {
        let content: Value = serde_json::from_str(content).unwrap_or_default();
        Self {
            allow_ip_literals: content.get("allow_ip_literals").and_then(Value::as_bool).unwrap_or(true),
            allow: Names::of(content.get("allow")),
            deny: Names::of(content.get("deny")),
        }
    }

    /// Whether `server` may take part. Its port does not matter.
    pub fn allows(&self, server: &ServerName) -> bool {
        let host = server.host();
        (self.allow_ip_literals || !server.is_ip_literal()) && !self.deny.has(host) && self.allow.has(host)
    }
}

impl Rooms {
    /// Whether the access list of the room as it stands now allows `server`; without a list, everybody is allowed.
    ///
    /// To be asked before anything is taken from another server or given to it: every room-scoped endpoint of the
    /// server-server API, and every event, typing notice and receipt of a transaction.
    ///
    /// # Errors
    /// When storage fails. A room that is not known has no list.
    pub async fn acl_allows(&self, read: &impl Read, room: RoomNum, server: &ServerName) -> Result<bool> {
        if server == self.server() {
            return Ok(true);
        }
        let Some(tip) = read.peek(&TIPS, room).await? else { return Ok(true) };
        let Some(num) = self.state_num(read, room, tip.state, "m.room.server_acl", "").await? else {
            return Ok(true);
        };
        if let Some(acl) = self.caches.acl(room, num) {
            return Ok(acl.allows(server));
        }
        let pdu = self.pdu(read, room, num).await?;
        let acl = Arc::new(Acl::of_content(pdu.content.get()));
        if read.is_pristine() {
            self.caches.keep_acl(room, num, acl.clone());
        }
        Ok(acl.allows(server))
    }
}
