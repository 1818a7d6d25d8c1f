//! Other programs that have rules in the same firewall: Debian's dockerd and podman on the same host, and whoever flushes
//! everything.
//! Each test has a host of its own.

use end_to_end::engines::{Docker, Podman};
use end_to_end::lan::{HOST, Lan, OUTSIDE};
use end_to_end::namespace::{Namespace, Outcome};
use end_to_end::process::run;
use end_to_end::servers::Listener;
use end_to_end::{Context, Result, Stage};
use tempfile::TempDir;

/// Ports of the host that lead to the container of each.
const PHIAL: u16 = 8080;
const DOCKER: u16 = 8081;
/// Port of a server on the machine beside, which says who calls.
const BESIDE: u16 = 9000;
/// Name of the one network of phial.
const NETWORK: &str = "own";

/// A host with an image for both engines, and a machine beside it with a server.
struct Host {
    // Dropped in this order: containers are removed where they are.
    docker: Option<Docker>,
    stage: Stage,
    _beside: Listener,
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

/// Calls a port, behind which there must be a server that says this.
fn said(expected: &str, from: &Namespace, address: &str, port: u16) -> Result {
    assert_eq!(from.ask_tcp(address, port)?, expected, "{} to {address}, port {port}", from.path().display());
    Ok(())
}

impl Host {
    fn new() -> Result<Host> {
        let (lan, stage) = Lan::with_stage()?;
        // A new host does not forward. Docker closes the chain of who passes only if it was itself that has begun with it.
        lan.host.sh("echo 0 > /proc/sys/net/ipv4/ip_forward")?;
        let dir = tempfile::Builder::new().prefix("phial-").tempdir()?;
        let beside = lan.outside.listen(&format!("[::]:{BESIDE}"))?;
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

    /// Waits until docker's containers serve.
    fn await_docker(&self) -> Result {
        let listens = "until netstat -ltn | grep -q ':80 '; do :; done";
        ["docker", "hidden"]
            .iter()
            .try_for_each(|name| self.docker().ok(&["exec", name, "sh", "-c", listens]).map(drop))
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

    /// The network of phial's container that is not published.
    fn of_phial(&self) -> Result<Namespace> {
        self.stage.phial.namespace("secret")
    }

    /// The same of docker.
    fn of_docker(&self) -> Result<Namespace> {
        let pid = self.docker().inspect("hidden")?["State"]["Pid"].as_i64().filter(|pid| *pid != 0);
        Ok(Namespace::at(format!("/proc/{}/ns/net", pid.context("it runs")?)))
    }

    /// Addresses of phial's container that is not published.
    fn secret(&self) -> Result<Vec<String>> {
        ["IPAddress", "GlobalIPv6Address"].iter().map(|key| self.stage.phial.place("secret", NETWORK, key)).collect()
    }

    /// Everything about phial's containers that others have no part in.
    fn check_phial(&self) -> Result {
        let (host, outside, of_phial) = (&self.lan.host, &self.lan.outside, self.of_phial()?);
        for address in [HOST.0, HOST.1] {
            said("phial", outside, address, PHIAL)?;
            said("phial", host, address, PHIAL)?;
        }
        for address in ["127.0.0.1", "::1"] {
            said("phial", host, address, PHIAL)?;
        }
        // Who leaves has the host's address.
        for (address, own) in [(OUTSIDE.0, HOST.0), (OUTSIDE.1, HOST.1)] {
            said(own, &of_phial, address, BESIDE)?;
        }
        for (address, via) in self.secret()?.iter().zip([HOST.0, HOST.1]) {
            outside.ip(&format!("route replace {address} via {via}"))?;
            outside.check_tcp(address, 80, &Outcome::Silence)?;
        }
        Ok(())
    }

    /// The same about docker's, whose default is IPv4 alone.
    fn check_docker(&self) -> Result {
        said("docker", &self.lan.outside, HOST.0, DOCKER)?;
        for address in [HOST.0, "127.0.0.1"] {
            said("docker", &self.lan.host, address, DOCKER)?;
        }
        said(HOST.0, &self.of_docker()?, OUTSIDE.0, BESIDE)
    }

    /// Both, and that each reaches what the other has published, and nothing else of it.
    fn check(&self) -> Result {
        self.check_phial()?;
        self.check_docker()?;
        let (of_phial, of_docker) = (self.of_phial()?, self.of_docker()?);
        said("docker", &of_phial, HOST.0, DOCKER)?;
        said("phial", &of_docker, HOST.0, PHIAL)?;
        let hidden = self.docker().inspect("hidden")?["NetworkSettings"]["IPAddress"].as_str().unwrap_or("").to_owned();
        said("docker", &self.lan.host, &hidden, 80)?;
        of_phial.check_tcp(&hidden, 80, &Outcome::Silence).context("phial's container to docker's")?;
        let secret = &self.secret()?[0];
        said("phial", &self.lan.host, secret, 80)?;
        of_docker.check_tcp(secret, 80, &Outcome::Silence).context("docker's container to phial's")
    }

    /// The rules of `iptables`, without what they have counted.
    fn rules(&self) -> Result<String> {
        let rules = self.lan.host.sh("iptables-save; ip6tables-save")?;
        let uncounted = rules.lines().filter(|line| !line.starts_with('#'));
        Ok(uncounted.map(|line| line.split(" [").next().unwrap_or(line)).collect::<Vec<_>>().join("\n"))
    }

    /// The same without those about phial's network, whose bridge is another one each time.
    fn rules_of_others(&self) -> Result<String> {
        let rules = self.rules()?;
        Ok(rules.lines().filter(|line| !line.contains("br-")).collect::<Vec<_>>().join("\n"))
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
    host.check_docker()?;
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
    host.check_docker()
}

#[test]
fn docker_comes_after_phial() -> Result {
    let mut host = Host::new()?;
    host.start_phial()?;
    host.check_phial()?;
    let before = host.table()?;
    assert!(before.contains("published-everywhere-ip"), "{before}");
    host.start_docker()?;
    host.check()?;
    assert_eq!(host.table()?, before, "docker has come");
    // A container that comes then, and one of docker's.
    let of_docker = host.rules_of_others()?;
    assert!(of_docker.contains("-A DOCKER "), "{of_docker}");
    host.remove_phial()?;
    host.start_phial()?;
    host.check()?;
    assert_eq!(host.rules_of_others()?, of_docker, "phial has come once more");
    let before = host.table()?;
    host.docker().ok(&["restart", "--time", "1", "docker"])?;
    host.await_docker()?;
    host.check()?;
    host.docker().ok(&["rm", "--force", "docker", "hidden"])?;
    host.check_phial()?;
    host.docker = None;
    host.check_phial()?;
    assert_eq!(host.table()?, before, "docker has gone");
    Ok(())
}

/// Its rules are those of Debian's podman: chains of `iptables`, written by plugins of CNI.
#[test]
fn podman_is_there_before_and_after() -> Result {
    const PODMAN: u16 = 8082;
    let host = Host::new()?;
    let podman = Podman::on(&host.dir.path().join("podman"), &host.lan.host)?;
    let image = host.dir.path().join("image.tar").display().to_string();
    host.stage.phial.ok(&["save", "-o", &image, &host.stage.image])?;
    podman.ok(&["load", "--input", &image])?;
    let start = |name: &str, port: u16| -> Result<Namespace> {
        let flags = ["--detach", "--name", name, "--publish", &format!("{port}:80")];
        run(&mut podman.run(&flags, &host.stage.image, &["sleep", "1000"]))?.success()?;
        let pid = podman.inspect(name)?["State"]["Pid"].as_i64().context("it runs")?;
        Ok(Namespace::at(format!("/proc/{pid}/ns/net")))
    };
    let check = |of_podman: &Namespace, port: u16| {
        let _server = of_podman.listen("[::]:80")?;
        for from in [&*host.lan.outside, &*host.lan.host, &host.of_phial()?] {
            from.ask_tcp(HOST.0, port).context(format!("podman's port {port}"))?;
        }
        said(HOST.0, of_podman, OUTSIDE.0, BESIDE)?;
        said("phial", of_podman, HOST.0, PHIAL)?;
        of_podman.check_tcp(&host.secret()?[0], 80, &Outcome::Silence)?;
        host.check_phial()
    };
    let first = start("first", PODMAN)?;
    host.start_phial()?;
    check(&first, PODMAN)?;
    let second = start("second", PODMAN + 1)?;
    check(&second, PODMAN + 1)?;
    podman.ok(&["rm", "--force", "--time", "0", "first"])?;
    check(&second, PODMAN + 1)?;
    let others = host.rules_of_others()?;
    host.remove_phial()?;
    host.start_phial()?;
    check(&second, PODMAN + 1)?;
    assert_eq!(host.rules_of_others()?, others, "phial has come once more");
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
    // Nothing translates what comes back, which nobody can say.
    host.of_phial()?.check_tcp(OUTSIDE.0, BESIDE, &Outcome::Silence)?;
    host.stage.run(&["--network", NETWORK], &["true"])?.success()?;
    assert_eq!(host.table()?, before, "after a start");
    host.check_phial()?;
    flush()?;
    host.stage.phial.ok(&["network", "reload"])?;
    assert_eq!(host.table()?, before, "after a reload");
    host.check_phial()
}
