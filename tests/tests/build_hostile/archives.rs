//! Archives and repositories that are contexts, and what servers call their files.

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

/// An archive of a Dockerfile after an extension of this kind (pax(1), "pax Header Block"; `L` and `K` are GNU's long names).
fn extended(kind: u8, content: &str) -> Vec<u8> {
    tar(&[("extension", kind, "", content), ("Dockerfile", b'0', "", "FROM base\nCOPY Dockerfile /\n")])
}

/// A remark as pax has it: its length, which counts its own digits, and what is said.
fn remark(length: usize) -> String {
    let begins = format!("{length} comment=");
    let says = length - begins.len() - 1;
    format!("{begins}{}\n", "x".repeat(says))
}

/// CRC32 (ISO 3309), by which xz guards its headers.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _| (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg());
    !bytes.iter().fold(u32::MAX, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
}

/// An archive in an xz stream that says that it wants a dictionary of 4 GiB (The .xz File Format, 3.1 and 5.3.1).
fn with_a_large_dictionary(archive: &[u8]) -> Result<Vec<u8>> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), archive)?;
    let mut bytes = Command::new("xz").args(["-0", "-c"]).arg(file.path()).output()?.stdout;
    let length = 4 * (usize::from(bytes[12]) + 1);
    assert_eq!(bytes[14..16], [0x21, 1], "a filter of LZMA2 with one property");
    bytes[16] = 40;
    let sum = crc32(&bytes[12..12 + length - 4]);
    bytes[12 + length - 4..12 + length].copy_from_slice(&sum.to_le_bytes());
    Ok(bytes)
}

/// What costs more than it seems to: each is refused for what it is, and would be built otherwise.
#[test]
fn an_archive_that_is_a_bomb() -> Result {
    let project = Project::new("")?;
    let build = |archive: &[u8]| project.phial().run_with_input(&["build", "--network", "none", "-"], archive);
    let plain = tar(&[("Dockerfile", b'0', "", "FROM base\n")]);
    build(&extended(b'x', &remark(100_000)))?.exited(0)?;
    build(&extended(b'g', &remark(100_000)))?.exited(0)?;
    // A frame of zstd that wants to look back over 2 GiB (RFC 8878, 3.1.1.1.2), and one raw block, which is the last.
    let mut window = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3];
    let header = plain.len() << 3 | 1;
    window.extend(&header.to_le_bytes()[..3]);
    window.extend(&plain);
    let mut small = window.clone();
    small[5] = 10 << 3;
    build(&small)?.exited(0)?;
    // An entry that says it has 8 GiB, and has nothing.
    let mut claim = tar(&[("large", b'0', "", "")]);
    claim.truncate(512);
    claim[124..136].copy_from_slice(b"77777777777\0");
    claim[148..156].copy_from_slice(b"        ");
    let sum: u32 = claim.iter().copied().map(u32::from).sum();
    claim[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let name = "x".repeat(5000) + "\0";
    let cases = [
        (extended(b'x', &remark(5 << 20)), "extended headers of more than 4194304 bytes"),
        (extended(b'g', &remark(5 << 20)), "extended headers of more than 4194304 bytes"),
        (extended(b'L', &name), "a name of 5000 bytes, over 4096"),
        (extended(b'K', &"/".repeat(5 << 20)), "extended headers of more than 4194304 bytes"),
        (window, "Frame requires too much memory"),
        (with_a_large_dictionary(&plain)?, "memory limit"),
        ([&plain[..1024], &claim[..]].concat(), "archive"),
        (plain[..700].to_vec(), "archive"),
    ];
    for (archive, why) in &cases {
        let refused = build(archive)?.exited(1)?;
        assert!(
            refused.stderr.contains(why) && refused.stderr.contains("the archive of the context"),
            "{why}: {refused:?}"
        );
    }
    // The same in an archive of a context that is unpacked into an image.
    for (archive, why) in cases.iter().filter(|(_, why)| *why != "memory limit" && !why.starts_with("Frame")) {
        project.write("Dockerfile", "FROM base\nADD bomb.tar /got/\n")?;
        std::fs::write(project.dir().join("bomb.tar"), archive)?;
        let refused = project.build(&[])?.exited(1)?;
        let why = if *why == "archive" { "unpacking \"/bomb.tar\"" } else { why };
        assert!(refused.stderr.contains(why), "{why}: {refused:?}");
    }
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

/// CVE-2026-33747 of others: what a server calls a file is no place.
#[test]
fn names_of_files_at_addresses_lead_nowhere() -> Result {
    let project = Project::new("")?;
    let victim = Victim::beside(&project)?;
    let served = project.phial().scratch().join("served");
    std::fs::create_dir(&served)?;
    let web = Origin::http(&served)?;
    let up = format!("..%2f..%2f..%2f..%2f..%2f..{}", victim.path().replace('/', "%2f"));
    let dots = up.replace('.', "%2e");
    // What stands in the address, and what the server says besides.
    let cases = [
        ("file", format!("Content-Disposition: attachment; filename=\"{}/secret\"", victim.path())),
        ("file", "Content-Disposition: attachment; filename=../../../victim/secret".to_owned()),
        ("file", "Content-Disposition: attachment; filename*=UTF-8''..%2f..%2fvictim%2fsecret".to_owned()),
        (up.as_str(), String::new()),
        (dots.as_str(), String::new()),
        ("a%2fb", String::new()),
        ("a%00b", String::new()),
        ("%2e%2e", String::new()),
        ("-x", String::new()),
    ];
    for (name, header) in &cases {
        std::fs::write(served.join(name), "fetched")?;
        std::fs::write(served.join(format!("{name}.headers")), header)?;
        let address = format!("http://{}/{name}", web.address());
        project.write("Dockerfile", &format!("FROM base\nADD {address} /got/\n"))?;
        let output = project.build(&["-t", "app"])?;
        let text = format!("{name} {header}: {output:?}");
        assert!(output.code < 2 && !output.stderr.contains("panicked"), "{text}");
        victim.is_unharmed(&project, &text)?;
        assert!(output.code == 0 || *name != "file", "{text}");
        if output.code == 0 {
            let found = project
                .in_image("app", "find / -xdev -type f -exec grep -l fetched {} + 2>/dev/null; ls -A /got | wc -l")?;
            let place = found.strip_suffix("\n1").and_then(|place| place.strip_prefix("/got/"));
            assert!(place.is_some_and(|name| !name.contains(['/', '\n'])), "{found}: {text}");
            assert!(*name != "file" || place == Some("file"), "{found}: {text}");
            project.phial().ok(&["rmi", "app"])?;
        }
    }
    Ok(())
}
