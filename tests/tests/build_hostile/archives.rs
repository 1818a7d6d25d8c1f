//! Archives and repositories that are contexts.

use std::process::Command;

use end_to_end::origins::Origin;
use end_to_end::process::{program, run};
use end_to_end::{Project, Result};

use super::victim::Victim;

/// An entry: its name, its kind, what it links to, its content.
type Entry<'a> = (&'a str, u8, &'a str, &'a str);

/// An archive as POSIX has it (pax(1), "ustar Interchange Format"), with whatever names.
fn tar(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, kind, link, content) in entries {
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..108].copy_from_slice(b"0006777\0");
        header[108..116].copy_from_slice(b"0000000\0");
        header[116..124].copy_from_slice(b"0000000\0");
        header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
        header[136..148].copy_from_slice(b"00000000144\0");
        header[148..156].copy_from_slice(b"        ");
        header[156] = *kind;
        header[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header[257..265].copy_from_slice(b"ustar\x0000");
        // A device of them is /dev/zero.
        header[329..337].copy_from_slice(b"0000001\0");
        header[337..345].copy_from_slice(b"0000005\0");
        let sum: u32 = header.iter().copied().map(u32::from).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        bytes.extend(header);
        bytes.extend(content.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

#[test]
fn an_archive_writes_and_reads_nothing_outside() -> Result {
    let project = Project::new("")?;
    let victim = Victim::beside(&project)?;
    let (secret, path) = (format!("{}/secret", victim.path()), victim.path());
    let file: Entry<'_> = (
        "Dockerfile",
        b'0',
        "",
        "FROM base\nCOPY . /got\nRUN find -L /got -type f -exec cat {} + > /seen 2>&1; true\n",
    );
    let up = format!("../../../../../../../..{secret}");
    let cases: Vec<Vec<Entry<'_>>> = vec![
        vec![file, ("../victim/secret", b'0', "", "overwritten")],
        vec![file, (secret.as_str(), b'0', "", "overwritten")],
        vec![file, ("link", b'2', &path, ""), ("link/secret", b'0', "", "overwritten")],
        vec![file, ("link", b'2', &path, ""), ("link/made", b'5', "", "")],
        vec![file, ("link", b'2', &secret, ""), ("link", b'0', "", "overwritten")],
        vec![file, ("hard", b'1', &secret, ""), ("hard", b'0', "", "overwritten")],
        vec![file, ("hard", b'1', &up, "")],
        vec![file, ("dir", b'5', "", ""), ("dir", b'2', &path, ""), ("dir/nothing", b'0', "", "overwritten")],
        vec![file, ("link", b'2', &path, ""), ("hard", b'1', "link/secret", "")],
        vec![("Dockerfile", b'2', &secret, "")],
        vec![("Dockerfile", b'2', &up, "")],
        vec![("Dockerfile", b'1', &secret, "")],
        vec![("Dockerfile", b'3', "", "")],
        vec![("Dockerfile", b'6', "", "")],
        vec![file, (".dockerignore", b'2', &secret, "")],
        vec![file, (".dockerignore", b'6', "", "")],
        vec![file, ("device", b'3', "", ""), ("pipe", b'6', "", "")],
        vec![file, ("link", b'2', "link", ""), ("link/x", b'0', "", "x")],
    ];
    for entries in cases {
        let words = ["build", "--network", "none", "-"];
        let output = project.phial().run_with_input(&words, &tar(&entries))?;
        assert!(output.code < 2 && !output.stderr.contains("panicked"), "{entries:?}: {output:?}");
        victim.is_unharmed(&project, &format!("{entries:?}: {output:?}"))?;
    }
    Ok(())
}

/// What is much larger than it seems, and what never ends.
#[test]
fn an_archive_that_is_a_bomb() -> Result {
    let project = Project::new("")?;
    let zeros = "head -c 300M /dev/zero | gzip -1 | head -c 100000";
    let bomb = Command::new("sh").args(["-c", zeros]).output()?.stdout;
    let output = project.phial().run_with_input(&["build", "-"], &bomb)?.exited(1)?;
    assert!(output.stderr.starts_with("#1") || output.stderr.contains("phial: cannot build"), "{output:?}");
    let entries: Vec<Entry<'_>> = vec![("Dockerfile", b'0', "", "FROM base\nADD bomb.tar /got\n")];
    let mut nested = tar(&entries);
    nested.truncate(1024);
    let claim = {
        // An entry that says it has 8 GiB, and has nothing.
        let mut header = tar(&[("bomb.tar", b'0', "", "")]);
        header.truncate(512);
        header[124..136].copy_from_slice(b"77777777777\0");
        header[148..156].copy_from_slice(b"        ");
        let sum: u32 = header.iter().copied().map(u32::from).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        header
    };
    nested.extend(claim);
    let output = project.phial().run_with_input(&["build", "--network", "none", "-"], &nested)?.exited(1)?;
    assert!(output.stderr.contains("archive"), "{output:?}");
    Ok(())
}

/// CVE-2019-13139, CVE-2026-33748: addresses that are options of git, and directories that lead out.
#[test]
fn a_repository_runs_nothing_and_leads_nowhere() -> Result {
    let project = Project::new("")?;
    let victim = Victim::beside(&project)?;
    let repository = project.phial().scratch().join("repositories/app.git");
    std::fs::create_dir_all(repository.join("sub"))?;
    std::fs::write(
        repository.join("Dockerfile"),
        "FROM base\nCOPY . /got\nRUN find -L /got -type f -exec cat {} + > /seen 2>&1; true\n",
    )?;
    std::os::unix::fs::symlink(victim.path(), repository.join("out"))?;
    std::os::unix::fs::symlink("../../victim", repository.join("sub/out"))?;
    for words in [&["init", "-q", "-b", "main"][..], &["add", "."], &["commit", "-q", "-m", "one"]] {
        let mut git = Command::new(program("git", "git")?);
        git.args(["-c", "user.name=a", "-c", "user.email=a@b", "-C"]).arg(&repository).args(words);
        run(&mut git)?.success()?;
    }
    let origin = Origin::git(&project.phial().scratch().join("repositories"))?;
    let base = format!("git://{}/app.git", origin.address());
    let touched = project.phial().scratch().join("touched");
    let run_this = format!("--upload-pack=touch {}", touched.display());
    let addresses = [
        format!("{base}#{run_this}"),
        format!("{base}#main:{}", victim.path()),
        format!("{base}#main:out"),
        format!("{base}#main:sub/out"),
        format!("{base}#main:../../victim"),
        format!("{base}#-x"),
        format!("{base}?ref={run_this}"),
        format!("git://{run_this}/app.git"),
        format!("ssh://-oProxyCommand=touch%20{}/app.git", touched.display()),
        format!("git@-oProxyCommand=touch {}:app.git", touched.display()),
        format!("ext::sh -c touch% {}.git", touched.display()),
        format!("file://{}", repository.display()),
    ];
    for address in addresses {
        let output = project.phial().run(&["build", "--network", "none", &address])?;
        assert_ne!(output.code, 0, "{address}: {output:?}");
        assert!(!touched.exists(), "{address} has run a program");
        victim.is_unharmed(&project, &format!("{address}: {output:?}"))?;
    }
    let output = project.phial().run(&["build", "--network", "none", &base])?.exited(0)?;
    victim.is_unharmed(&project, &format!("{output:?}"))
}
