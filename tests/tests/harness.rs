//! What the other tests stand on is tested by itself, without Phial: the images and the registry with a foreign
//! client's eyes, the terminal, and the look at the host.

use std::process::Command;

use end_to_end::leftovers::Snapshot;
use end_to_end::pty::Pty;
use end_to_end::{Result, images};

#[test]
fn a_terminal_is_driven() -> Result {
    let mut command = Command::new("sh");
    command.args(["-c", "stty size; read line; echo got $line; exit 5"]);
    let mut pty = Pty::start(&command, 12, 34)?;
    pty.wait_for("12 34")?;
    pty.send("this\n")?;
    pty.wait_for("got this")?;
    assert_eq!(pty.finish()?.0, 5);
    Ok(())
}

#[test]
fn images_are_served() -> Result {
    let registry = images::registry()?;
    let mut curl = std::net::TcpStream::connect(registry.address())?;
    std::io::Write::write_all(&mut curl, b"GET /v2/_catalog HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut curl, &mut answer)?;
    assert!(answer.contains(r#"["busybox","debian"]"#), "{answer}");
    Ok(())
}

#[test]
fn what_is_left_is_seen() -> Result {
    let before = Snapshot::take();
    let dir = tempfile::Builder::new().prefix("phial-left-").tempdir()?;
    let left = Snapshot::take().since(&before);
    assert_eq!(left.iter().filter(|thing| thing.ends_with(&dir.path().display().to_string())).count(), 1, "{left:?}");
    drop(dir);
    Ok(())
}
