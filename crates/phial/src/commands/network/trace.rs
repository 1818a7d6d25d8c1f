//! `phial network trace`.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use engine::TraceOptions;
use net::trace::{Colour, Event, Verdict, Watch, json, svg, text};
use rustix::event::{PollFd, PollFlags, poll};

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Failure, Result, say};
use crate::output::{print, print_line};

const EXAMPLES: &str = "\
Examples:
  phial network trace --to web                       from another machine to a port that web publishes
  phial network trace --from web --to db:5432        between containers
  phial network trace --from web                     the way out, to the internet
  phial network trace --from 10.0.0.7 --to host:8080 --format svg > way.svg
  phial network trace --from web --to db:5432 --live shows rules that real packets meet, until it is interrupted

Exit status: 0 if the packet arrives and the answer comes back, 1 if not.";

/// What `phial network trace` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TraceNetwork {
    /// Who sends: a container, `host`, `outside`, or the address of a machine
    #[arg(long, value_name = "SENDER", default_value = "outside")]
    from: String,
    /// Where to: a container, `host`, a name or an address, with or without a port
    #[arg(long, value_name = "TARGET[:PORT]")]
    to: Option<String>,
    /// What is sent: tcp, udp, sctp or icmp
    #[arg(long, value_name = "PROTOCOL", default_value = "tcp")]
    proto: String,
    /// How it is shown
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Watch real packets instead, and show the rules that they meet
    #[arg(long)]
    live: bool,
}

/// How a trace is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Lines
    Text,
    /// JSON
    Json,
    /// A picture
    Svg,
}

impl Execute for TraceNetwork {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        if self.live && self.format == Format::Svg {
            return Err(Failure::new("cannot trace: --live shows lines or JSON, not pictures"));
        }
        let options = TraceOptions { from: self.from, to: self.to, protocol: self.proto };
        let engine = context.engine()?;
        let doing = || "trace a packet".to_owned();
        if self.live {
            let watch = engine.watch_network(&options).cannot(doing)?;
            say("watching packets until it is interrupted");
            return follow(watch, self.format);
        }
        let trace = engine.trace_network(&options).cannot(doing)?;
        match self.format {
            Format::Text => print(&text(&trace, colour()))?,
            Format::Json => print_line(&json(&trace))?,
            Format::Svg => print(&svg(&trace))?,
        }
        Ok(if trace.verdict == Verdict::Works { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Shows what packets meet as it comes. An interrupt ends the program, and with it what makes the kernel tell.
fn follow(mut watch: Watch, format: Format) -> Result<ExitCode> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(format!("cannot watch packets: {error}"));
    let mut packet = None;
    loop {
        let events = watch.read().map_err(|error| failed(&error))?;
        for event in &events {
            match format {
                Format::Json => print_line(&serde_json::to_string(event).map_err(|error| failed(&error))?)?,
                _ => print(&lines(event, &mut packet))?,
            }
        }
        if events.is_empty() {
            let waited = rustix::io::retry_on_intr(|| poll(&mut [PollFd::new(&watch, PollFlags::IN)], None));
            waited.map_err(|errno| failed(&errno))?;
        }
    }
}

/// A line for an event, under one for each packet.
fn lines(event: &Event, packet: &mut Option<u32>) -> String {
    let mut lines = String::new();
    if *packet != Some(event.packet) {
        *packet = Some(event.packet);
        lines = format!(
            "packet {:08x}{}\n",
            event.packet,
            event.flow.as_ref().map(|flow| format!(": {flow}")).unwrap_or_default()
        );
    }
    lines + &format!("  {event}\n")
}

fn colour() -> Colour {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if wanted && std::io::stdout().is_terminal() { Colour::On } else { Colour::Off }
}
