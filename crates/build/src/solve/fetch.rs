//! What is fetched over the network: repositories and files at addresses. Each is a layer that is found by what was fetched, so
//! whoever asks for the same twice asks whether it has changed, and no more.

use std::time::Instant;

use fsroot::{Timespec, Timestamps};
use store::{Digest, LayerWriter, StepResult};

use super::layer::Making;
use super::{Job, Outcome, name_of};
use crate::error::{Error, Result};
use crate::explain;
use crate::inputs::{Inputs, Kind};
use crate::llb::Vertex;
use crate::llb::message::{Kind as Operation, SourceOp};
use crate::source::git::{self, GitAddress, GitAuth};
use crate::source::http::{self, Fetched};
use crate::source::without_credentials;
use crate::tree::Tree;

/// A larger file is not fetched.
const MOST: u64 = 64 << 30;
/// What a file is called that nobody names.
const UNNAMED: &str = "download";

impl<'a> Job<'a> {
    /// Fetches what an operation names, unless that is here already.
    ///
    /// # Errors
    /// Those of the network; `Invalid` for something else than the checksum says.
    pub(super) fn fetch(&self, number: usize) -> Result<Outcome<'a>> {
        let vertex = &self.graph.vertices[number];
        let Some(Operation::Source(source)) = &vertex.operation.op else {
            return Err(Error::invalid("an operation fetches nothing"));
        };
        let anew = vertex.metadata.ignore_cache;
        if source.identifier.starts_with("git://") {
            self.fetch_repository(number, source, anew)
        } else {
            self.fetch_file(vertex, number, source, anew)
        }
    }

    fn fetch_repository(&self, number: usize, source: &SourceOp, anew: bool) -> Result<Outcome<'a>> {
        let address = GitAddress::of_source(source)?;
        let keep_git_dir = address.keep_git_dir == Some(true);
        let names = |key: &str, default: &str| source.attrs.get(key).map_or(default, String::as_str).to_owned();
        let (header, token) =
            (names("git.authheadersecret", "GIT_AUTH_HEADER"), names("git.authtokensecret", "GIT_AUTH_TOKEN"));
        let mut auth = GitAuth::find(&address, (&header, &token), &|name| self.grants.secret(name))?;
        auth.agent = self.grants.agent("").cloned();
        let commit = git::resolve(&address, &auth)?;
        let mut inputs = Inputs::default();
        inputs.add(Kind::Version, "", "1");
        inputs.add(Kind::Taken, "commit", commit.key(&address, keep_git_dir));
        let key = inputs.key();
        inputs.add(Kind::Address, address.shown(), commit.object.as_str());
        let making = self.of_source(number, key, &inputs, "source.git.checkout", anew);
        if let (Some(found), false) = (self.store().step_result(&key)?, anew) {
            return self.used_again(found);
        }
        self.make(&making, |writer| git::checkout(&address, &commit, &auth, &writer.path(), keep_git_dir))
    }

    fn fetch_file(&self, vertex: &Vertex, number: usize, source: &SourceOp, anew: bool) -> Result<Outcome<'a>> {
        let began = Instant::now();
        let name = source.attrs.get("http.filename").map_or(UNNAMED, String::as_str);
        if name.contains('/') || matches!(name, "" | "." | "..") {
            return Err(Error::invalid(format!("{name:?} is no name of a file")));
        }
        let wanted = source.attrs.get("http.checksum").map(|sum| sum.parse::<Digest>()).transpose()?;
        let family = explain::family(name_of(vertex));
        let known = if anew { None } else { self.store().last_step_called(family)? };
        // Of something else than the checksum says, the server is not asked whether it has changed.
        let known = known
            .and_then(|known| Known::of(&known, name))
            .filter(|known| wanted.is_none_or(|wanted| known.sum == wanted.hex()));
        let found = match &known {
            Some(known) => self.store().step_result(&known.key)?,
            None => None,
        };
        if let (Some(_), Some(found)) = (&wanted, &found) {
            return self.used_again(found.clone());
        }
        let headers: Vec<_> =
            http::authorization(&source.identifier, &|name| self.grants.secret(name))?.into_iter().collect();
        let writer = self.store().begin_nameless_layer(self.lease)?;
        let into = writer.path().join(name);
        let etag = found.as_ref().and(known.as_ref()).and_then(|known| known.etag.as_deref());
        match http::fetch_changed(&source.identifier, &headers, etag, &into, MOST)? {
            Some(fetched) => {
                check_sum(source, wanted.as_ref(), &fetched)?;
                self.keep_fetched(number, name, fetched, writer, began)
            }
            None => self.used_again(found.ok_or_else(|| Error::invalid("a server answers what was not asked"))?),
        }
    }

    /// Makes a layer of what was fetched, unless there is one of the same.
    fn keep_fetched(
        &self,
        number: usize,
        name: &str,
        fetched: Fetched,
        writer: LayerWriter,
        began: Instant,
    ) -> Result<Outcome<'a>> {
        let modified = fetched.modified.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        let seconds = modified.unwrap_or_default().as_secs();
        if modified.is_none() {
            // A file without a time has the same one each time it is fetched.
            let time = Timespec { tv_sec: 0, tv_nsec: 0 };
            let file = std::fs::File::open(&fetched.file).map_err(|error| Error::system(name, error))?;
            fsroot::attributes::set_times(file, &Timestamps { last_access: time, last_modification: time })?;
        }
        let sum = Digest::from_bytes(fetched.sha256).hex();
        let mut inputs = Inputs::default();
        inputs.add(Kind::Version, "", "1");
        inputs.add(Kind::Taken, name, format!("{sum} {seconds}"));
        let key = inputs.key();
        inputs.add(Kind::Address, "sum", sum);
        inputs.add(Kind::Address, "etag", fetched.etag.unwrap_or_default());
        if let Some(found) = self.store().step_result(&key)? {
            return self.used_again(found);
        }
        let making = self.of_source(number, key, &inputs, "source.http", false);
        self.committed(&making, writer, began)
    }

    fn of_source<'m>(
        &'m self,
        number: usize,
        key: Digest,
        inputs: &'m Inputs,
        kind: &'static str,
        anew: bool,
    ) -> Making<'m> {
        let family = explain::family(name_of(&self.graph.vertices[number]));
        Making { step: Some(self.step(number)), key, base: Tree::default(), kind, family, inputs, anew }
    }

    fn used_again(&self, found: StepResult) -> Result<Outcome<'a>> {
        self.store().note_steps_used(&[found.id])?;
        Ok(Outcome::of_result(found))
    }
}

/// What was fetched the last time from an address.
struct Known {
    key: Digest,
    sum: String,
    etag: Option<String>,
}

impl Known {
    fn of(result: &StepResult, name: &str) -> Option<Known> {
        let inputs = Inputs::of_kept(&result.inputs);
        let of = |kind: Kind, name: &str| {
            inputs.0.iter().find(|input| input.kind == kind && input.name == name).map(|input| input.value.clone())
        };
        let mut own = Inputs::default();
        own.add(Kind::Version, "", of(Kind::Version, "")?);
        own.add(Kind::Taken, name, of(Kind::Taken, name)?);
        let etag = of(Kind::Address, "etag").filter(|etag| !etag.is_empty());
        Some(Known { key: own.key(), sum: of(Kind::Address, "sum")?, etag })
    }
}

fn check_sum(source: &SourceOp, wanted: Option<&Digest>, fetched: &Fetched) -> Result<()> {
    let found = Digest::from_bytes(fetched.sha256);
    match wanted {
        Some(wanted) if *wanted != found => {
            let address = without_credentials(&source.identifier);
            Err(Error::invalid(format!("{address}: its checksum is {found}, and not {wanted}"))
                .with_hint("what is there has changed, or is not what the Dockerfile means"))
        }
        _ => Ok(()),
    }
}
