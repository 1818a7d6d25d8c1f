//! What is shown while something is done: a tree that moves on a terminal, and everything that commands write elsewhere.

use std::io::Write;

use end_to_end::pty::Pty;
use end_to_end::{Context, Project, Result};
use serde_json::Value;

/// So many lines of a command, of more than 2 MiB together.
const LINES: usize = 320_000;

#[test]
fn a_tree_moves_on_a_terminal() -> Result {
    let project = Project::new("FROM base\nRUN --mount=type=cache,target=/c mkfifo /c/go\n")?;
    project.id(&[])?;
    let volume = project.phial().ok(&["volume", "ls", "-q"])?;
    let directory =
        project.phial().inspect(volume.trim())?["Mountpoint"].as_str().context("it is somewhere")?.to_owned();
    let last = "and-this-is-much-longer-than-a-line-of-the-terminal-".repeat(4);
    project.write(
        "Dockerfile",
        &format!(
            "FROM base\nRUN --mount=type=cache,target=/c mkfifo /c/go\n\
             RUN --mount=type=cache,target=/c echo half-way; read word < /c/go; echo $word; echo {last}\n"
        ),
    )?;
    let mut pty = Pty::start(&project.command(&["-t", "app"]), 24, 60)?;
    // While it runs: what it has written stands below it.
    pty.wait_for("[+] Building")?;
    pty.wait_for("=> CACHED [2/3] RUN --mount=type=cache")?;
    pty.wait_for("=> [3/3] RUN --mount=type=cache")?;
    pty.wait_for("=> => # half-way")?;
    let mut go = std::fs::OpenOptions::new().write(true).open(std::path::Path::new(&directory).join("go"))?;
    go.write_all(b"gone-on\n")?;
    drop(go);
    let (code, said) = pty.finish()?;
    assert_eq!(code, 0, "{said}");
    let (_, end) = said.rsplit_once("[+] Building").context("the tree is drawn in the end")?;
    assert!(end.contains("FINISHED") && !end.contains("# half-way"), "{end}");
    let steps = |name: &str| end.lines().find(|line| line.contains(name)).unwrap_or_default();
    assert!(steps("[3/3] RUN").contains("… "), "a long name is cut before its time: {end}");
    assert!(said.contains("\u{1b}["), "what was drawn is drawn over");
    // Nothing of the tree is wider than the terminal, so nothing of it is on two lines.
    let lines = without_sequences(&said);
    let tree: Vec<&str> = lines.lines().filter(|line| line.starts_with("[+]") || line.starts_with(" =>")).collect();
    assert!(tree.len() > 12 && tree.iter().all(|line| line.trim_end().chars().count() <= 60), "{tree:?}");
    Ok(())
}

/// What a terminal shows, without what it obeys (ECMA-48, 5.4).
fn without_sequences(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |shown, part| {
        shown + part.trim_start_matches(|letter| matches!(letter, ' '..='?')).get(1..).unwrap_or_default()
    })
}

/// A tree shows the last lines of what runs, and of what has failed all of them.
#[test]
fn what_has_failed_is_shown_whole_on_a_terminal() -> Result {
    let project = Project::new(&format!("FROM base\nRUN seq {LINES}; exit 3\n"))?;
    let mut command = project.command(&[]);
    command.env("NO_COLOR", "1");
    let (code, said) = Pty::start(&command, 24, 100)?.finish()?;
    assert_eq!(code, 1);
    let (_, end) = said.rsplit_once("FINISHED").context("the tree is drawn in the end")?;
    let mut expected = 1_usize;
    for word in end.lines().filter_map(|line| line.split_whitespace().last()) {
        expected += usize::from(word.parse() == Ok(expected));
    }
    assert_eq!(expected, LINES + 1, "a line is missing");
    assert!(!said.contains("\u{1b}[3"), "colours although NO_COLOR says that there are none");
    Ok(())
}

/// `BuildKit` clips at 2 MiB of a step.
#[test]
fn what_commands_write_is_never_clipped() -> Result {
    let project = Project::new(&format!("FROM base\nRUN seq {LINES}; printf end\n"))?;
    let plain = project.build(&["--progress", "plain"])?.exited(0)?.stderr;
    let mut expected = 1_usize;
    for line in plain.lines().filter(|line| line.starts_with('#')) {
        expected += usize::from(line.rsplit(' ').next().and_then(|word| word.parse().ok()) == Some(expected));
    }
    assert_eq!(expected, LINES + 1, "a line is missing");
    assert!(plain.len() > 2 << 20 && plain.lines().any(|line| line.ends_with(" end")));

    let raw = project.build(&["--progress", "rawjson", "--no-cache"])?.exited(0)?.stderr;
    let mut written = Vec::new();
    for line in raw.lines().filter(|line| line.starts_with('{')) {
        let told: Value = serde_json::from_str(line)?;
        for log in told["logs"].as_array().into_iter().flatten() {
            written.extend(decoded(log["data"].as_str().context("it has data")?)?);
        }
    }
    let all: String = (1..=LINES).map(|number| format!("{number}\n")).collect::<Vec<_>>().concat() + "end";
    assert!(written == all.as_bytes(), "{} bytes are not the {} that were written", written.len(), all.len());
    Ok(())
}

/// Bytes in base64 (RFC 4648).
fn decoded(text: &str) -> Result<Vec<u8>> {
    let value = |letter: u8| match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for four in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = four.iter().try_fold(0_u32, |bits, letter| Some(bits << 6 | u32::from(value(*letter)?)));
        let bits = bits.context(format!("{text:?} is no base64"))? << (6 * (4 - four.len()));
        bytes.extend(&bits.to_be_bytes()[1..four.len()]);
    }
    Ok(bytes)
}
