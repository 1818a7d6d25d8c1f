//! Instructions that change an image's configuration: `commit -c`, `import -c`, and a build. The language is that of
//! Dockerfiles; variables in it are those of the image. Pure.

use dockerfile::instruction::{Command, Exposed, Healthcheck as Check};
use dockerfile::statement::Pair;
use dockerfile::{Dockerfile, Environment, Instruction, Kind};
use image::{Config, Healthcheck};

use super::Signal;
use crate::error::{Error, Result};

/// What escapes others in a change: there is no directive that could say so.
const ESCAPE: char = '\\';

/// What runs a line for the shell, unless the image says so.
const SHELL: [&str; 2] = ["/bin/sh", "-c"];

/// Instructions that `--change` takes.
const CHANGES: [&str; 11] = [
    "CMD",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "HEALTHCHECK",
    "LABEL",
    "ONBUILD",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Applies instructions to `config`, one after another.
///
/// # Errors
/// `Invalid` for other instructions than those of a configuration, and for what they do not take.
pub fn apply(config: &mut Config, changes: &[String]) -> Result<()> {
    let mut target = Changed::new(std::mem::take(config));
    for change in changes {
        let wrong = |error: dockerfile::Error| {
            let hint = error.hint().map(ToOwned::to_owned);
            let error = Error::invalid(format!("--change {}: {error}", change.trim()));
            hint.into_iter().fold(error, Error::with_hint)
        };
        for statement in Dockerfile::parse(change.as_bytes()).map_err(wrong)?.statements {
            let instruction = Instruction::parse(statement).map_err(wrong)?;
            let Instruction { name, text, .. } = &instruction;
            if !CHANGES.iter().any(|known| name.eq_ignore_ascii_case(known)) {
                return Err(Error::invalid(format!("--change {text}: {name} is not a valid change command"))
                    .with_hint(format!("one of {}", CHANGES.join(", "))));
            }
            let environment: Environment = target.config.env.iter().collect();
            let (kind, _) = instruction.kind.expanded(ESCAPE, &environment).map_err(wrong)?;
            target.apply(&kind).map_err(|error| {
                let hint = error.hint().map(ToOwned::to_owned);
                let error = Error::invalid(format!("--change {text}: {error}"));
                hint.into_iter().fold(error, Error::with_hint)
            })?;
        }
    }
    *config = target.config;
    Ok(())
}

/// A configuration that instructions change.
#[derive(Debug, Clone, Default)]
pub struct Changed {
    /// As it is now.
    pub config: Config,
    /// Whether its command was set here and not inherited.
    has_own_command: bool,
}

impl Changed {
    /// One that was inherited.
    pub fn new(config: Config) -> Changed {
        Changed { config, has_own_command: false }
    }

    /// Applies one whose variables have values. Nothing happens for one that does not change a configuration.
    ///
    /// # Errors
    /// `Invalid` for ports and signals that there are not.
    pub fn apply(&mut self, kind: &Kind) -> Result<()> {
        match kind {
            Kind::Cmd(command) => {
                self.config.cmd = Some(self.command(command));
                self.has_own_command = true;
            }
            Kind::Entrypoint(command) => {
                self.config.entrypoint = Some(self.command(command));
                // As docker: an entrypoint of its own makes an inherited command meaningless.
                if !self.has_own_command {
                    self.config.cmd = None;
                }
            }
            Kind::Env(pairs) => {
                let mut environment: Environment = self.config.env.iter().collect();
                for Pair { name, value, .. } in pairs {
                    environment.replace(name, value.as_str());
                }
                self.config.env = environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
            }
            Kind::Expose(words) => {
                for word in words {
                    let exposed = Exposed::parse(word).map_err(|error| {
                        let hint = error.hint().unwrap_or_default().to_owned();
                        Error::invalid(error.to_string()).with_hint(hint)
                    })?;
                    self.config.exposed_ports.extend(exposed.names());
                }
                self.config.exposed_ports.sort();
                self.config.exposed_ports.dedup();
            }
            Kind::Healthcheck(check) => self.config.healthcheck = Some(healthcheck(check.clone())),
            Kind::Label(pairs) => {
                self.config.labels.extend(pairs.iter().map(|pair| (pair.name.clone(), pair.value.clone())));
            }
            Kind::Onbuild(trigger) => self.config.on_build.push(trigger.clone()),
            Kind::Shell(shell) => self.config.shell = Some(shell.clone()),
            Kind::Stopsignal(signal) => {
                // Any number is one for whoever runs the image: which signals there are is up to his kernel.
                if signal.parse::<u32>().unwrap_or_default() == 0 {
                    Signal::parse("STOPSIGNAL", signal)?;
                }
                self.config.stop_signal = Some(signal.clone());
            }
            Kind::User(user) => self.config.user.clone_from(user),
            Kind::Volume(paths) => {
                self.config.volumes.extend(paths.iter().cloned());
                self.config.volumes.sort();
                self.config.volumes.dedup();
            }
            Kind::Workdir(path) => self.config.working_dir = working_dir(&self.config.working_dir, path),
            Kind::Add(_) | Kind::Arg(_) | Kind::Copy(_) | Kind::From(_) | Kind::Maintainer(_) | Kind::Run(_) => {}
        }
        Ok(())
    }

    /// A command as it is run: a line is one for the shell.
    pub fn command(&self, command: &Command) -> Vec<String> {
        match command {
            Command::Exec(list) => list.clone(),
            Command::Shell(line) => {
                let own = self.config.shell.clone().filter(|shell| !shell.is_empty());
                let shell = own.unwrap_or_else(|| SHELL.map(ToOwned::to_owned).to_vec());
                [shell, vec![line.clone()]].concat()
            }
        }
    }
}

fn healthcheck(check: Check) -> Healthcheck {
    let of = |word: &str, rest: Vec<String>| [vec![word.to_owned()], rest].concat();
    match check {
        Check::None => Healthcheck { test: of("NONE", Vec::new()), ..Healthcheck::default() },
        Check::Run { command, interval, timeout, start_period, start_interval, retries } => Healthcheck {
            test: match command {
                Command::Exec(list) => of("CMD", list),
                Command::Shell(line) => of("CMD-SHELL", vec![line]),
            },
            interval,
            timeout,
            start_period,
            start_interval,
            retries: i64::from(retries),
        },
    }
}

/// An absolute path is taken as it is written, as docker takes it; another one is below what was there before.
fn working_dir(before: &str, path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    if path.is_empty() && !before.is_empty() {
        return before.to_owned();
    }
    dockerfile::path::below(before, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(changes: &[&str]) -> Config {
        let mut config = Config::default();
        let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
        apply(&mut config, &changes).unwrap_or_else(|error| panic!("{changes:?}: {error}"));
        config
    }

    #[test]
    fn instructions() {
        let list = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(applied(&["CMD [\"a\", \"b c\"]"]).cmd, Some(list(&["a", "b c"])));
        assert_eq!(applied(&["cmd echo hi"]).cmd, Some(list(&["/bin/sh", "-c", "echo hi"])));
        let config = applied(&["ENTRYPOINT [\"e\"]", "CMD x"]);
        assert_eq!((config.entrypoint, config.cmd), (Some(list(&["e"])), Some(list(&["/bin/sh", "-c", "x"]))));
        assert_eq!(applied(&["ENV A=1 B='2 3'", "ENV A=4"]).env, list(&["A=4", "B=2 3"]));
        assert_eq!(applied(&["ENV A 1 2"]).env, list(&["A=1 2"]));
        assert_eq!(applied(&["ENV A=1", "ENV B=$A:2 C=${B:-3}"]).env, list(&["A=1", "B=1:2", "C=3"]));
        assert_eq!(
            applied(&["ENV P=80-81", "EXPOSE $P 53/UDP", "EXPOSE 80"]).exposed_ports,
            list(&["53/udp", "80/tcp", "81/tcp"])
        );
        assert_eq!(applied(&["LABEL a.b=\"c d\" e=f"]).labels["a.b"], "c d");
        assert_eq!(applied(&["ONBUILD RUN make"]).on_build, list(&["RUN make"]));
        assert_eq!(applied(&["USER 1000:1000"]).user, "1000:1000");
        assert_eq!(applied(&["VOLUME /a /b", "VOLUME [\"/c\"]"]).volumes, list(&["/a", "/b", "/c"]));
        assert_eq!(applied(&["WORKDIR /a/", "WORKDIR b/../c"]).working_dir, "/a/c");
        assert_eq!(applied(&["WORKDIR /a/"]).working_dir, "/a/");
        assert_eq!(applied(&["STOPSIGNAL SIGUSR1"]).stop_signal.as_deref(), Some("SIGUSR1"));
        let check = applied(&["HEALTHCHECK --interval=1m30s --retries=2 CMD curl -f x"]).healthcheck.expect("is there");
        assert_eq!((check.interval, check.retries), (90_000_000_000, 2));
        assert_eq!(check.test, list(&["CMD-SHELL", "curl -f x"]));
        assert_eq!(applied(&["HEALTHCHECK NONE"]).healthcheck.expect("is there").test, list(&["NONE"]));
    }

    #[test]
    fn an_entrypoint_of_its_own_makes_an_inherited_command_meaningless() {
        let inherited = || Config { cmd: Some(vec!["x".to_owned()]), ..Config::default() };
        let of = |changes: &[&str]| {
            let mut config = inherited();
            let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
            apply(&mut config, &changes).expect("they are instructions");
            config.cmd
        };
        assert_eq!(of(&["ENTRYPOINT [\"e\"]"]), None);
        assert_eq!(of(&["CMD [\"c\"]", "ENTRYPOINT [\"e\"]"]), Some(vec!["c".to_owned()]));
    }

    #[test]
    fn what_is_none_is_refused() {
        for bad in [
            "",
            "RUN x",
            "FROM y",
            "ENV A",
            "ENV =1",
            "EXPOSE 0",
            "EXPOSE 80/icmp",
            "EXPOSE 9-8",
            "LABEL x",
            "STOPSIGNAL NO",
            "VOLUME [\"\"]",
            "ONBUILD FROM x",
            "HEALTHCHECK",
            "HEALTHCHECK x",
            "HEALTHCHECK --retries=x CMD y",
            "ENV A='1",
            "ENV A=${B:?}",
            "SHELL [\"a\"]",
            "USER a\nFROM b",
        ] {
            assert!(apply(&mut Config::default(), &[bad.to_owned()]).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_words_make_it_panic(text in "(CMD|ENV|LABEL|EXPOSE|HEALTHCHECK|VOLUME|WORKDIR|USER) (.|[\"'\\\\= -]){0,30}") {
            let _ = apply(&mut Config::default(), &[text]);
        }
    }
}
