//! What each instruction takes and refuses.

use std::collections::BTreeMap;

use super::*;
use crate::statement::Dockerfile;

fn parse(text: &str) -> Result<Kind> {
    let statement = Dockerfile::parse(text.as_bytes())?.statements.remove(0);
    Instruction::parse(statement).map(|instruction| instruction.kind)
}

fn kind(text: &str) -> Kind {
    parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Every error has its words, its hint where there is one, and its lines.
#[track_caller]
fn check_refused(cases: &[(&str, &str, Option<&str>)]) {
    for (text, message, hint) in cases {
        let error = parse(text).expect_err(text);
        assert_eq!((error.to_string().as_str(), error.hint()), (*message, *hint), "{text}");
        assert!(error.lines().is_some(), "{text}");
    }
}

#[test]
fn instructions_that_are_refused() {
    check_refused(&[
        ("FORM a", "unknown instruction: FORM", Some("did you mean FROM?")),
        ("NOTHING a", "unknown instruction: NOTHING", None),
        ("FROM", "FROM takes an image, or an image, AS and a name", None),
        ("FROM a b", "FROM takes an image, or an image, AS and a name", None),
        ("FROM a is b", "FROM: \"is\" in the place of AS", None),
        (
            "FROM a AS 1",
            "\"1\" cannot be the name of a stage",
            Some("a name begins with a letter, and has letters, digits, '-', '_' and '.'"),
        ),
        ("FROM --platfrom=a b", "FROM: unknown flag --platfrom", Some("did you mean --platform?")),
        ("FROM --platform b", "FROM --platform: a value is missing", Some("write --platform=VALUE")),
        ("ARG", "ARG needs at least one argument", None),
        ("ARG =a", "ARG: no name before '=' in \"=a\"", None),
        ("ENV", "ENV needs at least one argument", None),
        ("LABEL", "LABEL needs at least one argument", None),
        ("EXPOSE", "EXPOSE needs at least one argument", None),
        ("EXPOSE --a 80", "EXPOSE: unknown flag --a", Some("it takes none")),
        ("VOLUME", "VOLUME needs at least one argument", None),
        ("VOLUME [\"\"]", "VOLUME: a path must not be empty", None),
        ("WORKDIR", "WORKDIR needs exactly one argument", None),
        ("USER", "USER needs exactly one argument", None),
        ("STOPSIGNAL", "STOPSIGNAL needs exactly one argument", None),
        ("MAINTAINER", "MAINTAINER needs exactly one argument", None),
        ("SHELL", "SHELL needs at least one argument", None),
        ("SHELL []", "SHELL needs at least one argument", None),
        ("SHELL bash -c", "SHELL takes a list in JSON", Some("write SHELL [\"executable\", \"parameters\"]")),
    ]);
}

#[test]
fn files_and_health_that_are_refused() {
    check_refused(&[
        ("COPY a", "COPY needs at least two arguments: the last one is the destination", None),
        ("ADD", "ADD needs at least two arguments: the last one is the destination", None),
        ("COPY a <<b\nb", "COPY: a heredoc cannot be the destination", Some("name the file or directory after it")),
        ("COPY --form=a b c", "COPY: unknown flag --form", Some("did you mean --from?")),
        (
            "COPY --checksum=a b c",
            "COPY: unknown flag --checksum",
            Some("flags are --chown --chmod --link --exclude --from --parents"),
        ),
        (
            "ADD --from=a b c",
            "ADD: unknown flag --from",
            Some("flags are --chown --chmod --link --exclude --keep-git-dir --checksum --unpack"),
        ),
        ("COPY --link=maybe a b", "COPY --link: \"maybe\" is neither true nor false", None),
        ("COPY --chown=a --chown=b c d", "COPY --chown: it is given twice", None),
        ("HEALTHCHECK", "HEALTHCHECK needs CMD or NONE", None),
        ("HEALTHCHECK NONE a", "HEALTHCHECK NONE takes no arguments", None),
        ("HEALTHCHECK CMD", "HEALTHCHECK CMD needs a command", None),
        ("HEALTHCHECK CMD []", "HEALTHCHECK CMD needs a command", None),
        ("HEALTHCHECK CDM a", "HEALTHCHECK takes CMD or NONE, and not \"CDM\"", Some("did you mean CMD?")),
        (
            "HEALTHCHECK --interval=5 CMD a",
            "HEALTHCHECK --interval=5: it is no duration",
            Some("write it with a unit: 500ms, 30s, 1m30s"),
        ),
        (
            "HEALTHCHECK --timeout=1us CMD a",
            "HEALTHCHECK --timeout=1us: it cannot be less than 1ms",
            Some("write it with a unit: 500ms, 30s, 1m30s"),
        ),
        ("HEALTHCHECK --retries=-1 CMD a", "HEALTHCHECK --retries=-1: it is no number from 0 on", None),
        ("ONBUILD", "ONBUILD needs at least one argument", None),
        ("ONBUILD FROM a", "FROM cannot be a trigger of ONBUILD", None),
        ("ONBUILD maintainer a", "MAINTAINER cannot be a trigger of ONBUILD", None),
        ("ONBUILD COPYY a b", "unknown instruction: COPYY", Some("did you mean COPY?")),
    ]);
}

#[test]
fn commands_that_are_refused() {
    check_refused(&[
        ("RUN --network=hsot a", "RUN --network=hsot: it is one of default, none, host", Some("did you mean host?")),
        ("RUN --security=off a", "RUN --security=off: it is one of sandbox, insecure", None),
        ("RUN --device=a,b c", "RUN --device=a,b: it has more than one name", None),
        ("RUN --device=required c", "RUN --device=required: it has no name", None),
        ("RUN --mount=type=bnid a", "RUN --mount=type=bnid: there is no type \"bnid\"", Some("did you mean bind?")),
        ("RUN --mount=form=a b", "RUN --mount=form=a: there is no key \"form\"", Some("did you mean from?")),
        ("RUN --mount=target a", "RUN --mount=target: target has no value", Some("write target=VALUE")),
        (
            "RUN --mount=from=$a b",
            "RUN --mount=from=$a: from cannot have variables",
            Some("begin a stage with FROM and the variable, and name that stage"),
        ),
        ("RUN --mount=type=secret a", "RUN --mount=type=secret: a secret needs an id", None),
        (
            "RUN --mount=type=secret,id=a,source=b c",
            "RUN --mount=type=secret,id=a,source=b: source and id are the same key of a secret, and both are given",
            None,
        ),
        (
            "RUN --mount=type=tmpfs,mode=1 a",
            "RUN --mount=type=tmpfs,mode=1: mode is for mounts of type secret, ssh, cache",
            None,
        ),
        ("RUN --mount=size=1m a", "RUN --mount=size=1m: size is for mounts of type tmpfs", None),
        (
            "RUN --mount=type=cache,sharing=loked a",
            "RUN --mount=type=cache,sharing=loked: no sharing \"loked\"",
            Some("did you mean locked?"),
        ),
        (
            "RUN --mount=type=cache,required a",
            "RUN --mount=type=cache,required: required is for mounts of type secret, ssh",
            None,
        ),
        (
            "RUN --mount=type=cache,mode=9 a",
            "RUN --mount=type=cache,mode=9: mode=9 is no permission bits in octal",
            None,
        ),
        ("RUN --mount=type=cache,uid=x a", "RUN --mount=type=cache,uid=x: uid=x is no number of a user or group", None),
        ("RUN --mount=ro=maybe a", "RUN --mount=ro=maybe: readonly=maybe is neither true nor false", None),
    ]);
}

#[test]
fn beginnings_of_stages() {
    let Kind::From(from) = kind("from --platform=$BUILDPLATFORM a As B-1.c_d") else { panic!("it begins a stage") };
    assert_eq!(
        (&*from.base, from.name.as_deref(), from.platform.as_deref()),
        ("a", Some("b-1.c_d"), Some("$BUILDPLATFORM"))
    );
    assert_eq!(from.written, Some(("As".to_owned(), "B-1.c_d".to_owned())));
}

#[test]
fn commands() {
    let exec = |words: &[&str]| Command::Exec(words.iter().map(|&word| word.to_owned()).collect());
    assert_eq!(kind("CMD [\"a\", \"b\"]"), Kind::Cmd(exec(&["a", "b"])));
    assert_eq!(kind("CMD a  b"), Kind::Cmd(Command::Shell("a  b".to_owned())));
    assert_eq!(kind("CMD"), Kind::Cmd(Command::Shell(String::new())));
    assert_eq!(kind("ENTRYPOINT []"), Kind::Entrypoint(exec(&[])));
    let Kind::Run(run) = kind("RUN") else { panic!("it runs") };
    assert_eq!(run.command, Command::Shell(String::new()));
    assert_eq!(kind("SHELL [\"a\"]"), Kind::Shell(vec!["a".to_owned()]));
}

#[test]
fn declarations() {
    let Kind::Arg(arguments) = kind("ARG a b= c=\"d e\"") else { panic!("it declares") };
    let found: Vec<_> = arguments.iter().map(|argument| (&*argument.name, argument.default.as_deref())).collect();
    assert_eq!(found, [("a", None), ("b", Some("")), ("c", Some("\"d e\""))]);
    assert_eq!(kind("USER a b"), Kind::User("a b".to_owned()));
    assert_eq!(kind("VOLUME /a /b"), Kind::Volume(vec!["/a".to_owned(), "/b".to_owned()]));
    assert_eq!(kind("ONBUILD RUN <<a\n1\na"), Kind::Onbuild("RUN <<a\n1\na".to_owned()));
}

#[test]
fn descriptions_stand_above() {
    let text = "# other\n# name what it is for\nARG name";
    let statement = Dockerfile::parse(text.as_bytes()).expect("it is one").statements.remove(0);
    let instruction = Instruction::parse(statement).expect("it is one");
    assert_eq!(instruction.description("name"), Some("what it is for"));
    assert_eq!(instruction.description("nam"), None);
}

#[test]
fn files() {
    let Kind::Copy(copy) = kind("COPY --from=a --link --exclude=b --exclude=c --chmod=u+x d <<'e' /f\ng\ne") else {
        panic!("it copies")
    };
    assert_eq!((copy.from.as_deref(), copy.parents, copy.placement.link), (Some("a"), false, true));
    assert_eq!(
        (&copy.placement.exclude[..], copy.placement.chmod.as_deref()),
        (&["b".to_owned(), "c".to_owned()][..], Some("u+x"))
    );
    assert_eq!((&copy.placement.sources[..], &*copy.placement.destination), (&["d".to_owned()][..], "/f"));
    assert_eq!((&*copy.placement.contents[0].name, &*copy.placement.contents[0].body), ("e", "g\n"));
    let Kind::Add(add) = kind("ADD --keep-git-dir=false --unpack --checksum=sha256:a [\"b c\", \"<<d\", \"/e\"]")
    else {
        panic!("it adds")
    };
    assert_eq!((add.keep_git_dir, add.unpack, add.checksum.as_deref()), (Some(false), Some(true), Some("sha256:a")));
    assert_eq!(add.placement.sources, ["b c", "<<d"]);
}

#[test]
fn health() {
    let Kind::Healthcheck(check) = kind("HEALTHCHECK --interval=1m --retries=3 CMD a b") else { panic!("it checks") };
    let expected = Healthcheck::Run {
        command: Command::Shell("a b".to_owned()),
        interval: 60_000_000_000,
        timeout: 0,
        start_period: 0,
        start_interval: 0,
        retries: 3,
    };
    assert_eq!(check, expected);
    assert_eq!(kind("HEALTHCHECK none"), Kind::Healthcheck(Healthcheck::None));
}

#[test]
fn mounts() {
    let variables: BTreeMap<String, String> = [("A".to_owned(), "/x".to_owned())].into();
    let of = |text: &str| {
        let Kind::Run(run) = kind(&format!("RUN --mount={text} a")) else { panic!("it runs") };
        run.mounts('\\', &variables).unwrap_or_else(|error| panic!("{text}: {error}")).0.remove(0)
    };
    let bind = of("target=$A,rw,from=b,src=/c");
    let (from, source) = (Some("b".to_owned()), Some("/c".to_owned()));
    assert_eq!(bind, Mount { target: Some("/x".to_owned()), read_only: false, kind: MountKind::Bind { from, source } });
    assert!(of("TARGET=/a").read_only);
    let owner = mount::Owner { mode: Some(0o700), uid: Some(1), gid: None };
    let cache =
        MountKind::Cache { id: Some("a".to_owned()), sharing: Sharing::Locked, from: None, source: None, owner };
    assert_eq!(of("type=cache,dst=/a,id=a,sharing=locked,mode=0700,uid=1").kind, cache);
    assert_eq!(of("type=tmpfs,target=/a,size=1m").kind, MountKind::Tmpfs { size: Some(1 << 20) });
    let secret = |id: &str, env: Option<&str>, required| MountKind::Secret {
        id: id.to_owned(),
        env: env.map(ToOwned::to_owned),
        required,
        owner: mount::Owner::default(),
    };
    assert_eq!(of("type=secret,id=a,required").kind, secret("a", None, true));
    assert_eq!(of("type=secret,target=/run/b").kind, secret("b", None, false));
    assert_eq!(of("type=secret,id=a,env=B").kind, secret("a", Some("B"), false));
    assert_eq!(of("type=ssh").kind, MountKind::Ssh { id: None, required: false, owner: mount::Owner::default() });
    assert_eq!(of("'\"target=/a,b\"'").target.as_deref(), Some("/a,b"));
}

#[test]
fn surroundings() {
    let Kind::Run(run) = kind("RUN --network=none --security=insecure --device=a/b=c,required <<d\ne\nd") else {
        panic!("it runs")
    };
    assert_eq!((run.network, run.security), (Network::None, Security::Insecure));
    assert_eq!(run.devices, [Device { name: "a/b=c".to_owned(), required: true }]);
    assert_eq!((&run.command, &*run.heredocs[0].body), (&Command::Shell("<<d".to_owned()), "e\n"));
}
