//! Hostile images: pulled, unpacked and run by `phial`. Other runtimes have no part in this.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use end_to_end::process::{find, run};
use end_to_end::{Context, Result};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::json;
use tar::{EntryType, Header};

use crate::harness::{Row, Verdict};

/// One entry of a layer: name, kind, what it is a link to, mode.
type Entry<'a> = (&'a str, EntryType, &'a str, u32);

/// An archive of these entries, whose files say "mine". Nothing is checked: names go in as they are.
fn archive(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, kind, link, mode) in entries {
        let data: &[u8] = if *kind == EntryType::Regular { b"mine" } else { b"" };
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(*mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_000_000_000);
        header.set_size(u64::try_from(data.len()).unwrap_or_default());
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(data);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

const FILE: EntryType = EntryType::Regular;
const DIRECTORY: EntryType = EntryType::Directory;
const SYMLINK: EntryType = EntryType::Symlink;
const HARD_LINK: EntryType = EntryType::Link;

/// Mechanism: names and links of a layer lead out of the directory that it is unpacked into: at once, through a link of
/// an earlier entry, through a directory that was one when it was looked at, through a hard link and its mode.
#[test]
fn cve_2014_9357_layers_that_lead_out() -> Result {
    let name =
        "CVE-2014-6407, CVE-2014-6408, CVE-2014-9357, CVE-2020-10696, CVE-2021-32760, CVE-2025-47290, CVE-2026-17106";
    Row { name, attack: "names and links of layers that lead out" }.probe_engine(|engine| {
        let victim = engine.victim().display().to_string();
        let (secret, up) = (format!("{victim}/secret"), format!("{}{victim}/new", "../".repeat(9)));
        let absolute = format!("{victim}/new");
        let link = ("d", SYMLINK, victim.as_str(), 0o777);
        let layers: [&[Entry<'_>]; 13] = [
            &[(&up, FILE, "", 0o644)],
            &[(&absolute, FILE, "", 0o644)],
            &[link, ("d/new", FILE, "", 0o644)],
            &[link, ("d/secret", FILE, "", 0o777)],
            &[link, ("d/directory", DIRECTORY, "", 0o777), ("d/directory/new", FILE, "", 0o644)],
            &[link, ("d/", DIRECTORY, "", 0o1777)],
            &[("d", DIRECTORY, "", 0o755), ("d/a", FILE, "", 0o644), link, ("d/b", FILE, "", 0o644)],
            &[("l", HARD_LINK, &secret, 0o777), ("l", FILE, "", 0o644)],
            &[link, ("l", HARD_LINK, "d/secret", 0o4777), ("l", FILE, "", 0o644)],
            &[("s", SYMLINK, &secret, 0o4777), ("l", HARD_LINK, "s", 0o4777), ("l", FILE, "", 0o644)],
            &[("f", FILE, "", 0o644), link, ("d/new", HARD_LINK, "f", 0o777)],
            &[link, ("d/.wh.secret", FILE, "", 0o644), ("d/.wh..wh..opq", FILE, "", 0o644)],
            &[link, ("d/fifo", EntryType::Fifo, "", 0o644), ("d/node", EntryType::Char, "", 0o666)],
        ];
        for (number, entries) in layers.iter().enumerate() {
            let image = engine.archive(&format!("layer{number}"), &archive(entries))?;
            engine.phial(&["pull", &image])?;
            let verdict = engine.untouched();
            if verdict != Verdict::Held {
                return Ok(verdict);
            }
        }
        Ok(Verdict::Held)
    })
}

/// Mechanism: a number that is asked for is first looked up as a name, or wraps when it is made smaller, and the image's
/// files give it to root.
#[test]
fn cve_2016_3697_users_by_number() -> Result {
    let name = "CVE-2016-3697, CVE-2024-40635, CVE-2026-46680";
    Row { name, attack: "users by number whom the image calls root" }.probe_engine(|engine| {
        const NUMBERS: [&str; 8] =
            ["1000", "01000", "2147483648", "4294967295", "4294967296", "4294968296", "-1", "18446744073709551616"];
        let image = engine.image("users", json!({"User": "1000"}), |tree| {
            let lines = |end: &str| NUMBERS.map(|number| format!("{number}:x:0:{end}\n")).concat();
            fs::create_dir(tree.join("etc"))?;
            fs::write(tree.join("etc/passwd"), format!("root:x:0:0::/:/bin/sh\n{}", lines("0::/:/bin/sh")))?;
            fs::write(tree.join("etc/group"), format!("root:x:0:\n{}", lines(""))).map_err(Into::into)
        })?;
        let own = engine.run(&[], &image, "id -u")?.success()?;
        if own.trim() != "1000" {
            return Ok(Verdict::Broken(format!("user 1000 of the image runs as {}", own.trim())));
        }
        for user in NUMBERS.into_iter().flat_map(|number| [number.to_owned(), format!("5:{number}")]) {
            let told = engine.run(&["--user", &user], &image, "echo $(id -u) $(id -g)")?;
            let (uid, gid) = told.stdout.trim().split_once(' ').unwrap_or_default();
            let root = uid == "0" || user.contains(':') && gid == "0";
            if told.code == 0 && root {
                return Ok(Verdict::Broken(format!("--user {user} is {}", told.stdout.trim())));
            }
        }
        Ok(Verdict::Held)
    })
}

/// Mechanism: users are looked up in files of the image, which are a pipe that nobody writes to, a device, or huge.
#[test]
fn cve_2026_47262_files_of_users_in_images() -> Result {
    Row { name: "CVE-2026-47262, CVE-2024-9676", attack: "/etc/passwd of an image is a pipe, a link out, or huge" }
        .probe_engine(|engine| {
            let secret = engine.victim().join("secret");
            for kind in ["pipe", "device", "link", "huge", "directory"] {
                let image = engine.image(kind, json!({"User": "daemon"}), |tree| {
                    fs::create_dir(tree.join("etc"))?;
                    for file in ["etc/passwd", "etc/group"].map(|name| tree.join(name)) {
                        match kind {
                            "pipe" => mknodat(CWD, &file, FileType::Fifo, Mode::from_raw_mode(0o644), 0)?,
                            "device" => symlink("/dev/zero", &file)?,
                            "link" => symlink(&secret, &file)?,
                            "huge" => fs::write(&file, vec![b'x'; 64 << 20])?,
                            _ => fs::create_dir(&file)?,
                        }
                    }
                    Ok(())
                })?;
                for options in [&[][..], &["--user", "nobody"], &["--user", "1000"]] {
                    // To wait for ever is what is not to happen. The program itself looks nobody up.
                    engine.phial(&[&["run", "--rm"], options, &[&image, "true"]].concat())?;
                }
            }
            Ok(engine.untouched())
        })
}

/// Mechanism: the groups of a user are those of the image's file alone, without his primary one, so that what is
/// forbidden to that group is not forbidden to him.
#[test]
fn cve_2022_36109_groups_of_images() -> Result {
    Row { name: "CVE-2022-36109, CVE-2022-2989, CVE-2022-2990", attack: "the primary group is missing" }.probe_engine(
        |engine| {
            let image = engine.image("groups", json!({}), |tree| {
                fs::create_dir(tree.join("etc"))?;
                fs::write(tree.join("etc/passwd"), "root:x:0:0::/:/bin/sh\nsomebody:x:1000:1001::/:/bin/sh\n")?;
                fs::write(tree.join("etc/group"), "root:x:0:\nown:x:1001:\nmore:x:7:somebody\n").map_err(Into::into)
            })?;
            for (user, expected) in [("somebody", &["1001", "7"][..]), ("1000:1001", &["1001"]), ("1000", &["1001"])] {
                let groups =
                    "while read name rest; do test $name = Groups: && echo $rest; done < /proc/self/status; true";
                let told = engine.run(&["--user", user], &image, groups)?.success()?;
                let words: Vec<&str> = told.split_whitespace().collect();
                if let Some(missing) = expected.iter().find(|group| !words.contains(group)) {
                    return Ok(Verdict::Broken(format!("{user} has {words:?}, without {missing}")));
                }
            }
            Ok(Verdict::Held)
        },
    )
}

/// Mechanism: the engine writes or mounts files of its own (`/etc/hosts`, …) and makes the working directory, where the
/// image has links to the host.
#[test]
fn cve_2024_5154_files_of_the_engine() -> Result {
    let name = "CVE-2024-5154, CVE-2024-9341, CVE-2026-55686, CVE-2022-23648";
    Row { name, attack: "what the engine puts into an image is a link there" }.probe_engine(|engine| {
        let victim = engine.victim();
        let image = engine.image("links", json!({"WorkingDir": "/srv/new/deeper"}), |tree| {
            fs::create_dir(tree.join("etc"))?;
            for name in ["etc/hosts", "etc/resolv.conf", "etc/hostname", "etc/mtab", ".dockerenv", "dev"] {
                symlink(victim.join("secret"), tree.join(name))?;
            }
            symlink(victim.join("directory"), tree.join("srv"))?;
            symlink(&victim, tree.join("data")).map_err(Into::into)
        })?;
        let tmpfs = ["--tmpfs", "/data/directory"];
        for options in [&[][..], &["--hostname", "x"], &tmpfs, &["--workdir", "/data/new"], &["--init"]] {
            engine.run(options, &image, "echo x > /etc/hosts; touch /data/new; true")?;
            let verdict = engine.untouched();
            if verdict != Verdict::Held {
                return Ok(verdict);
            }
        }
        Ok(Verdict::Held)
    })
}

/// Mechanism: users of the host enter the directories where layers lie, and execute what a layer has with the
/// set-user-id bit, or write where root of a container may.
#[test]
fn cve_2021_41091_directories_of_the_engine() -> Result {
    let name = "CVE-2021-41091, CVE-2021-41103, CVE-2024-25621, CVE-2021-21284";
    Row { name, attack: "users of the host enter the store" }.probe_engine(|engine| {
        let image = engine.image("suid", json!({}), |tree| {
            let file = tree.join("suid");
            fs::write(&file, "#!/bin/sh\n")?;
            fs::set_permissions(&file, fs::Permissions::from_mode(0o4755)).map_err(Into::into)
        })?;
        let id = engine.phial(&["run", "-d", &image, "sleep", "1000"])?.success()?;
        for directory in engine.directories() {
            // The test's own directory is root's as well, so the modes are looked at, and the way is tried from inside.
            for file in [&directory, &directory.join("layers"), &directory.join("containers")] {
                let Ok(found) = fs::metadata(file) else { continue };
                if found.permissions().mode() & 0o007 != 0 && file == &directory {
                    let mode = found.permissions().mode() & 0o7777;
                    return Ok(Verdict::Broken(format!("{} has mode {mode:o}", shown(file))));
                }
            }
            let setpriv = find("setpriv").context("setpriv is missing: Debian's util-linux has it")?;
            let mut ls = std::process::Command::new(setpriv);
            ls.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "ls"]).arg(".").current_dir(&directory);
            if run(&mut ls)?.code == 0 {
                return Ok(Verdict::Broken(format!("anybody can list {}", shown(&directory))));
            }
        }
        engine.phial(&["rm", "-f", id.trim()])?;
        Ok(Verdict::Held)
    })
}

fn shown(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Mechanism: a variable of the image without a value, or with a pattern, is filled from the environment of the engine.
#[test]
fn cve_2021_3602_variables_of_the_host() -> Result {
    let name = "CVE-2021-3602, CVE-2021-21334, CVE-2020-14370, CVE-2026-57231";
    Row { name, attack: "variables of the host in the image's environment" }.probe_engine(|engine| {
        let config = json!({"Env": ["PATH=/bin:/usr/bin", "PHIAL_ROOT", "PHIAL_R*", "HOME", "X=$PHIAL_ROOT", "Y=${PHIAL_ROOT}"]});
        let image = engine.image("variables", config, |tree| fs::write(tree.join("x"), "").map_err(Into::into))?;
        let told = engine.run(&[], &image, "env; cat /proc/self/environ /proc/1/environ")?.success()?;
        let [root, _] = engine.directories();
        let leaks = told.contains(&root.display().to_string());
        Ok(Verdict::held_if(!leaks, || "PHIAL_ROOT of the host is in the container".to_owned()))
    })
}

/// Mechanism: the supervisor listens on an abstract socket, which whoever has the host's network can reach.
#[test]
fn cve_2020_15257_abstract_sockets() -> Result {
    Row { name: "CVE-2020-15257", attack: "abstract sockets of the supervisor" }.probe_engine(|engine| {
        let image = engine.image("sockets", json!({}), |tree| fs::write(tree.join("x"), "").map_err(Into::into))?;
        let before = abstract_sockets()?;
        let id = engine.phial(&["run", "-d", &image, "sleep", "1000"])?.success()?;
        let ours: Vec<String> = abstract_sockets()?
            .into_iter()
            .filter(|socket| !before.contains(socket))
            .filter(|socket| socket.contains("phial") || socket.contains(id.trim()))
            .collect();
        engine.phial(&["rm", "-f", id.trim()])?;
        Ok(Verdict::held_if(ours.is_empty(), || format!("abstract sockets: {ours:?}")))
    })
}

/// Names of the abstract sockets of this network namespace (`proc_pid_net(5)`).
fn abstract_sockets() -> Result<Vec<String>> {
    let table = fs::read_to_string("/proc/net/unix")?;
    let names = table.lines().filter_map(|line| line.split_whitespace().nth(7));
    Ok(names.filter(|name| name.starts_with('@')).map(str::to_owned).collect())
}

/// Mechanism: files of the kernel that the engine's own defaults must hide, keep read-only, or refuse.
#[test]
fn cve_2020_8694_defaults_of_the_engine() -> Result {
    let name = "CVE-2020-8694, GHSA-6fw5-f8r9-fgfm, CVE-2022-0492";
    Row { name, attack: "files of the kernel, with the engine's defaults" }.probe_engine(|engine| {
        let image = engine.image("kernel", json!({}), |tree| fs::create_dir(tree.join("mnt")).map_err(Into::into))?;
        let script = "for path in /proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats \
               /proc/sched_debug /proc/scsi /proc/timer_list /sys/devices/virtual/powercap /sys/firmware; do \
               if test -d $path; then test -z \"$(ls -A $path)\" || echo open: $path; \
               elif test -e $path; then test -z \"$(head -c 1 $path)\" || echo open: $path; fi; \
             done; \
             for path in /proc/sysrq-trigger /proc/sys/kernel/core_pattern /sys/kernel/uevent_helper /sys/fs/cgroup/release_agent \
               /sys/fs/cgroup/*/release_agent; do test -e $path && (: >> $path) 2>/dev/null && echo open: $path; done; \
             unshare -Urm true 2>/dev/null && echo open: unshare; \
             mount -t tmpfs none /mnt 2>/dev/null && echo open: mount; \
             mknod /mnt/mem c 1 1 2>/dev/null; (: < /mnt/mem) 2>/dev/null && echo open: mem; true";
        let told = engine.run(&[], &image, script)?.success()?;
        let open = told.lines().find(|line| line.starts_with("open: ")).map(str::to_owned);
        Ok(open.map_or(Verdict::Held, Verdict::Broken))
    })
}
