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
