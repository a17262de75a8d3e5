//! `docs/coverage.md`: which endpoints of the specification are served.
//!
//! After a change: `UPDATE=1 cargo test -p testkit --test server coverage`.

use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

use api::Serves;

/// A path whose variables have no names.
fn shape(path: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { "{}".to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn coverage(endpoints: &str) -> String {
    let served: Vec<_> = Serves { client: true, federation: true }
        .routes()
        .served()
        .iter()
        .map(|route| (route.method.to_string(), shape(&route.path)))
        .collect();
    let mut modules: BTreeMap<(String, String), Vec<(bool, String)>> = BTreeMap::new();
    for line in endpoints.lines().skip(1) {
        let columns: Vec<_> = line.split('\t').collect();
        let [api, method, path, _, module, ..] = columns.as_slice() else { continue };
        let ours = line.contains("HS=client") || !["client-server", "server-server", "well-known"].contains(api);
        if ours {
            continue;
        }
        let module = module.split(" / ").next().unwrap_or(module).to_owned();
        let is_served = served.contains(&((*method).to_owned(), shape(path)));
        let row = (is_served, format!("`{method} {path}`"));
        modules.entry(((*api).to_owned(), module)).or_default().push(row);
    }
    let all = modules.values().flatten().count();
    let done = modules.values().flatten().filter(|(served, _)| *served).count();
    let mut out = format!(
        "# Endpoints of the specification\n\nGenerated from `docs/endpoints.tsv` (Matrix v1.19) and the routes of \
         the server; a test keeps it true. Served: {done} of {all}.\n"
    );
    for ((api, module), rows) in &modules {
        let served = rows.iter().filter(|(served, _)| *served).count();
        writeln!(out, "\n## {api}: {module} ({served} of {})\n", rows.len()).unwrap();
        for (served, row) in rows {
            writeln!(out, "- [{}] {row}", if *served { "x" } else { " " }).unwrap();
        }
    }
    out
}

#[test]
fn the_coverage_list_is_true() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let coverage = coverage(&fs::read_to_string(docs.join("endpoints.tsv")).unwrap());
    let path = docs.join("coverage.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &coverage).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == coverage,
        "run: UPDATE=1 cargo test -p testkit --test server coverage"
    );
}
