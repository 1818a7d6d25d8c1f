//! Users and groups, by name and by number.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use end_to_end::Result;
use end_to_end::process::program;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::json;

use crate::harness::scene::ID;
use crate::harness::{Row, Scene, Verdict};

/// Mechanism: numbers of users that do not fit the type they are kept in become 0; the highest one means "no change" to
/// the system calls, so that the process stays root.
#[test]
fn cve_2024_40635_ids_out_of_range() -> Result {
    Row { name: "CVE-2024-40635", attack: "users and groups out of range" }.probe(|runtime| {
        for field in ["uid", "gid"] {
            for id in [2_147_483_648_i64, 4_294_967_295, 4_294_967_296, 4_294_967_297, 1 << 62, -1] {
                let mut scene = Scene::new(runtime)?;
                scene.config["process"]["user"] = json!({"uid": 1, "gid": 1});
                scene.config["process"]["user"][field] = json!(id);
                scene.script("id -u; id -g");
                let told = scene.run()?;
                let expected = id.to_string();
                if told.is_done() && !told.stdout.lines().any(|line| line == expected) {
                    return Ok(Verdict::Broken(format!("{field} {id} became {:?}", told.stdout)));
                }
            }
        }
        Ok(Verdict::Held)
    })
}

/// Mechanism: `exec --user 1` ran as root, because the number was parsed into the wrong place.
#[test]
fn cve_2026_30892_users_of_exec() -> Result {
    Row { name: "CVE-2026-30892", attack: "exec --user with a number" }.probe(|runtime| {
        let mut scene = Scene::new(runtime)?;
        fs::write(
            scene.inside("etc/passwd"),
            "root:x:0:0::/:/bin/sh\n1:x:0:0::/:/bin/sh\n4294967296:x:0:0::/:/bin/sh\n",
        )?;
        scene.arguments(&["sleep", "1000"]);
        scene.start()?;
        for (user, expected) in [("1", "1 0"), ("1:2", "1 2"), ("0:5", "0 5"), ("65534:65534", "65534 65534")] {
            let told = scene.exec(&["--user", user, ID, "sh", "-c", "echo $(id -u) $(id -g)"])?;
            if told.is_done() && told.stdout.trim() != expected {
                return Ok(Verdict::Broken(format!("--user {user} is {}", told.stdout.trim())));
            }
        }
        for user in ["-1", "4294967295", "4294967296", "18446744073709551616", "0x1", "1:4294967295", ":", "1:"] {
            let told = scene.exec(&["--user", user, ID, "id", "-u"])?;
            if told.is_done() && told.stdout.trim() == "0" {
                return Ok(Verdict::Broken(format!("--user {user} is root")));
            }
        }
        Ok(Verdict::Held)
    })
}

/// Mechanism: the runtime looks the home directory up in a file of the image, which is a pipe that nobody writes to, or
/// has no end.
#[test]
fn cve_2026_47262_endless_files_of_users() -> Result {
    Row { name: "CVE-2026-47262, CVE-2024-9676", attack: "/etc/passwd is a pipe, a device, or huge" }.probe(|runtime| {
        for kind in ["pipe", "device", "huge", "link to a pipe"] {
            let mut scene = Scene::new(runtime)?;
            for name in ["etc/passwd", "etc/group"] {
                let file = scene.inside(name);
                fs::remove_file(&file)?;
                match kind {
                    "pipe" => mknodat(CWD, &file, FileType::Fifo, Mode::from_raw_mode(0o644), 0)?,
                    "device" => symlink("/dev/zero", &file)?,
                    "huge" => fs::File::create(&file)?.set_len(1 << 33)?,
                    _ => {
                        let pipe = scene.inside("tmp/pipe");
                        if !pipe.exists() {
                            mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o644), 0)?;
                        }
                        symlink("/tmp/pipe", &file)?;
                    }
                }
            }
            scene.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
            // To wait for ever is what is not to happen: here, only a peer is ended.
            scene.run()?;
            scene.arguments(&["sleep", "1000"]);
            if scene.start().is_ok() {
                scene.exec(&["--user", "1001", ID, "true"])?;
            }
        }
        Ok(Verdict::Held)
    })
}

/// Mechanism: groups of whoever started the runtime stay with the container's process, or its own are not set.
#[test]
fn cve_2022_36109_supplementary_groups() -> Result {
    let name = "CVE-2022-36109, CVE-2022-2989, CVE-2022-2990, CVE-2022-2995, CVE-2023-25173";
    Row { name, attack: "groups of the host stay, or those of the container are missing" }.probe(|runtime| {
        let mut scene = Scene::new(runtime)?;
        let show = "while read name rest; do test $name = Groups: && echo $rest; done < /proc/self/status; true";
        scene.script(show);
        let run = |scene: &Scene| -> Result<String> {
            let command = scene.command(&["run", ID])?;
            let mut with_groups = Command::new(program("setpriv", "util-linux")?);
            with_groups.args(["--groups", "4242,4243"]).arg(command.get_program()).args(command.get_args());
            with_groups.current_dir(scene.path("bundle"));
            scene.runtime.finish(&mut with_groups, &scene.path("state"))?.success()
        };
        let none = run(&scene)?;
        if none.contains("424") {
            return Ok(Verdict::Broken(format!("the process has groups of the host: {}", none.trim())));
        }
        scene.config["process"]["user"] = json!({"uid": 1000, "gid": 1001, "additionalGids": [7, 8, 1001]});
        let some = run(&scene)?;
        let missing = ["7", "8", "1001"].into_iter().find(|group| !some.split_whitespace().any(|word| word == *group));
        Ok(Verdict::held_if(missing.is_none() && !some.contains("424"), || format!("its groups are {}", some.trim())))
    })
}
