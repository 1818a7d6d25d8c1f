//! One file, asked everything.

use std::collections::BTreeMap;

use dockerfile::Look;
use dockerfile::evaluate::{Inputs, Platform};

use super::{Lint, UnknownBases, outline, targets};

const FILE: &str = "\
# VERSION which compiler
ARG VERSION=1 UNUSED=2
FROM gcc:$VERSION AS tools
RUN --mount=type=cache,target=/root/.cache true

# build makes the program
FROM tools AS build
# MODE debug or release
ARG MODE=debug
ARG TOKEN
RUN --mount=type=secret,id=key,required --mount=type=ssh make
RUN --mount=type=secret,id=key --mount=type=cache,id=objects,target=/o make

FROM scratch AS other
ARG NOT_NEEDED

FROM scratch
COPY --from=build /x /
";

fn check(target: Option<&str>) -> super::Outline {
    let arguments = BTreeMap::from([("MODE".to_owned(), "release".to_owned())]);
    let platform = Platform { os: "linux".to_owned(), architecture: "amd64".to_owned(), ..Platform::default() };
    let inputs = Inputs {
        arguments: &arguments,
        build_platform: platform.clone(),
        target_platform: platform,
        target,
        all_stages: false,
        ignored: None,
        bases: &UnknownBases,
    };
    outline(FILE.as_bytes(), &inputs).expect("it can be built")
}

#[test]
fn targets_of_a_file() {
    let found = targets(FILE.as_bytes()).expect("it is one");
    insta::assert_snapshot!(found.text(), @"");
    let json = serde_json::to_value(&found).expect("is JSON");
    insta::assert_snapshot!(json["targets"][1], @"");
    assert!(json["sources"][0].as_str().is_some_and(|text| text.starts_with("IyBWRVJTSU9O")));
}

#[test]
fn what_a_target_takes() {
    insta::assert_snapshot!(check(None).text(), @"");
    insta::assert_snapshot!(check(Some("build")).text().lines().next().unwrap_or_default(), @"");
    let json = serde_json::to_value(check(Some("build"))).expect("is JSON");
    insta::assert_snapshot!(serde_json::to_string_pretty(&json["secrets"]).expect("is JSON"), @"");
    assert_eq!(check(Some("other")).args.len(), 1);
}

#[test]
fn what_looks_wrong() {
    let arguments = BTreeMap::new();
    let lint = |text: &str| {
        let inputs = Inputs {
            arguments: &arguments,
            build_platform: Platform::default(),
            target_platform: Platform::default(),
            target: None,
            all_stages: true,
            ignored: None,
            bases: &UnknownBases,
        };
        Lint::of("Dockerfile", text.as_bytes(), &inputs)
    };
    assert_eq!(lint("FROM scratch\n").report(Look::Plain), "Check complete, no warnings found.\n");
    let found = lint("FROM a AS Two\nMAINTAINER me\n");
    insta::assert_snapshot!(found.report(Look::Plain), @"");
    insta::assert_snapshot!(serde_json::to_string_pretty(&found.json()["warnings"][0]).expect("is JSON"), @"");
    let broken = lint("FROM a\nCOPPY x y\n");
    assert!(!broken.is_clean() && broken.report(Look::Plain).contains("did you mean COPY?"));
    insta::assert_snapshot!(broken.json()["buildError"], @"");
}
