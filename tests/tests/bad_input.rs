//! Everything a user can get wrong when he makes a container: each mistake is told in one line that names the thing and
//! the value, with a hint at most beside it, ends with docker's exit code, and leaves nothing behind.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use end_to_end::{Result, Stage};

/// What follows `phial`, the exit code, words that the line must have. `{image}` and `{dir}` are put in.
type Row = (&'static str, i32, &'static [&'static str]);

const LIMITS: &[Row] = &[
    ("run -m much {image}", 125, &["--memory", "much"]),
    ("run -m 1k {image}", 125, &["--memory", "1k", "6m"]),
    ("run -m 5m {image}", 125, &["--memory", "5m", "6m"]),
    ("run -m -1 {image}", 125, &["--memory", "-1"]),
    ("run -m 9999999p {image}", 125, &["--memory", "9999999p"]),
    ("run -m 64m --memory-swap 32m {image}", 125, &["--memory-swap", "--memory"]),
    ("run --memory-swap 32m {image}", 125, &["--memory-swap", "--memory"]),
    ("run --memory-swap x {image}", 125, &["--memory-swap", "x"]),
    ("run -m 64m --memory-reservation 65m {image}", 125, &["--memory-reservation", "--memory"]),
    ("run --memory-reservation 1m {image}", 125, &["--memory-reservation", "1m"]),
    ("run --memory-swappiness 101 {image}", 125, &["--memory-swappiness", "101"]),
    ("run --kernel-memory 64m {image}", 125, &["--kernel-memory"]),
    ("run --cpus -1 {image}", 125, &["--cpus", "-1"]),
    ("run --cpus 1e9 {image}", 125, &["--cpus", "1e9"]),
    ("run --cpus 100000 {image}", 125, &["--cpus", "100000"]),
    ("run --cpus 0.001 {image}", 125, &["--cpus", "0.001"]),
    ("run --cpus 1 --cpu-quota 1000 {image}", 125, &["--cpus", "--cpu-quota"]),
    ("run --cpus 1 --cpu-period 1000 {image}", 125, &["--cpus", "--cpu-period"]),
    ("run --cpu-shares 1 {image}", 125, &["--cpu-shares", "1"]),
    ("run -c 262145 {image}", 125, &["--cpu-shares", "262145"]),
    ("run --cpu-period 999 {image}", 125, &["--cpu-period", "999"]),
    ("run --cpu-period 1000001 {image}", 125, &["--cpu-period", "1000001"]),
    ("run --cpu-quota 999 {image}", 125, &["--cpu-quota", "999"]),
    ("run --cpuset-cpus 9999 {image}", 125, &["--cpuset-cpus", "9999", "not available"]),
    ("run --cpuset-cpus a {image}", 125, &["--cpuset-cpus", "a"]),
    ("run --cpuset-cpus 2-1 {image}", 125, &["--cpuset-cpus", "2-1"]),
    ("run --cpuset-mems 777 {image}", 125, &["--cpuset-mems", "777", "not available"]),
    ("run --cpu-rt-runtime x {image}", 125, &["--cpu-rt-runtime", "x"]),
    ("run --pids-limit x {image}", 125, &["--pids-limit", "x"]),
    ("run --pids-limit -2 {image}", 125, &["--pids-limit", "-2"]),
    ("run --oom-score-adj 1001 {image}", 125, &["--oom-score-adj", "1001"]),
    ("run --shm-size x {image}", 125, &["--shm-size", "x"]),
    ("run --shm-size -5 {image}", 125, &["--shm-size", "-5"]),
    ("run --blkio-weight 9 {image}", 125, &["--blkio-weight", "9"]),
    ("run --blkio-weight-device /dev/null {image}", 125, &["--blkio-weight-device", "/dev/null"]),
    ("run --device-read-bps /dev/nope:1m {image}", 125, &["--device-read-bps", "/dev/nope"]),
    ("run --device-read-bps /dev/null:1m {image}", 125, &["--device-read-bps", "/dev/null", "not a disk"]),
    ("run --device-write-bps /dev/sda:x {image}", 125, &["--device-write-bps", "x"]),
    ("run --device-read-iops sda:1 {image}", 125, &["--device-read-iops", "sda:1"]),
    ("run --device-write-iops /dev/sda:1m {image}", 125, &["--device-write-iops", "1m"]),
    ("run --ulimit speed=1 {image}", 125, &["--ulimit", "speed"]),
    ("run --ulimit nofile=2:1 {image}", 125, &["--ulimit", "nofile=2:1"]),
    ("run --cgroup-parent ../x {image}", 125, &["--cgroup-parent", "../x"]),
    ("run --storage-opt size=1g {image}", 125, &["--storage-opt"]),
    ("run --sysctl vm.swappiness=1 {image}", 125, &["--sysctl", "vm.swappiness"]),
    ("run --sysctl net.ipv4.ip_forward {image}", 125, &["--sysctl", "net.ipv4.ip_forward"]),
    ("run --network host --sysctl net.ipv4.ip_forward=1 {image}", 125, &["--sysctl", "--network host"]),
    ("run --rm --sysctl net.no.such=1 {image}", 125, &["net", "no"]),
];

const DEVICES: &[Row] = &[
    ("run --device /dev/nope {image}", 125, &["--device", "/dev/nope"]),
    ("run --device /etc/passwd {image}", 125, &["--device", "/etc/passwd", "not a device"]),
    ("run --device fuse {image}", 125, &["--device", "fuse"]),
    ("run --device /dev/null:/dev/x:q {image}", 125, &["--device", "'q'"]),
    ("run --device {dir} {image}", 125, &["--device", "no devices"]),
    ("run --device vendor.example/gpu=1 {image}", 125, &["--device", "vendor.example/gpu=1"]),
    ("run --device-cgroup-rule x {image}", 125, &["--device-cgroup-rule", "x"]),
    ("run --gpus some {image}", 125, &["--gpus", "some"]),
    ("run --gpus driver=acme {image}", 125, &["--gpus", "acme"]),
];

const NAMESPACES: &[Row] = &[
    ("run --network nowhere {image}", 125, &["--network", "nowhere"]),
    ("run --network container: {image}", 125, &["--network", "container:"]),
    ("run --network container:absent {image}", 125, &["--network", "absent"]),
    ("run --network container:idle {image}", 125, &["--network", "idle", "not running"]),
    ("run --network container:idle --hostname x {image}", 125, &["--hostname", "--network"]),
    ("run --network container:idle --dns 1.1.1.1 {image}", 125, &["--dns", "--network"]),
    ("run --pid x {image}", 125, &["--pid", "x"]),
    ("run --pid container:absent {image}", 125, &["--pid", "absent"]),
    ("run --ipc x {image}", 125, &["--ipc", "x"]),
    ("run --uts x {image}", 125, &["--uts", "x"]),
    ("run --uts host --hostname x {image}", 125, &["--hostname", "--uts host"]),
    ("run --userns keep-id {image}", 125, &["--userns", "keep-id"]),
    ("run --cgroupns x {image}", 125, &["--cgroupns", "x"]),
    ("run --hostname a/b {image}", 125, &["--hostname", "a/b"]),
    ("run --add-host db {image}", 125, &["--add-host", "db"]),
    ("run --add-host db:1.2.3 {image}", 125, &["--add-host", "1.2.3"]),
    ("run --dns x {image}", 125, &["--dns", "x"]),
    ("run --expose 99999 {image}", 125, &["--expose", "99999"]),
    ("run -p 80:x {image}", 125, &["--publish", "80:x", "'x'"]),
    ("run -p 70000:80 {image}", 125, &["--publish", "'70000'"]),
    ("run -p 80:80/icmp {image}", 125, &["--publish", "'icmp'"]),
    ("run -p localhost:80:80 {image}", 125, &["--publish", "'localhost'"]),
    ("run -p 8000-8001:80-82 {image}", 125, &["--publish", "2 ports of the host for 3"]),
    ("run --ip 10.0.0.1 {image}", 125, &["user defined networks only"]),
    ("run --ip x {image}", 125, &["--ip", "x"]),
    ("run --ip6 10.0.0.1 {image}", 125, &["--ip6", "10.0.0.1"]),
    ("run --network host --ip 10.0.0.1 {image}", 125, &["--ip", "--network host"]),
    ("run --network-alias a {image}", 125, &["only supported for user-defined networks"]),
    ("run --mac-address 03:00:00:00:00:01 {image}", 125, &["--mac-address", "03:00"]),
    ("run --network none --mac-address 02:00:00:00:00:01 {image}", 125, &["--mac-address", "--network none"]),
    ("run --link absent {image}", 125, &["--link", "absent"]),
    ("run --link a:b:c {image}", 125, &["--link", "a:b:c"]),
    ("run --network host --link idle {image}", 125, &["--link", "--network host"]),
    ("run --link-local-ip 169.254.1.1 {image}", 125, &["--link-local-ip", "169.254.1.1"]),
    ("run --network name=web,color=red {image}", 125, &["--network", "color"]),
    ("run --network web --network host {image}", 125, &["conflicting options", "--network host"]),
    ("run --network web --network web {image}", 125, &["web", "multiple times"]),
    ("run --network container:idle -p 80:80 {image}", 125, &["--publish", "--network container:idle"]),
    ("create --runtime runc {image}", 125, &["--runtime", "not supported"]),
    ("run --isolation hyperv {image}", 125, &["--isolation", "not supported"]),
];

const SECURITY: &[Row] = &[
    ("run --cap-add FLY {image}", 125, &["--cap-add", "FLY"]),
    ("run --cap-drop FLY {image}", 125, &["--cap-drop", "FLY"]),
    ("run --security-opt nonsense {image}", 125, &["--security-opt", "nonsense"]),
    ("run --security-opt seccomp={dir}/absent {image}", 125, &["--security-opt", "/absent"]),
    ("run --security-opt seccomp={dir}/broken.json {image}", 125, &["--security-opt", "broken.json", "JSON"]),
    ("run --security-opt seccomp={dir}/empty.json {image}", 125, &["--security-opt", "defaultAction"]),
    ("run --security-opt apparmor=no-such-profile {image}", 125, &["--security-opt", "no-such-profile"]),
    ("run --security-opt label=colour:red {image}", 125, &["--security-opt", "colour"]),
    ("run --security-opt no-new-privileges=1 {image}", 125, &["--security-opt", "no-new-privileges=1"]),
    ("run --security-opt systempaths=x {image}", 125, &["--security-opt", "systempaths=x"]),
    ("run -u nobody-here {image}", 125, &["nobody-here"]),
    ("run -u 1000:no-group {image}", 125, &["no-group"]),
    ("run -u -1 {image}", 125, &["-1"]),
    ("run -u 4294967296 {image}", 125, &["4294967296"]),
    ("run --group-add no-group {image}", 125, &["--group-add", "no-group"]),
];

const THE_REST: &[Row] = &[
    ("run {registry}/absent:1 true", 125, &["absent"]),
    ("run {registry}/busybox:absent true", 125, &["absent"]),
    (
        "run {registry}/busybox@sha256:0000000000000000000000000000000000000000000000000000000000000000",
        125,
        &["sha256:0000"],
    ),
    ("run {registry}/busybox@sha256:00 true", 125, &["sha256:00"]),
    ("run --pull never {registry}/absent:1 true", 125, &["absent"]),
    ("run --pull sometimes {image}", 125, &["--pull", "sometimes"]),
    ("run --platform linux/riscv64 {image}", 125, &["riscv64"]),
    ("run --platform a/b/c/d {image}", 125, &["--platform", "a/b/c/d"]),
    ("run UPPER/case true", 125, &["UPPER/case"]),
    ("create --pull never absent.example/x", 125, &["absent.example/x"]),
    ("run --name idle {image}", 125, &["idle", "already in use"]),
    ("create --name idle {image}", 125, &["idle", "already in use"]),
    ("run --name -wrong {image}", 125, &["-wrong"]),
    ("run --name a/b {image}", 125, &["a/b"]),
    ("run -v a:b:c:d {image}", 125, &["a:b:c:d"]),
    ("run -v /tmp:relative {image}", 125, &["relative"]),
    ("run --mount type=nothing,target=/x {image}", 125, &["nothing"]),
    ("run --mount type=bind,source={dir}/absent,target=/x {image}", 125, &["/absent", "does not exist"]),
    ("run --mount type=bind,target=/x {image}", 125, &["--mount"]),
    ("run --mount type=tmpfs,target=/x,tmpfs-size=x {image}", 125, &["--mount", "tmpfs-size"]),
    ("run --tmpfs relative {image}", 125, &["--tmpfs", "relative"]),
    ("run -w relative {image}", 125, &["--workdir", "relative"]),
    ("run -e =x {image}", 125, &["=x"]),
    ("run --env-file {dir}/absent {image}", 125, &["/absent"]),
    ("run --label =x {image}", 125, &["--label", "=x"]),
    ("run --label-file {dir}/absent {image}", 125, &["--label-file", "/absent"]),
    ("run --annotation x {image}", 125, &["--annotation", "x"]),
    ("run --stop-signal SIGNOPE {image}", 125, &["--stop-signal", "SIGNOPE"]),
    ("run --cidfile {dir}/broken.json {image}", 125, &["--cidfile", "container ID file found"]),
    ("run --cidfile {dir}/no/such/file {image}", 125, &["--cidfile", "/no/such/file"]),
    ("run --detach-keys ctrl-1 {image}", 125, &["--detach-keys", "ctrl-1"]),
    ("run -a stdfoo {image}", 125, &["--attach", "stdfoo"]),
    ("run -d -a stdout {image}", 125, &["--detach", "--attach"]),
    ("run {image} no-such-program", 127, &["no-such-program"]),
    ("run {image} /etc/passwd", 126, &["/etc/passwd"]),
    ("run --entrypoint /no/such {image}", 127, &["/no/such"]),
    ("exec absent true", 1, &["absent"]),
    ("exec idle true", 1, &["idle", "not running"]),
    ("attach idle", 1, &["idle"]),
    ("start absent", 1, &["absent"]),
    ("rm absent", 1, &["absent"]),
];

/// The cgroup below which every container of a test is made: what is left of them is seen there, whoever else makes
/// containers meanwhile.
struct Parent(String);

impl Parent {
    fn new() -> Parent {
        Parent(format!("phial-test-{}", std::process::id()))
    }

    /// Its directory in each hierarchy.
    fn directories(&self) -> Vec<PathBuf> {
        let root = Path::new("/sys/fs/cgroup");
        let hierarchies = std::fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
        let all = hierarchies.chain([root.to_owned()]).map(|path| path.join(&self.0));
        all.filter(|path| path.is_dir()).collect()
    }

    /// The line with the flag for it, if it makes a container. A later one of the same flag counts instead.
    fn put_into(&self, mut words: Vec<String>) -> Vec<String> {
        if matches!(words[0].as_str(), "run" | "create") {
            words.insert(1, format!("--cgroup-parent=/{}", self.0));
        }
        words
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        for directory in self.directories() {
            // What is in the way is a failure that was told already.
            std::fs::remove_dir(directory).ok();
        }
    }
}

/// What there is of containers and volumes on disk, below /run, and among the cgroups.
fn remains(stage: &Stage, parent: &Parent) -> BTreeSet<String> {
    let (root, run) = (stage.phial.root(), stage.phial.run_dir());
    let places = [root.join("containers"), root.join("volumes"), root.join("tmp"), run.join("containers")];
    let names = |place: &Path| {
        let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
        entries.map(|entry| entry.path().display().to_string()).collect::<Vec<_>>()
    };
    let cgroups = parent.directories();
    let is_directory = |path: &String| Path::new(path).is_dir();
    let cgroups = cgroups.iter().flat_map(|place| names(place)).filter(is_directory);
    places.iter().flat_map(|place| names(place)).chain(cgroups).collect()
}

/// What is wrong with how a mistake was told.
fn judge(stage: &Stage, words: &[String], code: i32, expected: &[&str]) -> Result<Option<String>> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = stage.phial.run(&words)?;
    // A pull that does not come to anything says before what it looks for.
    let said: Vec<&str> = output.stderr.lines().filter(|line| !line.starts_with("Unable to find image")).collect();
    let said: Vec<&str> = said.into_iter().filter(|line| !line.contains(": Pulling from ")).collect();
    let first = said.first().copied().unwrap_or_default();
    let fine = output.code == code
        && output.stdout.is_empty()
        && first.starts_with("phial: ")
        && expected.iter().all(|word| first.contains(word))
        && said.iter().skip(1).all(|line| line.starts_with("hint: "))
        && said.len() <= 2;
    Ok((!fine).then(|| format!("phial {} (expected {code} and {expected:?}): {output:?}", words.join(" "))))
}

fn check(rows: &[Row]) -> Result {
    let stage = Stage::busybox()?;
    let dir = stage.phial.scratch().join("input");
    std::fs::create_dir(&dir)?;
    std::fs::write(dir.join("broken.json"), "{\"defaultAction\":")?;
    std::fs::write(dir.join("empty.json"), "{}")?;
    stage.phial.ok(&["create", "--name", "idle", &stage.image, "true"])?;
    let (dir, registry) = (dir.display().to_string(), stage.registry.name(""));
    let registry = registry.trim_end_matches('/');
    let parent = Parent::new();
    let before = remains(&stage, &parent);
    let mut wrong = Vec::new();
    for (line, code, expected) in rows {
        let put_in =
            |word: &str| word.replace("{image}", &stage.image).replace("{dir}", &dir).replace("{registry}", registry);
        let words = parent.put_into(line.split(' ').map(put_in).collect());
        wrong.extend(judge(&stage, &words, *code, expected)?);
        if *code == 125 && remains(&stage, &parent) != before {
            let left = remains(&stage, &parent);
            wrong.push(format!("phial {line}: something is left: {:?}", left.difference(&before)));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    // A container whose command is not there stays, as docker's does.
    let left = stage.phial.containers()?.len();
    let started = rows.iter().filter(|(_, code, _)| (126..=127).contains(code)).count();
    assert_eq!(left, 1 + started, "a container was made all the same");
    Ok(())
}

#[test]
fn limits() -> Result {
    check(LIMITS)
}

#[test]
fn devices() -> Result {
    check(DEVICES)
}

#[test]
fn namespaces_and_names() -> Result {
    check(NAMESPACES)
}

#[test]
fn security_and_users() -> Result {
    check(SECURITY)
}

#[test]
fn images_mounts_and_the_rest() -> Result {
    check(THE_REST)
}
