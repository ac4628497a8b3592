use toml::{Table, Value};

use super::Report;
use super::tree::Tree;

/// A crate of the workspace.
pub struct Package {
    /// Name, as in its manifest.
    pub name: String,
    /// Path of its folder.
    pub folder: String,
    /// What it says it needs.
    pub dependencies: Vec<Dependency>,
}

/// One line of a `[dependencies]` table.
pub struct Dependency {
    /// Name of the crate needed.
    pub name: String,
    /// Whether only tests and examples need it.
    pub dev: bool,
    /// Where it is said, for messages.
    pub line: usize,
}

impl Package {
    /// Path of the manifest.
    pub fn manifest(&self) -> String {
        format!("{}/Cargo.toml", self.folder)
    }
}

/// Checks the manifests, and tells what the workspace consists of.
pub fn check(tree: &Tree, report: &mut Report) -> Vec<Package> {
    check_root(tree, report);
    let mut packages = Vec::new();
    for (path, text) in tree.texts() {
        let Some(folder) = path.strip_suffix("/Cargo.toml") else { continue };
        let table = match text.parse::<Table>() {
            Ok(table) => table,
            Err(error) => {
                report.find("manifest", path, 0, format!("is not TOML: {error}"));
                continue;
            }
        };
        if table.contains_key("workspace") {
            continue; // a workspace of its own, such as `fuzz`
        }
        check_crate(path, &table, report);
        packages.push(Package {
            name: string(&table, &["package", "name"]).unwrap_or_default().to_owned(),
            folder: folder.to_owned(),
            dependencies: dependencies(path, text, &table, report),
        });
    }
    packages
}

fn check_root(tree: &Tree, report: &mut Report) {
    let path = "Cargo.toml";
    if !tree.has("Cargo.lock") {
        report.find("lockfile", path, 0, "Cargo.lock is missing or ignored; commit it, builds are --locked");
    }
    let Some(Ok(table)) = tree.text(path).map(str::parse::<Table>) else {
        return report.find("manifest", path, 0, "the workspace manifest is missing or no TOML");
    };
    let lints = [
        (["workspace", "lints", "rust", "unsafe_code"], &["forbid"][..], "forbid"),
        (["workspace", "lints", "rust", "missing_docs"], &["warn", "deny", "forbid"], "warn"),
        (["workspace", "lints", "rust", "unused_must_use"], &["deny", "forbid"], "deny"),
        (["workspace", "lints", "clippy", "unwrap_used"], &["warn", "deny", "forbid"], "warn"),
    ];
    for (keys, accepted, wanted) in lints {
        if !string(&table, &keys).is_some_and(|level| accepted.contains(&level)) {
            let message = format!("the workspace lint {} must be \"{wanted}\"", keys[3]);
            report.find("lint", path, 0, message);
        }
    }
    for (name, value) in
        at(&table, &["workspace", "dependencies"]).and_then(Value::as_table).into_iter().flatten()
    {
        let version = value.as_str().or_else(|| value.get("version")?.as_str());
        match version {
            Some(version) if version.contains('*') => {
                report.find("manifest", path, 0, format!("{name}: a wildcard version; say which one"));
            }
            None if value.get("path").is_none() => {
                report.find(
                    "manifest",
                    path,
                    0,
                    format!("{name}: comes from no registry; only released crates"),
                );
            }
            _ => {}
        }
    }
}

fn check_crate(path: &str, table: &Table, report: &mut Report) {
    let lints = table.get("lints").and_then(Value::as_table);
    if !lints.is_some_and(|lints| lints.len() == 1 && lints.get("workspace") == Some(&Value::Boolean(true))) {
        let message = "write `[lints] workspace = true` and no more: the lints, forbid(unsafe_code) first, hold everywhere";
        report.find("lint", path, 0, message);
    }
    for key in ["license", "edition", "publish"] {
        if at(table, &["package", key, "workspace"]).and_then(Value::as_bool) != Some(true) {
            report.find("manifest", path, 0, format!("write `{key}.workspace = true`"));
        }
    }
    let folder = path.rsplit('/').nth(1).unwrap_or_default();
    let name = string(table, &["package", "name"]).unwrap_or_default();
    if name != folder {
        report.find("manifest", path, 0, format!("name the crate after its folder: {name} is in {folder}"));
    }
}

fn dependencies(path: &str, text: &str, table: &Table, report: &mut Report) -> Vec<Dependency> {
    let mut found = Vec::new();
    for section in ["dependencies", "build-dependencies", "dev-dependencies"] {
        let tables = targets(table).chain([table]);
        for (name, value) in tables.filter_map(|table| table.get(section)?.as_table()).flatten() {
            let line = 1 + text.lines().position(|line| line.starts_with(name)).unwrap_or_default();
            if value.get("workspace").and_then(Value::as_bool) != Some(true) {
                let message =
                    format!("{name}: write `{name}.workspace = true`; versions are in the root Cargo.toml");
                report.find("manifest", path, line, message);
            }
            found.push(Dependency { name: name.clone(), dev: section.starts_with("dev"), line });
        }
    }
    found
}

/// The tables of dependencies that hold on some systems only.
fn targets(table: &Table) -> impl Iterator<Item = &Table> {
    table
        .get("target")
        .and_then(Value::as_table)
        .into_iter()
        .flatten()
        .filter_map(|(_, target)| target.as_table())
}

fn string<'a>(table: &'a Table, keys: &[&str]) -> Option<&'a str> {
    at(table, keys)?.as_str()
}

fn at<'a>(table: &'a Table, keys: &[&str]) -> Option<&'a Value> {
    let (first, rest) = keys.split_first()?;
    rest.iter().try_fold(table.get(*first)?, |value, key| value.get(key))
}
