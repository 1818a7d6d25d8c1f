//! What is said of how an image came to be: one line for each instruction, in the words that `docker history` has always had.

use dockerfile::Kind;
use dockerfile::evaluate::Step;
use dockerfile::instruction::{Command, Healthcheck, Placement};
use dockerfile::statement::Pair;
use engine::config::change::Changed;
use image::History;

/// Who says so.
const COMMENT: &str = "buildkit.dockerfile.v0";

/// The line of an instruction that was applied to a configuration; None for one that leaves none.
pub(super) fn entry(step: &Step, changed: &Changed) -> Option<History> {
    let (text, has_layer) = text(step, changed)?;
    Some(History {
        created_by: Some(text),
        comment: Some(COMMENT.to_owned()),
        empty_layer: !has_layer,
        ..History::default()
    })
}

/// What it says, and whether it has a layer.
fn text(step: &Step, changed: &Changed) -> Option<(String, bool)> {
    let list = |words: &[String]| format!("[{}]", words.join(" "));
    let quoted = |words: &[String]| list(&words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>());
    let config = &changed.config;
    let text = match &step.instruction.kind {
        Kind::Env(pairs) => pairs_of("ENV", pairs),
        Kind::Label(pairs) => pairs_of("LABEL", pairs),
        Kind::Arg(_) => {
            let word = |(name, value): &(String, Option<String>)| {
                value.as_ref().map_or_else(|| name.clone(), |value| format!("{name}={value}"))
            };
            format!("ARG {}", step.arguments.iter().map(word).collect::<Vec<_>>().join(" "))
        }
        Kind::Cmd(_) => format!("CMD {}", quoted(config.cmd.as_deref().unwrap_or_default())),
        Kind::Entrypoint(_) => format!("ENTRYPOINT {}", quoted(config.entrypoint.as_deref().unwrap_or_default())),
        Kind::Expose(words) => {
            let exposed = words.iter().filter_map(|word| dockerfile::instruction::Exposed::parse(word).ok());
            format!("EXPOSE {}", list(&exposed.flat_map(|port| port.names().collect::<Vec<_>>()).collect::<Vec<_>>()))
        }
        Kind::Healthcheck(check) => healthcheck(check),
        Kind::Maintainer(name) => format!("MAINTAINER {name}"),
        Kind::Shell(shell) => format!("SHELL {}", list(shell)),
        Kind::Stopsignal(signal) => format!("STOPSIGNAL {signal}"),
        Kind::User(user) => format!("USER {user}"),
        Kind::Volume(paths) => format!("VOLUME {}", list(paths)),
        Kind::Workdir(_) => return Some((format!("WORKDIR {}", config.working_dir), config.working_dir != "/")),
        Kind::Run(run) => {
            let args = super::run::arguments(run, changed).0;
            let command = [known_arguments(step), args].concat().join(" ");
            return Some((format!("RUN {command} # buildkit"), true));
        }
        Kind::Add(add) => return Some((placed("ADD", &add.placement, false), true)),
        Kind::Copy(copy) => return Some((placed("COPY", &copy.placement, copy.parents), true)),
        Kind::From(_) | Kind::Onbuild(_) => return None,
    };
    Some((text, false))
}

fn pairs_of(name: &str, pairs: &[Pair]) -> String {
    pairs.iter().fold(name.to_owned(), |text, Pair { name, value, .. }| format!("{text} {name}={value}"))
}

/// How many arguments a command sees, and each of them.
fn known_arguments(step: &Step) -> Vec<String> {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in &step.arguments {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return Vec::new();
    }
    let seen =
        |name: &str| step.environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_owned());
    let value = |name: &str| seen(name).unwrap_or_default();
    let words = names.iter().map(|name| format!("{name}={}", value(name)));
    [format!("|{}", names.len())].into_iter().chain(words).collect()
}

fn placed(name: &str, placement: &Placement, parents: bool) -> String {
    let mut words = vec![name.to_owned()];
    words.extend(parents.then(|| "--parents".to_owned()));
    words.extend(placement.chown.as_ref().map(|owner| format!("--chown={owner}")));
    words.extend(placement.chmod.as_ref().map(|mode| format!("--chmod={mode}")));
    words.extend(placement.sources.iter().cloned());
    words.extend(placement.contents.iter().map(|content| format!("<<{}", content.name)));
    words.push(placement.destination.clone());
    words.join(" ") + " # buildkit"
}

/// As Go prints the structure, with its times as Go writes durations.
fn healthcheck(check: &Healthcheck) -> String {
    let of = |test: &[String], times: [i64; 4], retries: u32| {
        let [interval, timeout, start, again] = times.map(notation::duration::text);
        format!(
            "HEALTHCHECK {{Test:[{}] Interval:{interval} Timeout:{timeout} StartPeriod:{start} StartInterval:{again} Retries:{retries}}}",
            test.join(" ")
        )
    };
    match check {
        Healthcheck::None => of(&["NONE".to_owned()], [0; 4], 0),
        Healthcheck::Run { command, interval, timeout, start_period, start_interval, retries } => {
            let test = match command {
                Command::Exec(list) => [vec!["CMD".to_owned()], list.clone()].concat(),
                Command::Shell(line) => vec!["CMD-SHELL".to_owned(), line.clone()],
            };
            of(&test, [*interval, *timeout, *start_period, *start_interval], *retries)
        }
    }
}
