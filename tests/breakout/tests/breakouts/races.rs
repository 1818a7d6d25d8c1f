//! Ways that are open for an instant only: an accomplice in another container exchanges names in a volume that both
//! have, while the runtime works there.

use std::fs;
use std::os::unix::fs::symlink;

use end_to_end::Result;
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use serde_json::json;

use crate::harness::runtime::Runtime;
use crate::harness::swap::while_exchanged;
use crate::harness::{Row, Scene, Verdict};
use crate::mounts::masks_hold;

/// A container with the volume at `/volume`, in which `real`, a directory, and `link`, which leads to the host, are
/// going to be exchanged.
fn with_volume(runtime: &Runtime, target: &str) -> Result<Scene> {
    let mut scene = Scene::new(runtime)?;
    let volume = scene.volume();
    fs::create_dir(volume.join("real"))?;
    let host = scene.victim();
    let host = if target.is_empty() { host } else { target.into() };
    symlink(host, volume.join("link"))?;
    scene.bind(&volume, "/volume");
    Ok(scene)
}

/// Mechanism: the destination of a mount lies in a volume. It is a directory when the runtime looks, and a symlink to
/// the host when it mounts.
#[test]
fn cve_2021_30465_mount_points_are_swapped() -> Result {
    let name = "CVE-2021-30465, CVE-2019-18837";
    Row { name, attack: "a mount point is swapped for a link to the host" }.probe(|runtime| {
        // To the directory itself, and from the container's view far above it.
        let mut scene = with_volume(runtime, "")?;
        scene.mount(json!({"destination": "/volume/real", "type": "tmpfs", "source": "marker"}));
        scene.script("grep marker /proc/self/mountinfo; test -e /volume/real/secret && echo host; true");
        let (a, b) = (scene.volume().join("real"), scene.volume().join("link"));
        let verdict = while_exchanged(&a, &b, |_| {
            let told = scene.run()?;
            let inside = !told.is_done() || told.stdout.contains("marker");
            let seen = told.stdout.contains("host");
            let verdict = Verdict::held_if(inside, || "the mount went to the host's directory".to_owned());
            verdict.and(|| Ok(Verdict::held_if(!seen, || "the host's directory can be seen".to_owned())))
        })?;
        verdict.and(|| Ok(scene.untouched()))
    })
}

/// Mechanism: the same, but what is missing on the way to the mount point is made: on the host.
#[test]
fn cve_2024_45310_directories_are_made_through_swapped_links() -> Result {
    Row { name: "CVE-2024-45310", attack: "directories are made where a swapped link leads" }.probe(|runtime| {
        let mut scene = with_volume(runtime, "")?;
        let base = scene.config["mounts"].clone();
        fs::create_dir(scene.path("source"))?;
        fs::write(scene.path("source/file"), "mine")?;
        let (a, b) = (scene.volume().join("real"), scene.volume().join("link"));
        while_exchanged(&a, &b, |round| {
            scene.config["mounts"] = base.clone();
            let (directory, file) = (scene.path("source"), scene.path("source/file"));
            scene.bind(&directory, &format!("/volume/real/directory-{round}/deeper"));
            scene.bind(&file, &format!("/volume/real/file-{round}"));
            scene.run()?;
            Ok(scene.untouched())
        })
    })
}

/// Mechanism: `/proc` of the image leads into a volume, where a directory and a link to other files are exchanged.
#[test]
fn cve_2023_27561_proc_is_swapped() -> Result {
    Row { name: "CVE-2023-27561, CVE-2019-19921", attack: "/proc of the image leads into a volume of swapped names" }
        .probe(|runtime| {
            let mut scene = with_volume(runtime, "/elsewhere")?;
            // The volume is mounted before what lies in it.
            let mounts = scene.config["mounts"].as_array_mut().expect("it has mounts");
            mounts.rotate_right(1);
            fs::create_dir_all(scene.inside("elsewhere/self/attr"))?;
            fs::remove_dir(scene.inside("proc"))?;
            symlink("volume/real", scene.inside("proc"))?;
            scene.script("echo started");
            let (a, b) = (scene.volume().join("real"), scene.volume().join("link"));
            while_exchanged(&a, &b, |_| {
                let started = scene.run()?.stdout.contains("started");
                Ok(Verdict::held_if(!started, || "a container starts whose /proc is a link".to_owned()))
            })
        })
}

/// Mechanism: what is mounted into a volume lands on a file of proc, because its directory is exchanged for a link into
/// `/proc`. What the runtime writes to `/proc` then goes to what was mounted: to another file of proc, so that a look
/// at the file system's type does not tell.
#[test]
fn cve_2025_52881_writes_to_proc_are_redirected_in_a_race() -> Result {
    Row { name: "CVE-2025-52881, CVE-2025-62596", attack: "writes to /proc are redirected, in a race" }.probe(
        |runtime| {
            let mut scene = with_volume(runtime, "/proc/sys/net/ipv4")?;
            let decoy = crate::proc_files::Decoy::new()?;
            fs::write(scene.volume().join("real/ping_group_range"), "")?;
            scene.config["linux"]["sysctl"] = json!({"net.ipv4.ping_group_range": "1 2"});
            scene.bind(&decoy.file(), "/volume/real/ping_group_range");
            scene.script("cat /proc/sys/net/ipv4/ping_group_range");
            let (a, b) = (scene.volume().join("real"), scene.volume().join("link"));
            while_exchanged(&a, &b, |_| {
                scene.run()?;
                decoy.verdict()
            })
        },
    )
}

/// Mechanism: `/dev/null` is the null device when the runtime looks, and a link when it is used to hide files behind.
#[test]
fn cve_2025_31133_null_is_swapped() -> Result {
    Row { name: "CVE-2025-31133, CVE-2025-62161", attack: "/dev/null is swapped for a link while masks are made" }
        .probe(|runtime| {
            let mut scene = Scene::new(runtime)?;
            scene.without_mount("/dev");
            let volume = scene.volume();
            mknodat(CWD, volume.join("null"), FileType::CharacterDevice, Mode::from_raw_mode(0o666), makedev(1, 3))?;
            symlink("/proc/sys/kernel/core_pattern", volume.join("link"))?;
            scene.bind(&volume, "/dev");
            while_exchanged(&volume.join("null"), &volume.join("link"), |_| masks_hold(&mut scene))
        })
}
