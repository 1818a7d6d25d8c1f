//! The programs `iptables-save` and `iptables-restore`, and their twins for IPv6.
//!
//! A host has two of each: one whose tables are the kernel's old ones (`-legacy`), one that makes nftables of them (`-nft`). Which
//! one has the name without a suffix, the distribution decides, and that is what is used, as Docker does. But where the old
//! tables are in use in this network, or the kernel has no others, it is the old ones: of two sets of tables each would
//! know nothing of the other.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::error::{Error, ErrorKind, Result};
use crate::firewall::program::find;
use crate::nft;

/// Names of the old tables of this network that are in use.
const OLD_TABLES: [&str; 2] = ["/proc/thread-self/net/ip_tables_names", "/proc/thread-self/net/ip6_tables_names"];

/// The programs of this host.
#[derive(Debug)]
pub(super) struct Programs {
    /// What their names begin with behind the family: `-legacy` or nothing.
    variant: &'static str,
}

impl Programs {
    /// Those that fit this host and this network.
    ///
    /// # Errors
    /// `Unsupported` when there are none.
    pub(super) fn choose() -> Result<Programs> {
        let is_old = OLD_TABLES.iter().any(|names| std::fs::read(names).is_ok_and(|names| !names.is_empty()));
        let is_old = is_old || !nft::Socket::open().is_ok_and(|mut socket| socket.generation().is_ok());
        if is_old && find("iptables-legacy-restore").is_some() {
            return Ok(Programs { variant: "-legacy" });
        }
        match find("iptables-restore") {
            Some(_) => Ok(Programs { variant: "" }),
            None => Err(Error::new(ErrorKind::Unsupported, "iptables-restore is not installed")
                .with_hint("install iptables, or choose nftables")),
        }
    }

    /// All rules.
    ///
    /// # Errors
    /// `System`, with what the program says.
    pub(super) fn save(&self, is_ipv4: bool) -> Result<String> {
        let (name, mut command) = self.command(is_ipv4, "save")?;
        let output = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).output();
        let output = checked(&name, output.map_err(|error| Error::io(&name, &error))?)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Carries out changes: a table's all at once, or none of them.
    ///
    /// # Errors
    /// `System`, with what the program says.
    pub(super) fn restore(&self, is_ipv4: bool, text: &str) -> Result<()> {
        let (name, mut command) = self.command(is_ipv4, "restore")?;
        // Others who change the old tables hold a lock meanwhile; without the flag it would not wait for them.
        command.args(["--noflush", "--wait"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let failed = |error: std::io::Error| Error::io(&name, &error);
        let mut child = command.spawn().map_err(failed)?;
        if let Some(mut input) = child.stdin.take() {
            // One that has ended says why, which is the better error.
            input.write_all(text.as_bytes()).ok();
        }
        checked(&name, child.wait_with_output().map_err(failed)?).map(drop)
    }

    fn command(&self, is_ipv4: bool, verb: &str) -> Result<(String, Command)> {
        let family = if is_ipv4 { "iptables" } else { "ip6tables" };
        let name = format!("{family}{}-{verb}", self.variant);
        let path = find(&name).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, format!("{name} is not installed")).with_hint("install iptables")
        })?;
        let mut command = Command::new(path);
        command.env("LC_ALL", "C");
        Ok((name, command))
    }
}

fn checked(name: &str, output: Output) -> Result<Output> {
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    // The last line is about how to get help.
    let why = said.lines().find(|line| !line.starts_with('#') && !line.trim().is_empty()).unwrap_or_default();
    Err(Error::new(ErrorKind::System, format!("{name}: {} ({})", why.trim(), output.status)))
}
