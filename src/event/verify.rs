//! Checking signatures and hashes of received events.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use base64::Engine as _;
use ed25519_dalek::{Signature, Verifier as _, VerifyingKey};
use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedServerName, OwnedServerSigningKeyId, ServerName, UserId,
    events::TimelineEventType, room_version_rules::RoomVersionRules,
};

use crate::{
    canonical::Json,
    hash::{LENIENT, content_hash},
    pdu::{FormatError, Pdu},
    redact::redacted_json,
    scan::{field, unescaped, unquoted},
};

/// How long a key is trusted at most after it was fetched, whatever its server says: 7 days.
pub const MAX_KEY_VALIDITY_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// The name of the key with which policy servers sign.
pub const POLICY_KEY: &str = "ed25519:policy_server";

/// A public key of a server, and when it may be used. Times are milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerKey {
    /// The ed25519 public key.
    pub public: [u8; 32],
    /// `valid_until_ts` of the response that had it among its `verify_keys`.
    pub valid_until_ts: u64,
    /// `expired_ts`, when it was one of the `old_verify_keys`.
    pub expired_ts: Option<u64>,
}

impl ServerKey {
    /// Whether the key counts for an event of this time. Room versions 1 to 4 take any key.
    #[must_use]
    pub fn is_valid_for(&self, origin_server_ts: u64, now: u64, rules: &RoomVersionRules) -> bool {
        if !rules.enforce_key_validity {
            return true;
        }
        match self.expired_ts {
            Some(expired) => origin_server_ts < expired,
            None => self.valid_until_ts.min(now.saturating_add(MAX_KEY_VALIDITY_MS)) >= origin_server_ts,
        }
    }
}

/// The keys at hand, by server and key id.
pub type KeyMap = HashMap<OwnedServerName, HashMap<OwnedServerSigningKeyId, ServerKey>>;

/// What a good event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// Signatures and content hash are good.
    All,
    /// The signatures are good; the content is not what was signed, so that only the redacted form
    /// may be kept.
    SignaturesOnly,
}

/// Why an event is not to be believed; it is then to be dropped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// No signature of this server counts: there is none, or its keys are unknown or were not valid
    /// at the time of the event. Fetching keys may help; see [`needed_keys`].
    #[error("no signature of {0} with a valid known key")]
    Unsigned(OwnedServerName),
    /// A signature with a valid known key is wrong.
    #[error("wrong signature of {0} with key {1}")]
    Wrong(OwnedServerName, OwnedServerSigningKeyId),
    /// The event has no form in which it could be checked.
    #[error("malformed `{0}`")]
    Malformed(&'static str),
}

/// The servers that must have signed an event.
///
/// # Errors
/// [`VerifyError::Malformed`] when the event does not say which.
pub fn required_servers(pdu: &Pdu, rules: &RoomVersionRules) -> Result<BTreeSet<OwnedServerName>, VerifyError> {
    let mut servers = BTreeSet::new();
    let content = pdu.content.get().as_bytes();
    let is_member = pdu.kind == TimelineEventType::RoomMember;
    // Whoever holds a third-party invite may send it on, from any server.
    let third_party = is_member
        && field(content, "membership").is_some_and(|value| value.of(content) == b"\"invite\"")
        && field(content, "third_party_invite").is_some_and(|value| value.of(content).first() == Some(&b'{'));
    if !third_party {
        servers.insert(pdu.sender.server_name().to_owned());
    }
    if rules.signatures.check_event_id_server {
        let server = pdu.event_id.server_name().ok_or(VerifyError::Malformed("event_id"))?;
        servers.insert(server.to_owned());
    }
    // ruma asks for this of events of every type.
    if is_member
        && rules.signatures.check_join_authorised_via_users_server
        && let Some(value) = field(content, "join_authorised_via_users_server")
    {
        let user = unquoted(content, value).and_then(|text| unescaped(content, text));
        let user = user.and_then(|user| UserId::parse(&*user).ok());
        let user = user.ok_or(VerifyError::Malformed("join_authorised_via_users_server"))?;
        servers.insert(user.server_name().to_owned());
    }
    Ok(servers)
}

/// The keys with which the required servers have signed, so that they can be fetched: with them
/// [`verify`] decides, and without one of each server it cannot.
///
/// # Errors
/// [`VerifyError::Malformed`]; the event is then to be dropped.
pub fn needed_keys(
    pdu: &Pdu,
    rules: &RoomVersionRules,
) -> Result<BTreeMap<OwnedServerName, BTreeSet<OwnedServerSigningKeyId>>, VerifyError> {
    let signatures = Signatures::of(pdu)?;
    let servers = required_servers(pdu, rules)?;
    Ok(servers
        .into_iter()
        .map(|server| {
            // That one is in no server's list of keys, but in the room's state.
            let keys = signatures.by(&server).into_iter().map(|(key, _)| key).filter(|key| *key != POLICY_KEY);
            let keys = keys.collect();
            (server, keys)
        })
        .collect())
}

/// Whether the policy server `via` has signed an event with `public`, the key that the room's state names. Server-server
/// API, "Validating Policy Server signatures".
#[must_use]
pub fn is_recommended(pdu: &Pdu, rules: &RoomVersionRules, via: &ServerName, public: &[u8; 32]) -> bool {
    let Ok(signatures) = Signatures::of(pdu) else { return false };
    let message = redacted_json(pdu.json(), &pdu.kind.to_string(), &rules.redaction, false);
    let mut theirs = signatures.by(via).into_iter().filter(|(key, _)| *key == POLICY_KEY);
    theirs.any(|(_, signature)| verify_bytes(public, signature, &message))
}

/// Checks that every required server has signed the event with a key that was valid then, that all
/// of its signatures with such keys are right, and whether the content is what was signed.
///
/// # Errors
/// [`VerifyError`]; the event is then to be dropped.
pub fn verify(
    pdu: &Pdu,
    rules: &RoomVersionRules,
    keys: &KeyMap,
    now: MilliSecondsSinceUnixEpoch,
) -> Result<Verified, VerifyError> {
    let signatures = Signatures::of(pdu)?;
    let message = redacted_json(pdu.json(), &pdu.kind.to_string(), &rules.redaction, false);
    for server in required_servers(pdu, rules)? {
        let known = keys.get(&server);
        let mut good = false;
        for (key_id, signature) in signatures.by(&server) {
            let Some(key) = known.and_then(|keys| keys.get(&key_id)) else { continue };
            if !key.is_valid_for(pdu.origin_server_ts.get().into(), now.get().into(), rules) {
                continue;
            }
            if !verify_bytes(&key.public, signature, &message) {
                return Err(VerifyError::Wrong(server, key_id));
            }
            good = true;
        }
        if !good {
            return Err(VerifyError::Unsigned(server));
        }
    }
    Ok(if hash_matches(pdu) { Verified::All } else { Verified::SignaturesOnly })
}

/// As [`verify`], but gives what may be kept of the event: itself, or its redacted form.
///
/// # Errors
/// [`VerifyError`]; the event is then to be dropped.
pub fn verified(
    pdu: Pdu,
    rules: &RoomVersionRules,
    keys: &KeyMap,
    now: MilliSecondsSinceUnixEpoch,
) -> Result<Pdu, VerifyError> {
    match verify(&pdu, rules, keys, now)? {
        Verified::All => Ok(pdu),
        Verified::SignaturesOnly => pdu.redact(rules).map_err(|error| match error {
            FormatError::Field(name) => VerifyError::Malformed(name),
            _ => VerifyError::Malformed("event"),
        }),
    }
}

/// Whether a base64 signature of a message is right.
#[must_use]
pub fn verify_bytes(public: &[u8; 32], signature: &str, message: &[u8]) -> bool {
    let signature = LENIENT.decode(signature).ok().and_then(|bytes| Signature::from_slice(&bytes).ok());
    let key = VerifyingKey::from_bytes(public).ok();
    key.zip(signature).is_some_and(|(key, signature)| key.verify(message, &signature).is_ok())
}

/// Whether the content hash in the event is that of its content.
#[must_use]
pub fn hash_matches(pdu: &Pdu) -> bool {
    let json = pdu.json();
    let claimed = pdu.layout.hashes.and_then(|span| {
        let hashes = span.of(json);
        let text = unescaped(hashes, unquoted(hashes, field(hashes, "sha256")?)?)?;
        LENIENT.decode(&*text).ok()
    });
    claimed.is_some_and(|claimed| claimed == content_hash(json))
}

/// The `signatures` of an event.
struct Signatures<'a>(Vec<(std::borrow::Cow<'a, str>, Json<'a>)>);

impl<'a> Signatures<'a> {
    fn of(pdu: &'a Pdu) -> Result<Self, VerifyError> {
        let raw = pdu.layout.signatures.map(|span| span.of(pdu.json())).unwrap_or_default();
        Json::parse_object(raw).map(Self).map_err(|_| VerifyError::Malformed("signatures"))
    }

    /// The ed25519 signatures of a server; what is no signature is passed over.
    fn by(&self, server: &ServerName) -> Vec<(OwnedServerSigningKeyId, &str)> {
        let mut found = Vec::new();
        let entry = self.0.iter().find(|(name, _)| *name == server.as_str());
        let Some((_, Json::Object(entries))) = entry else { return found };
        for (key_id, signature) in entries {
            let Json::Text(signature) = signature else { continue };
            if !key_id.starts_with("ed25519:") {
                continue;
            }
            if let Ok(key_id) = OwnedServerSigningKeyId::try_from(&**key_id) {
                found.push((key_id, &**signature));
            }
        }
        found
    }
}
