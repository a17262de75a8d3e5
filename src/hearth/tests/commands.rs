//! The program as scripts call it: commands, what they print, and how they end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

#[path = "crash/process.rs"]
mod process;

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

use process::{Api, Process, text};

/// Runs `hearth` with `input`, without what the environment would change.
fn hearth(arguments: &[&str], directory: &Path, input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
    process::without_overrides(&mut command);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.current_dir(directory).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn complained(output: &Output) -> String {
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.starts_with("hearth: ") && !text.contains("panicked"), "{text}");
    text
}

async fn log_in(api: &Api, user: &str, password: &str) -> Value {
    let identifier = json!({ "type": "m.id.user", "user": user });
    let body = json!({ "type": "m.login.password", "identifier": identifier, "password": password });
    api.post("/login", "", body).await
}

#[test]
fn the_version_is_told() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(said(&hearth(&["--version"], directory.path(), "")), format!("hearth {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_configuration_is_checked_and_told_what_is_wrong_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let check = |text: &str| {
        std::fs::write(directory.path().join("c.toml"), text).unwrap();
        hearth(&["check-config", "--config", "c.toml"], directory.path(), "")
    };
    let good = "server_name = 'a.example'\ndata_dir = 'data'\n";
    assert_eq!(said(&check(good)), "c.toml is fine\n");
    let unknown = complained(&check(&format!("{good}[media]\nmax_upload_byte = 1\n")));
    assert!(unknown.contains("unknown key media.max_upload_byte: did you mean max_upload_bytes?"), "{unknown}");
    assert!(complained(&check("data_dir = 'data'\n")).contains("key server_name is missing"));
    assert!(complained(&check("server_name = ")).contains("is not TOML"));
    assert!(!directory.path().join("data").exists(), "a check makes nothing");
    let missing = hearth(&["check-config", "--config", "none.toml"], directory.path(), "");
    assert!(complained(&missing).contains("cannot read none.toml"));
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_created_on_a_running_server_and_on_a_stopped_one() {
    let directory = tempfile::tempdir().unwrap();
    let create = |arguments: &[&str], input: &str| {
        let all = [&["create-user", "--config", "hearth.toml"], arguments].concat();
        hearth(&all, directory.path(), input)
    };
    let mut server = Process::start(directory.path());
    let created = said(&create(&["alice", "--admin", "--password-stdin"], "a long secret\nanother line\n"));
    assert_eq!(created, "created @alice:test.example\n");
    server.api().register("carol").await;
    assert!(complained(&create(&["carol", "--password-stdin"], "x\n")).contains("taken"));
    assert!(complained(&create(&["dave", "--password-stdin"], "\n")).contains("no password"));
    let session = log_in(&server.api(), "alice", "a long secret").await;
    let who = server.api().get("/account/whoami", &text(&session["access_token"])).await.unwrap();
    assert_eq!(who["user_id"], "@alice:test.example");

    let second = complained(&hearth(&["serve", "--config", "hearth.toml"], directory.path(), ""));
    assert!(second.contains("another Hearth runs on"), "{second}");
    server.kill();

    let created = said(&create(&["bob"], ""));
    let password = created.strip_prefix("created @bob:test.example\npassword: ").unwrap().trim_end();
    assert!(password.len() >= 20);
    let server = Process::start(directory.path());
    log_in(&server.api(), "alice", "a long secret").await;
    log_in(&server.api(), "bob", password).await;
}

/// Head and body of a page as any program gets it.
fn page(server: &Process, path: &str) -> String {
    let mut stream = TcpStream::connect(server.base.strip_prefix("http://").unwrap()).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_told_to_stop_ends_well_and_has_logged_requests_by_their_ids() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let mut server = Process::start_with(directory.path(), |command| {
        let log = std::fs::File::create(&log).unwrap();
        command.env("HEARTH_LOG__FORMAT", "json").env("HEARTH_LOG__FILTER", "info,api=debug").stderr(log);
    });
    let token = server.api().register("alice").await;
    let versions = page(&server, "/_matrix/client/versions");
    let id = versions.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap().to_owned();
    assert!(page(&server, "/health").ends_with("ok\n"));
    let metrics = page(&server, "/metrics");
    for figure in ["hearth_http_requests_total{", "hearth_http_request_seconds_bucket{", "hearth_kv_fsyncs_total "] {
        assert!(metrics.contains(figure), "{metrics}");
    }
    let pid = server.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let status = server.child.wait().unwrap();
    assert!(status.success(), "{status}");
    let log = std::fs::read_to_string(log).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_request = lines.iter().find(|line| line["span"]["id"] == id.as_str()).expect("a line with the request's id");
    assert_eq!((&of_request["message"], &of_request["status"]), (&json!("answered"), &json!(200)));
    assert!(lines.iter().any(|line| line["message"] == "stopped"));
    assert!(!log.contains(&token) && !log.contains("password"), "no secrets");
}

#[test]
fn a_server_takes_as_many_connections_as_the_system_allows() {
    let directory = tempfile::tempdir().unwrap();
    let server = Process::start_with(directory.path(), |command| {
        let mut shell = Command::new("sh");
        process::without_overrides(&mut shell);
        shell.args(["-c", "ulimit -S -n 700 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_hearth")]);
        *command = shell;
    });
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.child.id())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let [soft, hard] = files.split_whitespace().skip(3).take(2).collect::<Vec<_>>()[..] else { panic!("{files}") };
    assert_eq!(soft, hard);
}
