//! `export` and `import`: a container's files as one archive, and an image of one.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use end_to_end::process::{run, run_with_input};
use end_to_end::pty::Pty;
use end_to_end::{Context, Result, Stage};
use serde_json::json;

#[test]
fn a_container_goes_out_and_comes_in() -> Result {
    let stage = Stage::busybox()?;
    let (phial, dir) = (&stage.phial, stage.phial.scratch());
    let volume = dir.join("volume");
    fs::create_dir(&volume)?;
    fs::write(volume.join("not-exported"), "x")?;
    let bind = format!("{}:/volume", volume.display());
    let script = "mkdir /d; echo one > /d/one; chmod 4711 /d/one; ln /d/one /d/two; ln -s one /d/link; rm /etc/passwd; echo ready; sleep 1000";
    stage.start_ready(&["--name", "cc", "-u", "0", "-v", &bind], script)?;
    let (live, stopped) = (dir.join("live.tar"), dir.join("stopped.tar"));
    phial.ok(&["export", "-o", live.to_str().context("is text")?, "cc"])?;
    phial.ok(&["stop", "-t", "0", "cc"])?;
    let mut export = phial.command(&["export", "cc"]);
    assert_eq!(export.stdout(fs::File::create(&stopped)?).status()?.code(), Some(0));
    assert!(fs::read(&live)? == fs::read(&stopped)?, "it looks otherwise while it runs");
    let names = run(Command::new("tar").arg("-tf").arg(&live))?.success()?;
    assert!(names.contains("\n./d/one\n") || names.contains("\nd/one\n"), "{names}");
    assert!(!names.contains("etc/passwd") && !names.contains("not-exported") && !names.contains("proc/1"), "{names}");

    let id = phial.ok(&[
        "import",
        "-m",
        "from a file",
        "-c",
        "CMD [\"cat\", \"/d/two\"]",
        live.to_str().context("is text")?,
        "flat:1",
    ])?;
    assert_eq!(phial.ok(&["run", "--rm", "flat:1"])?, "one");
    assert_eq!(phial.ok(&["run", "--rm", "flat:1", "stat", "-c", "%a %h", "/d/one"])?, "4711 2");
    let image = phial.inspect("flat:1")?;
    assert_eq!((&image["Id"], &image["Comment"], &image["Os"]), (&json!(id), &json!("from a file"), &json!("linux")));
    // Compressed, through a pipe, for another machine.
    let packed = Command::new("gzip").arg("-c").arg(&live).output()?.stdout;
    let import = &["import", "--platform", "linux/arm64", "-", "arm"];
    run_with_input(&mut phial.command(import), &packed)?.success()?;
    assert_eq!(phial.inspect("arm")?["Architecture"], "arm64");
    let layer = |name: &str| Ok::<_, end_to_end::Failure>(phial.inspect(name)?["RootFS"]["Layers"].clone());
    assert_eq!(layer("arm")?, layer("flat:1")?);
    // What was imported can be saved: its archive is made again, byte for byte.
    phial.ok(&["save", "-o", dir.join("flat.tar").to_str().context("is text")?, "flat:1"])?;

    for (words, input, expected) in [
        (&["import", "-", "bad"][..], &[7_u8; 3000][..], "layer"),
        (&["import", "/nonexistent", "bad"], &[], "/nonexistent"),
        (&["import", "-c", "COPY x y", "-", "bad"], &[], "COPY is not a valid change command"),
        (&["import", "-", "Bad"], &[], "lower case"),
        (&["import", "--platform", "windows/amd64", "-", "bad"], &[], "Linux"),
        (&["import", "http://127.0.0.1:1/x.tar", "bad"], &[], "127.0.0.1:1"),
    ] {
        let output = run_with_input(&mut phial.command(words), input)?.exited(1)?;
        assert!(output.stderr.contains(expected), "{words:?}: {output:?}");
    }
    assert!(phial.run(&["inspect", "bad"])?.code != 0);
    Ok(())
}

/// Writes a file into a pipe with a name: piece by piece, and the rest at once when somebody has seen enough.
fn slowly(file: &Path, pipe: &Path, enough: &Receiver<()>) -> Result {
    let (bytes, mut pipe) = (fs::read(file)?, fs::OpenOptions::new().write(true).open(pipe)?);
    let mut pace = Duration::from_millis(10);
    for piece in bytes.chunks(bytes.len() / 70) {
        pipe.write_all(piece)?;
        if enough.recv_timeout(pace).is_ok() {
            pace = Duration::ZERO;
        }
    }
    Ok(())
}

#[test]
fn what_takes_its_time_shows_how_far_it_is() -> Result {
    let stage = Stage::busybox()?;
    let (phial, dir) = (&stage.phial, stage.phial.scratch());
    let (exported, saved, pipe) = (dir.join("exported.tar"), dir.join("saved.tar"), dir.join("pipe"));
    phial.ok(&["create", "--name", "cc", &stage.image])?;
    phial.ok(&["export", "-o", exported.to_str().context("is text")?, "cc"])?;
    phial.ok(&["save", "-o", saved.to_str().context("is text")?, &stage.image])?;
    run(Command::new("mkfifo").arg(&pipe))?.success()?;
    let path = pipe.to_str().context("is text")?;
    for (words, file, shown, last) in [
        (vec!["import", path, "im:ported"], &exported, "archive: Importing", "sha256:"),
        (vec!["load", "-i", path], &saved, "archive: Loading", "Loaded image: "),
        (vec!["load", "-q", "-i", path], &saved, "", "Loaded image: "),
    ] {
        let (file, out) = (file.clone(), pipe.clone());
        let (seen, enough) = channel();
        // Not waited for: who does not read lets it hang.
        thread::spawn(move || slowly(&file, &out, &enough));
        let mut pty = Pty::start(&phial.command(&words), 30, 100)?;
        if !shown.is_empty() {
            pty.wait_for(shown)?;
            seen.send(()).context("who writes")?;
        }
        let (code, output) = pty.finish()?;
        assert_eq!(code, 0, "{output}");
        assert!(output.contains(last) && output.contains("archive: ") != shown.is_empty(), "{output}");
    }
    Ok(())
}
