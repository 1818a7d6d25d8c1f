//! What commands of a build are held to, and what more they may have: limits, cgroups, devices, the host's network, other
//! processors.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use end_to_end::engines::limit;
use end_to_end::process::Running;
use end_to_end::{Context, Project, Result};

#[test]
fn cgroups_of_commands() -> Result {
    let project = Project::new("")?;
    let memory = limit("memory/memory.limit_in_bytes", "memory.max");
    let quota = limit("cpu/cpu.cfs_quota_us", "cpu.max");
    let cpus = limit("cpuset/cpuset.cpus", "cpuset.cpus");
    let nodes = limit("cpuset/cpuset.mems", "cpuset.mems");
    let period = "cat /sys/fs/cgroup/cpu/cpu.cfs_period_us 2>/dev/null || cut -d' ' -f2 /sys/fs/cgroup/cpu.max";
    // 512 of 1024, as cgroups of the second version weigh it: 1 + (512 - 2) * 9999 / 262142.
    let shares = "cat /sys/fs/cgroup/cpu/cpu.shares 2>/dev/null || sed s/^20$/512/ /sys/fs/cgroup/cpu.weight";
    let swap = "f=/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes; if test -d /sys/fs/cgroup/memory; then test -e $f && cat $f || \
                echo 50331648; else echo $((33554432 + $(cat /sys/fs/cgroup/memory.swap.max))); fi";
    let script = format!("({memory}; {swap}; {quota}; {period}; {shares}; {cpus}; {nodes}) > /seen");
    let flags = [
        "-m",
        "32m",
        "--memory-swap",
        "48m",
        "--cpu-quota",
        "30000",
        "--cpu-period",
        "60000",
        "-c",
        "512",
        "--cpuset-cpus",
        "0",
        "--cpuset-mems",
        "0",
    ];
    let file = format!("FROM base\nRUN {script}\n");
    assert_eq!(project.made(&file, &flags, "cat /seen")?, "33554432\n50331648\n30000\n60000\n512\n0\n0");
    // They are no part of what a command makes.
    let again = project.build(&["-m", "64m"])?.exited(0)?;
    assert!(again.stderr.contains("CACHED"), "{again:?}");
    // More than that is not to be had.
    project.write("Dockerfile", "FROM base\nRUN dd if=/dev/zero of=/dev/null bs=100M count=1\n")?;
    let killed = project.build(&["-m", "16m", "--memory-swap", "16m"])?.exited(1)?;
    assert!(killed.stderr.contains("137"), "{killed:?}");

    let wrong = project.build(&["--cgroup-parent", "../../up"])?.exited(1)?;
    assert!(wrong.stderr.contains("--cgroup-parent"), "{wrong:?}");
    Ok(())
}

/// Cgroups below these of each hierarchy.
fn below(parent: &str) -> Vec<String> {
    let mut places = vec![PathBuf::from("/sys/fs/cgroup")];
    places.extend(std::fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path()));
    let entries = places.iter().filter_map(|place| std::fs::read_dir(place.join(parent)).ok()).flatten().flatten();
    let directories = entries.filter(|entry| entry.path().is_dir());
    directories.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn cgroups_are_below_another_one() -> Result {
    let project = Project::new("FROM base\nRUN --mount=type=cache,target=/c mkfifo /c/started /c/go\n")?;
    project.id(&[])?;
    let volume = project.phial().ok(&["volume", "ls", "-q"])?;
    let inspected = project.phial().inspect(volume.trim())?;
    let directory = PathBuf::from(inspected["Mountpoint"].as_str().context("it is somewhere")?);
    project.write(
        "Dockerfile",
        "FROM base\nRUN --mount=type=cache,target=/c echo begun > /c/started && read go < /c/go\n",
    )?;
    let parent = format!("phial-build-{}", std::process::id());
    let mut command = project.command(&["--progress", "none", "--cgroup-parent", &format!("/{parent}")]);
    let mut running = Running::start(&mut command)?;
    assert_eq!(std::fs::read_to_string(directory.join("started"))?, "begun\n");
    let during = below(&parent);
    std::fs::write(directory.join("go"), "on\n")?;
    assert_eq!(running.wait()?, 0);
    let after = below(&parent);
    for hierarchy in std::fs::read_dir("/sys/fs/cgroup")?.flatten() {
        // The parent is whoever named it's own.
        std::fs::remove_dir(hierarchy.path().join(&parent)).ok();
    }
    std::fs::remove_dir(format!("/sys/fs/cgroup/{parent}")).ok();
    assert!(!during.is_empty() && during.iter().all(|name| name.starts_with("phial-")), "{during:?}");
    assert_eq!(after, Vec::<String>::new());
    Ok(())
}

#[test]
fn the_hosts_network_is_the_hosts() -> Result {
    let project = Project::new("")?;
    let inode = std::fs::metadata("/proc/self/ns/net")?.ino();
    let file = "FROM base\nRUN stat -L -c %i /proc/self/ns/net > /seen\n";
    let seen = |flags: &[&str]| project.made(file, &[flags, &["--no-cache"]].concat(), "cat /seen");
    assert_eq!(seen(&["--network", "host"])?, inode.to_string());
    for network in ["none", "default"] {
        assert_ne!(seen(&["--network", network])?, inode.to_string(), "{network}");
    }
    // How the host is called in its own network.
    let gateway = "FROM base\nRUN awk '$2 == \"gate\" {print $1}' /etc/hosts > /seen; ip route | awk '$1 == \"default\" {print $3}' >> /seen\n";
    let flags = ["--network", "default", "--add-host", "gate:host-gateway"];
    let told = project.made(gateway, &flags, "cat /seen")?;
    let lines: Vec<&str> = told.lines().collect();
    let (route, names) = lines.split_last().expect("a line is printed");
    assert!(names.contains(route) && route.contains('.'), "{told}");
    Ok(())
}

/// A specification below /var/run/cdi for one test.
struct Specification(PathBuf);

impl Drop for Specification {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

#[test]
fn devices_have_to_be_allowed_and_are_those_of_vendors() -> Result {
    let project = Project::new("")?;
    let vendor = format!("phial-build-{}.example", std::process::id());
    std::fs::create_dir_all("/var/run/cdi")?;
    let specification = Specification(format!("/var/run/cdi/{vendor}.yaml").into());
    let text = format!(
        "cdiVersion: \"0.8.0\"\nkind: {vendor}/gpu\ndevices:\n  - name: zero\n    containerEdits:\n      env: [GPU=zero]\n      \
         deviceNodes:\n        - path: /dev/gpu0\n          hostPath: /dev/zero\n"
    );
    std::fs::write(&specification.0, text)?;
    let run =
        |device: &str| format!("FROM base\nRUN --device={device} echo $GPU $(head -c 3 /dev/gpu0 | wc -c) > /seen\n");
    let zero = run(&format!("{vendor}/gpu=zero,required"));
    project.write("Dockerfile", &zero)?;
    let refused = project.build(&[])?.exited(1)?;
    assert!(refused.stderr.contains("--allow device"), "{refused:?}");
    assert_eq!(
        project.made(&zero, &["--allow", "device"], "cat /seen; ls /dev/gpu0 2>/dev/null || echo gone")?,
        "zero 3\ngone"
    );
    project.write("Dockerfile", &zero)?;
    project.build(&[])?.exited(1)?;
    // One that is not there is missed by who needs it.
    let absent = format!("{vendor}/gpu=one");
    project.write("Dockerfile", &run(&format!("{absent},required")))?;
    let missed = project.build(&["--allow", "device"])?.exited(1)?;
    assert!(missed.stderr.contains(&absent), "{missed:?}");
    let optional = format!("FROM base\nRUN --device={absent} echo \"<$GPU>\" > /seen\n");
    assert_eq!(project.made(&optional, &["--allow", "device"], "cat /seen")?, "<>");
    // A file of the host is none of a vendor's.
    for device in ["/dev/zero", "/dev/zero:/dev/gpu0:rwm"] {
        project.write("Dockerfile", &run(device))?;
        let refused = project.build(&["--allow", "device"])?.exited(1)?;
        assert!(refused.stderr.contains(device), "{refused:?}");
    }
    Ok(())
}

#[test]
fn commands_for_other_processors() -> Result {
    let project = Project::new("FROM scratch\nCOPY Dockerfile /\n")?;
    // One for which nobody has a handler.
    let flags = ["--platform", "linux/vax"];
    project.build(&[&flags[..], &["-t", "foreign"]].concat())?.exited(0)?;
    assert_eq!(project.phial().inspect("foreign")?["Architecture"], "vax");
    project.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\nRUN [\"/x\"]\n")?;
    let refused = project.build(&flags)?.exited(1)?;
    for part in ["commands for linux/vax cannot be run on this host", "Dockerfile:3:1", "qemu-user-static"] {
        assert!(refused.stderr.contains(part), "{part}: {refused:?}");
    }
    Ok(())
}
