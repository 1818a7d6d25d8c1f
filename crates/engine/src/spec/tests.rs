//! Configurations: one whole as a snapshot, and what each flag changes in it.

use runtime::seccomp::KernelVersion;
use serde_json::{Value, json};

use super::*;
use crate::config::{CapabilityChoice, Ipc, Mount, SecurityOption, Ulimit};
use crate::volumes::Place;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn image() -> image::Config {
    image::Config {
        env: ["PATH=/usr/bin", "LANG=C", "HOSTSECRET", "", "=x"].map(str::to_owned).to_vec(),
        entrypoint: Some(vec!["/entry".to_owned()]),
        cmd: Some(vec!["serve".to_owned(), "--all".to_owned()]),
        working_dir: "/srv".to_owned(),
        ..image::Config::default()
    }
}

fn host() -> Host {
    Host {
        cpus: 2,
        capabilities: u64::MAX,
        throttled_cpus: 0,
        kernel: KernelVersion { major: 6, minor: 12 },
        hostname: "workshop".to_owned(),
        devices: Vec::new(),
        disks: Vec::new(),
        edits: crate::host::cdi::Edits::default(),
        selinux: false,
        peer: None,
    }
}

/// Where volumes lie: one of each kind.
fn sources() -> Sources {
    let directory = |path: &str, options: &[&str]| Place::Directory {
        path: PathBuf::from(path),
        recursive: options.is_empty(),
        options: options.iter().map(ToString::to_string).collect(),
    };
    let tmpfs = Place::FileSystem { kind: "tmpfs".into(), device: "tmpfs".into(), options: vec!["size=1m".into()] };
    let volumes = [("data", directory("/v/data/_data", &[])), ("host", directory("/srv", &["ro"])), ("mem", tmpfs)];
    let volumes = volumes.map(|(name, place)| (name.to_owned(), place)).into_iter().collect();
    let layers = |names: &[&str]| names.iter().map(PathBuf::from).collect();
    let images =
        [(store::Digest::of(b"one"), layers(&["/l/a"])), (store::Digest::of(b"two"), layers(&["/l/b", "/l/a"]))];
    Sources { volumes, images: images.into_iter().collect() }
}

fn try_build(config: &ContainerConfig, identity: &Identity) -> Result<Value> {
    let (image, host, sources) = (image(), host(), sources());
    let inputs = Inputs {
        id: ID,
        config,
        image: &image,
        identity,
        host: &host,
        directory: Path::new("/c"),
        bundle: Path::new("/c"),
        sources: &sources,
    };
    let mut value = serde_json::to_value(build(&inputs)?).expect("is JSON");
    // Sets of the library have no order.
    for (_, set) in value["process"]["capabilities"].as_object_mut().expect("are there") {
        set.as_array_mut().expect("is a set").sort_by(|left, right| left.as_str().cmp(&right.as_str()));
    }
    Ok(value)
}

fn root() -> Identity {
    Identity { groups: vec![0, 10], home: "/root".to_owned(), ..Identity::default() }
}

/// Changes a configuration and compares one field of what comes out.
fn check(change: impl FnOnce(&mut ContainerConfig), pointer: &str, expected: &Value) {
    let mut config = ContainerConfig::default();
    change(&mut config);
    let value = try_build(&config, &root()).expect("builds");
    assert_eq!(value.pointer(pointer).unwrap_or(&Value::Null), expected, "{pointer}");
}

/// The options of the mount on `target`, after its type and source.
fn mounted(change: impl FnOnce(&mut ContainerConfig), target: &str) -> Option<String> {
    let mut config = ContainerConfig::default();
    change(&mut config);
    let value = try_build(&config, &root()).expect("builds");
    let mounts = value["mounts"].as_array().expect("are there");
    let found: Vec<&Value> = mounts.iter().filter(|mount| mount["destination"] == target).collect();
    assert!(found.len() < 2, "{target} is mounted twice");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let options =
        |mount: &Value| mount["options"].as_array().expect("are there").iter().map(text).collect::<Vec<_>>().join(",");
    found.first().map(|mount| format!("{} {} {}", text(&mount["type"]), text(&mount["source"]), options(mount)))
}

#[test]
fn a_container_without_flags() {
    let mut value = try_build(&ContainerConfig::default(), &root()).expect("builds");
    let seccomp = value["linux"]["seccomp"].take();
    assert_eq!(seccomp["defaultAction"], "SCMP_ACT_ERRNO");
    insta::assert_snapshot!(serde_json::to_string_pretty(&value).expect("is JSON"));
}

/// `--entrypoint`, the words after the image, what is run.
type Arguments<'a> = (Option<&'a [&'a str]>, &'a [&'a str], &'a [&'a str]);

#[test]
fn arguments_are_dockers() {
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let cases: [Arguments<'_>; 6] = [
        (None, &[], &["/entry", "serve", "--all"]),
        (None, &["sh"], &["/entry", "sh"]),
        (Some(&["/mine"]), &[], &["/mine"]),
        (Some(&["/mine"]), &["sh"], &["/mine", "sh"]),
        (Some(&[""]), &["sh"], &["sh"]),
        (Some(&[]), &["sh", "-c"], &["sh", "-c"]),
    ];
    for (entrypoint, command, expected) in cases {
        let change = |config: &mut ContainerConfig| {
            config.entrypoint = entrypoint.map(words);
            config.command = words(command);
        };
        check(change, "/process/args", &json!(expected));
    }
    let nothing =
        ContainerConfig { image: "empty".to_owned(), entrypoint: Some(vec![String::new()]), ..Default::default() };
    let error = try_build(&nothing, &root()).expect_err("has nothing to run");
    assert_eq!(error.to_string(), "image empty: no command specified");
}

#[test]
fn the_environment_is_dockers() {
    check(
        |config| config.env = ["LANG=de", "HOME=/here", "HOSTSECRET", "NEW=1"].map(str::to_owned).to_vec(),
        "/process/env",
        &json!(["PATH=/usr/bin", "HOSTNAME=0123456789ab", "LANG=de", "HOME=/here", "NEW=1"]),
    );
    let terminal = json!(["PATH=/usr/bin", "HOSTNAME=box", "TERM=xterm", "LANG=C", "HOSTSECRET=", "HOME=/root"]);
    check(
        |config| {
            config.tty = true;
            config.hostname = Some("box".to_owned());
        },
        "/process/env",
        &terminal,
    );
}

#[test]
fn flags_of_the_process() {
    check(|config| config.working_dir = Some("/tmp".to_owned()), "/process/cwd", &json!("/tmp"));
    check(|config| config.tty = true, "/process/terminal", &json!(true));
    check(|config| config.hostname = Some("box".to_owned()), "/hostname", &json!("box"));
    check(|config| config.network = Network::Host, "/hostname", &json!("workshop"));
    check(|config| config.read_only = true, "/root/readonly", &json!(true));
    check(
        |config| config.security_opt = vec![SecurityOption::NoNewPrivileges(true)],
        "/process/noNewPrivileges",
        &json!(true),
    );
    let ulimits = ["nofile=1:2", "core=0", "nofile=3"].map(|text| Ulimit::parse(text).expect("is one")).to_vec();
    check(
        |config| config.ulimits = ulimits,
        "/process/rlimits",
        &json!([{"type": "RLIMIT_CORE", "hard": 0, "soft": 0}, {"type": "RLIMIT_NOFILE", "hard": 3, "soft": 3}]),
    );
    let relative = ContainerConfig { working_dir: Some("tmp".to_owned()), ..Default::default() };
    let error = try_build(&relative, &root()).expect_err("is relative");
    assert_eq!(error.to_string(), "--workdir tmp: not an absolute path");
}

#[test]
fn limits_become_resources() {
    check(
        |config| config.memory = Some(64 << 20),
        "/linux/resources/memory",
        &json!({"limit": 67_108_864, "swap": 134_217_728}),
    );
    check(
        |config| config.nano_cpus = Some(1_500_000_000),
        "/linux/resources/cpu",
        &json!({"quota": 150_000, "period": 100_000}),
    );
    check(|config| config.pids_limit = Some(7), "/linux/resources/pids", &json!({"limit": 7}));
    let many = ContainerConfig { nano_cpus: Some(2_500_000_000), ..Default::default() };
    let error = try_build(&many, &root()).expect_err("are too many");
    assert_eq!(error.to_string(), "--cpus 2.5: this host has only 2");
}

#[test]
fn capabilities_of_root_and_others() {
    let drop_all = vec![CapabilityChoice::All];
    let add = vec![CapabilityChoice::parse("--cap-add", "NET_ADMIN").expect("is one")];
    let config = ContainerConfig { cap_add: add, cap_drop: drop_all, ..Default::default() };
    let none = json!([]);
    let one = json!(["CAP_NET_ADMIN"]);
    let other = Identity { uid: 1000, gid: 1000, groups: vec![1000], home: "/".to_owned() };
    for (identity, own) in [(root(), &one), (other, &none)] {
        let value = try_build(&config, &identity).expect("builds");
        let sets = &value["process"]["capabilities"];
        assert_eq!(sets["bounding"], one);
        assert_eq!((&sets["effective"], &sets["permitted"]), (own, own));
        assert_eq!((&sets["inheritable"], &sets["ambient"]), (&none, &none));
        assert_eq!(value["process"]["user"]["additionalGids"], json!(identity.groups));
    }
}

#[test]
fn the_hosts_network_is_the_hosts() {
    let config = ContainerConfig { network: Network::Host, ..Default::default() };
    let value = try_build(&config, &root()).expect("builds");
    let namespaces = value["linux"]["namespaces"].as_array().expect("are there");
    assert!(namespaces.iter().all(|namespace| namespace["type"] != "network"));
    assert_eq!(value["linux"].get("sysctl"), None);
}

#[test]
fn mounts_of_the_user_take_the_place_of_others() {
    let volume = |text: &str| vec![Mount::parse_volume(text, Path::new("/here")).expect("is one")];
    let tmpfs = |text: &str| vec![Mount::parse_tmpfs(text).expect("is one")];
    let found = |mounts: Vec<Mount>, target| mounted(|config| config.mounts = mounts, target);
    assert_eq!(found(vec![], "/dev/shm").as_deref(), Some("tmpfs shm nosuid,noexec,nodev,mode=1777,size=65536k"));
    assert_eq!(found(volume("/a:/dev/shm"), "/dev/shm").as_deref(), Some("bind /a rbind,rprivate,rw"));
    assert_eq!(found(volume("/a:/dev"), "/dev/shm"), None);
    assert_eq!(found(volume("/a:/etc/hosts:ro"), "/etc/hosts").as_deref(), Some("bind /a rbind,rprivate,rro"));
    assert_eq!(found(vec![], "/etc/hosts").as_deref(), Some("bind /c/hosts rbind,rprivate,rw"));
    assert_eq!(
        mounted(|config| config.read_only = true, "/etc/hosts").as_deref(),
        Some("bind /c/hosts rbind,rprivate,ro")
    );
    assert_eq!(found(volume("/a:/b:rslave"), "/b").as_deref(), Some("bind /a rbind,rslave,rw"));
    assert_eq!(
        found(tmpfs("/run:size=1m,mode=700,exec"), "/run").as_deref(),
        Some("tmpfs tmpfs nosuid,nodev,noexec,rw,size=1048576,mode=700,exec"),
    );
}

#[test]
fn deeper_mounts_come_later() {
    let mounts =
        ["/1:/a/b/c", "/2:/a", "/3:/a/b"].map(|text| Mount::parse_volume(text, Path::new("/")).expect("is one"));
    let config = ContainerConfig { mounts: mounts.to_vec(), ..Default::default() };
    let value = try_build(&config, &root()).expect("builds");
    let targets = value["mounts"].as_array().expect("are there").iter().map(|mount| mount["destination"].clone());
    let targets: Vec<Value> =
        targets.filter(|target| target.as_str().is_some_and(|path| path.starts_with("/a"))).collect();
    assert_eq!(targets, ["/a", "/a/b", "/a/b/c"]);
}

#[test]
fn a_further_process_has_no_more_than_the_first() {
    let (image, host, sources) = (image(), host(), sources());
    let config =
        ContainerConfig { cap_drop: vec![CapabilityChoice::parse("x", "KILL").expect("is one")], ..Default::default() };
    let inputs = Inputs {
        id: ID,
        config: &config,
        image: &image,
        identity: &root(),
        host: &host,
        directory: Path::new("/c"),
        bundle: Path::new("/c"),
        sources: &sources,
    };
    let main = build(&inputs).expect("builds").process().clone().expect("is there");
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let exec =
        crate::ExecConfig { command: words(&["id"]), env: words(&["A=1", "LANG"]), tty: true, ..Default::default() };
    let other = Identity { uid: 7, gid: 8, groups: vec![8], home: "/seven".to_owned() };

    let process = exec_process(&main, &exec, None, None).expect("builds");
    let env = ["PATH=/usr/bin", "HOSTNAME=0123456789ab", "HOSTSECRET=", "HOME=/root", "TERM=xterm", "A=1"];
    assert_eq!(process.env().as_deref(), Some(words(&env).as_slice()));
    assert_eq!((process.cwd(), process.user().uid()), (&PathBuf::from("/srv"), 0));
    assert_eq!(process.capabilities(), main.capabilities());

    let process = exec_process(&main, &exec, Some((&other, true)), None).expect("builds");
    assert_eq!(crate::config::env::value(process.env().as_deref().unwrap_or_default(), "HOME"), Some("/seven"));
    assert_eq!((process.user().uid(), process.user().gid()), (7, 8));
    let sets = process.capabilities().as_ref().expect("are there");
    assert_eq!(sets.bounding(), main.capabilities().as_ref().expect("are there").bounding());
    assert_eq!(sets.effective().as_ref().map(std::collections::HashSet::len), Some(0));

    let nothing = exec_process(&main, &crate::ExecConfig::default(), None, None).expect_err("has nothing to run");
    assert_eq!(nothing.to_string(), "no command specified");
}

#[test]
fn namespaces_of_the_host_are_not_listed() {
    let kinds = |change: fn(&mut ContainerConfig)| {
        let mut config = ContainerConfig::default();
        change(&mut config);
        let value = try_build(&config, &root()).expect("builds");
        let list = value["linux"]["namespaces"].as_array().expect("are there").clone();
        // What is joined is entered by the supervisor, which puts the paths in.
        assert!(list.iter().all(|namespace| namespace["path"].is_null()), "{list:?}");
        list.iter().map(|namespace| namespace["type"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let all = ["mount", "uts", "pid", "ipc", "cgroup", "network"];
    assert_eq!(kinds(|_| {}), all);
    assert_eq!(kinds(|config| config.pid = Sharing::Container("x".to_owned())), all);
    assert_eq!(kinds(|config| config.pid = Sharing::Host), ["mount", "uts", "ipc", "cgroup", "network"]);
    assert_eq!(
        kinds(|config| {
            (config.uts, config.cgroup_namespace) = (Sharing::Host, Sharing::Host);
            (config.ipc, config.network) = (Ipc::Host, Network::Host);
        }),
        ["mount", "pid"]
    );
}

#[test]
fn shared_memory() {
    let shm = |change: fn(&mut ContainerConfig)| mounted(change, "/dev/shm");
    let sized = |size: &str| Some(format!("tmpfs shm nosuid,noexec,nodev,mode=1777,size={size}"));
    assert_eq!(shm(|_| {}), sized("65536k"));
    assert_eq!(shm(|config| config.shm_size = Some(1 << 20)), sized("1048576"));
    assert_eq!(shm(|config| config.ipc = Ipc::None), None);
    assert_eq!(
        shm(|config| config.ipc = Ipc::Host).as_deref(),
        Some("bind /dev/shm rbind,rprivate,nosuid,noexec,nodev")
    );
}

#[test]
fn privileged_hides_nothing_and_allows_everything() {
    let change = |config: &mut ContainerConfig| config.privileged = true;
    check(change, "/linux/maskedPaths", &json!([]));
    check(change, "/linux/readonlyPaths", &json!([]));
    check(change, "/linux/seccomp", &Value::Null);
    check(change, "/linux/resources/devices", &json!([{"allow": true, "type": "a", "access": "rwm"}]));
    assert_eq!(mounted(change, "/sys").as_deref(), Some("sysfs sysfs nosuid,noexec,nodev,rw"));
    assert_eq!(mounted(change, "/sys/fs/cgroup").as_deref(), Some("cgroup cgroup nosuid,noexec,nodev,rw"));
}

#[test]
fn limits_as_the_runtime_reads_them() {
    check(
        |config| {
            (config.memory, config.memory_swap, config.memory_reservation) = (Some(8 << 20), Some(-1), Some(7 << 20));
        },
        "/linux/resources/memory",
        &json!({"limit": 8 << 20, "swap": -1, "reservation": 7 << 20}),
    );
    check(
        |config| (config.cpu_shares, config.cpuset_cpus) = (Some(512), Some("0".to_owned())),
        "/linux/resources/cpu",
        &json!({"shares": 512, "cpus": "0"}),
    );
    check(
        |config| config.cgroup_parent = Some("a/b".to_owned()),
        "/linux/cgroupsPath",
        &json!(format!("/a/b/phial-{ID}")),
    );
    check(
        |config| config.sysctls = [("net.ipv4.ping_group_range".to_owned(), "0 0".to_owned())].into_iter().collect(),
        "/linux/sysctl/net.ipv4.ping_group_range",
        &json!("0 0"),
    );
    check(|config| config.oom_score_adj = Some(7), "/process/oomScoreAdj", &json!(7));
}

#[test]
fn volumes_and_images_are_mounted_where_they_lie() {
    let check = |text: &str, expected: &str| {
        let mount = mounted(
            |config| {
                let mut mount = Mount::parse_mount(text, Path::new("/")).expect("is a mount");
                if let crate::config::MountKind::Image(image) = &mut mount.kind {
                    image.id = Some(store::Digest::of(image.image.as_bytes()));
                }
                config.mounts = vec![mount];
            },
            "/x",
        );
        assert_eq!(mount.as_deref(), Some(expected), "{text}");
    };
    check("src=data,dst=/x", "bind /v/data/_data rbind,rprivate,rw");
    check("src=data,dst=/x,ro,volume-subpath=a/b", "bind /v/data/_data rbind,rprivate,subpath=a/b,ro");
    check("src=host,dst=/x", "bind /srv bind,rprivate,ro");
    check("src=mem,dst=/x", "tmpfs tmpfs size=1m,rw,tmpcopyup");
    check("src=mem,dst=/x,ro,volume-nocopy", "tmpfs tmpfs size=1m,ro");
    check("type=image,src=one,dst=/x", "image one lower=/l/a,lower=/c/empty");
    check("type=image,src=two,dst=/x,image-subpath=etc", "image two lower=/l/b,lower=/l/a,subpath=etc");
    check("type=bind,src=/a,dst=/x,ro", "bind /a rbind,rprivate,rro");
    check("type=bind,src=/a,dst=/x,ro,bind-recursive=writable", "bind /a rbind,rprivate,ro");
}
