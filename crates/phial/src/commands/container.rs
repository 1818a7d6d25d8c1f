//! `phial container …`, most of which is also said without the noun.

use super::{Entry, Execute, also, each, leaf, starting};

/// `attach`.
pub(super) mod attach;
/// `commit`.
pub(super) mod commit;
/// `cp`.
pub(super) mod cp;
/// `create`.
pub(super) mod create;
/// `diff`.
pub(super) mod diff;
/// `exec`.
pub(super) mod exec;
/// `export`.
pub(super) mod export;
/// The flags of `run` and `create`.
mod flags;
/// What `run`, `attach` and `exec` do while the process runs.
mod foreground;
/// `kill`.
pub(super) mod kill;
/// `logs`.
pub(super) mod logs;
/// `pause` and `unpause`.
pub(super) mod pause;
/// `port`.
pub(super) mod port;
/// `prune`.
pub(super) mod prune;
/// `ps`.
pub(super) mod ps;
/// `rename`.
pub(super) mod rename;
/// `restart`.
pub(super) mod restart;
/// `rm`.
pub(super) mod rm;
/// `run`.
pub(super) mod run;
/// `start`.
pub(super) mod start;
/// `stats`.
pub(super) mod stats;
/// `stop`.
pub(super) mod stop;
/// `top`.
pub(super) mod top;
/// `update`.
pub(super) mod update;
/// `wait`.
pub(super) mod wait;

/// The group's table, in the order of the help.
pub(super) const COMMANDS: &[Entry] = &[
    leaf::<attach::Attach>("attach", "Connect this terminal to a running container"),
    starting::<create::Create>("create", "Create a new container"),
    leaf::<commit::Commit>("commit", "Make an image of what a container has changed"),
    leaf::<cp::Cp>("cp", "Copy files between a container and this host"),
    leaf::<diff::Diff>("diff", "Show what a container has changed in its image's files"),
    leaf::<export::Export>("export", "Write all files of a container as a tar archive"),
    starting::<exec::Exec>("exec", "Run a command in a running container"),
    leaf::<super::inspect::InspectContainer>("inspect", "Show everything about containers, as JSON"),
    leaf::<kill::Kill>("kill", "Send a signal to running containers"),
    leaf::<logs::Logs>("logs", "Show what a container has written"),
    also(leaf::<ps::Ps>("ls", "List containers"), &["ps", "list"]),
    leaf::<pause::Pause>("pause", "Stop all processes of containers where they are"),
    leaf::<port::Port>("port", "List the published ports of a container"),
    leaf::<prune::Prune>("prune", "Remove containers that do not run"),
    leaf::<rename::Rename>("rename", "Give a container another name"),
    leaf::<restart::Restart>("restart", "Stop containers and start them again"),
    also(leaf::<rm::Rm>("rm", "Remove containers"), &["remove"]),
    starting::<run::Run>("run", "Create and run a new container from an image"),
    leaf::<start::Start>("start", "Start containers that do not run"),
    leaf::<stats::Stats>("stats", "Show what containers use, again and again"),
    leaf::<stop::Stop>("stop", "Stop running containers"),
    leaf::<top::Top>("top", "Show the processes of a container"),
    leaf::<pause::Unpause>("unpause", "Let all processes of paused containers go on"),
    leaf::<update::Update>("update", "Change limits and restart policies of containers"),
    leaf::<wait::Wait>("wait", "Wait until containers have ended, then print their exit codes"),
];
