//! `phial login` and `logout`: what the registry is asked, what is kept and where, and what is never kept.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use end_to_end::network::Tokens;
use end_to_end::pty::Pty;
use end_to_end::registry::{Access, Options, PASSWORD, Registry, USER};
use end_to_end::{Phial, Result, images, process};
use serde_json::{Value, json};

/// What is in `~/.docker/config.json`.
fn config(phial: &Phial) -> Result<Value> {
    let file = phial.scratch().join(".docker/config.json");
    assert_eq!(fs::metadata(&file)?.permissions().mode() & 0o777, 0o600);
    Ok(serde_json::from_slice(&fs::read(file)?)?)
}

fn login(phial: &Phial, password: &str, server: &str) -> Result<process::Output> {
    phial.run_with_input(&["login", "-u", USER, "--password-stdin", server], password.as_bytes())
}

#[test]
fn the_registry_is_asked_before_anything_is_kept() -> Result {
    let registry = images::registry_with(Access::Basic)?;
    let server = registry.address().to_string();
    let image = registry.name(images::BUSYBOX);
    let phial = Phial::new()?;
    let wrong = login(&phial, "wrong", &server)?.exited(1)?;
    assert!(wrong.stderr.contains("unauthorized: incorrect username or password"), "{wrong:?}");
    assert!(!wrong.stderr.contains("wrong"), "{wrong:?}");
    assert!(!phial.scratch().join(".docker").exists());
    phial.run(&["pull", &image])?.exited(1)?;

    // The end of the line is not part of the password.
    let right = login(&phial, &format!("{PASSWORD}\n"), &server)?.exited(0)?;
    assert_eq!(right.stdout, "Login Succeeded\n");
    assert!(right.stderr.contains("unencrypted"), "{right:?}");
    // base64 of amphora:secret.
    assert_eq!(config(&phial)?, json!({ "auths": { &server: { "auth": "YW1waG9yYTpzZWNyZXQ=" } } }));
    phial.ok(&["pull", &image])?;
    // What is kept is tried before anybody is asked for more.
    assert_eq!(phial.ok(&["login", &server])?, "Login Succeeded");

    assert_eq!(phial.ok(&["logout", &server])?, format!("Removing login credentials for {server}"));
    assert_eq!(phial.ok(&["logout", &server])?, format!("Not logged in to {server}"));
    assert_eq!(config(&phial)?, json!({ "auths": {} }));
    phial.ok(&["rmi", &image])?;
    phial.run(&["pull", &image])?.exited(1).map(drop)
}

#[test]
fn what_docker_keeps_in_the_file_stays() -> Result {
    let registry = images::registry_with(Access::Basic)?;
    let server = registry.address().to_string();
    let phial = Phial::new()?;
    let dir = phial.scratch().join("elsewhere");
    fs::create_dir(&dir)?;
    let before =
        json!({ "HttpHeaders": { "X": "y" }, "auths": { "other.example": { "auth": "YTpi" } }, "psFormat": "table" });
    fs::write(dir.join("config.json"), before.to_string())?;
    let dir = dir.display().to_string();
    let words = ["--config", &dir, "login", "-u", USER, "-p", PASSWORD, &server];
    let output = phial.run(&words)?.exited(0)?;
    assert!(output.stderr.contains("--password-stdin"), "{output:?}");
    let after: Value = serde_json::from_slice(&fs::read(format!("{dir}/config.json"))?)?;
    assert_eq!(after["auths"][&server]["auth"], "YW1waG9yYTpzZWNyZXQ=");
    phial.ok(&["--config", &dir, "pull", &registry.name(images::BUSYBOX)])?;
    phial.ok(&["--config", &dir, "logout", &server])?;
    let after: Value = serde_json::from_slice(&fs::read(format!("{dir}/config.json"))?)?;
    assert_eq!(after, before);
    Ok(())
}

#[test]
fn a_helper_keeps_it_instead_of_the_file() -> Result {
    let registry = images::registry_with(Access::Basic)?;
    let server = registry.address().to_string();
    let phial = Phial::new()?;
    let (programs, kept) = (phial.scratch().join("programs"), phial.scratch().join("kept"));
    fs::create_dir(&programs)?;
    let helper = programs.join("docker-credential-shelf");
    let script = format!(
        "#!/bin/sh\ncase $1 in\nstore) cat > {0} ;;\nget) test -e {0} || {{ echo 'credentials not found in native \
         keychain'; exit 1; }}; cat {0} ;;\nerase) rm {0} ;;\nesac\n",
        kept.display()
    );
    fs::write(&helper, script)?;
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755))?;
    fs::create_dir(phial.scratch().join(".docker"))?;
    fs::write(phial.scratch().join(".docker/config.json"), r#"{"credsStore":"shelf"}"#)?;
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let run = |words: &[&str]| process::run(phial.command(words).env("PATH", &path));

    let output = run(&["login", "-u", USER, "-p", PASSWORD, &server])?.exited(0)?;
    assert!(!output.stderr.contains("unencrypted"), "{output:?}");
    let entry: Value = serde_json::from_slice(&fs::read(&kept)?)?;
    assert_eq!(entry, json!({ "ServerURL": server, "Username": USER, "Secret": PASSWORD }));
    assert_eq!(config(&phial)?, json!({ "auths": { &server: {} }, "credsStore": "shelf" }));
    run(&["pull", &registry.name(images::BUSYBOX)])?.success()?;
    run(&["logout", &server])?.success()?;
    assert!(!kept.exists());
    Ok(())
}

#[test]
fn a_terminal_is_asked_and_shows_no_password() -> Result {
    let registry = images::registry_with(Access::Basic)?;
    let server = registry.address().to_string();
    let phial = Phial::new()?;
    let mut terminal = Pty::start(&phial.command(&["login", &server]), 24, 80)?;
    terminal.wait_for("Username: ")?;
    terminal.send(&format!("{USER}\n"))?;
    terminal.wait_for("Password: ")?;
    terminal.send(&format!("{PASSWORD}\n"))?;
    let (code, text) = terminal.finish()?;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("Login Succeeded") && !text.contains(PASSWORD), "{text}");
    config(&phial).map(drop)
}

/// Whoever knows the questions need not wait for them.
#[test]
fn answers_may_come_before_the_questions() -> Result {
    let registry = images::registry_with(Access::Basic)?;
    let phial = Phial::new()?;
    let mut terminal = Pty::start(&phial.command(&["login", &registry.address().to_string()]), 24, 80)?;
    terminal.send(&format!("{USER}\n{PASSWORD}\n"))?;
    let (code, text) = terminal.finish()?;
    assert!(code == 0 && text.contains("Login Succeeded"), "{text}");
    Ok(())
}

#[test]
fn a_token_server_is_asked_with_the_password() -> Result {
    let tokens = Tokens::start()?;
    let registry = images::registry_with(Access::Bearer { realm: tokens.realm() })?;
    let phial = Phial::new()?;
    login(&phial, PASSWORD, &registry.address().to_string())?.exited(0)?;
    assert_eq!(tokens.given(), 1);
    Ok(())
}

#[test]
fn a_certificate_that_nobody_knows_gets_no_password() -> Result {
    let options = Options { access: Access::Basic, tls: true, ..Options::default() };
    let registry = Registry::with(options)?;
    let server = registry.address().to_string();
    let phial = Phial::new()?;
    let output = login(&phial, PASSWORD, &server)?.exited(1)?;
    assert!(output.stderr.contains("TLS"), "{output:?}");
    assert!(!registry.log().contains(USER), "{}", registry.log());
    let words = ["login", "-u", USER, "-p", PASSWORD, &server];
    let certificate = registry.certificate().expect("it has one");
    process::run(phial.command(&words).env("SSL_CERT_FILE", certificate))?.success().map(drop)
}

#[test]
fn words_that_make_no_sense() -> Result {
    let phial = Phial::new()?;
    for (words, part) in [
        (&["login", "-u", "a", "-p", "b", "--password-stdin", "x.example"][..], "mutually exclusive"),
        (&["login", "--password-stdin", "x.example"], "must provide --username"),
        (&["login", "-u", "a", "x.example"], "non TTY device"),
        (&["login", "-u", "a", "-p", "b", "not a host"], "is no registry"),
        (&["login", "-u", "a", "-p", "", "x.example"], "password is empty"),
    ] {
        let output = phial.run(words)?.exited(1)?;
        assert!(output.stderr.contains(part), "{output:?}");
    }
    Ok(())
}
