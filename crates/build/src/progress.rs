//! What happens, while it happens: told to whoever shows it. Shows nothing itself.

use std::time::{Duration, SystemTime};

use store::Digest;

/// Which step of a build: a number that is the same for all that is told of it. Steps are numbered in the order in which they
/// are first told of, and begin with 0.
pub type StepId = usize;

/// Something that is done once: an operation of the graph, or what is done before and after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepInfo {
    /// Which.
    pub id: StepId,
    /// The operation of the graph, if it is one.
    pub operation: Option<Digest>,
    /// What it is called: `[build 2/5] RUN make`, `[internal] load build context`, `exporting to image`.
    pub name: String,
    /// The steps that it waits for.
    pub inputs: Vec<StepId>,
}

/// How far something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    /// Bytes so far.
    pub current: u64,
    /// Bytes in all, if that is known.
    pub total: Option<u64>,
}

/// Which output of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// What it says.
    Stdout,
    /// What it complains about.
    Stderr,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It was done.
    Done,
    /// It was done before.
    Cached,
    /// Another build was doing the same, and this one has waited for it.
    Shared,
    /// It could not be done.
    Failed(String),
    /// Something else has failed meanwhile.
    Canceled,
}

/// What has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// There is a further step.
    Planned(StepInfo),
    /// It has begun.
    Started(StepId),
    /// It waits for another build, which has what it needs.
    Waiting(StepId),
    /// A part of a step: `sha256:… 3.2MB / 10MB`, `transferring context: 4kB`.
    Progress {
        /// Which step.
        step: StepId,
        /// Which part of it.
        part: String,
        /// How far it is.
        amount: Amount,
        /// Whether that is all.
        done: bool,
    },
    /// A command has written something: any bytes, not whole lines.
    Output {
        /// Which step.
        step: StepId,
        /// Where it has written to.
        stream: Stream,
        /// What.
        bytes: Vec<u8>,
    },
    /// It has ended.
    Ended {
        /// Which step.
        step: StepId,
        /// How.
        ending: Ending,
        /// How long it took.
        took: Duration,
    },
    /// Why a step is done anew or is not (`--explain`): whole sentences.
    Explained {
        /// Which step.
        step: StepId,
        /// Why.
        lines: Vec<String>,
    },
    /// Something else has the terminal from now on: nothing is shown.
    Paused,
    /// Nothing else has it any more.
    Resumed,
    /// A check of the Dockerfile has found something.
    Warning {
        /// The rule.
        rule: String,
        /// What it says.
        message: String,
        /// The file and the line.
        place: Option<(String, usize)>,
        /// Where the rule is explained.
        url: Option<String>,
    },
}

/// Whoever wants to know. Called from any thread; what takes long makes the build slower.
pub trait Watch: Sync {
    /// This has happened now.
    fn event(&self, at: SystemTime, event: Event);
}
