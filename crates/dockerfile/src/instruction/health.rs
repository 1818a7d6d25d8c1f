//! `HEALTHCHECK`: how it is seen that a container is well.

use super::Command;
use super::flags::{Flags, Takes};
use crate::error::{Error, Result};
use crate::statement::{Arguments, Statement};

/// The shortest time that is taken, in nanoseconds.
const SHORTEST: i64 = 1_000_000;

/// How it is seen that a container is well. Times are nanoseconds, and 0 is whatever the engine takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Healthcheck {
    /// It is not looked at.
    None,
    /// A command is run.
    Run {
        /// Which.
        command: Command,
        /// How long it is waited between two of them.
        interval: i64,
        /// How long one may take.
        timeout: i64,
        /// How long after the start a failure says nothing.
        start_period: i64,
        /// The interval during that time.
        start_interval: i64,
        /// After how many failures a container is not well; 0 is whatever the engine takes.
        retries: u32,
    },
}

pub(super) fn parse(statement: &Statement) -> Result<Healthcheck> {
    let known = ["interval", "timeout", "start-period", "start-interval", "retries"].map(|flag| (flag, Takes::Value));
    let mut flags = Flags::parse("HEALTHCHECK", &statement.flags, &known)?;
    let Arguments::Health(word, command) = &statement.arguments else {
        return Err(Error::syntax("HEALTHCHECK needs CMD or NONE").at_word(&statement.name));
    };
    match (word.to_ascii_uppercase().as_str(), super::command(command)) {
        ("NONE", None) => Ok(Healthcheck::None),
        ("NONE", Some(_)) => Err(Error::syntax("HEALTHCHECK NONE takes no arguments").at_word(word)),
        ("CMD", None) => Err(Error::syntax("HEALTHCHECK CMD needs a command").at_word(word)),
        ("CMD", Some(Command::Exec(list))) if list.is_empty() => {
            Err(Error::syntax("HEALTHCHECK CMD needs a command").at_word(word))
        }
        ("CMD", Some(command)) => Ok(Healthcheck::Run {
            command,
            interval: time(&mut flags, "interval")?,
            timeout: time(&mut flags, "timeout")?,
            start_period: time(&mut flags, "start-period")?,
            start_interval: time(&mut flags, "start-interval")?,
            retries: retries(&mut flags)?,
        }),
        _ => Err(Error::unknown(format!("HEALTHCHECK takes CMD or NONE, and not {word:?}"), word, ["CMD", "NONE"])),
    }
}

fn time(flags: &mut Flags, name: &str) -> Result<i64> {
    let Some(text) = flags.value(name) else { return Ok(0) };
    let wrong = |why: &str| {
        Error::syntax(format!("HEALTHCHECK --{name}={text}: {why}"))
            .with_hint("write it with a unit: 500ms, 30s, 1m30s")
            .at_word(&text)
    };
    match notation::duration::nanoseconds(&text) {
        None => Err(wrong("it is no duration")),
        Some(time) if time != 0 && time < SHORTEST => Err(wrong("it cannot be less than 1ms")),
        Some(time) => Ok(time),
    }
}

fn retries(flags: &mut Flags) -> Result<u32> {
    let Some(text) = flags.value("retries") else { return Ok(0) };
    // The image has a signed number of 32 bits.
    let number = text.parse().ok().filter(|number: &u32| i32::try_from(*number).is_ok());
    number
        .ok_or_else(|| Error::syntax(format!("HEALTHCHECK --retries={text}: it is no number from 0 on")).at_word(&text))
}
