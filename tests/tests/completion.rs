//! Completion in bash, zsh and fish: the shells themselves are asked what they would offer, with names of containers and
//! images that are there.

use std::process::Command;

use end_to_end::process::{program, run};
use end_to_end::pty::Pty;
use end_to_end::{Context, Phial, Result, Stage};

/// A stage with a container that runs and one that has ended.
fn stage() -> Result<Stage> {
    let stage = Stage::busybox()?;
    stage.start(&["--name", "webserver"], &["sleep", "1000"])?;
    stage.phial.run(&["run", "--name", "webjob", &stage.image, "true"])?.exited(0)?;
    Ok(stage)
}

/// A shell that finds `phial` by its name, with a root of its own.
fn shell(name: &str, phial: &Phial) -> Result<Command> {
    let bin = phial.scratch().join("bin");
    std::fs::create_dir_all(&bin)?;
    let link = bin.join("phial");
    if !link.exists() {
        std::os::unix::fs::symlink(phial.command(&[]).get_program(), &link)?;
    }
    let mut command = Command::new(program(name, name)?);
    for (variable, value) in phial.command(&[]).get_envs() {
        command.env(variable, value.unwrap_or_default());
    }
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", bin.display())).env("XDG_CONFIG_HOME", phial.scratch());
    Ok(command)
}

/// Lines, what is expected among the offers, and what must not be there.
const CASES: [(&str, &[&str], &[&str]); 9] = [
    ("phial ru", &["run"], &["rm"]),
    ("phial image l", &["ls"], &["rm"]),
    ("phial stop web", &["webserver"], &["webjob"]),
    ("phial start web", &["webjob"], &["webserver"]),
    ("phial rm web", &["webjob", "webserver"], &[]),
    ("phial ps --no-t", &["--no-trunc"], &["--all"]),
    ("phial run --restart un", &["unless-stopped"], &["always"]),
    ("phial events --filter da", &["daemon="], &["container="]),
    ("phial volume prune --filter al", &["all="], &["label="]),
];

fn check(offers: impl Fn(&str) -> Result<String>) -> Result {
    for (line, expected, absent) in CASES {
        let offered = offers(line)?;
        let words: Vec<&str> = offered.split_whitespace().collect();
        for word in expected {
            assert!(words.contains(word), "{line}: no {word} in {offered:?}");
        }
        for word in absent {
            assert!(!words.contains(word), "{line}: {word} in {offered:?}");
        }
    }
    Ok(())
}

#[test]
fn bash() -> Result {
    let stage = stage()?;
    check(|line| bash_offers(&stage.phial, line))?;
    // bash takes names apart at their colons: what is offered is what comes after the last.
    let (before, _) = stage.image.rsplit_once(':').context("the image has a tag")?;
    let offered = bash_offers(&stage.phial, &format!("phial run {before}:la"))?;
    assert_eq!(offered.trim(), "latest");
    let files = bash_offers(&stage.phial, "phial run --env-file /etc/host")?;
    assert!(files.split_whitespace().any(|file| file == "/etc/hosts"), "{files}");
    Ok(())
}

fn bash_offers(phial: &Phial, line: &str) -> Result<String> {
    let script = format!(
        "source <(phial completion bash)\nCOMP_LINE='{line}' COMP_POINT={}\n_phial\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
        line.len()
    );
    run(shell("bash", phial)?.args(["--norc", "-c", &script]))?.success()
}

#[test]
fn bash_on_a_terminal() -> Result {
    let stage = stage()?;
    let mut command = shell("bash", &stage.phial)?;
    command.args(["--norc", "--noprofile", "-i"]);
    let mut pty = Pty::start(&command, 30, 100)?;
    pty.send("PS1='re''ady>'; source <(phial completion bash)\n")?;
    pty.wait_for("ready>")?;
    pty.send("phial logs webs\t")?;
    pty.wait_for("webserver ")?;
    pty.send("\x15exit 7\n")?;
    assert_eq!(pty.finish()?.0, 7);
    Ok(())
}

#[test]
fn fish() -> Result {
    let stage = stage()?;
    let completions = stage.phial.scratch().join("fish/completions");
    std::fs::create_dir_all(&completions)?;
    std::fs::write(completions.join("phial.fish"), stage.phial.ok(&["completion", "fish"])?)?;
    check(|line| run(shell("fish", &stage.phial)?.args(["-c", &format!("complete -C '{line}'")]))?.success())
}

#[test]
fn zsh() -> Result {
    let stage = stage()?;
    std::fs::write(stage.phial.scratch().join("_phial"), stage.phial.ok(&["completion", "zsh"])?)?;
    check(|line| zsh_offers(&stage.phial, line))
}

/// What zsh would offer: `compadd`, through which all candidates go, is told to print them.
fn zsh_offers(phial: &Phial, line: &str) -> Result<String> {
    let mut command = shell("zsh", phial)?;
    command.args(["-f", "-i"]);
    let mut pty = Pty::start(&command, 60, 200)?;
    pty.send("PS1='re''ady>'; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; source <(phial completion zsh); unsetopt auto_menu; setopt list_packed; zstyle ':completion:*' insert-unambiguous false; LISTMAX=0; bindkey '^X' list-choices\n")?;
    pty.wait_for("ready>")?;
    pty.send("echo o''k\n")?;
    pty.wait_for("ok\r\n")?;
    pty.wait_for("ready>")?;
    // Lists what there is, or completes it if it is one.
    pty.send(&format!("{line}\t\x18\x01echo '\x05' en''d\n"))?;
    let offered = pty.wait_for("end\r\n")?;
    pty.send("exit\n")?;
    pty.finish()?;
    Ok(without_escapes(&offered))
}

/// Text of a terminal without what moves its cursor.
fn without_escapes(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        if character == '\x1b' {
            // Parameters, up to the letter that says what is done.
            rest.by_ref().skip_while(|c| *c == '[' || *c == '?').find(|c| !c.is_ascii_digit() && *c != ';');
            plain.push(' ');
        } else {
            plain.push(if character.is_control() { ' ' } else { character });
        }
    }
    plain
}
