use std::net::IpAddr;

use outbound::Target;

use super::Route;

/// The port of servers that name none.
pub(super) const DEFAULT_PORT: u16 = 8448;

/// What a name alone says about reaching its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// All: it is an address, or has a port.
    Direct(Route),
    /// That more has to be asked: it is a host name without a port.
    Delegable {
        /// That name in lower case.
        host: String,
    },
}

impl Step {
    /// Looks at a server's name, or at the name that it delegates to. Steps 1 and 2, 3.1 and 3.2 of the specification.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let (host, port) = split(&name);
        let literal = address(host).is_some();
        match port {
            Some(port) => Self::Direct(Route { authority: format!("{host}:{port}"), host: name, targets: None }),
            None if literal => {
                Self::Direct(Route { authority: format!("{host}:{DEFAULT_PORT}"), host: name, targets: None })
            }
            None => Self::Delegable { host: name },
        }
    }
}

/// Host and port; an IPv6 address keeps its brackets.
fn split(name: &str) -> (&str, Option<u16>) {
    match name.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (name, None),
        },
        _ => (name, None),
    }
}

/// The address that a host is, if it is one.
fn address(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse().ok().map(IpAddr::V6),
        None => host.parse().ok().map(IpAddr::V4),
    }
}

/// The route by SRV records. Steps 3.3, 3.4, 4 and 5.
pub(super) fn by_srv(host: &str, targets: Vec<Target>) -> Route {
    Route { authority: host.to_owned(), host: host.to_owned(), targets: Some(targets) }
}

/// The route without any record. Steps 3.5 and 6.
pub(super) fn fallback(host: &str) -> Route {
    by_srv(host, vec![Target::new(host, DEFAULT_PORT)])
}
