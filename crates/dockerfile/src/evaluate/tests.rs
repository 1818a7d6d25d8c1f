//! What files mean, and what checks find in them.

use super::*;
use crate::check::Rule;
use crate::instruction::Kind;

/// Two images: `a`, and `triggers`, which has instructions for whoever builds upon it.
struct Images;

impl Bases for Images {
    fn base(&self, image: &str, platform: Option<&str>) -> Result<Base, String> {
        let environment = ["PATH=/bin", "OF_IMAGE=1"].into_iter().collect();
        let other_platform = (platform == Some("linux/s390x")).then(|| "linux/amd64".to_owned());
        match image.split(':').next().unwrap_or_default() {
            "a" => Ok(Base { environment, other_platform, ..Base::default() }),
            "shell" => Ok(Base { has_shell: true, ..Base::default() }),
            "triggers" => {
                let triggers =
                    ["ARG T=1", "COPY --from=one /x /y", "RUN <<E\necho $T\nE"].map(ToOwned::to_owned).to_vec();
                Ok(Base { triggers, ..Base::default() })
            }
            "wrong" => Ok(Base { triggers: vec!["FROM x".to_owned()], ..Base::default() }),
            _ => Err("there is no such image".to_owned()),
        }
    }

    fn context(&self, name: &str, platform: Option<&str>) -> Result<Base, String> {
        if name == "files" { Ok(Base::default()) } else { self.base(name, platform) }
    }
}

#[derive(Default)]
struct Given<'a> {
    arguments: &'a [(&'a str, &'a str)],
    target: Option<&'a str>,
    all_stages: bool,
    ignored: Option<&'a str>,
    contexts: &'a [&'a str],
}

fn run(text: &str, given: &Given<'_>) -> Result<Evaluated> {
    let arguments = given.arguments.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let ignored = given.ignored.map(|text| Patterns::parse(text.as_bytes()).expect("they are patterns"));
    let platform = |architecture: &str| Platform {
        os: "linux".to_owned(),
        architecture: architecture.to_owned(),
        ..Platform::default()
    };
    let inputs = Inputs {
        arguments: &arguments,
        build_platform: platform("amd64"),
        target_platform: platform("arm64"),
        target: given.target,
        all_stages: given.all_stages,
        ignored: ignored.as_ref(),
        bases: &Images,
        named_contexts: &given.contexts.iter().map(|name| (*name).to_owned()).collect(),
    };
    evaluate(Dockerfile::parse(text.as_bytes())?, &inputs)
}

fn of(text: &str, given: &Given<'_>) -> Evaluated {
    run(text, given).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The instructions of the wanted stage, as far as their values show.
fn steps(text: &str, given: &Given<'_>) -> Vec<String> {
    let evaluated = of(text, given);
    let shown = |step: &Step| match &step.instruction.kind {
        Kind::Env(pairs) => {
            pairs.iter().map(|pair| format!("{}={}", pair.name, pair.value)).collect::<Vec<_>>().join(" ")
        }
        Kind::Workdir(text) | Kind::User(text) | Kind::Stopsignal(text) => text.clone(),
        Kind::Expose(words) | Kind::Volume(words) => words.join(" "),
        Kind::Copy(copy) => {
            let bodies: Vec<&str> = copy.placement.contents.iter().map(|content| content.body.as_str()).collect();
            format!("{} > {} {}", copy.placement.sources.join(" "), copy.placement.destination, bodies.join(""))
                .trim()
                .to_owned()
        }
        Kind::Run(_) => {
            let seen: Vec<String> = step.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
            seen.join(" ")
        }
        Kind::Arg(_) => String::new(),
        other => format!("{other:?}"),
    };
    evaluated.stages[evaluated.target].steps.iter().map(shown).filter(|shown| !shown.is_empty()).collect()
}

#[track_caller]
fn check(text: &str, arguments: &[(&str, &str)], expected: &[&str]) {
    assert_eq!(steps(text, &Given { arguments, ..Given::default() }), expected, "{text}");
}

#[test]
fn variables_are_those_of_the_image_and_what_is_set_before() {
    check("FROM a\nENV b=$OF_IMAGE c=${b:-2}\nENV d=$b$c", &[], &["b=1 c=2", "d=12"]);
    check(
        "FROM a\nENV x=/y\nWORKDIR $x/z\nUSER ${x#/}\nVOLUME $x\nCOPY $x/a b",
        &[],
        &["x=/y", "/y/z", "y", "/y", "/y/a > b"],
    );
    check("FROM a\nENV p=\"80 81\"\nEXPOSE $p 90/udp", &[], &["p=80 81", "80 81 90/udp"]);
    check("FROM a\nENV b=1\nCOPY <<x <<'y' /\n$b\nx\n$b\ny", &[], &["b=1", "> / 1\n$b"]);
    check("FROM scratch\nENV p=$PATH", &[], &["p=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]);
}

#[test]
fn arguments_have_what_is_given_or_their_default_or_what_is_known_before() {
    let file = "ARG b=1\nARG c=$b-2\nFROM a\nARG b\nARG c=3\nARG d=$c e\nRUN x";
    check(file, &[], &["PATH=/bin OF_IMAGE=1 b=1 c=3 d=3"]);
    check(file, &[("b", "x"), ("e", "y")], &["PATH=/bin OF_IMAGE=1 b=x c=3 d=3 e=y"]);
    check("ARG b=1\nFROM a\nRUN x", &[("b", "2")], &["PATH=/bin OF_IMAGE=1"]);
    check("FROM a\nARG b=1 c=$b\nENV d=$c", &[], &["d=1"]);
    check(
        "FROM a\nARG TARGETARCH\nARG BUILDPLATFORM\nARG TARGETSTAGE\nRUN x",
        &[],
        &["PATH=/bin OF_IMAGE=1 TARGETARCH=arm64 BUILDPLATFORM=linux/amd64 TARGETSTAGE=default"],
    );
    check("FROM a\nENV b=1\nARG b=2\nRUN x", &[], &["b=1", "PATH=/bin OF_IMAGE=1 b=2"]);
    check("FROM a AS x\nARG b=1\nENV c=2\nFROM x\nRUN y", &[], &["b=1 PATH=/bin OF_IMAGE=1 c=2"]);
    check("FROM a AS x\nENV b=1\nARG b=2\nFROM x\nRUN y", &[], &["PATH=/bin OF_IMAGE=1 b=1"]);
}

#[test]
fn stages_that_are_needed() {
    let file = "FROM a AS one\nFROM a AS two\nCOPY --from=one /a /b\nFROM scratch AS three\nFROM two\nRUN --mount=from=0,target=/m x";
    let numbers = |target| {
        let evaluated = of(file, &Given { target, ..Given::default() });
        (evaluated.stages.iter().map(|stage| stage.number).collect::<Vec<_>>(), evaluated.target)
    };
    assert_eq!(numbers(None), (vec![0, 1, 3], 2));
    assert_eq!(numbers(Some("ONE")), (vec![0], 0));
    assert_eq!(numbers(Some("2")), (vec![2], 0));
    assert_eq!(of(file, &Given { all_stages: true, ..Given::default() }).stages.len(), 4);
    let last = &of(file, &Given::default()).stages[2];
    assert_eq!((&last.begins_with, &last.steps[0].mounts[0].1), (&Beginning::Stage(1), &Origin::Stage(0)));
    let other = &of("FROM a\nCOPY --from=image:1 /a /b\nADD c d", &Given::default()).stages[0];
    assert_eq!(other.steps[0].origin, Some(Origin::Named("image:1".to_owned())));
    assert_eq!(other.steps[1].origin, Some(Origin::Context));
}

#[test]
fn triggers_come_first() {
    let evaluated = of("FROM a AS one\nFROM triggers AS two\nENV a=$T", &Given::default());
    let two = &evaluated.stages[1];
    let shown: Vec<(bool, &str)> =
        two.steps.iter().map(|step| (step.is_triggered, step.instruction.text.as_str())).collect();
    assert_eq!(shown, [(true, "ARG T=1"), (true, "COPY --from=one /x /y"), (true, "RUN <<E"), (false, "ENV a=$T")]);
    assert_eq!((two.steps[1].origin.clone(), two.steps[1].instruction.lines.first), (Some(Origin::Stage(0)), 2));
    let stages = of("FROM a AS one\nONBUILD ENV b=1\nFROM one\nENV c=$b", &Given::default());
    assert_eq!(stages.stages[1].steps[0].instruction.text, "ENV b=1");
    assert!(
        !of("FROM triggers AS one\nFROM one AS two\nFROM a", &Given { target: Some("2"), ..Given::default() }).stages
            [0]
        .steps
        .iter()
        .any(|step| step.is_triggered)
    );
}

#[test]
fn what_is_refused() {
    let cases = [
        ("FROM $nothing", "FROM $nothing: the name of the image is empty"),
        ("FROM --platform=$nothing a", "FROM --platform=$nothing: it is empty"),
        ("FROM none", "none: there is no such image"),
        ("FROM wrong", "FROM cannot be a trigger of ONBUILD"),
        ("FROM a\nCOPY --from=$b c d", "COPY --from=$b: it cannot have variables"),
        ("FROM a AS b\nCOPY --from=b c d", "the stage \"b\" is this one"),
        ("FROM a\nCOPY --from=b c d\nFROM a AS b", "the stage \"b\" begins after this one"),
        ("FROM a\nCOPY --from=0 c d", "there is no stage 0 before this one"),
        ("FROM a\nRUN --mount=from=7,target=/a b", "there is no stage 7 before this one"),
        ("FROM a\nENV b=${c:?say}", "c: say"),
        ("ARG b=${c?}\nFROM a", "c: is not allowed to be unset"),
        ("FROM a\nARG b=${c%", "missing '}'"),
        ("FROM a\nVOLUME $b", "VOLUME: a path must not be empty"),
        ("# check=never\nFROM a", "check: \"never\" is no option"),
    ];
    for (text, message) in cases {
        let error = run(text, &Given { all_stages: true, ..Given::default() }).expect_err(text);
        assert_eq!(error.to_string(), message, "{text}");
        assert!(error.lines().is_some(), "{text}");
    }
    let error =
        run("FROM a AS build", &Given { target: Some("biuld"), ..Given::default() }).expect_err("there is none");
    assert_eq!(
        (error.to_string().as_str(), error.hint()),
        ("target stage \"biuld\" could not be found", Some("did you mean build?"))
    );
    // What nobody needs is not looked at.
    of("FROM none\nFROM a", &Given::default());
}

#[test]
fn named_contexts_stand_for_stages_and_images() {
    let with = |text: &str, contexts: &[&str]| of(text, &Given { contexts, ..Given::default() });
    let begins = |text: &str, contexts: &[&str]| with(text, contexts).stages[0].begins_with.clone();
    let given = |name: &str| Beginning::Given(name.to_owned());
    let image = |name: &str| Beginning::Image(name.to_owned());
    for name in ["a", "a:latest", "docker.io/library/a", "docker.io/a:latest"] {
        assert_eq!(begins(&format!("FROM {name}"), &["a"]), given("a"), "{name}");
    }
    assert_eq!(begins("FROM a:1", &["a"]), image("a:1"));
    assert_eq!(begins("FROM a:1", &["a:1"]), given("a:1"));
    assert_eq!(begins("FROM shell", &["shell", "shell::linux/arm64"]), given("shell::linux/arm64"));
    assert_eq!(begins("FROM --platform=linux/amd64 shell", &["shell", "shell::linux/arm64"]), given("shell"));
    assert_eq!(begins("FROM scratch", &["scratch"]), Beginning::Scratch);

    // The stage is not made, and what only it needs is not, either.
    let text = "FROM none AS below\nFROM below AS files\nRUN x\nFROM a\nCOPY --from=files /a /b\nCOPY --from=0 /a /b";
    let evaluated = with(&text.replace("--from=0", "--from=1"), &["files"]);
    let (stage, last) = (&evaluated.stages[0], &evaluated.stages[1]);
    assert_eq!((evaluated.stages.len(), stage.number, &stage.begins_with), (2, 1, &given("files")));
    assert!(stage.steps.is_empty());
    assert!(last.steps.iter().all(|step| step.origin == Some(Origin::Stage(1))));
    let evaluated = with("FROM a AS files\nENV b=1\nFROM files\nRUN x", &["files"]);
    assert_eq!(evaluated.stages[1].steps[0].environment.iter().count(), 1, "files have no variables");

    let steps = with("FROM a\nCOPY --from=files:latest /a /b\nRUN --mount=from=files,target=/m x", &["files"])
        .stages
        .remove(0)
        .steps;
    assert_eq!(
        (&steps[0].origin, &steps[1].mounts[0].1),
        (&Some(Origin::Given("files".to_owned())), &Origin::Given("files".to_owned()))
    );

    // An image triggers what it says, and whatever stands for a stage has done so.
    let count = |text: &str| {
        with(&format!("FROM a AS one\n{text}"), &["triggers"]).stages.last().map(|stage| stage.steps.len())
    };
    assert_eq!((count("FROM triggers"), count("FROM a AS triggers")), (Some(3), Some(0)));
    let error = run("FROM none", &Given { contexts: &["none"], ..Given::default() }).expect_err("there is none");
    assert_eq!(error.to_string(), "none: there is no such image");
}

/// Every rule is broken somewhere, in this line, and kept somewhere else.
#[test]
fn findings() {
    use Rule::{
        ConsistentInstructionCasing, CopyIgnoredFile, DuplicateStageName, ExposeInvalidFormat, ExposeProtoCasing,
        FromAsCasing, FromPlatformFlagConstDisallowed, InvalidBaseImagePlatform, InvalidDefaultArgInFrom,
        InvalidDefinitionDescription, JsonArgsRecommended, LegacyKeyValueFormat, MaintainerDeprecated,
        MultipleInstructionsDisallowed, NoEmptyContinuation, RedundantTargetPlatform, ReservedStageName,
        SecretsUsedInArgOrEnv, StageNameCasing, UndefinedArgInFrom, UndefinedVar, WorkdirRelativePath,
    };
    let cases: [(&str, &[(Rule, usize)]); 35] = [
        ("FROM a AS Build", &[(StageNameCasing, 1)]),
        ("FROM a as build", &[(FromAsCasing, 1)]),
        ("from a as build", &[]),
        ("FROM a\nRUN b \\\n\n c", &[(NoEmptyContinuation, 4)]),
        ("FROM a\nrun b\nRun c", &[(ConsistentInstructionCasing, 2), (ConsistentInstructionCasing, 3)]),
        ("from a\nrun b\nRUN c", &[(ConsistentInstructionCasing, 3)]),
        ("FROM a AS b\nFROM a AS b", &[(DuplicateStageName, 2)]),
        ("FROM a AS scratch", &[(ReservedStageName, 1)]),
        ("FROM a\nCMD b", &[(JsonArgsRecommended, 2)]),
        ("FROM a\nENTRYPOINT [\"b\"]\nSHELL [\"c\"]\nCMD b", &[]),
        ("FROM shell\nCMD b", &[]),
        ("FROM a\nMAINTAINER b", &[(MaintainerDeprecated, 2)]),
        ("ARG b\nFROM a${b}${c}", &[(UndefinedArgInFrom, 2)]),
        ("FROM a\nWORKDIR b\nWORKDIR c", &[(WorkdirRelativePath, 2)]),
        ("FROM a AS b\nWORKDIR /c\nFROM b\nWORKDIR d", &[]),
        ("FROM a\nCOPY $b c\nENV d=$PTAH", &[(UndefinedVar, 2), (UndefinedVar, 3)]),
        ("FROM a\nARG b\nENV c=$b$PATH$OF_IMAGE", &[]),
        ("FROM a\nRUN --mount=type=cache,target=/$b c", &[(UndefinedVar, 2)]),
        ("FROM a\nCMD [\"b\"]\nCMD [\"c\"]", &[(MultipleInstructionsDisallowed, 2)]),
        ("FROM a\nHEALTHCHECK NONE\nHEALTHCHECK NONE", &[(MultipleInstructionsDisallowed, 2)]),
        ("FROM a\nENV b c\nLABEL d e", &[(LegacyKeyValueFormat, 2), (LegacyKeyValueFormat, 3)]),
        ("FROM --platform=linux/s390x a", &[(InvalidBaseImagePlatform, 1), (FromPlatformFlagConstDisallowed, 1)]),
        ("FROM --platform=$TARGETPLATFORM a", &[(RedundantTargetPlatform, 1)]),
        ("FROM --platform=$BUILDPLATFORM a", &[]),
        (
            "ARG API_KEY\nFROM a\nARG API_KEY\nENV db_password=x PUBLIC_KEY=y MONKEY=z",
            &[(SecretsUsedInArgOrEnv, 3), (SecretsUsedInArgOrEnv, 4)],
        ),
        ("ARG V\nFROM a:$V", &[(InvalidDefaultArgInFrom, 2)]),
        ("FROM --platform=linux/amd64 a", &[(FromPlatformFlagConstDisallowed, 1)]),
        ("FROM --platform=linux/amd64 a AS for-amd64", &[]),
        ("FROM a\nCOPY left/out /\nADD in https://left /\nCOPY . /", &[(CopyIgnoredFile, 2)]),
        ("FROM a AS left\nFROM a\nCOPY --from=left left /", &[]),
        ("# check=experimental=all\n# what\nFROM a AS b", &[(InvalidDefinitionDescription, 3)]),
        ("# what\nFROM a AS b\n# c is this\nARG c", &[]),
        ("FROM a\nEXPOSE 80/TCP 81:81", &[(ExposeProtoCasing, 2), (ExposeInvalidFormat, 2)]),
        ("# check=skip=UndefinedVar\nFROM a\nENV b=$c", &[]),
        ("FROM a\n# check=skip=UndefinedVar\nENV b=$c\nENV d=$c", &[(UndefinedVar, 4)]),
    ];
    for (text, expected) in cases {
        let given = Given { all_stages: true, ignored: Some("left"), arguments: &[("V", "1")], ..Given::default() };
        let mut found: Vec<(Rule, usize)> =
            of(text, &given).findings.iter().map(|finding| (finding.rule, finding.lines.last)).collect();
        let mut expected = expected.to_vec();
        found.sort_by_key(|(rule, line)| (*line, *rule));
        expected.sort_by_key(|(rule, line)| (*line, *rule));
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn findings_are_errors_if_the_file_says_so() {
    let of = |text: &str| of(text, &Given::default()).findings_are_errors;
    assert!(of("# check=error=true\nFROM a\nENV b c"));
    assert!(!of("# check=error=true\nFROM a\nENV b=c"));
    assert!(!of("FROM a\nENV b c"));
}

#[test]
fn a_long_file_does_not_become_a_large_one() {
    let lines: Vec<String> = (0..4000).map(|number| format!("ENV n{number}=x\nARG m{number}=y\n")).collect();
    let evaluated = of(&format!("FROM a\n{}RUN z", lines.concat()), &Given::default());
    let (last, others) = evaluated.stages[0].steps.split_last().expect("there are some");
    assert_eq!((last.environment.iter().count(), last.arguments.len()), (8002, 4000));
    assert!(others.iter().all(|step| step.environment.iter().count() == 0 && step.arguments.len() <= 1));
}
