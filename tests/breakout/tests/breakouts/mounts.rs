//! Mount points, links and devices of a hostile root file system.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use end_to_end::process::{program as program_of_host, run};
use end_to_end::pty::Pty;
use end_to_end::{Context, Result};
use serde_json::json;

use crate::harness::runtime::Runtime;
use crate::harness::{Row, Scene, Verdict};

/// A writable file of the kernel that decides which program of the host runs when a process crashes.
const CORE_PATTERN: &str = "/proc/sys/kernel/core_pattern";

/// Mechanism: the destination of a mount is a symlink of the image, or lies below one. A runtime that joins the paths
/// makes directories on the host, and mounts there.
#[test]
fn cve_2015_3627_mount_points_that_are_links() -> Result {
    let name = "CVE-2015-3627, CVE-2015-3629, CVE-2015-3630, CVE-2015-3631";
    Row { name, attack: "mount points that are links to the host" }.probe(|runtime| {
        for kind in ["tmpfs", "directory", "file"] {
            for destination in ["/data", "/data/new/deeper", "/up", "/up/new", "/data/secret", "/indirect/directory"] {
                let verdict = mount_on_link(runtime, kind, destination)?;
                if verdict != Verdict::Held {
                    return Ok(verdict);
                }
            }
        }
        Ok(Verdict::Held)
    })
}

fn mount_on_link(runtime: &Runtime, kind: &str, destination: &str) -> Result<Verdict> {
    let mut scene = Scene::new(runtime)?;
    symlink(scene.victim(), scene.inside("data"))?;
    symlink("../../victim", scene.inside("up"))?;
    symlink("data", scene.inside("indirect"))?;
    fs::create_dir_all(scene.path("source/directory"))?;
    fs::write(scene.path("source/file"), "mine")?;
    match kind {
        "tmpfs" => scene.mount(json!({"destination": destination, "type": "tmpfs", "source": "marker"})),
        _ => scene.bind(&scene.path("source").join(kind), destination),
    }
    scene.script("cat /proc/self/mountinfo");
    let told = scene.run()?;
    let marker = if kind == "tmpfs" { "marker" } else { "/source/" };
    let is_inside = !told.is_done() || told.stdout.contains(marker);
    let outside = || format!("the {kind} for {destination} was mounted outside of the container");
    scene.untouched().and(|| Ok(Verdict::held_if(is_inside, outside)))
}

/// Mechanism: `/proc` or `/sys` of the image is a symlink. The file system of the kernel is mounted where it leads, and
/// what is written to `/proc` afterwards (labels, sysctls, masks) goes to files of the image.
#[test]
fn cve_2019_19921_proc_and_sys_that_are_links() -> Result {
    let name = "CVE-2019-19921, CVE-2023-27561, CVE-2023-28642, CVE-2025-54867";
    Row { name, attack: "/proc or /sys of the image is a link" }.probe(|runtime| {
        for (path, target) in [("proc", "elsewhere"), ("proc", "/elsewhere"), ("sys", "elsewhere"), ("proc", "proc2/x")]
        {
            let mut scene = Scene::new(runtime)?;
            fs::create_dir_all(scene.inside("elsewhere/self/attr"))?;
            fs::create_dir_all(scene.inside("proc2"))?;
            symlink(scene.victim(), scene.inside("proc2/x"))?;
            fs::remove_dir(scene.inside(path))?;
            symlink(target, scene.inside(path))?;
            scene.script(&format!("test -L /{path} && echo started with a link; true"));
            let told = scene.run()?;
            let started = told.is_done() && told.stdout.contains("started with a link");
            let verdict = scene.untouched();
            let how = || format!("a container starts whose /{path} is a link to {target}");
            let verdict = verdict.and(|| Ok(Verdict::held_if(!started, how)))?;
            if verdict != Verdict::Held {
                return Ok(verdict);
            }
        }
        Ok(Verdict::Held)
    })
}

/// Mechanism: a volume is mounted over `/proc` or a part of it, directly or through a link of the image, so that labels
/// and settings are written to its files.
#[test]
fn cve_2019_16884_volumes_over_proc() -> Result {
    Row { name: "CVE-2019-16884", attack: "a volume over /proc, or a part of it" }.probe(|runtime| {
        let destinations = [
            "/proc",
            "/proc/self/attr",
            "/proc/sys",
            "/proc/../proc/self",
            "/link",
            "/link/self/attr",
            "/link/sys/kernel",
        ];
        for destination in destinations {
            let mut scene = Scene::new(runtime)?;
            symlink("proc", scene.inside("link"))?;
            fs::create_dir_all(scene.volume().join("attr"))?;
            scene.bind(&scene.volume(), destination);
            scene.script("cat /proc/self/mountinfo /proc/self/self/mountinfo 2>/dev/null; echo started");
            let told = scene.run()?;
            // Under a volume, proc cannot even tell that it is there.
            let covered = told.stdout.contains("started") && !told.stdout.contains(" - proc ");
            let over = told.stdout.lines().any(|line| {
                let fields: Vec<&str> = line.split(' ').collect();
                fields.get(3).is_some_and(|root| root.contains("/volume"))
                    && fields.get(4).is_some_and(|point| point.starts_with("/proc"))
            });
            if covered || over {
                return Ok(Verdict::Broken(format!("a volume was mounted on {destination}, over proc's own files")));
            }
        }
        Ok(Verdict::Held)
    })
}

/// Mechanism: `/dev` of the image is a symlink, so that devices and links are made, and `ptmx` is removed, where it
/// leads on the host.
#[test]
fn cve_2026_41579_dev_that_is_a_link() -> Result {
    Row { name: "CVE-2026-41579, CVE-2026-47766", attack: "/dev of the image is a link to the host" }.probe(|runtime| {
        for with_mounts in [true, false] {
            let mut scene = Scene::new(runtime)?;
            let victim = scene.victim().join("directory");
            fs::write(victim.join("ptmx"), "the host's")?;
            fs::write(victim.join("console"), "the host's")?;
            scene.remember();
            fs::remove_dir(scene.inside("dev"))?;
            symlink(&victim, scene.inside("dev"))?;
            if !with_mounts {
                scene.without_mount("/dev");
            }
            scene.run()?;
            let verdict = scene.untouched();
            if verdict != Verdict::Held {
                return Ok(verdict);
            }
        }
        Ok(Verdict::Held)
    })
}

/// Mechanism: what an image has at `/dev/null` is used to hide files behind. As a link to a file of `/proc/sys`, it
/// shows that file, writable, in the place of a hidden one.
#[test]
fn cve_2025_31133_null_devices_that_are_links() -> Result {
    Row { name: "CVE-2025-31133, CVE-2025-62161", attack: "/dev/null of the image is a link" }.probe(|runtime| {
        for in_volume in [true, false] {
            let mut scene = Scene::new(runtime)?;
            scene.without_mount("/dev");
            let dev = if in_volume { scene.volume() } else { scene.inside("dev") };
            symlink(CORE_PATTERN, dev.join("null"))?;
            if in_volume {
                scene.bind(&scene.volume(), "/dev");
            }
            let verdict = masks_hold(&mut scene)?;
            if verdict != Verdict::Held {
                return Ok(verdict);
            }
        }
        Ok(Verdict::Held)
    })
}

/// Runs the container, if it can be run at all, and looks at its masks from inside.
pub(crate) fn masks_hold(scene: &mut Scene) -> Result<Verdict> {
    let masked = scene.config["linux"]["maskedPaths"].clone();
    let masked: Vec<&str> = masked.as_array().into_iter().flatten().filter_map(|path| path.as_str()).collect();
    // A file that is hidden is the null device, a directory is an empty one. Opening alone changes nothing.
    let script = format!(
        "for path in {}; do \
           if test -d $path; then test -z \"$(ls -A $path)\" || echo open: $path lists $(ls -A $path | head -n 1); \
           elif test -f $path; then echo open: $path is a file; \
           elif test -e $path; then test -z \"$(head -c 1 $path)\" || echo open: $path can be read; fi; \
         done; \
         (: >> {CORE_PATTERN}) 2>/dev/null && echo open: core_pattern can be written; \
         grep -F ' /sys/kernel/core_pattern ' /proc/self/mountinfo && echo open: core_pattern is mounted; true",
        masked.join(" ")
    );
    scene.script(&script);
    let told = scene.run()?;
    let open = told.stdout.lines().find(|line| line.starts_with("open: ")).map(str::to_owned);
    let verdict = scene.untouched();
    Ok(open.map_or(verdict, Verdict::Broken))
}

/// Mechanism: the runtime opens the container's new terminal by its name, or binds it onto `/dev/console`, where the
/// image has put links: to a file of `/proc/sys`, or to a file of the host.
#[test]
fn cve_2025_52565_terminals_that_are_links() -> Result {
    Row { name: "CVE-2025-52565", attack: "terminal and console of the image are links" }.probe(|runtime| {
        for (at, target) in [("console", CORE_PATTERN), ("console", "VICTIM"), ("pts", "elsewhere"), ("pts", "VICTIM")]
        {
            let mut scene = Scene::new(runtime)?;
            scene.without_mount("/dev");
            let pts = json!({"destination": "/dev/pts", "type": "devpts", "source": "devpts",
                "options": ["newinstance", "ptmxmode=0666", "mode=0620"]});
            scene.bind(&scene.volume(), "/dev");
            scene.mount(pts);
            fs::create_dir(scene.volume().join("elsewhere"))?;
            for number in 0..8 {
                symlink(CORE_PATTERN, scene.volume().join("elsewhere").join(number.to_string()))?;
            }
            let secret = scene.victim().join("secret");
            symlink(if target == "VICTIM" { &secret } else { Path::new(target) }, scene.volume().join(at))?;
            let verdict = in_terminal(&mut scene)?;
            if verdict != Verdict::Held {
                return Ok(verdict);
            }
        }
        Ok(Verdict::Held)
    })
}

fn in_terminal(scene: &mut Scene) -> Result<Verdict> {
    scene.config["process"]["terminal"] = json!(true);
    scene.script(&format!(
        "(: >> {CORE_PATTERN}) 2>/dev/null && echo open: core_pattern; \
         test -e /dev/console && test ! -c /dev/console && echo open: the console is no device; \
         grep -F core_pattern /proc/self/mountinfo && echo open: core_pattern is mounted; true"
    ));
    let command = scene.command(&["run", crate::harness::scene::ID])?;
    let directory = scene.path("bundle").display().to_string();
    let mut shell = Command::new("env");
    shell.arg("--chdir").arg(directory).arg(command.get_program()).args(command.get_args());
    let (_, output) = Pty::start(&shell, 24, 80)?.finish()?;
    scene.end()?;
    let open = output.lines().find(|line| line.starts_with("open: ")).map(str::to_owned);
    Ok(open.map_or(scene.untouched(), Verdict::Broken))
}

/// Mechanism: a runtime writes a file of its own into the root file system, and the image has a link there.
#[test]
fn cve_2025_24965_files_that_the_runtime_writes() -> Result {
    Row { name: "CVE-2025-24965", attack: "what the runtime writes into the image is a link there" }.probe(|runtime| {
        let mut scene = Scene::new(runtime)?;
        scene.config["annotations"] = json!({"run.oci.handler": "krun"});
        let secret = scene.victim().join("secret");
        for name in
            [".krun_config.json", "etc/mtab", "etc/hosts", "etc/hostname", "etc/resolv.conf", "run", ".dockerenv"]
        {
            symlink(&secret, scene.inside(name))?;
        }
        scene.run()?;
        Ok(scene.untouched())
    })
}

/// Mechanism: in a user namespace without a cgroup namespace, the host's cgroups are bound into the container, writable
/// although the configuration says read-only.
#[test]
fn cve_2023_25809_cgroups_of_the_host() -> Result {
    Row { name: "CVE-2023-25809", attack: "cgroups that are writable in a user namespace" }.probe(|runtime| {
        let mut scene = Scene::new(runtime)?;
        scene.in_user_namespace()?;
        let namespaces = scene.config["linux"]["namespaces"].as_array_mut().expect("it has namespaces");
        namespaces.retain(|space| space["type"] != "cgroup");
        scene.script(TRY_CGROUPS);
        let verdict = cgroups_are_read_only(&scene.run()?.success()?);
        verdict.and(|| rootless(runtime))
    })
}

/// Tries every cgroup that is mounted: one that is read-only says so before anybody asks who may. What is under another
/// mount, or hidden, is not found.
const TRY_CGROUPS: &str = "while read source point kind options rest; do \
       case $kind in cgroup*) echo $point: $(mkdir $point/breakout 2>&1 && rmdir $point/breakout 2>&1 && echo made);; esac; \
     done < /proc/mounts";

fn cgroups_are_read_only(told: &str) -> Verdict {
    let mut writable =
        told.lines().filter(|line| !["Read-only", "No such file"].iter().any(|word| line.contains(word)));
    writable.next().map_or(Verdict::Held, |line| Verdict::Broken(format!("not read-only: {line}")))
}

/// The same with a runtime that a user without any power starts, who sees the host's `/sys`.
fn rootless(runtime: &Runtime) -> Result<Verdict> {
    const USER: u32 = 54_321;
    let copy = Scene::new(runtime)?;
    let program = copy.path("volume").join(runtime.program().file_name().context("a program has a name")?);
    fs::copy(runtime.program(), &program)?;
    fs::set_permissions(copy.path(""), fs::Permissions::from_mode(0o755))?;
    let mut scene = Scene::new(&runtime.at(program))?;
    scene.in_user_namespace()?;
    let map = json!([{"containerID": 0, "hostID": USER, "size": 1}]);
    let linux = scene.config["linux"].as_object_mut().context("the configuration has linux")?;
    for name in ["uidMappings", "gidMappings"] {
        linux.insert(name.to_owned(), map.clone());
    }
    for name in ["resources", "cgroupsPath"] {
        linux.remove(name);
    }
    let namespaces = scene.config["linux"]["namespaces"].as_array_mut().context("it has namespaces")?;
    namespaces.retain(|space| !["cgroup", "network"].iter().any(|kind| space["type"] == *kind));
    scene.without_mount("/sys");
    scene.mount(json!({"destination": "/sys", "type": "none", "source": "/sys",
        "options": ["rbind", "nosuid", "noexec", "nodev", "ro"]}));
    scene.mount(json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
        "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}));
    scene.script(TRY_CGROUPS);
    let plain = scene.command(&["run", crate::harness::scene::ID])?;
    for name in ["bundle", "state"] {
        let mut chown = Command::new("chown");
        run(chown.args(["-R", &format!("{USER}:{USER}")]).arg(scene.path(name)))?.success()?;
    }
    let mut unprivileged = Command::new(program_of_host("setpriv", "util-linux")?);
    unprivileged.args(["--reuid", &USER.to_string(), "--regid", &USER.to_string(), "--clear-groups"]);
    unprivileged.arg(plain.get_program()).args(plain.get_args()).current_dir(scene.path("bundle"));
    unprivileged.env("XDG_RUNTIME_DIR", scene.path("state")).env("HOME", scene.path("state"));
    let told = runtime.finish(&mut unprivileged, &copy.path("state"))?;
    // One that cannot do without root, or not on this host, has nothing open.
    if told.is_done() { Ok(cgroups_are_read_only(&told.stdout)) } else { Ok(Verdict::Held) }
}

/// Mechanism: without `pivot_root`, the mounts of the host stay in the namespace under the container's root. A complete
/// `/proc` among them allows a new one to be mounted in a user namespace, which has no masks; and what is under the root
/// may be reached by leaving it.
#[test]
fn no_cve_no_pivot() -> Result {
    Row { name: "(no CVE) --no-pivot", attack: "a fresh /proc, and the directory above the root" }.probe(|runtime| {
        for options in [&["--no-pivot"][..], &[]] {
            let mut scene = Scene::new(runtime)?;
            let secret = scene.victim().join("secret").display().to_string();
            fs::create_dir(scene.inside("new"))?;
            scene.script(&format!(
                "unshare -Urmpf sh -c 'mount -t proc proc /new && test -e /new/kcore && echo open: a new /proc' 2>/dev/null; \
                 attacker escape {secret}; \
                 cd /; for i in 1 2 3 4 5 6 7 8 9; do cd ..; done; test -e .{secret} && echo open: the host; true"
            ));
            let told = scene.run_with(options)?;
            let open = told.stdout.lines().find(|line| line.starts_with("open: ")).map(str::to_owned);
            if let Some(open) = open {
                return Ok(Verdict::Broken(format!("{open}, {options:?}")));
            }
        }
        Ok(Verdict::Held)
    })
}
