//! Programs, descriptors and powers of processes.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use end_to_end::image::digest_of_file;
use end_to_end::process::program;
use end_to_end::{Context, Failure, Result};
use serde_json::json;

use crate::harness::runtime::Told;
use crate::harness::scene::ID;
use crate::harness::{Row, Scene, Verdict};

/// Mechanism: a descriptor of a directory of the host stays open in the new process. As `/proc/self/fd/N` it becomes the
/// working directory, from which `..` leads to the root of the host.
#[test]
fn cve_2024_21626_working_directories_outside() -> Result {
    Row { name: "CVE-2024-21626", attack: "the working directory is a descriptor of the host's" }.probe(|runtime| {
        let mut scene = Scene::new(runtime)?;
        let secret = scene.victim().join("secret").display().to_string();
        let look = format!("for up in . .. ../.. ../../../../../../..; do cat $up{secret} 2>/dev/null; done; pwd");
        let out = |told: &str| told.contains("secret of the host") || told.lines().any(|line| !line.starts_with('/'));
        symlink("/proc/self/fd", scene.inside("link"))?;
        for number in 3..40 {
            scene.script(&look);
            let directory = if number % 2 == 0 { "/proc/self/fd" } else { "/link" };
            scene.config["process"]["cwd"] = json!(format!("{directory}/{number}"));
            let told = scene.run()?;
            if told.is_done() && out(&told.stdout) {
                return Ok(Verdict::Broken(format!("run: {directory}/{number} is on the host")));
            }
        }
        scene.config["process"]["cwd"] = json!("/");
        scene.arguments(&["sleep", "1000"]);
        scene.start()?;
        for number in 3..40 {
            let directory = format!("/proc/self/fd/{number}");
            let told = scene.exec(&["--cwd", &directory, ID, "sh", "-c", &look])?;
            if told.is_done() && out(&told.stdout) {
                return Ok(Verdict::Broken(format!("exec: {directory} is on the host")));
            }
        }
        Ok(scene.untouched())
    })
}

/// Mechanism: the same, seen from inside: whatever is open above the three streams came from the host.
#[test]
fn cve_2024_21626_leaked_descriptors() -> Result {
    Row { name: "CVE-2024-21626, CVE-2016-9962", attack: "descriptors that the program inherits" }.probe(|runtime| {
        let mut scene = Scene::new(runtime)?;
        scene.arguments(&["attacker", "fds"]);
        let run = scene.run()?.success()?;
        scene.arguments(&["sleep", "1000"]);
        scene.start()?;
        let exec = scene.exec(&[ID, "attacker", "fds"])?.success()?;
        let leaked = scene.without_names(&[run, exec].concat());
        Ok(Verdict::held_if(leaked.is_empty(), || format!("descriptors: {}", leaked.trim_end())))
    })
}

/// Mechanism: the entry point's interpreter is `/proc/self/exe`, or a process in the container opens `/proc/PID/exe` of
/// the runtime as it enters. As soon as nobody runs that file it can be written to: the runtime of the host.
#[test]
fn cve_2019_5736_the_runtime_is_overwritten() -> Result {
    Row { name: "CVE-2019-5736", attack: "the program of the runtime is written to from inside" }.probe(|runtime| {
        let scene = Scene::new(runtime)?;
        let copy = scene.path("state").join(runtime.program().file_name().context("a program has a name")?);
        fs::copy(runtime.program(), &copy)?;
        let before = digest_of_file(&copy)?;
        let mut scene = Scene::new(&runtime.at(copy.clone()))?;
        let script = scene.inside("bin/script");
        fs::write(&script, "#!/proc/self/exe\n")?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
        scene.arguments(&["script"]);
        scene.run()?;
        scene.arguments(&["attacker", "overwrite"]);
        scene.start()?;
        for _ in 0..100 {
            scene.exec(&[ID, "script"])?;
            scene.exec(&[ID, "true"])?;
        }
        scene.end()?;
        let won = fs::read_to_string(scene.inside("won")).unwrap_or_default();
        let same = digest_of_file(&copy)? == before;
        Ok(Verdict::held_if(same && won.is_empty(), || format!("its file has changed: {}; {won}", !same)))
    })
}

/// Mechanism: while a process enters the container, it still has descriptors, root and memory of the runtime. The first
/// process of the container looks into `/proc/PID` of every new one before it has given them up.
#[test]
fn cve_2016_9962_looking_into_who_enters() -> Result {
    Row { name: "CVE-2016-9962", attack: "processes that enter are looked into" }.probe(|runtime| {
        let mut scene = Scene::new(runtime)?;
        let secret = scene.victim().join("secret").display().to_string();
        scene.arguments(&["attacker", "peek", &secret]);
        scene.start()?;
        for _ in 0..200 {
            scene.exec(&[ID, "true"])?;
        }
        scene.end()?;
        let won = fs::read_to_string(scene.inside("won")).unwrap_or_default();
        Ok(Verdict::held_if(won.is_empty(), || scene.without_names(&won)))
    })
}

/// Mechanism: inheritable capabilities survive the execution of files that have them too, so that an unprivileged user
/// of the container gets them back; and a further process gets more than the container has.
#[test]
fn cve_2022_24769_inheritable_capabilities() -> Result {
    let name = "CVE-2022-24769, CVE-2022-27650, CVE-2022-29162, CVE-2025-27612";
    Row { name, attack: "inheritable capabilities, and exec with more than the container" }.probe(|runtime| {
        let mut scene = Scene::new(runtime)?;
        let show = "while read name value; do case $name in Cap*) echo $name$value;; esac; done < /proc/self/status";
        scene.script(show);
        let run = scene.run()?.success()?;
        scene.arguments(&["sleep", "1000"]);
        scene.start()?;
        let exec = scene.exec(&[ID, "sh", "-c", show])?.success()?;
        let more = scene.exec(&["--cap", "CAP_NET_ADMIN", ID, "sh", "-c", show])?.success()?;
        let user = scene.exec(&["--user", "1000", ID, "sh", "-c", show])?.success()?;
        let set = |text: &str, name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("f");
            u64::from_str_radix(line, 16).unwrap_or(u64::MAX)
        };
        for (what, text) in [("run", &run), ("exec", &exec), ("exec --cap", &more), ("exec --user", &user)] {
            if set(text, "CapInh:") != 0 {
                return Ok(Verdict::Broken(format!("{what}: the inheritable set is {:x}", set(text, "CapInh:"))));
            }
        }
        for (what, text) in [("exec", &exec), ("exec --user", &user)] {
            for name in ["CapBnd:", "CapPrm:", "CapEff:", "CapAmb:"] {
                if set(text, name) & !set(&run, name) != 0 {
                    return Ok(Verdict::Broken(format!("{what}: {name} has more than the container's")));
                }
            }
        }
        Ok(Verdict::Held)
    })
}

/// Mechanism: a command that lists a container's processes executes a program of the image, with the powers of the host.
#[test]
fn cve_2022_1227_programs_of_the_image() -> Result {
    Row { name: "CVE-2022-1227", attack: "`ps` executes a program of the image" }.probe(|runtime| {
        let mut scene = Scene::new(runtime)?;
        for name in ["ps", "nsenter", "criu", "newuidmap"] {
            let file = scene.inside("bin").join(name);
            fs::write(&file, "#!/bin/sh\ntouch /won\n")?;
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
        }
        scene.arguments(&["sleep", "1000"]);
        scene.start()?;
        for arguments in [&["ps", ID][..], &["list"], &["state", ID], &["kill", ID, "0"], &["events", "--stats", ID]] {
            scene.verb(arguments)?;
        }
        let won = scene.inside("won").exists();
        Ok(Verdict::held_if(!won, || "a program of the image was executed".to_owned()))
    })
}

/// Mechanism: a hook is a program of the host, with its powers. `LD_PRELOAD` of the image makes it load a file of the
/// image, which lies in its working directory.
#[test]
fn cve_2025_23266_environment_of_hooks() -> Result {
    Row { name: "CVE-2025-23266", attack: "hooks get the environment of the image" }.probe(|runtime| {
        let mut scene = Scene::new(runtime)?;
        let (hook, log) = (scene.path("hook"), scene.path("log"));
        let shell = program("sh", "dash")?;
        let text = format!("#!{}\necho \"$LD_PRELOAD $SECRET\" >> {}\n", shell.display(), log.display());
        fs::write(&hook, text)?;
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755))?;
        let names = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"];
        scene.config["hooks"] = names.iter().map(|name| ((*name).to_owned(), json!([{"path": hook}]))).collect();
        scene.config["process"]["env"] = json!(["PATH=/bin", "LD_PRELOAD=./evil.so", "SECRET=of the image"]);
        scene.run()?;
        let told = fs::read_to_string(&log).unwrap_or_default();
        if told.lines().count() != names.len() {
            return Err(Failure::new(format!("{} hooks are to run, and these did: {told:?}", names.len())));
        }
        let own = told.lines().all(|line| line.trim().is_empty());
        Ok(Verdict::held_if(own, || format!("a hook had {told:?} of the image")))
    })
}

/// Mechanism: lengths of what the configuration says are kept in 16 bits on their way into the new process, so that a
/// long value overflows into the next field: into the id maps.
#[test]
fn cve_2021_43784_long_values() -> Result {
    Row { name: "CVE-2021-43784", attack: "values of more than 64 KiB" }.probe(|runtime| {
        let long = format!("/{}", "x/".repeat(40_000));
        let maps = |count: u32| -> Vec<_> {
            (0..count).map(|at| json!({"containerID": at, "hostID": 100_000 + at, "size": 1})).collect()
        };
        for what in ["mount source", "mount destination", "working directory", "maps"] {
            let mut scene = Scene::new(runtime)?;
            scene.script("id -u; while read a b c; do echo $a $b $c; done < /proc/self/uid_map");
            match what {
                "mount source" => scene.bind(Path::new(&long), "/data"),
                "mount destination" => scene.bind(&scene.volume(), &long),
                "working directory" => scene.config["process"]["cwd"] = json!(long),
                _ => {
                    scene.in_user_namespace()?;
                    scene.config["linux"]["uidMappings"] = json!(maps(5000));
                    scene.config["linux"]["gidMappings"] = json!(maps(5000));
                }
            }
            let told = scene.run()?;
            let root_of_the_host = told.stdout.contains("\n0 0 ") && what == "maps";
            if told.is_done() && (what != "maps" || root_of_the_host) {
                return Ok(Verdict::Broken(format!("a container starts with a {what} of 80 KB: {}", told.stdout)));
            }
        }
        Ok(Verdict::Held)
    })
}

/// Mechanism: names that become paths: of containers, of cgroups. With `..` they lead out of the runtime's directories.
#[test]
fn cve_2026_33747_names_that_are_paths() -> Result {
    Row { name: "CVE-2026-33747", attack: "`..` in ids, cgroup paths and exec --cgroup" }.probe(|runtime| {
        let mut scene = Scene::new(runtime)?;
        let long = "x".repeat(1025);
        for id in ["../outside", "a/b", ".", "..", "", "/outside", "a\nb", &long] {
            let told = scene.verb(&["run", id]);
            if told.as_ref().is_ok_and(Told::is_done) {
                return Ok(Verdict::Broken(format!("{id:?} is taken for an id")));
            }
            let removed = scene.verb(&["delete", "--force", id]);
            if !scene.victim().exists() || !scene.path("state").exists() {
                return Ok(Verdict::Broken(format!("delete --force {id:?} has removed more than a container")));
            }
            told.and(removed)?;
        }
        if scene.path("outside").exists() || !scene.path("state").exists() || !scene.path("victim").exists() {
            return Ok(Verdict::Broken("an id has led out of the directory of containers".to_owned()));
        }
        let inner = scene.cgroup();
        scene.config["linux"]["cgroupsPath"] = json!(format!("/../../{inner}/../../{inner}-outside"));
        scene.run()?;
        scene.config["linux"]["cgroupsPath"] = json!(format!("/{inner}"));
        scene.arguments(&["sleep", "1000"]);
        scene.start()?;
        for cgroup in ["..", "../..", "/..", "../../..", "memory:..", "x/../.."] {
            let told = scene.exec(&["--cgroup", cgroup, ID, "cat", "/proc/1/cgroup", "/proc/self/cgroup"])?;
            let lines: Vec<&str> = told.stdout.lines().collect();
            let (first, own) = lines.split_at(lines.len() / 2);
            if told.is_done() && first != own && told.stdout.contains("/..") {
                return Ok(Verdict::Broken(format!("exec --cgroup {cgroup} leaves the container's cgroup")));
            }
        }
        Ok(scene.untouched())
    })
}
