use std::net::IpAddr;

use outbound::{Srv, Target};

use super::Route;

/// The port of servers that name none.
const DEFAULT_PORT: u16 = 8448;

/// What a name alone says about reaching its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// All: it is an address, or has a port.
    Direct(Route),
    /// That more has to be asked: it is this host name, without a port, in lower case.
    Ask(String),
}

impl Step {
    /// Looks at a server's name, or at the name that it delegates to: steps 1 and 2, or 3.1 and 3.2.
    pub(super) fn of(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let (host, port) = split(&name);
        if port.is_none() && !is_address(host) {
            return Self::Ask(name);
        }
        let authority = format!("{host}:{}", port.unwrap_or(DEFAULT_PORT));
        Self::Direct(Route { authority, host: name, targets: None })
    }
}

/// Host and port; an IPv6 address keeps its brackets.
fn split(name: &str) -> (&str, Option<u16>) {
    let parts = name.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    parts.map_or((name, None), |(host, port)| (host, Some(port)))
}

fn is_address(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(_) => true,
        None => host.parse::<IpAddr>().is_ok(),
    }
}

/// The names of the SRV records of a host, in the order in which they count.
pub(super) fn services(host: &str) -> [String; 2] {
    [format!("_matrix-fed._tcp.{host}"), format!("_matrix._tcp.{host}")]
}

/// The route to a host by its SRV records, of which there may be none. Steps 3.3 to 3.5, or 4 to 6: the certificate
/// and the `Host` header are those of the host, not of the record's target.
pub(super) fn by_records(host: &str, records: Vec<Srv>) -> Route {
    let mut targets: Vec<_> = records.into_iter().map(|record| Target::new(record.host, record.port)).collect();
    if targets.is_empty() {
        targets.push(Target::new(host, DEFAULT_PORT));
    }
    Route { authority: host.to_owned(), host: host.to_owned(), targets: Some(targets) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn direct(name: &str) -> (String, String) {
        match Step::of(name) {
            Step::Direct(Route { authority, host, targets: None }) => (authority, host),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn addresses_and_ports_need_no_look_up() {
        for (name, authority, host) in [
            ("192.0.2.1", "192.0.2.1:8448", "192.0.2.1"),
            ("192.0.2.1:443", "192.0.2.1:443", "192.0.2.1:443"),
            ("[2001:db8::1]", "[2001:db8::1]:8448", "[2001:db8::1]"),
            ("[2001:db8::1]:443", "[2001:db8::1]:443", "[2001:db8::1]:443"),
            ("Example.org:8448", "example.org:8448", "example.org:8448"),
        ] {
            assert_eq!(direct(name), (authority.to_owned(), host.to_owned()), "{name}");
        }
    }

    #[test]
    fn names_without_a_port_are_asked_about() {
        assert_eq!(Step::of("Example.org"), Step::Ask("example.org".to_owned()));
    }

    #[test]
    fn without_records_it_is_port_8448() {
        let route = by_records("example.org", Vec::new());
        assert_eq!(route.targets, Some(vec![Target::new("example.org", 8448)]));
        assert_eq!((&*route.authority, &*route.host), ("example.org", "example.org"));
    }

    #[test]
    fn records_say_where_to_connect_but_not_whom_to_ask_for() {
        let record = |host: &str, port| Srv { priority: 1, weight: 1, host: host.to_owned(), port };
        let route = by_records("example.org", vec![record("a.example.net", 1), record("b.example.net", 2)]);
        assert_eq!(route.targets, Some(vec![Target::new("a.example.net", 1), Target::new("b.example.net", 2)]));
        assert_eq!((&*route.authority, &*route.host), ("example.org", "example.org"));
    }

    proptest::proptest! {
        #[test]
        fn every_server_name_leads_to_a_url(name in "[A-Za-z0-9.-]{1,40}(:[0-9]{1,5})?") {
            let authority = match Step::of(&name) {
                Step::Direct(route) => route.authority,
                Step::Ask(host) => by_records(&host, Vec::new()).authority,
            };
            if ruma::ServerName::parse(&*name).is_ok()
                && let Ok(url) = outbound::Url::parse(&format!("https://{authority}/path"))
            {
                proptest::prop_assert_eq!(url.path_and_query(), "/path");
            }
        }
    }
}
