//! A host of one's own and another machine beside it, as network namespaces: what a test does to the network of the one,
//! nobody else sees, and real packets go between the two.

use std::ops::Deref;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::namespace::Namespace;
use crate::process::run;
use crate::{Result, Stage};

/// The addresses of the host on the link between the two.
pub const HOST: (&str, &str) = ("192.0.2.1", "2001:db8::1");
/// The addresses of the other machine.
pub const OUTSIDE: (&str, &str) = ("192.0.2.2", "2001:db8::2");

/// A network namespace with a name of `ip-netns(8)`, which goes with the value.
#[derive(Debug)]
pub struct Machine {
    name: String,
    namespace: Namespace,
}

/// A host and a machine beside it, connected by a link.
#[derive(Debug)]
pub struct Lan {
    /// Where the program runs.
    pub host: Machine,
    /// A machine of somebody else.
    pub outside: Machine,
}

impl Machine {
    /// A new one, whose loopback interface is up.
    ///
    /// # Errors
    /// `ip` is missing, or the kernel refuses.
    pub fn new() -> Result<Machine> {
        // Names of temporary directories are new.
        let unique = TempDir::new()?;
        let tail = unique.path().extension().or(unique.path().file_name()).unwrap_or_default();
        let name = format!("phial-{}", tail.to_string_lossy().trim_start_matches('.'));
        let namespace = Namespace::at(Path::new("/run/netns").join(&name));
        let machine = Machine { name, namespace };
        run(Command::new("ip").args(["netns", "add", &machine.name]))?.success()?;
        machine.ip("link set lo up")?;
        Ok(machine)
    }

    /// What `ip(8)` does there, or says.
    ///
    /// # Errors
    /// It did not succeed.
    pub fn ip(&self, words: &str) -> Result<String> {
        let words: Vec<&str> = words.split_whitespace().collect();
        run(Command::new("ip").args(["-n", &self.name]).args(words))?.success()
    }
}

impl Deref for Machine {
    type Target = Namespace;

    fn deref(&self) -> &Namespace {
        &self.namespace
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Named after what it was: processes that are still in it keep it alive, not its name.
        let deleted = Command::new("ip").args(["netns", "del", &self.name]).process_group(0).status();
        if !std::thread::panicking() {
            assert!(deleted.is_ok_and(|status| status.success()), "network namespace {} cannot be deleted", self.name);
        }
    }
}

impl Lan {
    /// A host with one link, over which it reaches the other machine and everything else.
    ///
    /// # Errors
    /// `ip` is missing, or the kernel refuses.
    pub fn new() -> Result<Lan> {
        let (host, outside) = (Machine::new()?, Machine::new()?);
        host.ip(&format!("link add eth0 type veth peer name eth0 netns {}", outside.name))?;
        for (machine, own) in [(&host, HOST), (&outside, OUTSIDE)] {
            machine.ip(&format!("addr add {}/24 dev eth0", own.0))?;
            machine.ip(&format!("addr add {}/64 dev eth0 nodad", own.1))?;
            machine.ip("link set eth0 up")?;
            // Who asks where nobody is hears of it each time, not only the first six times in a second (icmp(7)).
            machine.sh("echo 0 > /proc/sys/net/ipv4/icmp_ratelimit; echo 0 > /proc/sys/net/ipv6/icmp/ratelimit")?;
        }
        host.ip(&format!("route add default via {}", OUTSIDE.0))?;
        host.ip(&format!("-6 route add default via {}", OUTSIDE.1))?;
        Ok(Lan { host, outside })
    }

    /// A host on which the program has the small image. It runs there from now on, and its resolver asks the other machine,
    /// which refuses at once if nobody answers questions there.
    ///
    /// # Errors
    /// As of [`Stage::busybox`] and [`Lan::new`].
    pub fn with_stage() -> Result<(Lan, Stage)> {
        let (lan, mut stage) = (Lan::new()?, Stage::busybox()?);
        stage.phial.enter(&lan.host);
        stage.phial.resolve_with(OUTSIDE.0)?;
        Ok((lan, stage))
    }

    /// Lets the other machine send packets for `127.0.0.0/8` to the host, as a hostile neighbour does (CVE-2020-8558).
    ///
    /// # Errors
    /// `ip` is missing.
    pub fn aim_at_loopback(&self) -> Result {
        self.outside.ip(&format!("route add 127.0.0.0/8 via {} dev eth0 table 7", HOST.0))?;
        self.outside.ip("addr del 127.0.0.1/8 dev lo")?;
        self.outside.sh("echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet")?;
        self.outside.ip("rule add pref 0 from all lookup 7").map(drop)
    }
}
