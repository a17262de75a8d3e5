use super::*;

const SMALL: &str = "server_name = 'example.org'\ndata_dir = '/tmp/x'\n";

fn load(more: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let table = format!("{SMALL}{more}").parse().unwrap();
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::from_table(table, "test.toml", environment)
}

fn refused(more: &str, environment: &[(&str, &str)]) -> String {
    load(more, environment).unwrap_err().to_string()
}

#[test]
fn two_keys_are_enough() {
    let config = load("", &[]).unwrap();
    assert_eq!(config.listeners[0].bind.to_string(), "127.0.0.1:8008");
    assert_eq!(config.durability, Durability::Fsync);
    assert!(config.rate_limits.enabled);
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_one() {
    assert_eq!(refused("[memory]\nbudget = 3", &[]), "test.toml: unknown key memory.budget: did you mean budget_mb?");
    assert_eq!(refused("durabilty = 'os'", &[]), "test.toml: unknown key durabilty: did you mean durability?");
}

#[test]
fn a_missing_key_is_named() {
    let error = Config::from_table("data_dir = 'x'".parse().unwrap(), "test.toml", std::iter::empty()).unwrap_err();
    assert_eq!(error.to_string(), "test.toml: key server_name is missing");
}

#[test]
fn the_environment_overrides_the_file() {
    let config = load(
        "[memory]\nbudget_mb = 64",
        &[("HEARTH_MEMORY__BUDGET_MB", "128"), ("HEARTH_SERVER_NAME", "other.example"), ("PATH", "/bin")],
    )
    .unwrap();
    assert_eq!(config.memory.budget_mb, 128);
    assert_eq!(config.server_name, "other.example");
}

#[test]
fn a_variable_may_look_like_a_number_and_be_text() {
    assert_eq!(load("", &[("HEARTH_LOG__FILTER", "7")]).unwrap().log.filter, "7");
}

#[test]
fn a_wrong_variable_is_named() {
    let error = refused("", &[("HEARTH_MEMORY__BUDGET_MB", "much")]);
    assert!(error.starts_with("HEARTH_MEMORY__BUDGET_MB: memory.budget_mb: "), "{error}");
    let error = refused("", &[("HEARTH_MEMORY__BUDGET", "7")]);
    assert!(error.contains("unknown key memory.budget: did you mean budget_mb?"), "{error}");
}

#[test]
fn a_certificate_without_key_is_refused() {
    let error = refused("[[listeners]]\nbind = '127.0.0.1:0'\ntls_certificate = 'x.pem'", &[]);
    assert!(error.contains("belong together"), "{error}");
}

/// Scripts depend on these: they are never renamed.
const FIXED: &str = "
server_name = 'example.org'
data_dir = '/tmp/x'
durability = 'os'
[[listeners]]
bind = '127.0.0.1:1'
tls_certificate = 'c.pem'
tls_private_key = 'k.pem'
serves = ['client', 'federation', 'metrics']
[registration]
mode = 'token'
token = 'abc'
shared_secret = 'secret'
[rate_limits]
enabled = false
[federation]
enabled = false
trusted_key_servers = ['example.com']
extra_root_certificates = ['r.pem']
allow_private_addresses = true
accept_invalid_certificates = true
[memory]
budget_mb = 64
[media]
max_upload_bytes = 1000
";

#[test]
fn the_fixed_keys_are_there_in_the_file_and_in_the_environment() {
    let none = std::iter::empty();
    let config = Config::from_table(FIXED.parse().unwrap(), "test.toml", none).unwrap();
    assert_eq!(config.durability, Durability::Os);
    assert_eq!(config.media.max_upload_bytes, 1000);
    assert!(config.federation.allow_private_addresses && !config.rate_limits.enabled);
    for mode in ["closed", "token", "open"] {
        let config = load("", &[("HEARTH_REGISTRATION__MODE", mode)]).unwrap();
        assert_eq!(format!("{:?}", config.registration.mode).to_lowercase(), mode);
    }
    for (variable, value) in [
        ("HEARTH_DURABILITY", "os"),
        ("HEARTH_REGISTRATION__TOKEN", "abc"),
        ("HEARTH_REGISTRATION__SHARED_SECRET", "s"),
        ("HEARTH_RATE_LIMITS__ENABLED", "false"),
        ("HEARTH_FEDERATION__ENABLED", "false"),
        ("HEARTH_FEDERATION__TRUSTED_KEY_SERVERS", "['example.com']"),
        ("HEARTH_FEDERATION__EXTRA_ROOT_CERTIFICATES", "['r.pem']"),
        ("HEARTH_FEDERATION__ALLOW_PRIVATE_ADDRESSES", "true"),
        ("HEARTH_FEDERATION__ACCEPT_INVALID_CERTIFICATES", "true"),
        ("HEARTH_MEMORY__BUDGET_MB", "64"),
        ("HEARTH_MEDIA__MAX_UPLOAD_BYTES", "5"),
        ("HEARTH_LISTENERS", "[{ bind = '127.0.0.1:1', serves = ['metrics'] }]"),
    ] {
        load("", &[(variable, value)]).unwrap();
    }
    for key in ["media", "memory", "registration", "federation", "rate_limits"] {
        let error = refused(&format!("[{key}]\nnobody_knows_this = 1"), &[]);
        assert!(error.contains(&format!("unknown key {key}.nobody_knows_this")), "{error}");
    }
}
