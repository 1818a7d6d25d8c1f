//! What the file may say, what it means, and what is said about mistakes.

use super::Registries;
use crate::{ErrorKind, Reference};

const FILE: &str = r#"
search = ["docker.io", "registry.example"]

[aliases]
tool = "registry.example/team/tool"
"team/app" = "localhost:5000/app"

[registry."docker.io"]
mirrors = ["mirror.example:5000", "https://cache.example/hub/"]

[registry."mirror.example:5000"]
insecure = true
"#;

fn registries() -> Registries {
    Registries::parse(FILE).expect("it is well formed")
}

#[test]
fn short_names() {
    for (name, expected) in [
        ("alpine", &["docker.io/library/alpine:latest", "registry.example/alpine:latest"][..]),
        ("team/x:1", &["docker.io/team/x:1", "registry.example/team/x:1"]),
        ("tool", &["registry.example/team/tool:latest"]),
        ("tool:2", &["registry.example/team/tool:2"]),
        ("team/app:2", &["localhost:5000/app:2"]),
        ("localhost:5000/tool:2", &["localhost:5000/tool:2"]),
        ("docker.io/tool", &["docker.io/library/tool:latest"]),
    ] {
        let found = registries().candidates(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{name}");
    }
    let digest = format!("tool@sha256:{}", "a".repeat(64));
    let found = registries().candidates(&digest).expect("a name");
    assert_eq!(found[0].to_string(), format!("registry.example/team/{digest}"));
    assert_eq!(registries().candidates("UPPER").expect_err("no name").kind(), ErrorKind::Syntax);
    let empty = Registries::default().candidates("alpine").expect("a name");
    assert_eq!(empty, ["alpine".parse::<Reference>().expect("a name")]);
}

#[test]
fn mirrors_come_before_the_registry() {
    let sources = registries().sources(&"alpine".parse().expect("a name"));
    let all: Vec<_> = sources
        .iter()
        .map(|source| (source.host.as_str(), source.repository.as_str(), source.insecure, source.is_mirror))
        .collect();
    assert_eq!(
        all,
        [
            ("mirror.example:5000", "library/alpine", true, true),
            ("cache.example", "hub/library/alpine", false, true),
            ("registry-1.docker.io", "library/alpine", false, false),
        ]
    );
    assert_eq!(registries().sources(&"registry.example/x".parse().expect("a name")).len(), 1);
}

#[test]
fn mistakes_are_named() {
    for (text, part) in [
        ("search = [", "line 1: "),
        ("\n\nmirrors = []", "line 3: unknown field `mirrors`"),
        ("search = 'docker.io'", "line 1: invalid type"),
        ("search = ['a/b.example']", "search: \"a/b.example\" is no registry"),
        ("search = ['hub']", "search: \"hub\" is no registry"),
        ("[registry.'x.example']\nmirror = []", "line 2: unknown field `mirror`"),
        ("[registry.'x.example']\ninsecure = 'yes'", "line 2: invalid type"),
        ("[registry.'x.example']\nmirrors = ['http://y.example']", "leave http:// out"),
        ("[registry.'x.example']\nmirrors = ['nowhere']", "is no mirror"),
        ("[registry.'x.example']\nmirrors = ['y.example/UP']", "has a prefix"),
        ("[registry.'x y']", "registry: \"x y\" is no registry"),
        ("[aliases]\ntool = 'tool2'", "aliases.tool: \"tool2\" is no full name"),
        ("[aliases]\ntool = 'x.example/tool:1'", "without tag"),
        ("[aliases]\n'x.example/tool' = 'x.example/t'", "an alias is a short name"),
        ("[registry.'x.example']\n[registry.'x.example']", "line 2: "),
    ] {
        let error = Registries::parse(text).expect_err(text);
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains(part), "{text:?}: {error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}
