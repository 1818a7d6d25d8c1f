//! With `alias docker=phial`, the commands of docker's own first pages, in their order, give what those pages show.

use std::process::Command;

use end_to_end::process::{program, run};
use end_to_end::registry::Registry;
use end_to_end::{Result, Stage};

/// A line of a page, and what its output must have; `IMAGE` and `REGISTRY` stand for what the test has here.
const PAGES: [(&str, &[&str]); 27] = [
    ("docker --version", &["phial "]),
    ("docker run hello", &["Hello from inside a container!"]),
    ("docker pull IMAGE", &["latest: Pulling from", "Digest: sha256:", "Status: Downloaded newer image for IMAGE"]),
    ("docker image ls", &["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", "busybox"]),
    ("docker images", &["REPOSITORY", "busybox", "latest"]),
    ("docker run IMAGE ls -l /", &["bin", "etc"]),
    ("docker run IMAGE echo 'hello from busybox'", &["hello from busybox"]),
    ("docker ps", &["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]),
    ("docker ps -a", &["Exited (0)", "\"ls -l /\"", "\"echo 'hello from bu…\""]),
    ("docker run -d --name web IMAGE sh -c 'echo serving; sleep 1000'", &[]),
    ("docker container ls", &["web", "Up "]),
    // What it writes first comes a moment after its start.
    ("until docker logs web | grep serving; do :; done", &["serving"]),
    ("docker exec web cat /etc/hostname", &[]),
    ("docker exec web sh -c 'echo changed > /note; cat /note'", &["changed"]),
    ("docker cp web:/note -", &["changed"]),
    ("docker inspect -f '{{.State.Status}}' web", &["running"]),
    ("docker commit web mine/note:1", &["sha256:"]),
    ("docker run --rm mine/note:1 cat /note", &["changed"]),
    ("docker stop -t 0 web", &["web"]),
    ("docker start web", &["web"]),
    ("docker rm -f web", &["web"]),
    ("docker tag mine/note:1 REGISTRY/mine/note:1", &[]),
    ("docker push REGISTRY/mine/note:1", &["Pushed", "1: digest: sha256:"]),
    ("docker volume create todo-db", &["todo-db"]),
    ("docker run --rm -v todo-db:/etc/todos IMAGE sh -c 'echo kept > /etc/todos/list; cat /etc/todos/list'", &["kept"]),
    ("docker volume inspect todo-db", &["\"Mountpoint\"", "\"Name\": \"todo-db\""]),
    ("docker image rm -f mine/note:1", &["Untagged: mine/note:1"]),
];

#[test]
fn dockers_first_pages() -> Result {
    let stage = Stage::busybox()?;
    stage.phial.ok(&["rmi", &stage.image])?;
    // That of the images can only be read.
    let own = Registry::start()?;
    let registry = own.address().to_string();
    for (line, expected) in PAGES {
        let put =
            |text: &str| text.replace("IMAGE ID", "\0").replace("IMAGE", &stage.image).replace("REGISTRY", &registry);
        let put = |text: &str| put(text).replace('\0', "IMAGE ID");
        // Headings have the word as well.
        let put = |text: &str| if text == "IMAGE" { text.to_owned() } else { put(text) };
        let phial = stage.phial.command(&[]);
        let mut bash = Command::new(program("bash", "bash")?);
        for (variable, value) in phial.get_envs() {
            bash.env(variable, value.unwrap_or_default());
        }
        let script = format!("shopt -s expand_aliases\nalias docker={:?}\n{}", phial.get_program(), put(line));
        let output = run(bash.args(["-c", &script]))?;
        assert_eq!(output.code, 0, "{line}: {output:?}");
        for part in expected {
            assert!(output.stdout.contains(&put(part)), "{line}: no {part:?} in {output:?}");
        }
    }
    Ok(())
}
