//! Logs, events, `stats` and `top` beside Debian's docker: the same files, words and tables.

use std::path::PathBuf;

use end_to_end::engines::Docker;
use end_to_end::{Result, Stage, images};

/// The same commands, on docker and on Phial.
struct Both {
    docker: Docker,
    phial: Stage,
    dir: tempfile::TempDir,
}

const IMAGE: &str = "busybox";

/// Lines on both streams, one of them longer than a message, one without an end.
const SCRIPT: &str =
    "echo one; echo two >&2; printf '\\t\\033\\377\\n'; head -c 40000 /dev/zero | tr '\\0' x; echo; printf end";

impl Both {
    fn new() -> Result<Both> {
        let dir = tempfile::Builder::new().prefix("phial-").tempdir()?;
        let docker = Docker::start(&dir.path().join("docker"))?;
        let phial = Stage::busybox()?;
        let name = phial.registry.name(images::BUSYBOX);
        docker.ok(&["pull", "--quiet", &name])?;
        docker.ok(&["tag", &name, IMAGE])?;
        phial.phial.ok(&["tag", &name, IMAGE])?;
        Ok(Both { docker, phial, dir })
    }

    /// What each of them prints.
    fn ok(&self, arguments: &[&str]) -> Result<(String, String)> {
        Ok((self.docker.ok(arguments)?, self.phial.phial.ok(arguments)?))
    }

    /// The file of a container's log, in docker's data and in Phial's.
    fn log_files(&self, name: &str, driver: &str) -> Result<(PathBuf, PathBuf)> {
        let id = |value: serde_json::Value| value["Id"].as_str().expect("an id").to_owned();
        let (of_docker, of_phial) = (id(self.docker.inspect(name)?), id(self.phial.phial.inspect(name)?));
        let container = self.dir.path().join("docker/data/containers").join(&of_docker);
        let file = match driver {
            "local" => container.join("local-logs/container.log"),
            _ => container.join(format!("{of_docker}-json.log")),
        };
        Ok((file, self.phial.phial.root().join("containers").join(of_phial).join("container.log")))
    }
}

/// Output with its long line cut out.
fn short((out, err): &(String, String)) -> (String, &str) {
    (out.replace(&"x".repeat(1000), "(1000)"), err)
}

#[test]
fn each_reads_what_the_other_has_written() -> Result {
    let both = Both::new()?;
    let mut right = None;
    for driver in ["json-file", "local"] {
        let flags =
            ["run", "-d", "--network", "none", "--name", driver, "--log-driver", driver, IMAGE, "sh", "-c", SCRIPT];
        both.ok(&flags)?;
        both.ok(&["wait", driver])?;
        let logs = |phial: bool| -> Result<(String, String)> {
            let arguments = ["logs", driver];
            let output = if phial { both.phial.phial.run(&arguments)? } else { both.docker.output(&arguments)? };
            Ok((output.stdout, output.stderr))
        };
        // Docker 20.10's `local` forgets the end of a long line; what its `json-file` says is right.
        let own = logs(true)?;
        let expected = right.get_or_insert(logs(false)?);
        assert_eq!(short(&own), short(expected), "{driver}");
        // Now with the files exchanged.
        let (of_docker, of_phial) = both.log_files(driver, driver)?;
        let (docker_bytes, phial_bytes) = (std::fs::read(&of_docker)?, std::fs::read(&of_phial)?);
        std::fs::write(&of_phial, docker_bytes)?;
        std::fs::write(&of_docker, phial_bytes)?;
        assert_eq!(short(&logs(true)?), short(expected), "{driver}: phial reads docker's");
        assert_eq!(short(&logs(false)?), short(expected), "{driver}: docker reads phial's");
        // Of one stream only: in which order two are kept is nobody's promise.
        let last = format!("{driver}-last");
        let flags = ["run", "-d", "--network", "none", "--name", &last, "--log-driver", driver, IMAGE];
        both.ok(&[&flags[..], &["sh", "-c", "echo one; echo two; printf end"]].concat())?;
        both.ok(&["wait", &last])?;
        for tail in ["0", "1", "2"] {
            let (docker, phial) = both.ok(&["logs", "-n", tail, &last])?;
            assert!(docker == phial, "{driver} -n {tail}: {} and {} bytes", docker.len(), phial.len());
        }
    }
    Ok(())
}

#[test]
fn events_have_the_same_words() -> Result {
    let both = Both::new()?;
    let run = |arguments: &[&str]| -> Result {
        both.docker.output(arguments)?;
        both.phial.phial.run(arguments).map(drop)
    };
    run(&["run", "-d", "--network", "none", "--name", "web", IMAGE, "sleep", "1000"])?;
    run(&["exec", "web", "sh", "-c", "exit 3"])?;
    run(&["pause", "web"])?;
    run(&["unpause", "web"])?;
    run(&["kill", "-s", "USR1", "web"])?;
    run(&["stop", "-t", "0", "web"])?;
    run(&["start", "web"])?;
    run(&["restart", "-t", "0", "web"])?;
    run(&["rm", "-f", "web"])?;
    run(&["run", "--rm", "--network", "none", "--name", "short", IMAGE, "true"])?;
    // Docker counts in whole seconds, and waits for that one.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("is after 1970");
    let until = (now.as_secs() + 2).to_string();
    let list = |attribute: &str| -> Result<(Vec<String>, Vec<String>)> {
        let format = format!(
            "{{{{.Type}}}} {{{{.Action}}}} {{{{with index .Actor.Attributes \"{attribute}\"}}}}{{{{.}}}}{{{{end}}}}"
        );
        let arguments = ["events", "--since", "1", "--until", &until, "-f", "type=container", "--format", &format];
        let lines = |text: String| -> Vec<String> { text.lines().map(|line| line.trim_end().to_owned()).collect() };
        let (docker, phial) = both.ok(&arguments)?;
        Ok((lines(docker), lines(phial)))
    };
    for attribute in ["name", "exitCode", "image"] {
        let (docker, phial) = list(attribute)?;
        assert_eq!(phial, docker, "{attribute}");
    }
    Ok(())
}

#[test]
fn tables_have_the_same_shape() -> Result {
    let both = Both::new()?;
    both.ok(&["run", "-d", "--network", "none", "-m", "64m", "--name", "web", IMAGE, "sleep", "1000"])?;
    for arguments in [&["top", "web"][..], &["top", "web", "-eo", "pid,ppid,args"], &["stats", "--no-stream", "web"]] {
        let (docker, phial) = both.ok(arguments)?;
        let words = |text: &str| {
            text.lines().next().map(|line| {
                line.split("  ").map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>()
            })
        };
        assert_eq!(words(&phial), words(&docker), "{arguments:?}");
        assert_eq!(phial.lines().count(), docker.lines().count(), "{arguments:?}\n{docker}\n{phial}");
        if arguments[0] == "top" {
            // Behind UID, PID, PPID, C and STIME: the two may have been started in different minutes.
            let of = |text: &str| {
                text.lines().nth(1).map(|line| line.split_whitespace().skip(5).map(str::to_owned).collect::<Vec<_>>())
            };
            assert_eq!(of(&phial), of(&docker), "{arguments:?}");
            assert_eq!(phial.lines().next(), docker.lines().next(), "{arguments:?}");
        }
    }
    let (docker, phial) =
        both.ok(&["stats", "--no-stream", "--format", "{{.MemUsage}} {{.PIDs}} {{.NetIO}}", "web"])?;
    let without_usage = |text: &str| text.split_once(" / ").map(|(_, rest)| rest.to_owned());
    assert_eq!(without_usage(&phial), without_usage(&docker));
    Ok(())
}
