//! What commands see besides their layers, and that nothing of it stays.

use end_to_end::{Project, Result};

#[test]
fn a_cache_is_kept_between_builds() -> Result {
    let project = Project::new("")?;
    let counts = |round: &str, flags: &str| {
        format!(
            "FROM base\nRUN --mount=type=cache,target=/cache{flags} echo {round} >> /cache/rounds; wc -l < /cache/rounds > /seen\n"
        )
    };
    assert_eq!(project.made(&counts("1", ""), &[], "cat /seen; ls -d /cache 2>&1 | grep -c No")?, "1\n1");
    assert_eq!(project.made(&counts("2", ""), &[], "cat /seen")?, "2");
    assert_eq!(project.made(&counts("3", ",id=other"), &[], "cat /seen")?, "1");
    assert_eq!(project.made(&counts("4", ",sharing=private"), &[], "cat /seen")?, "3");
    assert_eq!(project.made(&counts("5", ""), &["--no-cache"], "cat /seen")?, "4");
    let namespace = ["--build-arg", "BUILDKIT_CACHE_MOUNT_NS=team"];
    assert_eq!(project.made(&counts("6", ""), &namespace, "cat /seen")?, "1");
    let owned = "FROM base\nRUN --mount=type=cache,target=/owned,uid=1000,gid=2000,mode=0700 stat -c '%u:%g %a' /owned > /seen\n";
    assert_eq!(project.made(owned, &[], "cat /seen")?, "1000:2000 700");
    let begins = "FROM base AS from\nRUN mkdir /d && echo begun > /d/file\nFROM base\n\
                  RUN --mount=type=cache,target=/begun,from=from,source=/d cat /begun/file > /seen\n";
    assert_eq!(project.made(begins, &[], "cat /seen")?, "begun");
    let read_only =
        "FROM base\nRUN --mount=type=cache,target=/begun,ro touch /begun/x 2>/dev/null || echo refused > /seen\n";
    assert_eq!(project.made(read_only, &[], "cat /seen")?, "refused");
    // They are volumes, which everybody can look at and remove.
    assert!(project.phial().ok(&["volume", "ls", "-q"])?.lines().any(|name| name.starts_with("cache-")));
    Ok(())
}

/// One command that sees a directory twice, or two of which each wants what the other has, waits for nobody.
#[test]
fn several_locked_caches_at_once() -> Result {
    let project = Project::new("")?;
    let twice = "FROM base\nRUN --mount=type=cache,id=a,target=/1,sharing=locked \
                 --mount=type=cache,id=a,target=/2,sharing=locked echo x > /1/file; cat /2/file > /seen\n";
    assert_eq!(project.made(twice, &[], "cat /seen")?, "x");
    let private = "FROM base\nRUN --mount=type=cache,id=b,target=/1,sharing=private \
                   --mount=type=cache,id=b,target=/2,sharing=private echo x > /1/file; cat /2/file > /seen\n";
    assert_eq!(project.made(private, &[], "cat /seen")?, "x");
    let mount = |id: &str| format!("--mount=type=cache,id={id},target=/{id},sharing=locked");
    let (one, two) = (mount("c"), mount("d"));
    let stages = |number: usize| {
        let (first, second) = if number.is_multiple_of(2) { (&one, &two) } else { (&two, &one) };
        format!(
            "FROM base AS s{number}\nRUN {first} {second} echo {number} >> /c/all; echo {number} >> /d/all; touch /made{number}\n"
        )
    };
    let all: String = (0..8).map(stages).collect();
    let copies = (0..8).map(|number| format!("COPY --from=s{number} /made{number} /\n")).collect::<Vec<_>>().concat();
    let last = format!(
        "{all}FROM base\n{copies}RUN {one} {two} sort -u /c/all | wc -l > /seen; sort -u /d/all | wc -l >> /seen\n"
    );
    assert_eq!(project.made(&last, &[], "cat /seen")?, "8\n8");
    Ok(())
}

#[test]
fn what_is_written_to_a_bind_is_gone() -> Result {
    let project = Project::new("")?;
    project.write("dir/file", "of the context\n")?;
    let read_only =
        "FROM base\nRUN --mount=target=/c cat /c/dir/file > /seen; touch /c/x 2>/dev/null || echo refused >> /seen\n";
    assert_eq!(project.made(read_only, &[], "cat /seen")?, "of the context\nrefused");
    let writable = "FROM base\nRUN --mount=target=/c,source=dir,rw echo new > /c/new; rm /c/file; ls /c > /seen\n\
                    RUN --mount=target=/c,source=dir,rw ls /c >> /seen\n";
    assert_eq!(project.made(writable, &[], "cat /seen; ls -d /c 2>/dev/null || echo gone")?, "new\nfile\ngone");
    assert_eq!(std::fs::read_dir(project.dir().join("dir"))?.count(), 1);
    let of_stage = "FROM base AS from\nRUN mkdir /d && echo kept > /d/file\nFROM base\n\
                    RUN --mount=from=from,source=/d,target=/d,rw rm /d/file\n\
                    RUN --mount=from=from,source=/d,target=/d cat /d/file > /seen\n";
    assert_eq!(project.made(of_stage, &[], "cat /seen")?, "kept");
    let one_file = "FROM base\nRUN --mount=source=dir/file,target=/etc/one cat /etc/one > /seen\n";
    assert_eq!(project.made(one_file, &[], "cat /seen; ls /etc/one 2>/dev/null || echo gone")?, "of the context\ngone");
    Ok(())
}

#[test]
fn a_file_system_in_memory() -> Result {
    let project = Project::new("")?;
    let file = "FROM base\nRUN --mount=type=tmpfs,target=/memory,size=1m df -k /memory | tail -n 1 | awk '{print $2}' > /seen; echo x > /memory/x\n";
    assert_eq!(project.made(file, &[], "cat /seen; ls -d /memory 2>/dev/null || echo gone")?, "1024\ngone");
    let existing = "FROM base\nRUN echo kept > /tmp/kept\nRUN --mount=type=tmpfs,target=/tmp ls -A /tmp > /seen; echo x > /tmp/x\n";
    assert_eq!(project.made(existing, &[], "cat /seen; ls -A /tmp")?, "kept");
    Ok(())
}

/// Mount points that were made are gone, and directories that have had them are as they were.
#[test]
fn nothing_is_left_of_mount_points() -> Result {
    let project = Project::new("")?;
    project.write("file", "x")?;
    let file = "FROM base\nRUN --mount=type=tmpfs,target=/made/deep/er --mount=type=cache,target=/home/reader/.cache \
                --mount=source=file,target=/etc/file --mount=type=secret,id=s,target=/run/secrets/s true\n";
    let tree = "find / -xdev -path /proc -prune -o -path /sys -prune -o -path /dev -prune -o -path /etc/host\\* -prune \
                -o -path /etc/resolv.conf -prune -o -print0 | sort -z | xargs -0 stat -c '%n %F %a %u:%g %Y' | grep -v '^/etc d\\|^/ d'";
    let before = project.made("FROM base\n", &[], tree)?;
    let after = project.made(file, &[], tree)?;
    assert!(before.lines().count() > 100, "{before}");
    assert_eq!(after, before);
    // What a command makes of them stays.
    let used = "FROM base\nRUN --mount=type=tmpfs,target=/made/deep true && echo mine > /made/own\n";
    assert_eq!(project.made(used, &[], "find /made")?, "/made\n/made/own");
    Ok(())
}
