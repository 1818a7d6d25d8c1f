//! Graphs of files: some against the digests that `BuildKit` 0.32 gives the same operations, others by what they say.

use std::collections::{BTreeMap, BTreeSet};

use dockerfile::evaluate::{self, Base, Bases, Inputs, evaluate};
use dockerfile::{Dockerfile, Environment};

use super::*;
use crate::llb::message::Kind as Operation;
use crate::llb::message::exec::{MountType, SecurityMode};
use crate::llb::message::file::{Action, FileAction};
use crate::llb::{Graph, Vertex};

/// One image, `a`.
struct One;

fn config() -> ImageConfig {
    let text = r#"{"architecture":"arm64","os":"linux","config":{"Env":["PATH=/bin","OF_IMAGE=1"],"WorkingDir":"/w"},
        "rootfs":{"type":"layers","diff_ids":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]}}"#;
    ImageConfig::parse(text.as_bytes()).expect("it is one")
}

impl Images for One {
    fn image(&self, name: &str, _platform: &Platform) -> Result<Found, String> {
        match name {
            "a" | "b" => Ok(Found { reference: "docker.io/library/a:latest".to_owned(), config: config() }),
            _ => Err("there is no such image".to_owned()),
        }
    }

    fn layout(&self, place: &str, _platform: &Platform) -> Result<Found, String> {
        Ok(Found { reference: format!("name@sha256:{}", place.len()), config: config() })
    }
}

impl Bases for One {
    fn base(&self, _image: &str, _platform: Option<&str>) -> Result<Base, String> {
        let environment: Environment = config().config.env.iter().collect();
        Ok(Base { environment, ..Base::default() })
    }
}

fn local() -> ContextKind {
    ContextKind::Local { shared_key: String::new(), excludes: Vec::new() }
}

fn converted(text: &str, surroundings: Surroundings) -> Result<Converted> {
    with_contexts(text, surroundings, &local(), &BTreeMap::new())
}

fn with_contexts(
    text: &str,
    surroundings: Surroundings,
    context: &ContextKind,
    named_contexts: &BTreeMap<String, ContextKind>,
) -> Result<Converted> {
    let platform = |architecture: &str| evaluate::Platform {
        os: "linux".to_owned(),
        architecture: architecture.to_owned(),
        ..evaluate::Platform::default()
    };
    let arguments = BTreeMap::new();
    let inputs = Inputs {
        arguments: &arguments,
        build_platform: platform("amd64"),
        target_platform: platform("arm64"),
        target: None,
        all_stages: false,
        ignored: None,
        bases: &One,
        named_contexts: &named_contexts.keys().cloned().collect(),
    };
    let evaluated = evaluate(Dockerfile::parse(text.as_bytes())?, &inputs)?;
    let request = Request {
        filename: "Dockerfile",
        file: text.as_bytes(),
        platform: Platform { os: "linux".to_owned(), architecture: "arm64".to_owned(), ..Platform::default() },
        images: &One,
        no_cache: NoCache::Nothing,
        surroundings,
        context,
        named_contexts,
    };
    convert(&evaluated, &request)
}

fn of(text: &str) -> Converted {
    converted(text, Surroundings::default()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The operation whose result is the image's.
fn last(text: &str) -> Vertex {
    let mut graph = Graph::read(&of(text).definition).expect("it keeps what it promises");
    let (vertex, _) = graph.result.expect("it has one");
    graph.vertices.swap_remove(vertex)
}

fn exec(text: &str) -> (crate::llb::message::exec::ExecOp, Vertex) {
    let vertex = last(text);
    match vertex.operation.op.clone() {
        Some(Operation::Exec(exec)) => (*exec, vertex),
        other => panic!("{text}: {other:?}"),
    }
}

fn actions(text: &str) -> (Vec<FileAction>, Vertex) {
    let vertex = last(text);
    match vertex.operation.op.clone() {
        Some(Operation::File(file)) => (file.actions, vertex),
        other => panic!("{text}: {other:?}"),
    }
}

fn copies(text: &str) -> Vec<crate::llb::message::file::Copy> {
    let copy = |action: FileAction| match action.action {
        Some(Action::Copy(copy)) => copy,
        other => panic!("{text}: {other:?}"),
    };
    actions(text).0.into_iter().map(copy).collect()
}

/// Of a file with something of everything that takes nothing of the context, which has another name in every build.
#[test]
fn operations_have_the_digests_that_buildkit_gives_them() {
    let text = "FROM a AS one\nARG W=2\nENV N=$W\nWORKDIR d\n\
        RUN --mount=type=cache,target=c,sharing=locked,uid=5 --mount=type=secret,id=s,env=S make\n\
        RUN <<S\n#!/bin/x\ny\nS\nFROM scratch\nCOPY --from=one --chown=www:0 --chmod=u+x /x /y z/\n\
        COPY --link <<-E /f\n\thi\n\tE\nADD --unpack https://e.org/x.tgz?a /\nCMD [\"/y\"]\n";
    let expected = [
        "5ec336625f6d63750e04d6aa06158ce4ce1282345dec0f887787177a990ed5e1",
        "c162788efd16fd00ea958ec6ec82555dea4976ebeaf4a6611845208c225d5b21",
        "7fb29cd964882eb95af9f3bd2f840dca6c2367a41d606c313e609142f2f26bd7",
        "aac1555904a345ebab87a76daaeb12f282651218603152ea8b50132f2d965b88",
        "a22203ef517403a812b9e6000d3f388cd067ecb3e9bcb9aadaa8e807bcabcd6d",
        "bdbef42059732f320d02589c110a03b14567410e8fbf32e305704bfbda91c1f7",
        "a64ac2f42a50127727b1bf63507fa9f4bef304a38ff69b9def60280d74761cc7",
        "68ccb8a04f75a4d2dcc1df757ea08cb71797c4894b67d6ddea5ca1147352c4b8",
        "8ed3d893755355a8663114f1f040c8e0469d5fd41f5e13c31c33b4ba18fc8b31",
        "a8533b8587d3e38e403e8c1ad44cd4be0a31867b4400256e0434f22ad5ec705c",
        "0e38e72bb27472cb2df617bff53aba2521370ec897c580cc1ee253f4c5d078d9",
        "06d4c740df6d01f41d6522e3d51b44e5fa3f0ee6302ca521ab6b650f305f9ad0",
    ];
    let converted = of(text);
    let graph = Graph::read(&converted.definition).expect("it keeps what it promises");
    let found: BTreeSet<String> = graph.vertices.iter().map(|vertex| vertex.digest.to_string()).collect();
    let expected: BTreeSet<String> = expected.iter().map(|digest| format!("sha256:{digest}")).collect();
    assert_eq!(found, expected);
    let history: Vec<&str> = converted.history.iter().filter_map(|step| step.created_by.as_deref()).collect();
    let steps = [
        "COPY --chown=www:0 --chmod=u+x /x /y z/ # buildkit",
        "COPY <<E /f # buildkit",
        "ADD https://e.org/x.tgz?a / # buildkit",
        "CMD [\"/y\"]",
    ];
    assert_eq!(history, steps);
    assert_eq!(converted.config.working_dir, "/");
}

#[test]
fn places_of_operations_are_those_of_their_instructions() {
    let definition = of("FROM a\nRUN x \\\n y\nCOPY a b\n").definition;
    let graph = Graph::read(&definition).expect("it keeps what it promises");
    let source = definition.source.expect("it has some");
    let lines = |vertex: &Vertex| {
        let range = &source.locations[&vertex.digest.to_string()].locations[0].ranges[0];
        let line =
            |position: &Option<crate::llb::message::Position>| position.as_ref().map_or(0, |position| position.line);
        (line(&range.start), line(&range.end))
    };
    assert_eq!(graph.vertices.iter().map(lines).collect::<Vec<_>>(), [(1, 1), (2, 3), (4, 4), (4, 4)]);
    assert_eq!(source.infos[0].filename, "Dockerfile");
    // Each of all kinds has one.
    let everything = "FROM a AS one\nADD https://h/x /x\nADD https://h/a.git /a\nCOPY <<E /e\nE\nRUN <<E\n#!/bin/x\nE\n\
                      FROM a\nCOPY --link --from=one /x /\nCOPY --from=b / /b\nRUN --mount=type=cache,target=/c,uid=1 y\nCOPY . .\n";
    let definition = of(everything).definition;
    let source = definition.source.clone().expect("it has some");
    let graph = Graph::read(&definition).expect("it keeps what it promises");
    for vertex in &graph.vertices {
        assert!(source.locations.contains_key(&vertex.digest.to_string()), "{vertex:?}");
    }
}

#[test]
fn commands_run_as_they_are_written() {
    let args = |text: &str| exec(text).0.meta.expect("it has some").args;
    assert_eq!(args("FROM a\nRUN a  b"), ["/bin/sh", "-c", "a  b"]);
    assert_eq!(args("FROM a\nRUN [\"a\", \"b\"]"), ["a", "b"]);
    assert_eq!(args("FROM a\nSHELL [\"s\", \"-x\"]\nRUN a"), ["s", "-x", "a"]);
    assert_eq!(args("FROM a\nRUN <<-E\n\ta\n\tb\n\tE"), ["/bin/sh", "-c", "a\nb\n"]);
    assert_eq!(args("FROM a\nRUN cat <<A <<-B\n1\nA\n\t2\n\tB"), ["/bin/sh", "-c", "cat <<A <<-B\n1\nA\n\t2\nB"]);
    let (script, vertex) = exec("FROM a\nRUN <<E\n#!/bin/x\ny\nE");
    assert_eq!(script.meta.expect("it has some").args[2], "/dev/pipes/E");
    assert_eq!(
        (script.mounts[1].dest.as_str(), script.mounts[1].readonly, vertex.inputs.len()),
        ("/dev/pipes/", true, 2)
    );
}

#[test]
fn commands_see_variables_directory_and_user() {
    let (op, _) = exec("FROM a\nARG x=1\nENV y=2\nUSER u:g\nWORKDIR d\nRUN z");
    let meta = op.meta.expect("it has some");
    assert_eq!(meta.env, ["PATH=/bin", "OF_IMAGE=1", "x=1", "y=2"]);
    assert_eq!((meta.user.as_str(), meta.cwd.as_str()), ("u:g", "/w/d"));
    let (op, _) = exec("FROM a\nRUN --network=host --security=insecure --device=v/c=d x");
    assert_eq!((op.network, op.security), (NetMode::Host.into(), SecurityMode::Insecure.into()));
    assert!(op.cdi_devices[0].optional);
}

#[test]
fn commands_run_in_the_surroundings_that_a_build_says() {
    let surroundings = Surroundings {
        network: Some(NetMode::None),
        extra_hosts: vec![HostIp { host: "h".to_owned(), ip: "10.0.0.1".to_owned() }],
        hostname: "here".to_owned(),
        shm_size: Some(1 << 20),
        cgroup_parent: "/p".to_owned(),
        cache_namespace: "n".to_owned(),
        ..Surroundings::default()
    };
    let text = "FROM a\nRUN --mount=type=cache,target=/c x";
    let definition = converted(text, surroundings).expect("it is one").definition;
    let graph = Graph::read(&definition).expect("it keeps what it promises");
    let Some(Operation::Exec(op)) = &graph.vertices[1].operation.op else { panic!("it runs") };
    let meta = op.meta.as_ref().expect("it has some");
    assert_eq!((op.network, meta.hostname.as_str(), meta.cgroup_parent.as_str()), (NetMode::None.into(), "here", "/p"));
    assert_eq!(meta.extra_hosts.len(), 1);
    let cache = op.mounts.iter().find_map(|mount| mount.cache_opt.as_ref()).expect("it has one");
    assert_eq!(cache.id, "n//c");
    let memory = op.mounts.iter().find(|mount| mount.dest == "/dev/shm").and_then(|mount| mount.tmpfs_opt.as_ref());
    assert_eq!(memory.map(|tmpfs| tmpfs.size), Some(1 << 20));
}

#[test]
fn mounts() {
    let mounts = |flags: &str| {
        let (op, vertex) = exec(&format!("FROM a AS b\nFROM a\nRUN {flags} x"));
        (op.mounts.into_iter().filter(|mount| mount.dest != "/").collect::<Vec<_>>(), op.secretenv, vertex.inputs.len())
    };
    let (bind, _, inputs) = mounts("--mount=from=b,source=p,target=q,rw");
    assert_eq!((bind[0].dest.as_str(), bind[0].selector.as_str(), bind[0].output), ("/w/q", "/p", -1));
    assert_eq!((bind[0].readonly, inputs), (false, 1), "both stages are the same files");
    let (context, _, inputs) = mounts("--mount=target=/c");
    assert_eq!((context[0].readonly, inputs), (true, 2));
    let (secret, _, _) = mounts("--mount=type=secret,id=a/s,required");
    let grant = secret[0].secret_opt.as_ref().expect("it is one");
    assert_eq!((secret[0].dest.as_str(), grant.mode, grant.optional), ("/run/secrets/s", 0o400, false));
    let (none, variables, _) = mounts("--mount=type=secret,id=s,env=V");
    assert_eq!((none.len(), variables[0].name.as_str(), variables[0].optional), (0, "V", true));
    let (agents, _, _) = mounts("--mount=type=ssh,id=k,target=/s --mount=type=ssh");
    assert_eq!((agents[0].dest.as_str(), agents[1].dest.as_str()), ("/s", "/run/buildkit/ssh_agent.1"));
    let (tmpfs, _, _) = mounts("--mount=type=tmpfs,target=/t,size=1m");
    assert_eq!((tmpfs[0].mount_type, tmpfs[0].input), (MountType::Tmpfs.into(), -1));
    let refused = converted("FROM a\nRUN --mount=target=/ x", Surroundings::default()).expect_err("it is everything");
    assert_eq!(
        (refused.to_string().as_str(), refused.lines().map(|lines| lines.first)),
        ("RUN --mount: the target cannot be /", Some(2))
    );
}

#[test]
fn files_are_copied_to_where_and_as_it_is_said() {
    let of = |flags: &str| copies(&format!("FROM a\nCOPY {flags}")).remove(0);
    let plain = of("b c/");
    assert_eq!((plain.src.as_str(), plain.dest.as_str(), plain.mode), ("/b", "/w/c/", -1));
    assert!(plain.allow_wildcard && plain.dir_copy_contents && plain.follow_symlink && !plain.attempt_unpack);
    assert_eq!(of("--chmod=0644 b c").mode, 0o644);
    assert_eq!(of("--chmod=u=rwX,go=rX b c").mode_str, "u=rwX,go=rX");
    assert_eq!(of("--exclude=*.o b c").exclude_patterns, ["*.o"]);
    let parents = of("--parents a/./b/c d/");
    assert_eq!(
        (parents.src.as_str(), &parents.include_patterns[..], &parents.required_paths[..]),
        ("/a", &["b/c".to_owned()][..], &["/a/b/c".to_owned()][..])
    );
    assert!(of("--parents a/*/c d/").required_paths.is_empty());
    assert!(copies("FROM a\nADD b c")[0].attempt_unpack && !copies("FROM a\nADD --unpack=false b c")[0].attempt_unpack);
    let (several, vertex) = actions("FROM a\nCOPY b c /d/");
    let numbers: Vec<_> = several.iter().map(|action| (action.input, action.secondary_input, action.output)).collect();
    assert_eq!((numbers, vertex.inputs.len()), (vec![(0, 1, -1), (2, 1, 0)], 2));
    let link = last("FROM a\nCOPY --link b c");
    assert!(matches!(link.operation.op, Some(Operation::Merge(_))), "{link:?}");
}

#[test]
fn as_much_of_the_context_is_asked_for_as_is_used() {
    let paths = |text: &str| {
        let graph = Graph::read(&of(text).definition).expect("it keeps what it promises");
        let local = graph.vertices.iter().find_map(|vertex| match &vertex.operation.op {
            Some(Operation::Source(source)) if source.identifier == "local://context" => Some(source.attrs.clone()),
            _ => None,
        });
        local.map(|attrs| attrs.get("local.followpaths").cloned().unwrap_or_default())
    };
    assert_eq!(paths("FROM a\nCOPY b/ ../c /\nRUN --mount=source=d,target=/m x").as_deref(), Some(r#"["b","c","d"]"#));
    assert_eq!(paths("FROM a\nCOPY . /").as_deref(), Some(""));
    assert_eq!(paths("FROM a\nRUN x\nCOPY <<E /\nE"), None);
}

#[test]
fn what_cannot_be_done_is_refused_where_it_stands() {
    let cases = [
        ("COPY http://e.org/x y", "COPY: http://e.org/x is an address"),
        ("COPY --chmod=9 a b", "--chmod=9: permission bits are octal, from 0 to 7777"),
        ("COPY --chmod=zz a b", "--chmod=zz: it is neither octal nor such as u=rwX,go=rX"),
        ("COPY --from=none a b", "none: there is no such image"),
        ("ADD --checksum=sha256:0 http://e.org/x y", "ADD --checksum=sha256:0: it is no digest such as sha256:…"),
        ("ADD --checksum=sha256:0 x y", "ADD --checksum=sha256:0: it is for what is at an address"),
        ("ADD --checksum=sha256:0 x y z", "ADD --checksum=sha256:0: it is for one source, and there are more"),
        ("COPY https://e.org/x.git y", "COPY: https://e.org/x.git is an address"),
        ("ADD https://e.org/x.git#-o y", "\"-o\": it is no branch, tag or commit"),
        ("ADD --checksum=sha256:0 https://e.org/x.git y", "\"sha256:0\": it is no beginning of a commit's name"),
        ("ADD --checksum=ab https://e.org/x.git?commit=cd y", "ADD --checksum=ab: the address says cd"),
        (
            "ADD --keep-git-dir=true https://e.org/x.git?keep-git-dir=0 y",
            "ADD --keep-git-dir=true: the address says false",
        ),
        ("STOPSIGNAL NO", "STOPSIGNAL NO: no such signal"),
        ("EXPOSE 0", "EXPOSE 0: \"0\" is no port"),
    ];
    for (instruction, message) in cases {
        let error = converted(&format!("FROM a\n{instruction}"), Surroundings::default()).expect_err(instruction);
        assert_eq!(
            (error.to_string().as_str(), error.lines().map(|lines| lines.first)),
            (message, Some(2)),
            "{instruction}"
        );
    }
}

#[test]
fn what_is_made_anew_is_marked() {
    let text = "FROM a AS b\nRUN x\nFROM b\nRUN y";
    let arguments = BTreeMap::new();
    let inputs = Inputs {
        arguments: &arguments,
        build_platform: evaluate::Platform::default(),
        target_platform: evaluate::Platform::default(),
        target: None,
        all_stages: false,
        ignored: None,
        bases: &One,
        named_contexts: &BTreeSet::new(),
    };
    let evaluated = evaluate(Dockerfile::parse(text.as_bytes()).expect("it is one"), &inputs).expect("it is one");
    let marked = |no_cache: NoCache| {
        let request = Request {
            filename: "Dockerfile",
            file: text.as_bytes(),
            platform: Platform::default(),
            images: &One,
            no_cache,
            surroundings: Surroundings::default(),
            context: &local(),
            named_contexts: &BTreeMap::new(),
        };
        let definition = convert(&evaluated, &request).expect("it is one").definition;
        let graph = Graph::read(&definition).expect("it keeps what it promises");
        graph.vertices.iter().map(|vertex| vertex.metadata.ignore_cache).collect::<Vec<_>>()
    };
    assert_eq!(marked(NoCache::Nothing), [false, false, false]);
    assert_eq!(marked(NoCache::Everything), [false, true, true]);
    assert_eq!(marked(NoCache::Stages(vec!["b".to_owned()])), [false, true, false]);
    assert_eq!(marked(NoCache::Stages(vec!["B".to_owned()])), [false, true, false]);
    assert_eq!(marked(NoCache::Stages(vec!["stage-1".to_owned()])), [false, false, true]);
}

fn sources(converted: &Converted) -> Vec<(String, String)> {
    let graph = Graph::read(&converted.definition).expect("it keeps what it promises");
    let of = |vertex: &Vertex| match &vertex.operation.op {
        Some(Operation::Source(source)) => {
            let attrs: Vec<String> = source.attrs.iter().map(|(key, value)| format!("{key}={value}")).collect();
            Some((source.identifier.clone(), attrs.join(" ")))
        }
        _ => None,
    };
    graph.vertices.iter().filter_map(of).collect()
}

/// As `client/llb/source.go` and `dockerfile2llb/convert_copy.go` have it.
#[test]
fn repositories_are_added() {
    let secrets = "git.authheadersecret=GIT_AUTH_HEADER git.authtokensecret=GIT_AUTH_TOKEN";
    let check = |line: &str, identifier: &str, attrs: &str| {
        let found = sources(&of(&format!("FROM a\n{line} /"))).pop().expect("it has one");
        let expected: Vec<&str> = attrs.split(' ').collect();
        let mut expected: Vec<&str> = secrets.split(' ').chain(expected).collect();
        expected.sort_unstable();
        assert_eq!(found, (identifier.to_owned(), expected.join(" ")), "{line}");
    };
    check("ADD https://h/a/b.git#v1:d", "git://h/a/b.git#v1:d", "git.fullurl=https://h/a/b.git");
    check("ADD https://h/a.git#:d", "git://h/a.git#:d", "git.fullurl=https://h/a.git");
    check("ADD https://h/a.git?tag=v1&mtime=commit", "git://h/a.git#refs/tags/v1", "git.fullurl=https://h/a.git");
    let flags = "git.checksum=abc git.fullurl=git://h/a git.keepgitdir=true";
    check("ADD --keep-git-dir --checksum=abc git://h/a", "git://h/a", flags);
    let query = "git.checksum=abc git.fetchbycommit=true git.fullurl=http://h/a.git git.skipsubmodules=true";
    check("ADD http://h/a.git?submodules=0&checksum=abc&fetch-by-commit", "git://h/a.git", query);
    check("ADD git@h:a/b.git", "git://h/a/b.git", "git.fullurl=git@h:a/b.git git.mountsshsock=default");
    let copied = copies("FROM a\nADD https://h/a.git /d").remove(0);
    assert_eq!((copied.src.as_str(), copied.dest.as_str(), copied.attempt_unpack), ("/", "/d", false));
    assert!(!copied.follow_symlink && !copied.dir_copy_contents && copied.create_dest_path);
}

#[test]
fn named_contexts_are_what_is_said_of_them() {
    let kind = |value: &str| ContextKind::parse(value).expect(value);
    let of = |text: &str, contexts: &[(&str, &str)]| {
        let contexts = contexts.iter().map(|(name, value)| ((*name).to_owned(), kind(value))).collect();
        with_contexts(text, Surroundings::default(), &local(), &contexts)
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    };
    let first = |text: &str, contexts: &[(&str, &str)]| sources(&of(text, contexts)).remove(0);
    let taken = "FROM scratch\nCOPY --from=c x y/ /d/";
    assert_eq!(
        first(taken, &[("c", "/p/dir")]),
        ("local://c".to_owned(), r#"local.followpaths=["x","y"] local.sharedkeyhint=context:c-dir"#.to_owned())
    );
    assert_eq!(first("FROM scratch\nCOPY --from=c . /d/", &[("c", "p")]).1, "local.sharedkeyhint=context:c-p");
    let image = "docker-image://docker.io/library/a:latest";
    assert_eq!(first(taken, &[("c", "docker-image://b")]).0, image);
    assert_eq!(first(taken, &[("c", "https://h/a.git#r")]).0, "git://h/a.git#r");
    let url = ("https://h/a.tar".to_owned(), "http.filename=context".to_owned());
    assert_eq!(first(taken, &[("c", "https://h/a.tar")]), url);
    let layout = ("oci-layout://name@sha256:2".to_owned(), "oci.store=/l".to_owned());
    assert_eq!(first(taken, &[("c", "oci-layout:///l")]), layout);
    assert_eq!(
        first("FROM scratch\nRUN --mount=from=c,source=s,target=/m x", &[("c", "p")]).1,
        r#"local.followpaths=["s"] local.sharedkeyhint=context:c-p"#
    );

    let began = of("FROM c:latest\nWORKDIR d", &[("c", "docker-image://a")]);
    assert_eq!((began.config.working_dir.as_str(), began.config.env.len()), ("/w/d", 2));
    let began = of("FROM c", &[("c", "p")]);
    assert_eq!(
        (began.config.working_dir.as_str(), sources(&began)[0].1.as_str()),
        ("/", "local.sharedkeyhint=context:c-p")
    );
    assert!(of("FROM c", &[("c", "docker-image://scratch")]).definition.def.is_empty());

    let stage = "FROM a AS one\nRUN x\nFROM scratch\nCOPY --from=one /y /\n";
    let found = sources(&of(stage, &[("one", "p")]));
    assert_eq!(
        found,
        [("local://one".to_owned(), r#"local.followpaths=["y"] local.sharedkeyhint=context:one-p"#.to_owned())]
    );
    let found = sources(&of("FROM a AS one\nFROM one\nCOPY --from=one /y /", &[("one", "p")]));
    assert_eq!(found[0].1, "local.sharedkeyhint=context:one-p", "all of it is begun with");

    let none = BTreeMap::from([("c".to_owned(), kind("docker-image://none"))]);
    let error = with_contexts(taken, Surroundings::default(), &local(), &none).expect_err("there is no such image");
    let line = error.lines().map(|lines| lines.first);
    assert_eq!((error.to_string().as_str(), line), ("c: none: there is no such image", Some(2)));
}

#[test]
fn the_context_is_where_it_is_said_to_be() {
    let found = |context: ContextKind| {
        let converted = with_contexts("FROM scratch\nCOPY x /", Surroundings::default(), &context, &BTreeMap::new());
        sources(&converted.expect("it is one")).remove(0)
    };
    let excludes = vec!["*.o".to_owned()];
    let expected = r#"local.excludepatterns=["*.o"] local.followpaths=["x"] local.sharedkeyhint=context"#;
    assert_eq!(
        found(ContextKind::Local { shared_key: String::new(), excludes }),
        ("local://context".to_owned(), expected.to_owned())
    );
    assert_eq!(found(ContextKind::Git("github.com/a/b#r".to_owned())).0, "git://github.com/a/b#r");
    assert_eq!(found(ContextKind::Url("http://h/a".to_owned())).0, "http://h/a");
}
