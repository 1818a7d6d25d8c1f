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
    let named_contexts = std::collections::BTreeSet::new();
    let inputs = Inputs {
        named_contexts: &named_contexts,
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
    insta::assert_snapshot!(found.text(), @r"
    TARGET      BASE           DESCRIPTION
    tools       gcc:$VERSION
    build       tools          makes the program
    other       scratch
    (default)   scratch
    ");
    let json = serde_json::to_value(&found).expect("is JSON");
    insta::assert_snapshot!(
        json["targets"][1],
        @r#"{"base":"tools","description":"makes the program","location":{"ranges":[{"end":{"line":7},"start":{"line":7}}]},"name":"build"}"#
    );
    assert_eq!(json["targets"][3]["default"], true);
    assert!(json["sources"][0].as_str().is_some_and(|text| text.starts_with("IyBWRVJTSU9O")));
}

#[test]
fn what_a_target_takes() {
    insta::assert_snapshot!(check(None).text(), @r"
    TARGET:      (default)

    BUILD ARG   VALUE     DESCRIPTION
    VERSION     1         which compiler
    MODE        release   debug or release
    TOKEN

    SECRET   REQUIRED
    key      true

    SSH       REQUIRED
    default

    CACHE
    /root/.cache
    objects
    ");
    assert!(check(Some("build")).text().starts_with("TARGET:      build\nDESCRIPTION: makes the program\n"));
    let json = serde_json::to_value(check(Some("build"))).expect("is JSON");
    insta::assert_snapshot!(
        json["secrets"],
        @r#"[{"location":{"ranges":[{"end":{"line":11},"start":{"line":11}}]},"name":"key","required":true}]"#
    );
    assert_eq!(check(Some("other")).args.len(), 1);
}

#[test]
fn what_looks_wrong() {
    let arguments = BTreeMap::new();
    let lint = |text: &str| {
        let named_contexts = std::collections::BTreeSet::new();
        let inputs = Inputs {
            named_contexts: &named_contexts,
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
    insta::assert_snapshot!(found.report(Look::Plain), @r"
    Check complete, 2 warnings have been found!

    warning[StageNameCasing]: the name of stage 'Two' is not in lower case
     --> Dockerfile:1:1
      |
    1 | FROM a AS Two
      | ^^^^^^^^^^^^^
      |
      = help: https://docs.docker.com/go/dockerfile/rule/stage-name-casing/

    warning[MaintainerDeprecated]: a label says who the author is, and not MAINTAINER
     --> Dockerfile:2:1
      |
    2 | MAINTAINER me
      | ^^^^^^^^^^^^^
      |
      = help: https://docs.docker.com/go/dockerfile/rule/maintainer-deprecated/
    ");
    insta::assert_snapshot!(serde_json::to_string_pretty(&found.json()["warnings"][0]).expect("is JSON"), @r#"
    {
      "description": "names of stages are in lower case",
      "detail": "the name of stage 'Two' is not in lower case",
      "location": {
        "ranges": [
          {
            "end": {
              "line": 1
            },
            "start": {
              "line": 1
            }
          }
        ]
      },
      "ruleName": "StageNameCasing",
      "url": "https://docs.docker.com/go/dockerfile/rule/stage-name-casing/"
    }
    "#);
    let broken = lint("FROM a\nCOPPY x y\n");
    assert!(!broken.is_clean() && broken.report(Look::Plain).contains("did you mean COPY?"));
    insta::assert_snapshot!(
        broken.json()["buildError"],
        @r#"{"location":{"ranges":[{"end":{"line":2},"start":{"line":2}}]},"message":"unknown instruction: COPPY"}"#
    );
}
