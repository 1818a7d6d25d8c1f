//! The words after `bench`.

use end_to_end::{Context, Failure, Result};

use super::{containerd, docker, phial, podman};

/// What `bench --help` prints.
pub(crate) const HELP: &str = "\
usage: cargo xtask bench [OPTION…]

  --only WHAT[,WHAT…]    runtime, run, exec, memory, many, lists, network, build, pull, push,
                         save (all)
  --peers NAME[,NAME…]   phial, docker, podman, containerd (all)
  --runs N               rounds of run, exec, lists, starts with a network and builds
                         where all is cached (20)
  --pulls N              rounds of pull, push, save, throughput and other builds (3)
";

/// Something that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measurement {
    Runtime,
    Run,
    Exec,
    Memory,
    Many,
    Lists,
    Network,
    Build,
    Pull,
    Push,
    Save,
}

impl Measurement {
    /// Every one, and its word.
    const ALL: [(&str, Measurement); 11] = [
        ("runtime", Measurement::Runtime),
        ("run", Measurement::Run),
        ("exec", Measurement::Exec),
        ("memory", Measurement::Memory),
        ("many", Measurement::Many),
        ("lists", Measurement::Lists),
        ("network", Measurement::Network),
        ("build", Measurement::Build),
        ("pull", Measurement::Pull),
        ("push", Measurement::Push),
        ("save", Measurement::Save),
    ];

    fn parse(word: &str) -> Result<Measurement> {
        let found = Measurement::ALL.iter().find(|(name, _)| *name == word);
        found
            .map(|(_, measurement)| *measurement)
            .context(format!("`{word}` is none of {}", Measurement::ALL.map(|(name, _)| name).join(", ")))
    }
}

/// What is measured, of whom, how often.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    only: Vec<Measurement>,
    pub(crate) peers: Vec<String>,
    pub(crate) runs: usize,
    pub(crate) pulls: usize,
}

impl Options {
    pub(crate) fn measures(&self, measurement: Measurement) -> bool {
        self.only.contains(&measurement)
    }

    /// Whether the large image is needed.
    pub(crate) fn needs_large_image(&self) -> bool {
        [Measurement::Pull, Measurement::Push, Measurement::Save].into_iter().any(|of_it| self.measures(of_it))
    }

    /// Whether anything is measured for which engines run on this machine: not for the runtimes alone, nor for networks,
    /// which have a host of their own.
    pub(crate) fn needs_engines(&self) -> bool {
        let others = [Measurement::Runtime, Measurement::Network];
        self.only.iter().any(|measurement| !others.contains(measurement))
    }

    pub(crate) fn has_peer(&self, name: &str) -> bool {
        self.peers.iter().any(|peer| peer == name)
    }

    pub(crate) fn parse(words: &[String]) -> Result<Options> {
        let known = [phial::NAME, docker::NAME, podman::NAME, containerd::NAME];
        let all = Measurement::ALL.map(|(_, measurement)| measurement).to_vec();
        let mut options = Options { only: all, peers: known.map(str::to_owned).to_vec(), runs: 20, pulls: 3 };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let value =
                words.next().context(format!("{word} needs a value; 'cargo xtask bench --help' lists the options"))?;
            let number = || value.parse::<usize>().ok().filter(|number| *number > 0);
            match word.as_str() {
                "--only" => options.only = value.split(',').map(Measurement::parse).collect::<Result<_>>()?,
                "--peers" => options.peers = value.split(',').map(str::to_owned).collect(),
                "--runs" => options.runs = number().context(format!("--runs {value}: not a number above 0"))?,
                "--pulls" => options.pulls = number().context(format!("--pulls {value}: not a number above 0"))?,
                _ => return Err(Failure::new(format!("there is no option `{word}`\n{HELP}"))),
            }
        }
        match options.peers.iter().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(Failure::new(format!("`{name}` is none of {}", known.join(", ")))),
            None => Ok(options),
        }
    }
}
