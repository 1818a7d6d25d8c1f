//! The built program itself: one static file that carries everything, and the container that is always there.

use end_to_end::{Context, Phial, Result, phial, process};

/// Whether an ELF file (elf(5)) is a position-independent executable without an interpreter.
fn is_static_pie(bytes: &[u8]) -> Result<bool> {
    let half = |at: usize| bytes.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]])).context("a short file");
    let start = bytes.get(32..40).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes).context("a short file")?;
    let (size, number) = (usize::from(half(54)?), usize::from(half(56)?));
    let start = usize::try_from(start).context("e_phoff")?;
    let kinds = (0..number).map(|index| half(start + index * size)).collect::<Result<Vec<u16>>>()?;
    // ET_DYN is 3, PT_INTERP is 3.
    Ok(bytes.starts_with(b"\x7fELF") && half(16)? == 3 && !kinds.contains(&3))
}

#[test]
fn it_is_static() -> Result {
    assert!(is_static_pie(&std::fs::read(phial::program()?)?)?);
    Ok(())
}

#[test]
fn the_supervisor_is_a_sealed_copy_in_memory() -> Result {
    let stage = end_to_end::Stage::busybox()?;
    let id = stage.start(&[], &["sleep", "1000"])?;
    let inspected = stage.phial.inspect(&id)?;
    let pid = inspected["State"]["Pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).context("no pid")?;
    let supervisor = process::stat(pid).context("the container is gone")?.parent;
    let link = std::fs::read_link(format!("/proc/{supervisor}/exe"))?.display().to_string();
    assert!(link.starts_with("/memfd:"), "{link}");
    assert!(is_static_pie(&std::fs::read(format!("/proc/{supervisor}/exe"))?)?);
    // CVE-2019-5736: not even root can write to what the supervisor runs.
    let writing = std::fs::OpenOptions::new().write(true).open(format!("/proc/{supervisor}/exe"));
    assert!(writing.is_err());
    Ok(())
}

#[test]
fn hello_needs_nothing() -> Result {
    let phial = Phial::new()?;
    let told = phial.ok(&["run", "hello"])?.to_lowercase();
    for word in ["pid", "hostname", "namespace", "capabilit", "seccomp", "cgroup", "mount"] {
        assert!(told.contains(word), "{word} is not in\n{told}");
    }
    assert!(!told.contains('\x1b'), "there are colours where no terminal is");
    Ok(())
}

#[test]
fn every_command_has_help_with_an_example() -> Result {
    let phial = Phial::new()?;
    let verbs = [
        "run", "pull", "images", "rmi", "ps", "logs", "exec", "stop", "kill", "rm", "inspect", "wait", "attach",
        "version", "info",
    ];
    for verb in verbs {
        let help = phial.ok(&[verb, "--help"])?;
        assert!(help.contains(&format!("phial {verb}")) && help.to_lowercase().contains("example"), "{verb}:\n{help}");
    }
    Ok(())
}

#[test]
fn a_shell_where_no_registry_is() -> Result {
    let phial = Phial::new()?;
    phial.ok(&["image", "bootstrap", "toolbox"])?;
    assert_eq!(phial.ok(&["run", "--rm", "phial/toolbox", "sh", "-c", "echo a | tr a b"])?, "b");
    Ok(())
}
