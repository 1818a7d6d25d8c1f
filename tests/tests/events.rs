//! `phial events`: what is told, when, by whom, and what filters and formats make of it.

use end_to_end::followed::Followed;
use end_to_end::{Phial, Result, Stage};
use serde_json::Value;

/// What has happened so far, as `FORMAT` has it, to what these filters name.
fn past(phial: &Phial, filters: &[&str], format: &str) -> Result<Vec<String>> {
    let filters = filters.iter().flat_map(|filter| ["-f", filter]);
    let arguments: Vec<&str> =
        ["events", "--since", "0", "--until", "0s", "--format", format].into_iter().chain(filters).collect();
    Ok(phial.ok(&arguments)?.lines().map(str::to_owned).collect())
}

const ACTION: &str = "{{.Action}}";

#[test]
fn the_life_of_a_container_is_told_in_dockers_words() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let id = stage.start(&["--name", "web", "-l", "tier=front"], &["sleep", "100"])?;
    phial.ok(&["exec", "web", "true"])?;
    phial.run(&["exec", "web", "sh", "-c", "exit 3"])?.exited(3)?;
    phial.ok(&["kill", "-s", "WINCH", "web"])?;
    phial.ok(&["rename", "web", "site"])?;
    phial.ok(&["stop", "-t", "0", "site"])?;
    phial.ok(&["rm", "site"])?;
    // Also the supervisor, which has told of the end, knows it by its new name.
    assert_eq!(past(phial, &["container=site"], ACTION)?, ["rename", "kill", "kill", "die", "stop", "destroy"]);
    let told = past(phial, &[&format!("container={id}")], ACTION)?;
    let expected = [
        "create",
        "start",
        "exec_create: true",
        "exec_start: true",
        "exec_die",
        "exec_create: sh -c exit 3",
        "exec_start: sh -c exit 3",
        "exec_die",
        "kill",
        "rename",
        "kill",
        "kill",
        "die",
        "stop",
        "destroy",
    ];
    assert_eq!(told, expected);

    let of = |event: &str, attribute: &str| {
        past(
            phial,
            &[&format!("container={id}"), &format!("event={event}")],
            &format!("{{{{index .Actor.Attributes {attribute:?}}}}}"),
        )
    };
    assert_eq!(of("kill", "signal")?, ["28", "15", "9"]);
    assert_eq!(of("die", "exitCode")?, ["137"]);
    assert_eq!(of("exec_die", "exitCode")?, ["0", "3"]);
    let executions = of("exec_start", "execID")?;
    assert_eq!(executions, of("exec_die", "execID")?);
    assert!(executions.iter().all(|id| id.len() == 64), "{executions:?}");
    let json: Value = serde_json::from_str(&past(phial, &["event=start"], "json")?[0])?;
    let attributes = &json["Actor"]["Attributes"];
    assert_eq!((json["Type"].as_str(), json["Actor"]["ID"].as_str()), (Some("container"), Some(id.as_str())));
    assert_eq!((attributes["name"].as_str(), attributes["tier"].as_str()), (Some("web"), Some("front")));
    // The image's own label, too.
    assert_eq!(attributes["org.opencontainers.image.title"].as_str(), Some("busybox for tests"));
    assert_eq!(attributes["image"].as_str(), Some(stage.image.as_str()));
    Ok(())
}

#[test]
fn a_container_that_goes_with_its_end_is_told_once_however_it_ends() -> Result {
    let stage = Stage::busybox()?;
    stage.run(&["--name", "aa"], &["true"])?.success()?;
    stage.phial.ok(&["run", "-d", "--rm", "--name", "bb", &stage.image, "true"])?;
    stage.phial.ok(&["run", "-d", "--rm", "--name", "cc", &stage.image, "sleep", "100"])?;
    stage.phial.ok(&["rm", "-f", "cc"])?;
    stage.run(&["--name", "dd"], &["/no/such/program"])?.exited(127)?;
    stage.phial.run(&["wait", "bb"])?;
    let told = |name: &str| past(&stage.phial, &[&format!("container={name}")], ACTION);
    assert_eq!(told("aa")?, ["create", "attach", "start", "die", "destroy"]);
    assert_eq!(told("bb")?, ["create", "start", "die", "destroy"]);
    assert_eq!(told("cc")?, ["create", "start", "kill", "die", "destroy"]);
    assert_eq!(told("dd")?, ["create", "attach", "destroy"]);
    Ok(())
}

#[test]
fn events_are_followed_as_they_come_and_survive_everybody() -> Result {
    let stage = Stage::busybox()?;
    let words = ["events", "-f", "type=container", "--format", "{{.Action}} {{.Actor.Attributes.name}}"];
    let mut events = Followed::start(&stage.phial, &words)?;
    let mut number = 0;
    // Whether it watches already nobody can say: containers come until one is seen.
    let first = std::thread::scope(|scope| {
        let first = scope.spawn(|| events.line());
        while !first.is_finished() {
            number += 1;
            stage.phial.ok(&["run", "--rm", "--name", &format!("n{number}"), &stage.image, "true"]).expect("runs");
        }
        first.join().expect("reads")
    })?;
    assert!(first.ends_with(&format!("n{number}")) || first.ends_with(&format!("n{}", number - 1)), "{first}");
    stage.run(&["--name", "last"], &["true"])?.success()?;
    events.wait_for("create last")?;
    for action in ["attach", "start", "die", "destroy"] {
        assert_eq!(events.line()?, format!("{action} last"));
    }
    Ok(())
}

#[test]
fn images_are_told_of() -> Result {
    let stage = Stage::busybox()?;
    stage.phial.ok(&["rmi", &stage.image])?;
    let told = past(&stage.phial, &["type=image"], "{{.Action}} {{.Actor.ID}}")?;
    assert_eq!(told[0], format!("pull {}", stage.image));
    // By its tag and by its digest, as docker does.
    let of = |action: &str| told.iter().filter_map(|line| line.strip_prefix(action)).collect::<Vec<_>>();
    let (untagged, deleted) = (of("untag "), of("delete "));
    assert!(deleted.len() == 1 && deleted[0].starts_with("sha256:"), "{told:?}");
    assert_eq!(untagged, [deleted[0]; 2]);
    Ok(())
}

#[test]
fn words_that_make_no_sense_are_refused() -> Result {
    let phial = Phial::new()?;
    let cases: [(&[&str], &str); 6] = [
        (&["--since", "yesterday"], "phial: cannot show events: --since yesterday: not a time\n"),
        (&["--until", "x"], "phial: cannot show events: --until x: not a time\n"),
        (&["-f", "color=red"], "phial: cannot show events: invalid filter 'color'\n"),
        (&["--since", "5", "--until", "4"], "phial: cannot show events: --since is later than --until\n"),
        (&["--format", "{{.Action"], "phial: template parsing error"),
        (&["--format", "{{.Nope}}"], "phial: template parsing error: template: :1:2: executing \"\" at <.Nope>"),
    ];
    for (arguments, expected) in cases {
        let output = phial.run(&[&["events"], arguments].concat())?.exited(1)?;
        assert!(output.stderr.starts_with(expected), "{arguments:?}: {}", output.stderr);
    }
    Ok(())
}
