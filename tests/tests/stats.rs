//! `phial stats`: numbers that agree with the kernel's, in docker's forms.

use std::io::Read;
use std::process::Stdio;

use end_to_end::process::Running;
use end_to_end::pty::Pty;
use end_to_end::{Phial, Result, Stage};
use serde_json::Value;

fn stats(phial: &Phial, name: &str) -> Result<Value> {
    Ok(serde_json::from_str(&phial.ok(&["stats", "--no-stream", "--format", "json", name])?)?)
}

fn percent(value: &Value) -> f64 {
    value.as_str().and_then(|text| text.strip_suffix('%')?.parse().ok()).expect("a percentage")
}

/// `1.5MiB` in bytes.
fn bytes(text: &str) -> f64 {
    let end = text.find(|c: char| c.is_ascii_alphabetic()).expect("a unit");
    let number: f64 = text[..end].parse().expect("a number");
    let units = [("B", 1.0), ("KiB", 1024.0), ("MiB", 1024.0 * 1024.0), ("GiB", 1024.0 * 1024.0 * 1024.0)];
    number * units.iter().find(|(unit, _)| *unit == &text[end..]).expect("a unit").1
}

/// The memory that the kernel counts, without inactive pages of files.
fn memory_in_use(phial: &Phial, id: &str) -> Result<f64> {
    let status = std::fs::read(phial.run_dir().join("containers").join(id).join("status.json"))?;
    let status: Value = serde_json::from_slice(&status)?;
    let cgroups = status["cgroups"].as_array().expect("a list").iter().filter_map(Value::as_str);
    let (mut usage, mut inactive) = (0.0, 0.0);
    for cgroup in cgroups {
        let read = |name: &str| std::fs::read_to_string(format!("{cgroup}/{name}")).unwrap_or_default();
        let number = |text: String| text.trim().parse::<f64>().ok();
        let found = number(read("memory.usage_in_bytes")).or_else(|| number(read("memory.current")));
        let Some(found) = found else { continue };
        let stat = read("memory.stat");
        let of = |key: &str| stat.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.parse().ok());
        (usage, inactive) = (found, of("total_inactive_file").or_else(|| of("inactive_file")).unwrap_or(0.0));
    }
    Ok(usage - inactive)
}

#[test]
fn numbers_agree_with_the_kernels() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let id = stage.start(&["--name", "idle", "-m", "64m", "--network", "none"], &["sleep", "1000"])?;
    // Something to count: the kernel charges in advance for up to 64 pages on each processor.
    phial.ok(&["exec", "idle", "dd", "if=/dev/zero", "of=/dev/shm/filled", "bs=1M", "count=24"])?;
    stage.start(&["--name", "busy"], &["sh", "-c", "while :; do :; done"])?;
    let idle = stats(phial, "idle")?;
    assert_eq!((idle["Name"].as_str(), idle["PIDs"].as_str()), (Some("idle"), Some("1")));
    assert_eq!((idle["ID"].as_str(), idle["Container"].as_str()), (Some(&id[..12]), Some("idle")));
    let called = |names: &[&str]| phial.ok(&[&["stats", "--no-stream", "--format", "{{.Container}}"], names].concat());
    assert_eq!(called(&[&id[..20]])?, id[..20]);
    assert!(called(&[])?.lines().any(|line| line == &id[..12]));
    assert_eq!(idle["NetIO"], "0B / 0B");
    assert!(percent(&idle["CPUPerc"]) < 20.0, "{idle}");
    let (usage, limit) = idle["MemUsage"].as_str().and_then(|text| text.split_once(" / ")).expect("two numbers");
    assert_eq!(limit, "64MiB");
    let counted = memory_in_use(phial, &id)?;
    assert!((bytes(usage) - counted).abs() < 0.1 * counted, "{idle}: {counted}");
    assert!((percent(&idle["MemPerc"]) - bytes(usage) / bytes(limit) * 100.0).abs() < 0.1, "{idle}");
    let busy = stats(phial, "busy")?;
    // Other tests run on these processors as well.
    assert!(percent(&busy["CPUPerc"]) > 5.0 && percent(&busy["CPUPerc"]) < 120.0, "{busy}");
    // Without a limit it is the host's memory.
    let host = std::fs::read_to_string("/proc/meminfo")?;
    let total: f64 = host.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number");
    let limit = busy["MemUsage"].as_str().and_then(|text| text.split_once(" / ")).expect("two numbers").1;
    assert!((bytes(limit) / (total * 1024.0) - 1.0).abs() < 0.01, "{limit} {total}");
    Ok(())
}

#[test]
fn the_table_is_dockers() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let id = stage.start(&["--name", "web"], &["sleep", "1000"])?;
    phial.ok(&["create", "--name", "never", &stage.image, "true"])?;
    let table = phial.ok(&["stats", "--no-stream"])?;
    let lines: Vec<&str> = table.lines().collect();
    let headings = ["CONTAINER ID", "NAME", "CPU %", "MEM USAGE / LIMIT", "MEM %", "NET I/O", "BLOCK I/O", "PIDS"];
    let split =
        |line: &str| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect();
    let cells: Vec<String> = split(lines[0]);
    assert_eq!(cells, headings);
    assert_eq!(lines.len(), 2, "{table}");
    assert!(lines[1].starts_with(&id[..12]) && lines[1].contains("web"), "{table}");
    let all = phial.ok(&["stats", "--no-stream", "-a", "--no-trunc"])?;
    let never: Vec<String> = split(all.lines().find(|line| line.contains("never")).expect("it is listed"));
    assert_eq!(never[0].len(), 64);
    assert_eq!(never[1..], ["never", "--", "-- / --", "--", "--", "--", "--"]);
    assert!(phial.run(&["stats", "--no-stream", "absent"])?.exited(1)?.stderr.contains("no such container: absent"));
    Ok(())
}

#[test]
fn a_stream_goes_on_until_its_containers_are_gone() -> Result {
    let stage = Stage::busybox()?;
    stage.start(&["--name", "web"], &["sleep", "1000"])?;
    let mut command = stage.phial.command(&["stats", "--format", "{{.Name}} {{.PIDs}}", "web"]);
    let mut stream = Running::spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
    let mut output = stream.child().stdout.take().expect("is piped");
    let mut text = Vec::new();
    let mut byte = [0];
    // Two looks at it, then it goes.
    while text.split(|byte| *byte == b'\n').count() < 3 {
        output.read_exact(&mut byte)?;
        text.extend(byte);
    }
    stage.phial.ok(&["rm", "-f", "web"])?;
    output.read_to_end(&mut text)?;
    assert_eq!(stream.wait()?, 0);
    assert!(String::from_utf8_lossy(&text).starts_with("web 1\nweb 1\n"), "{}", String::from_utf8_lossy(&text));
    Ok(())
}

#[test]
fn on_a_terminal_the_table_stays_where_it_is() -> Result {
    let stage = Stage::busybox()?;
    stage.start(&["--name", "web"], &["sleep", "1000"])?;
    let mut terminal = Pty::start(&stage.phial.command(&["stats"]), 24, 120)?;
    terminal.wait_for("\x1b[2J\x1b[HCONTAINER ID")?;
    assert!(terminal.wait_for("\x1b[HCONTAINER ID")?.contains("web"));
    terminal.send("\x03")?;
    assert_eq!(terminal.finish()?.0, 130);
    Ok(())
}
