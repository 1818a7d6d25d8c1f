//! What the other tests stand on is tested by itself, without Phial: the images and the registry with a foreign
//! client's eyes, the terminal, and the look at the host.

use std::process::Command;

use end_to_end::flat::Flat;
use end_to_end::leftovers::Snapshot;
use end_to_end::process::run;
use end_to_end::pty::Pty;
use end_to_end::{Result, cases, images};

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

/// An archive as `save` writes it, of two layers: what the second one says of the first counts.
#[test]
fn layers_are_laid_upon_one_another() -> Result {
    let script = "mkdir -p one/d/e one/o two/d two/o; cd one; echo a > a; ln a b; echo x > d/e/x; echo k > o/k; ln -s a l
        cd ../two; touch d/.wh.e o/.wh..wh..opq .wh.a; mkdir 'a b'; chmod 700 'a b'; echo n > o/n
        cd ..; for d in one two; do chown -R 0:0 $d; tar -cf $d.tar -C $d .; done; chown 7:8 two/o/n; tar -cf two.tar -C two .
        printf %s '{\"config\":{\"User\":\"7\",\"WorkingDir\":\"/\"},\"rootfs\":{\"diff_ids\":[\"1\",\"2\"]},\"author\":\"me\",\"os\":\"linux\",
        \"history\":[{\"created_by\":\"x\",\"comment\":\"buildkit.dockerfile.v0\"},{\"created_by\":\"y\",\"empty_layer\":true}]}' > config
        printf %s '[{\"Config\":\"config\",\"Layers\":[\"one.tar\",\"two.tar\"]}]' > manifest.json
        tar -cf all.tar manifest.json config one.tar two.tar";
    let dir = tempfile::Builder::new().prefix("phial-flat-").tempdir()?;
    run(Command::new("sh").args(["-ec", script]).current_dir(dir.path()))?.success()?;
    let flat = Flat::read(&dir.path().join("all.tar"))?;
    let mut other = flat.clone();
    other.config = serde_json::json!({"rootfs": {"diff_ids": ["0"]}});
    let added = flat.since(&other);
    let tree = ["\"/a b/\" 0700", "/b 0644 \"a\\n\"", "/d/ 0755", "/l -> a", "/o/ 0755", "/o/n 0644 7:8 \"n\\n\""];
    assert_eq!(added.tree, tree);
    assert_eq!(added.config, serde_json::json!({"Env": null, "User": "7"}));
    assert_eq!(added.image, serde_json::json!({"author": "me"}));
    assert_eq!((added.layers, added.history), (2, vec!["layer x".to_owned(), "empty y [comment: None]".to_owned()]));
    let same = flat.since(&flat);
    assert_eq!((same.tree, same.layers, same.history), (vec![], 0, vec![]));
    Ok(())
}

#[test]
fn cases_are_read_and_laid_out() -> Result {
    let cases = cases::all()?;
    let groups: std::collections::BTreeSet<_> = cases.iter().map(|(group, _)| group.as_str()).collect();
    assert!(cases.len() >= 480 && groups.len() == 13, "{} in {groups:?}", cases.len());
    for (_, case) in &cases {
        let dir = tempfile::Builder::new().prefix("phial-case-").tempdir()?;
        case.lay_out(dir.path())?;
        let file = case.write(dir.path(), &case.dockerfile)?;
        assert_eq!(std::fs::read_to_string(file)?, case.dockerfile, "{}", case.name);
        for name in case.files.keys().chain(&case.archives).filter(|name| !name.contains(".tar")) {
            assert!(dir.path().join("context").join(name).symlink_metadata().is_ok(), "{}: {name}", case.name);
        }
        let is_refused = case.expect.error.as_deref().is_some_and(|part| !part.is_empty());
        let is_made = case.expect.error.is_none() && !case.rule.is_empty();
        assert!(is_refused || is_made, "{}", case.name);
    }
    assert_eq!(cases::repeated("a{3 times x}${b}{2 times yz}"), "axxx${b}yzyz");
    Ok(())
}
