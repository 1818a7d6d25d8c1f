//! Builds. Docker has two builders in one daemon, the one of its beginnings and BuildKit: each has a column of its own,
//! and what one of them has cached is of no use to the other. Commands have no network, and nobody asks the registry for an
//! image that is here.

/// What is built.
mod contexts;

use std::path::Path;
use std::process::Command;

use end_to_end::process::run;
use end_to_end::{Context, Result};

use self::contexts::Directory;
use super::options::Options;
use super::peer::Peer;
use super::report::Table;
use super::rounds::{rounds_of, time};
use super::{archives, docker, phial, podman};

type Peers = [Box<dyn Peer>];

/// The column of docker's second builder.
pub(super) const BUILDKIT: &str = "buildkit";

/// How an engine is told to build.
struct Builder<'a> {
    /// Its column.
    name: &'static str,
    peer: &'a dyn Peer,
    /// Words after `build`.
    flags: &'static [&'static str],
    /// Which of docker's builders it is.
    variables: &'static [(&'static str, &'static str)],
}

/// The tables, all of them upon this small image, with contexts below `dir`.
///
/// # Errors
/// A builder cannot do what is measured.
pub(super) fn measure(peers: &Peers, image: &str, options: &Options, dir: &Path) -> Result<Vec<Table>> {
    let dir = dir.join("build");
    let builders: Vec<Builder> = peers.iter().flat_map(|peer| Builder::of(peer.as_ref())).collect();
    let mut tables = vec![cached(&builders, &contexts::small(&dir, image)?, options.runs)?];
    tables.extend(many_files(&builders, &contexts::many_files(&dir, image)?, options.pulls)?);
    tables.push(wide(&builders, &contexts::wide(&dir, image)?, options.pulls)?);
    tables.push(large_file(&builders, &contexts::large_file(&dir, image)?, options.pulls)?);
    tables.push(push(peers, &builders, &contexts::to_push(&dir, image)?, options.pulls)?);
    Ok(tables)
}

/// The round that is not counted is the one that builds.
fn cached(builders: &[Builder<'_>], context: &Directory, rounds: usize) -> Result<Table> {
    rounds_of("build: all is cached, three stages", rounds, |_, samples| each(builders, context, "1", samples))
}

/// One file has changed in each round; and nothing has, in the same rounds.
fn many_files(builders: &[Builder<'_>], context: &Directory, rounds: usize) -> Result<[Table; 2]> {
    let what = format!("a context of {} files", contexts::FILES);
    let changed = rounds_of(&format!("build: one file has changed of {what}"), rounds, |round, samples| {
        context.change(round)?;
        each(builders, context, "1", samples)
    })?;
    let same = rounds_of(&format!("build: all is cached, {what}"), rounds, |_, samples| {
        each(builders, context, "1", samples)
    })?;
    Ok([changed, same])
}

/// Nothing of it is cached in any round.
fn wide(builders: &[Builder<'_>], context: &Directory, rounds: usize) -> Result<Table> {
    let title = format!("build: {} stages that can be built at once", contexts::STAGES);
    rounds_of(&title, rounds, |round, samples| each(builders, context, &format!("wide-{round}"), samples))
}

/// The file is another one in each round; what a build has left is removed before the next, because disks are not endless.
fn large_file(builders: &[Builder<'_>], context: &Directory, rounds: usize) -> Result<Table> {
    let title = format!("build: COPY of a file of {} MB", contexts::LARGE >> 20);
    rounds_of(&title, rounds, |round, samples| {
        context.change(round)?;
        for builder in builders {
            each(std::slice::from_ref(builder), context, "1", samples)?;
            builder.forget(context)?;
        }
        Ok(())
    })
}

/// A push of what was built to a registry that has nothing of it: docker has one way of doing that for both of its builders.
fn push(peers: &Peers, builders: &[Builder<'_>], context: &Directory, rounds: usize) -> Result<Table> {
    for builder in builders.iter().filter(|builder| builder.name != BUILDKIT) {
        run(&mut builder.build(context, "1")?)?.success().context(builder.name)?;
    }
    let those: Vec<&dyn Peer> = peers
        .iter()
        .map(Box::as_ref)
        .filter(|peer| builders.iter().any(|builder| builder.name == peer.name()))
        .collect();
    let title = format!("build: push of what was built, {} MB", contexts::TO_PUSH >> 20);
    archives::push(&those, &title, &context.tag(), rounds)
}

/// A build of each, in turn.
fn each(
    builders: &[Builder<'_>],
    context: &Directory,
    salt: &str,
    samples: &mut dyn FnMut(&'static str, f64),
) -> Result {
    for builder in builders {
        // What others have written must not be written to the disk during this one's turn.
        run(&mut Command::new("sync"))?.success()?;
        samples(builder.name, time(&mut builder.build(context, salt)?)?);
    }
    Ok(())
}

impl<'a> Builder<'a> {
    /// Those of an engine, if it has any.
    fn of(peer: &'a dyn Peer) -> Vec<Builder<'a>> {
        let one = |name, flags, variables| Builder { name, peer, flags, variables };
        match peer.name() {
            phial::NAME => vec![one(phial::NAME, &[], &[])],
            docker::NAME => vec![
                one(docker::NAME, &[], &[("DOCKER_BUILDKIT", "0")]),
                one(BUILDKIT, &[], &[("DOCKER_BUILDKIT", "1")]),
            ],
            // It would ask the registry for the image in each build.
            podman::NAME => vec![one(podman::NAME, &["--pull=never"], &[])],
            _ => Vec::new(),
        }
    }

    /// A build whose commands see this salt.
    fn build(&self, context: &Directory, salt: &str) -> Result<Command> {
        let (salt, tag) = (format!("SALT={salt}"), context.tag());
        let words = ["build", "--quiet", "--network", "none", "--build-arg", &salt, "--tag", &tag];
        let mut command = self.line(&[&words, self.flags].concat())?;
        command.arg(context.path());
        Ok(command)
    }

    /// Removes what was built, and what is cached of it.
    fn forget(&self, context: &Directory) -> Result {
        run(&mut self.line(&["rmi", "--force", &context.tag()])?)?.success()?;
        if self.name == podman::NAME {
            return Ok(());
        }
        run(&mut self.line(&["builder", "prune", "--all", "--force"])?)?.success().map(drop)
    }

    fn line(&self, words: &[&str]) -> Result<Command> {
        let mut command = self.peer.docker(words).context(format!("{} has docker's words", self.name))?;
        command.envs(self.variables.iter().copied());
        Ok(command)
    }
}
