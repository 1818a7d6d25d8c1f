//! How commands run: as whom, in which network, with which limits.

use end_to_end::{Project, Result};

#[test]
fn place_user_and_environment() -> Result {
    let project = Project::new("")?;
    let cases = [
        ("USER reader\nRUN id -un > /tmp/x; stat -c %U /tmp/x >> /tmp/x\n", "reader\nreader"),
        ("USER 12345:678\nRUN id -u > /tmp/x; id -g >> /tmp/x\n", "12345\n678"),
        ("USER reader\nUSER root\nRUN id -un > /tmp/x\n", "root"),
        ("WORKDIR /made/here\nRUN pwd > /tmp/x\n", "/made/here"),
        ("ENV A=1 B=$A\nRUN echo \"$A$B\" > /tmp/x\n", "1"),
        ("RUN hostname > /tmp/x\n", "buildkitsandbox"),
        ("SHELL [\"/bin/sh\", \"-ec\"]\nRUN echo $- | tr -cd e > /tmp/x\n", "e"),
        ("RUN [\"/bin/sh\", \"-c\", \"echo $0 > /tmp/x\", \"zero\"]\n", "zero"),
        ("RUN <<END\necho one > /tmp/x\necho two >> /tmp/x\nEND\n", "one\ntwo"),
        ("RUN test -t 0 || echo none > /tmp/x; cat >> /tmp/x\n", "none"),
    ];
    for (lines, expected) in cases {
        let printed = project.made(&format!("FROM base\n{lines}"), &[], "cat /tmp/x")?;
        assert_eq!(printed, expected, "{lines}");
    }
    Ok(())
}

#[test]
fn limits_and_names_of_hosts() -> Result {
    let project = Project::new("")?;
    let cases: [(&[&str], &str, &str); 5] = [
        (&["--ulimit", "nofile=123:456"], "ulimit -Sn; ulimit -Hn", "123\n456"),
        (&["--shm-size", "3m"], "df -k /dev/shm | tail -n 1 | awk '{print $2}'", "3072"),
        (&["--add-host", "peer:192.0.2.7"], "grep peer /etc/hosts | awk '{print $1}'", "192.0.2.7"),
        (&["--add-host=six=2001:db8::7"], "grep six /etc/hosts | awk '{print $1}'", "2001:db8::7"),
        (&["--build-arg", "BUILDKIT_SANDBOX_HOSTNAME=vessel"], "hostname", "vessel"),
    ];
    for (flags, script, expected) in cases {
        let file = format!("FROM base\nRUN ({script}) > /seen\n");
        assert_eq!(project.made(&file, flags, "cat /seen")?, expected, "{flags:?}");
    }
    // What was made for a command is nothing of its image.
    let left = "FROM base AS from\nRUN true\nFROM base\nCOPY --from=from /etc /got\n";
    assert_eq!(project.made(left, &[], "ls -A /got")?, "group\nmotd\npasswd");
    Ok(())
}

#[test]
fn networks() -> Result {
    let project = Project::new("FROM base\nRUN ls /sys/class/net > /seen\n")?;
    let seen = |flags: &[&str]| project.in_image(&project.id(flags)?, "cat /seen");
    assert_eq!(seen(&["--network", "none"])?, "lo");
    assert_eq!(seen(&["--network", "default"])?, "eth0\nlo");
    let host = seen(&["--network", "host"])?;
    let mut own: Vec<_> = std::fs::read_dir("/sys/class/net")?.flatten().map(|entry| entry.file_name()).collect();
    own.sort();
    // Others start and end networks meanwhile.
    assert!(own.iter().any(|name| host.contains(&*name.to_string_lossy())) && !host.contains("eth0@"), "{host}");
    let file = "FROM base\nRUN --network=none ls /sys/class/net > /seen\n";
    assert_eq!(project.made(file, &["--network", "default"], "cat /seen")?, "lo");
    project.write("Dockerfile", "FROM base\nRUN ls /\n")?;
    let wrong = project.build(&["--network", "nowhere"])?.exited(1)?;
    assert!(wrong.stderr.contains("nowhere"), "{wrong:?}");
    Ok(())
}

/// What docker's builder refuses: a command that reaches a container by its name.
#[test]
fn a_network_of_ours_with_real_traffic() -> Result {
    let project = Project::new("FROM base\nRUN wget -q -O /page http://web:8000/page\n")?;
    let phial = project.phial();
    phial.ok(&["network", "create", "building"])?;
    let serve = "mkdir /www; echo served > /www/page; httpd -p 8000 -h /www && echo ready && sleep 1000000";
    project.stage.start_ready(&["--name", "web", "--network", "building"], serve)?;
    let id = project.id(&["--network", "building"])?;
    assert_eq!(project.in_image(&id, "cat /page")?, "served");
    let elsewhere = project.build(&["--no-cache", "--network", "none"])?.exited(1)?;
    assert!(elsewhere.stderr.contains("bad address"), "{elsewhere:?}");
    phial.ok(&["rm", "-f", "web"])?;
    phial.ok(&["network", "rm", "building"]).map(drop)
}

#[test]
fn more_than_a_container_has_must_be_allowed() -> Result {
    let project = Project::new("")?;
    let insecure = "FROM base\nRUN --security=insecure grep CapEff /proc/self/status > /seen\n";
    let host = "FROM base\nRUN --network=host readlink /proc/self/ns/net > /seen\n";
    for (file, what) in [(insecure, "security.insecure"), (host, "network.host")] {
        project.write("Dockerfile", file)?;
        let refused = project.build(&[])?.exited(1)?;
        assert!(refused.stderr.contains(&format!("--allow {what}")), "{refused:?}");
    }
    let all = project.made(insecure, &["--allow", "security.insecure"], "cat /seen")?;
    assert!(
        u64::from_str_radix(all.split_whitespace().last().unwrap_or_default(), 16).unwrap_or_default().count_ones()
            > 30,
        "{all}"
    );
    let own = std::fs::read_link("/proc/self/ns/net")?.display().to_string();
    assert_eq!(project.made(host, &["--allow", "network.host"], "cat /seen")?, own);
    // What was made by somebody who is allowed to is for nobody else.
    for file in [insecure, host] {
        project.write("Dockerfile", file)?;
        project.build(&[])?.exited(1)?;
    }
    Ok(())
}

/// As `docs/cdi.md` of `BuildKit` has it: a device is one of a specification, and need not be there unless that is said.
#[test]
fn devices_of_vendors() -> Result {
    let vendor = format!("phial-build-{}.example", std::process::id());
    std::fs::create_dir_all("/var/run/cdi")?;
    let specification = format!("/var/run/cdi/phial-build-{}.json", std::process::id());
    let text = r#"{"cdiVersion": "0.6.0", "kind": "VENDOR/x", "devices": [{"name": "a", "containerEdits": {"env": ["GIVEN=a"]}}]}"#;
    std::fs::write(&specification, text.replace("VENDOR", &vendor))?;
    let built = devices(&vendor);
    std::fs::remove_file(&specification)?;
    built
}

fn devices(vendor: &str) -> Result {
    let project = Project::new("")?;
    let file = |device: &str| format!("FROM base\nRUN --device={device} echo \"[$GIVEN]\" > /seen\n");
    let (there, absent) = (format!("{vendor}/x=a"), format!("{vendor}/x=b"));
    let allow = format!("device={there}");
    assert_eq!(project.made(&file(&there), &["--allow", &allow], "cat /seen")?, "[a]");
    assert_eq!(project.made(&file(&absent), &["--allow", "device"], "cat /seen")?, "[]");
    for (device, allow, why) in [
        (format!("{absent},required"), "device", "no CDI specification"),
        (absent, allow.as_str(), "has to be allowed"),
        ("/dev/null".to_owned(), "device", "it is no device of a CDI specification"),
    ] {
        project.write("Dockerfile", &file(&device))?;
        let refused = project.build(&["--allow", allow])?.exited(1)?;
        assert!(refused.stderr.contains(why), "{device}: {refused:?}");
    }
    Ok(())
}
