//! Commands: what is run, and in what surroundings.

use prost::{Enumeration, Message};

/// Runs a command.
#[derive(Clone, PartialEq, Message)]
pub struct ExecOp {
    /// The command and its surroundings.
    #[prost(message, optional, tag = "1")]
    pub meta: Option<Meta>,
    /// What it sees. One of them is its root.
    #[prost(message, repeated, tag = "2")]
    pub mounts: Vec<Mount>,
    /// Whom it reaches.
    #[prost(enumeration = "NetMode", tag = "3")]
    pub network: i32,
    /// What it may do.
    #[prost(enumeration = "SecurityMode", tag = "4")]
    pub security: i32,
    /// Secrets that are variables.
    #[prost(message, repeated, tag = "5")]
    pub secretenv: Vec<SecretEnv>,
    /// Devices of vendors.
    #[prost(message, repeated, tag = "6")]
    pub cdi_devices: Vec<CdiDevice>,
}

/// A command and its surroundings.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Meta {
    /// The program and its arguments.
    #[prost(string, repeated, tag = "1")]
    pub args: Vec<String>,
    /// Variables, `NAME=value`.
    #[prost(string, repeated, tag = "2")]
    pub env: Vec<String>,
    /// Where it runs.
    #[prost(string, tag = "3")]
    pub cwd: String,
    /// Who runs it.
    #[prost(string, tag = "4")]
    pub user: String,
    /// Variables that say how others are reached, and are no part of what the command means.
    #[prost(message, optional, tag = "5")]
    pub proxy_env: Option<ProxyEnv>,
    /// Names of hosts.
    #[prost(message, repeated, tag = "6")]
    pub extra_hosts: Vec<HostIp>,
    /// What the host is called.
    #[prost(string, tag = "7")]
    pub hostname: String,
    /// Limits of the process.
    #[prost(message, repeated, tag = "9")]
    pub ulimit: Vec<Ulimit>,
    /// The cgroup it is below.
    #[prost(string, tag = "10")]
    pub cgroup_parent: String,
    /// Whether directories that were made for mounts go away with those above them.
    #[prost(bool, tag = "11")]
    pub remove_mount_stubs_recursive: bool,
    /// Exit codes that are no failure; without any, 0.
    #[prost(int32, repeated, tag = "12")]
    pub valid_exit_codes: Vec<i32>,
}

/// A name of a host.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct HostIp {
    /// The name.
    #[prost(string, tag = "1")]
    pub host: String,
    /// Its address.
    #[prost(string, tag = "2")]
    pub ip: String,
}

/// A limit of a process.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Ulimit {
    /// `nofile`, `nproc` and so on.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The soft limit.
    #[prost(int64, tag = "2")]
    pub soft: i64,
    /// The hard limit.
    #[prost(int64, tag = "3")]
    pub hard: i64,
}

/// Whom a command reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum NetMode {
    /// What the builder says.
    Unset = 0,
    /// As the host does.
    Host = 1,
    /// Nobody.
    None = 2,
}

/// What a command may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum SecurityMode {
    /// What a container may.
    Sandbox = 0,
    /// Everything.
    Insecure = 1,
}

/// A secret that is a variable.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SecretEnv {
    /// What the secret is called.
    #[prost(string, tag = "1")]
    pub id: String,
    /// What the variable is called.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Whether it may be absent.
    #[prost(bool, tag = "3")]
    pub optional: bool,
}

/// A device of a vendor.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct CdiDevice {
    /// Its CDI name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Whether it may be absent.
    #[prost(bool, tag = "2")]
    pub optional: bool,
}

/// What a command sees somewhere.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Mount {
    /// Which of the operation's inputs, or -1 for something empty.
    #[prost(int64, tag = "1")]
    pub input: i64,
    /// A path in it.
    #[prost(string, tag = "2")]
    pub selector: String,
    /// Where it is seen.
    #[prost(string, tag = "3")]
    pub dest: String,
    /// As which of the operation's results it is kept, or -1 for none.
    #[prost(int64, tag = "4")]
    pub output: i64,
    /// Whether it cannot be written.
    #[prost(bool, tag = "5")]
    pub readonly: bool,
    /// What it is.
    #[prost(enumeration = "MountType", tag = "6")]
    pub mount_type: i32,
    /// More about one in memory.
    #[prost(message, optional, tag = "19")]
    pub tmpfs_opt: Option<TmpfsOpt>,
    /// More about one that is kept between builds.
    #[prost(message, optional, tag = "20")]
    pub cache_opt: Option<CacheOpt>,
    /// More about a secret.
    #[prost(message, optional, tag = "21")]
    pub secret_opt: Option<Grant>,
    /// More about the socket of an agent.
    #[prost(message, optional, tag = "22")]
    pub ssh_opt: Option<Grant>,
    /// What it is called in results.
    #[prost(string, tag = "23")]
    pub result_id: String,
    /// Whether its content decides if the command has to run.
    #[prost(enumeration = "MountContentCache", tag = "24")]
    pub content_cache: i32,
}

/// What a mount is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
#[expect(missing_docs, reason = "they are called as RUN --mount calls them")]
pub enum MountType {
    Bind = 0,
    Secret = 1,
    Ssh = 2,
    Cache = 3,
    Tmpfs = 4,
}

/// Whether a mount's content decides if a command has to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum MountContentCache {
    /// If it cannot be written.
    Default = 0,
    /// It does.
    On = 1,
    /// It does not.
    Off = 2,
}

/// A file system in memory.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct TmpfsOpt {
    /// How many bytes it takes at most.
    #[prost(int64, tag = "1")]
    pub size: i64,
}

/// A directory that is kept between builds.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct CacheOpt {
    /// What it is called.
    #[prost(string, tag = "1")]
    pub id: String,
    /// What becomes of two builds that want it.
    #[prost(enumeration = "CacheSharing", tag = "2")]
    pub sharing: i32,
}

/// What becomes of two builds that want the same directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum CacheSharing {
    /// Both have it.
    Shared = 0,
    /// The second one has another.
    Private = 1,
    /// The second one waits.
    Locked = 2,
}

/// A secret, or the socket of an agent, as a file.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Grant {
    /// What the secret or the agent is called.
    #[prost(string, tag = "1")]
    pub id: String,
    /// Whose the file is.
    #[prost(uint32, tag = "2")]
    pub uid: u32,
    /// Its group.
    #[prost(uint32, tag = "3")]
    pub gid: u32,
    /// Its permission bits.
    #[prost(uint32, tag = "4")]
    pub mode: u32,
    /// Whether it may be absent.
    #[prost(bool, tag = "5")]
    pub optional: bool,
}

/// Variables that say how others are reached.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "they are called as the variables are")]
pub struct ProxyEnv {
    #[prost(string, tag = "1")]
    pub http_proxy: String,
    #[prost(string, tag = "2")]
    pub https_proxy: String,
    #[prost(string, tag = "3")]
    pub ftp_proxy: String,
    #[prost(string, tag = "4")]
    pub no_proxy: String,
    #[prost(string, tag = "5")]
    pub all_proxy: String,
}
