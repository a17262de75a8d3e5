use std::{
    fs,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use hickory_resolver::{
    Hosts, TokioResolver,
    config::ResolveHosts,
    net::NetError,
    proto::{
        op::Query,
        rr::{Name, RData, RecordType},
    },
};
use parking_lot::Mutex;
use tokio::time::timeout;

use crate::{Error, Result, Srv, config::DNS_TIMEOUT, srv};

/// How long one name server has for an answer before the next one, or the same once more, is asked.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(2_200);
/// How often it is looked whether the system's files changed.
const LOOK_AFTER: Duration = Duration::from_secs(5);
/// The system's files.
const FILES: [&str; 2] = ["/etc/hosts", "/etc/resolv.conf"];

/// Resolves names by the system's hosts file, then by its name servers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Dns(Arc<Mutex<Option<State>>>);

struct State {
    looked: Instant,
    changed: [Option<SystemTime>; 2],
    system: System,
}

/// What the system's files said.
#[derive(Clone)]
struct System {
    hosts: Arc<Hosts>,
    /// `None` without name servers.
    resolver: Option<TokioResolver>,
}

impl System {
    fn read() -> Self {
        let hosts = Hosts::from_system().unwrap_or_default();
        let resolver = TokioResolver::builder_tokio().and_then(|mut builder| {
            let options = builder.options_mut();
            options.timeout = ATTEMPT_TIMEOUT;
            options.attempts = 2;
            options.use_hosts_file = ResolveHosts::Never;
            options.negative_max_ttl = Some(Duration::from_secs(300));
            options.positive_max_ttl = Some(Duration::from_secs(3_600));
            options.case_randomization = false;
            builder.build()
        });
        if let Err(cause) = &resolver {
            tracing::warn!(%cause, "no name servers: only the hosts file is used");
        }
        Self { hosts: Arc::new(hosts), resolver: resolver.ok() }
    }

    /// The addresses that the hosts file has for a name.
    fn listed(&self, name: &Name) -> Vec<IpAddr> {
        let of = |kind| self.hosts.lookup_static_host(&Query::query(name.clone(), kind));
        let lookups = [of(RecordType::A), of(RecordType::AAAA)];
        let answers = lookups.iter().flatten().flat_map(|lookup| lookup.answers());
        answers.filter_map(|record| record.data.ip_addr()).collect()
    }
}

impl Dns {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// What the files say now; they are read again when they changed.
    fn system(&self) -> System {
        let mut state = self.0.lock();
        if let Some(state) = &*state
            && state.looked.elapsed() < LOOK_AFTER
        {
            return state.system.clone();
        }
        let looked = Instant::now();
        let changed = FILES.map(|file| fs::metadata(file).and_then(|metadata| metadata.modified()).ok());
        let system = match &*state {
            Some(state) if state.changed == changed => state.system.clone(),
            _ => System::read(),
        };
        *state = Some(State { looked, changed, system: system.clone() });
        system
    }

    /// The addresses of a name, in the order in which they are to be tried; not filtered.
    pub(crate) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>> {
        if let Ok(ip) = host.parse() {
            return Ok(vec![ip]);
        }
        let failed = |cause: String| Error::Dns { name: host.to_owned(), cause };
        let name = name(host).map_err(&failed)?;
        let system = self.system();
        let listed = system.listed(&name);
        if !listed.is_empty() {
            return Ok(listed);
        }
        let resolver = system.resolver.ok_or_else(|| failed("no name servers".to_owned()))?;
        let found = timeout(DNS_TIMEOUT, resolver.lookup_ip(name)).await;
        let found = found.map_err(|_| failed("timed out".to_owned()))?;
        let addresses: Vec<_> = found.map_err(|error| failed(error.to_string()))?.iter().collect();
        if addresses.is_empty() { Err(failed("no addresses".to_owned())) } else { Ok(addresses) }
    }

    /// The SRV records of a name in the order in which they are to be tried; empty if it has none.
    pub(crate) async fn srv(&self, service: &str) -> Result<Vec<Srv>> {
        let failed = |cause: String| Error::Dns { name: service.to_owned(), cause };
        let mut name = Name::from_ascii(service).map_err(|error| failed(error.to_string()))?;
        name.set_fqdn(true);
        let Some(resolver) = self.system().resolver else { return Ok(Vec::new()) };
        let found = timeout(DNS_TIMEOUT, resolver.lookup(name, RecordType::SRV)).await;
        let found = match found.map_err(|_| failed("timed out".to_owned()))? {
            Ok(found) => found,
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            Err(error) => return Err(failed(error.to_string())),
        };
        let records = found.answers().iter().filter_map(|record| match &record.data {
            RData::SRV(srv) => Some(Srv {
                priority: srv.priority,
                weight: srv.weight,
                host: srv.target.to_ascii().trim_end_matches('.').to_owned(),
                port: srv.port,
            }),
            _ => None,
        });
        let random = |below: u64| u64::from_le_bytes(base::random::bytes()) % below.max(1);
        Ok(srv::ordered(records.take(64).collect(), random))
    }
}

/// A host's name. Only one without a dot is searched for in the system's search domains.
fn name(host: &str) -> Result<Name, String> {
    let mut name = Name::from_ascii(host).map_err(|error| error.to_string())?;
    if host.contains('.') {
        name.set_fqdn(true);
    }
    Ok(name)
}

fn is_absent(error: &NetError) -> bool {
    error.is_nx_domain() || error.is_no_records_found()
}
