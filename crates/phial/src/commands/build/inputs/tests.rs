//! What each flag takes and refuses.

use super::*;

fn environment(name: &str) -> Option<String> {
    match name {
        "SET" => Some("value".to_owned()),
        "SOURCE_DATE_EPOCH" => Some("7".to_owned()),
        "SSH_AUTH_SOCK" => Some("/run/agent".to_owned()),
        _ => None,
    }
}

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

/// What was refused: the message after the flag and its value, and the hint.
fn refused<T: std::fmt::Debug>(result: Result<T>) -> (String, String) {
    let failure = result.expect_err("it makes no sense");
    let (message, hint) = failure.said();
    let why = message.strip_prefix("cannot build: ").expect("it says what cannot be done");
    (why.to_owned(), hint.unwrap_or_default().to_owned())
}

#[test]
fn arguments_come_from_the_environment_too() {
    let found = arguments(&texts(&["A=1", "B=", "SET", "UNSET", "A=2=3"]), &environment).expect("they are");
    let expected = [("A", "2=3"), ("B", ""), ("SET", "value"), ("SOURCE_DATE_EPOCH", "7")];
    assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    let own = arguments(&texts(&["SOURCE_DATE_EPOCH=0"]), &environment).expect("it is one");
    assert_eq!(own.get("SOURCE_DATE_EPOCH").map(String::as_str), Some("0"));
    assert_eq!(refused(arguments(&texts(&["=x"]), &environment)).0, "--build-arg =x: there is no name");
}

#[test]
fn secrets() {
    let file = |path: &str| SecretSource::File(path.into());
    let variable = |name: &str| SecretSource::Variable(name.to_owned());
    for (text, expected) in [
        ("id=a,src=/x", file("/x")),
        ("id=a,source=/x,type=file", file("/x")),
        ("id=a,env=SET", variable("SET")),
        ("id=a,type=env,src=SET", variable("SET")),
        ("id=a,type=env", variable("a")),
        ("id=SET", variable("SET")),
        ("id=a", file("a")),
        ("\"id=a\",\"src=x,y\"", file("x,y")),
    ] {
        assert_eq!(secret(text, &environment).expect("it is one").source, expected, "{text}");
    }
    for (text, why, hint) in [
        ("src=x", "it has no id", "give id=NAME,src=FILE or id=NAME,env=VARIABLE"),
        ("id=a,scr=x", "there is no key 'scr' here", "did you mean src?"),
        ("id=a,type=flie", "type=flie is none of file, env", "did you mean file?"),
        ("id=a,src=x,env=y", "it is a file or a variable, and not both", ""),
        ("a", "'a' is not KEY=VALUE", ""),
    ] {
        assert_eq!(refused(secret(text, &environment)), (format!("--secret {text}: {why}"), hint.to_owned()));
    }
}

#[test]
fn agents() {
    let is_socket = |path: &Path| path == Path::new("/run/other");
    let found = |text| agent(text, &environment, &is_socket).map(|agent| (agent.id, agent.socket));
    assert_eq!(found("default").expect("it is one"), ("default".to_owned(), None));
    assert_eq!(found("a=/run/other").expect("it is one"), ("a".to_owned(), Some("/run/other".into())));
    let (why, hint) = refused(found("a=/root/.ssh/id"));
    assert_eq!(why, "--ssh a=/root/.ssh/id: /root/.ssh/id is not the socket of an agent, and keys are not supported");
    assert!(hint.contains("ssh-add"));
    assert!(refused(agent("default", &|_| None, &is_socket)).0.ends_with("SSH_AUTH_SOCK is not set"));
    refused(found("=x"));
}

#[test]
fn caches_are_images_or_lists() {
    let found = caches("--cache-from", &texts(&["a/b:c,d", "type=local,src=x", "type=registry,ref=e,mode=max", ""]));
    let kinds: Vec<(String, usize)> =
        found.expect("they are").into_iter().map(|cache| (cache.kind, cache.attributes.len())).collect();
    let expected = [("registry", 1), ("registry", 1), ("local", 1), ("registry", 2)];
    assert_eq!(kinds, expected.map(|(kind, number)| (kind.to_owned(), number)));
    caches("--cache-to", &texts(&["type=inline"])).expect("it is one");
    for (text, why, hint) in [
        ("type=gha", "type=gha is none of registry, local, inline", "there is registry, local, inline"),
        ("type=registry", "it has no ref", "give ref=IMAGE"),
        ("type=local,src=x", "it has no dest", "give dest=DIRECTORY"),
        ("ref=a", "it has no type", "give type=registry,ref=IMAGE"),
    ] {
        assert_eq!(refused(caches("--cache-to", &texts(&[text]))).0, format!("--cache-to {text}: {why}"));
        assert_eq!(refused(caches("--cache-to", &texts(&[text]))).1, hint, "{text}");
    }
    refused(caches("--cache-from", &texts(&["UPPER CASE"])));
}

#[test]
fn platforms_are_lists() {
    let found = platforms(&texts(&["linux/amd64,linux/arm64", "linux/x86_64"])).expect("they are");
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), ["linux/amd64", "linux/arm64"]);
    refused(platforms(&texts(&["linux/amd64/x/y/z"])));
}

#[test]
fn the_rest() {
    assert_eq!(dockerfile(Some("-"), &Context::Nothing).expect("it is one"), Dockerfile::Stdin);
    refused(dockerfile(Some("-"), &Context::Stdin));
    assert_eq!(named_context("a=b=c").expect("it is one").value, "b=c");
    refused(named_context("a"));
    assert_eq!(refused(allowed("network.hots")).1, "did you mean network.host?");
    for text in ["device", "device=vendor.com/class=x", "device=vendor.com/class"] {
        allowed(text).expect("it is one");
    }
    for text in ["device=", "device=/dev/null", "device=x"] {
        assert!(refused(allowed(text)).1.contains("vendor.com"), "{text}");
    }
}
