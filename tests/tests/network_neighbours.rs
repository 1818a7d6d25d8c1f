//! Other programs that have rules in the same firewall: Debian's dockerd on the same host, and whoever flushes everything.
//! Each test has a host of its own.

use end_to_end::engines::Docker;
use end_to_end::lan::{HOST, Lan, Machine, OUTSIDE};
use end_to_end::process::Running;
use end_to_end::{Result, Stage};
use tempfile::TempDir;

/// Ports of the host that lead to the container of each.
const PHIAL: u16 = 8080;
const DOCKER: u16 = 8081;
/// Port of a server on the machine beside.
const BESIDE: u16 = 9000;
/// Name of the one network of phial.
const NETWORK: &str = "own";

/// A host with an image for both engines, and a machine beside it with a server.
struct Host {
    // Dropped in this order: containers are removed where they are.
    docker: Option<Docker>,
    stage: Stage,
    _beside: Running,
    lan: Lan,
    dir: TempDir,
}

/// The server of each container: it says whose it is.
fn serve(whose: &str) -> String {
    format!(
        "mkdir /www; echo {whose} > /www/index.html; httpd -p 80 -h /www; echo ready
         trap 'exit 0' TERM; while :; do sleep 1000 & wait; done"
    )
}

/// A client's command line: the last line of what the server says. The applet `wget` of a static busybox dies where there
/// is no C library.
fn get(address: &str, port: u16) -> String {
    format!("printf 'GET / HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 1 {address} {port} | tail -n 1 | grep .")
}

impl Host {
    fn new() -> Result<Host> {
        let (lan, stage) = Lan::with_stage()?;
        // A new host does not forward. Docker closes the chain of who passes only if it was itself that has begun with it.
        lan.host.sh("echo 0 > /proc/sys/net/ipv4/ip_forward")?;
        let dir = tempfile::Builder::new().prefix("phial-").tempdir()?;
        std::fs::write(dir.path().join("index.html"), "beside\n")?;
        let (port, www) = (BESIDE.to_string(), dir.path().display().to_string());
        let beside = lan.outside.command("busybox", &["httpd", "-f", "-p", &port, "-h", &www]);
        let beside = Running::start(&mut { beside })?;
        Ok(Host { docker: None, lan, stage, dir, _beside: beside })
    }

    fn docker(&self) -> &Docker {
        self.docker.as_ref().expect("it was started")
    }

    /// Starts dockerd with a container that is published, and one that is not.
    fn start_docker(&mut self) -> Result {
        let docker = Docker::on(&self.dir.path().join("docker"), &self.lan.host)?;
        let image = self.dir.path().join("image.tar").display().to_string();
        self.stage.phial.ok(&["save", "-o", &image, &self.stage.image])?;
        docker.ok(&["load", "--input", &image])?;
        let run = ["run", "--detach", "--restart", "always", "--name"];
        let server = [self.stage.image.as_str(), "sh", "-c", &serve("docker")];
        let published = format!("{DOCKER}:80");
        docker.ok(&[&run[..], &["docker", "--publish", &published], &server].concat())?;
        docker.ok(&[&run[..], &["hidden"], &server].concat())?;
        self.docker = Some(docker);
        self.await_docker()
    }

    fn await_docker(&self) -> Result {
        for name in ["docker", "hidden"] {
            let ready = format!("until {} >/dev/null 2>&1; do :; done", get("127.0.0.1", 80));
            self.docker().ok(&["exec", name, "sh", "-c", &ready])?;
        }
        Ok(())
    }

    /// Starts phial's containers, likewise, on a new network.
    fn start_phial(&self) -> Result {
        self.stage.phial.ok(&["network", "create", NETWORK])?;
        let published = format!("{PHIAL}:80");
        let of_network = ["--network", NETWORK, "--name"];
        self.stage.start_ready(&[&of_network[..], &["phial", "-p", &published]].concat(), &serve("phial"))?;
        self.stage.start_ready(&[&of_network[..], &["secret"]].concat(), &serve("phial")).map(drop)
    }

    fn remove_phial(&self) -> Result {
        self.stage.phial.ok(&["rm", "-f", "phial", "secret"])?;
        self.stage.phial.ok(&["network", "rm", NETWORK]).map(drop)
    }

    /// What a machine gets from a server.
    fn machine_gets(machine: &Machine, address: &str, port: u16) -> Option<String> {
        machine.sh(&get(address, port)).ok()
    }

    fn phial_gets(&self, address: &str, port: u16) -> Option<String> {
        self.stage.phial.ok(&["exec", "secret", "sh", "-c", &get(address, port)]).ok()
    }

    fn docker_gets(&self, address: &str, port: u16) -> Option<String> {
        self.docker().ok(&["exec", "hidden", "sh", "-c", &get(address, port)]).ok()
    }

    /// Addresses of phial's container that is not published.
    fn secret(&self) -> Result<Vec<String>> {
        let inspected = self.stage.phial.inspect("secret")?;
        let network = &inspected["NetworkSettings"]["Networks"][NETWORK];
        let address = |key: &str| network[key].as_str().unwrap_or_default().to_owned();
        Ok(vec![address("IPAddress"), address("GlobalIPv6Address")])
    }

    /// Everything about phial's containers that others have no part in.
    fn check_phial(&self) -> Result {
        let said = |whose: &str| Some(whose.to_owned());
        for address in [HOST.0, HOST.1] {
            assert_eq!(Host::machine_gets(&self.lan.outside, address, PHIAL), said("phial"), "outside to {address}");
            assert_eq!(Host::machine_gets(&self.lan.host, address, PHIAL), said("phial"), "host to {address}");
        }
        for address in ["127.0.0.1", "::1"] {
            assert_eq!(Host::machine_gets(&self.lan.host, address, PHIAL), said("phial"), "host to {address}");
        }
        for address in [OUTSIDE.0, OUTSIDE.1] {
            assert_eq!(self.phial_gets(address, BESIDE), said("beside"), "phial's container to {address}");
        }
        for (address, via) in self.secret()?.iter().zip([HOST.0, HOST.1]) {
            self.lan.outside.ip(&format!("route replace {address} via {via}"))?;
            assert_eq!(Host::machine_gets(&self.lan.outside, address, 80), None, "outside to {address}");
        }
        Ok(())
    }

    /// The same about docker's, whose default is IPv4 alone.
    fn check_docker(&self) {
        let said = |whose: &str| Some(whose.to_owned());
        assert_eq!(Host::machine_gets(&self.lan.outside, HOST.0, DOCKER), said("docker"), "outside");
        for address in [HOST.0, "127.0.0.1"] {
            assert_eq!(Host::machine_gets(&self.lan.host, address, DOCKER), said("docker"), "host to {address}");
        }
        assert_eq!(self.docker_gets(OUTSIDE.0, BESIDE), said("beside"), "docker's container to the machine beside");
    }

    /// Both, and that each reaches what the other has published, and nothing else of it.
    fn check(&self) -> Result {
        self.check_phial()?;
        self.check_docker();
        assert_eq!(self.phial_gets(HOST.0, DOCKER).as_deref(), Some("docker"), "phial's container to docker's port");
        assert_eq!(self.docker_gets(HOST.0, PHIAL).as_deref(), Some("phial"), "docker's container to phial's port");
        let hidden = self.docker().inspect("hidden")?["NetworkSettings"]["IPAddress"].as_str().unwrap_or("").to_owned();
        assert_eq!(Host::machine_gets(&self.lan.host, &hidden, 80).as_deref(), Some("docker"), "the host to {hidden}");
        assert_eq!(self.phial_gets(&hidden, 80), None, "phial's container to docker's {hidden}");
        let secret = self.secret()?;
        assert_eq!(Host::machine_gets(&self.lan.host, &secret[0], 80).as_deref(), Some("phial"));
        assert_eq!(self.docker_gets(&secret[0], 80), None, "docker's container to phial's {}", secret[0]);
        Ok(())
    }

    /// The rules of `iptables`, without what they have counted.
    fn rules(&self) -> Result<String> {
        let rules = self.lan.host.sh("iptables-save; ip6tables-save")?;
        let uncounted = rules.lines().filter(|line| !line.starts_with('#'));
        Ok(uncounted.map(|line| line.split(" [").next().unwrap_or(line)).collect::<Vec<_>>().join("\n"))
    }

    /// The table of phial, without what its rules have counted.
    fn table(&self) -> Result<String> {
        self.lan.host.sh("nft --stateless list ruleset | sed -n '/^table inet phial/,/^}/p'")
    }
}

#[test]
fn docker_is_there_first() -> Result {
    let mut host = Host::new()?;
    host.start_docker()?;
    let before = host.rules()?;
    assert!(before.contains(":FORWARD DROP"), "{before}");
    host.check_docker();
    host.start_phial()?;
    host.check()?;
    host.remove_phial()?;
    assert_eq!(host.rules()?, before, "removing phial's last network");
    host.start_phial()?;
    host.docker.as_mut().expect("it was started").stop_daemon();
    host.check_phial()?;
    host.docker.as_mut().expect("it was started").start_daemon()?;
    host.await_docker()?;
    host.check()?;
    host.remove_phial()?;
    host.check_docker();
    Ok(())
}

#[test]
fn docker_comes_after_phial() -> Result {
    let mut host = Host::new()?;
    host.start_phial()?;
    host.check_phial()?;
    let table = host.table()?;
    host.start_docker()?;
    host.check()?;
    // A container that comes then, and one of docker's.
    host.remove_phial()?;
    host.start_phial()?;
    host.check()?;
    host.docker().ok(&["restart", "--time", "1", "docker"])?;
    host.await_docker()?;
    host.check()?;
    host.docker().ok(&["rm", "--force", "docker", "hidden"])?;
    host.check_phial()?;
    host.docker = None;
    host.check_phial()?;
    assert!(!table.is_empty());
    Ok(())
}

#[test]
fn who_starts_puts_back_what_others_have_flushed() -> Result {
    let host = Host::new()?;
    host.start_phial()?;
    let before = host.table()?;
    assert!(before.contains("published-everywhere-ip"), "{before}");
    let flush = || host.lan.host.sh("nft flush ruleset");
    flush()?;
    assert_eq!(host.phial_gets(OUTSIDE.0, BESIDE), None, "nothing translates what comes back");
    host.stage.run(&["--network", NETWORK], &["true"])?.success()?;
    assert_eq!(host.table()?, before, "after a start");
    host.check_phial()?;
    flush()?;
    host.stage.phial.ok(&["network", "reload"])?;
    assert_eq!(host.table()?, before, "after a reload");
    host.check_phial()
}
