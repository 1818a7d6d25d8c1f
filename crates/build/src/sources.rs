//! The Dockerfile and the contexts of a build, wherever they are: directories of this host are opened where they are, and
//! everything else is brought into a directory of the store, which goes with the build.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use dockerfile::evaluate::context_name;
use dockerfile::ignore::Patterns;
use engine::Engine;
use fsroot::Root;
use store::{LayerWriter, Lease};

use crate::context::{IgnoreFile, Local, patterns};
use crate::error::{Error, ErrorKind, Result};
use crate::frontend::ContextKind;
use crate::options::{Context, Dockerfile, Options};
use crate::progress::Amount;
use crate::report::Reporter;
use crate::source::archive::{self, Unpacked};
use crate::source::git::{self, GitAddress, GitAuth};
use crate::source::http;
use crate::source::without_credentials;
use crate::surroundings::Grants;

/// A larger Dockerfile is refused.
const MOST_FILE: u64 = 16 << 20;
/// A larger archive is not fetched.
const MOST_ARCHIVE: u64 = 64 << 30;
/// The build's own context.
const CONTEXT: &str = "context";
/// What it is called, and how some write that.
const NAMES: [&str; 2] = ["Dockerfile", "dockerfile"];

/// The file that says what is built.
#[derive(Debug, Clone, Default)]
pub(crate) struct File {
    /// What it is called.
    pub(crate) name: String,
    /// What stands in it.
    pub(crate) text: Vec<u8>,
}

/// All that a build is made of, besides images.
pub(crate) struct Sources {
    /// The Dockerfile.
    pub(crate) file: File,
    /// Directories, by the names that the graph has for them.
    pub(crate) contexts: BTreeMap<String, Local>,
    /// What named contexts are.
    pub(crate) named: BTreeMap<String, ContextKind>,
    /// Their names.
    pub(crate) names: BTreeSet<String>,
}

/// Finds the Dockerfile and opens the contexts, as far as they are directories.
///
/// # Errors
/// `NotFound` for what is not there, and those of the network.
pub(crate) fn of(
    engine: &Engine,
    options: &Options,
    lease: &Lease,
    grants: &Grants,
    reporter: &Reporter<'_>,
) -> Result<Sources> {
    let finding = Finding { engine, options, lease, grants };
    let brought = match &options.context {
        Context::Nothing | Context::Directory(_) => Brought::Nothing,
        _ => reporter.during("[internal] load remote build context", |_| finding.brought())?,
    };
    let (file, ignored) = reporter.during("[internal] load build definition", |step| {
        let (file, ignored) = finding.definition(&brought)?;
        let length = file.text.len() as u64;
        let amount = Amount { current: length, total: Some(length) };
        reporter.progress(step, &format!("reading {}", file.name), amount, true);
        Ok((file, ignored))
    })?;
    let mut contexts = BTreeMap::new();
    let own = match (&options.context, brought) {
        (Context::Directory(path), _) => Some(Local::open(CONTEXT, path, ignored, engine.paths())?),
        (_, Brought::Files(directory)) => Some(Local::brought(CONTEXT, directory, ignored, engine.paths())?),
        _ => None,
    };
    contexts.extend(own.map(|own| (CONTEXT.to_owned(), own)));
    let mut named = BTreeMap::new();
    for context in &options.named_contexts {
        let kind = ContextKind::parse(&context.value)?;
        let key = key(&context.name);
        if let ContextKind::Local { .. } = kind {
            let local = Local::open(&key, Path::new(&context.value), None, engine.paths())
                .map_err(|error| error.of_flag(&format!("--build-context {}={}", context.name, context.value)))?;
            // Two names are taken.
            let name = if matches!(key.as_str(), "context" | "dockerfile") { format!("_{key}") } else { key.clone() };
            contexts.insert(name, local);
        }
        named.insert(key, kind);
    }
    Ok(Sources { file, contexts, names: named.keys().cloned().collect(), named })
}

/// The name of a context, of which a platform may be a part.
fn key(name: &str) -> String {
    match name.split_once("::") {
        Some((name, platform)) => format!("{}::{platform}", context_name(name)),
        None => context_name(name).to_owned(),
    }
}

/// The Dockerfile, and what stands beside it of what is left out.
type Definition = (File, Option<IgnoreFile>);

struct Finding<'a> {
    engine: &'a Engine,
    options: &'a Options,
    lease: &'a Lease,
    grants: &'a Grants,
}

/// What was brought from elsewhere.
enum Brought {
    Nothing,
    Files(LayerWriter),
    Dockerfile(Vec<u8>),
}

impl Finding<'_> {
    fn brought(&self) -> Result<Brought> {
        let directory = self.engine.store().begin_nameless_layer(self.lease)?;
        let unpacked = match &self.options.context {
            Context::Stdin => {
                if self.options.dockerfile == Dockerfile::Stdin {
                    return Err(Error::invalid("standard input cannot be both the context and the Dockerfile"));
                }
                archive::unpack(io::stdin().lock(), &directory.path())?
            }
            Context::Url(url) => self.fetched(url, &directory)?,
            Context::Git(text) => {
                self.checked_out(text, &directory)?;
                Unpacked::Files
            }
            Context::Nothing | Context::Directory(_) => return Ok(Brought::Nothing),
        };
        Ok(match unpacked {
            Unpacked::Files => Brought::Files(directory),
            Unpacked::Dockerfile(text) => Brought::Dockerfile(text),
        })
    }

    fn fetched(&self, url: &str, directory: &LayerWriter) -> Result<Unpacked> {
        let headers: Vec<_> = http::authorization(url, &|name| self.grants.secret(name))?.into_iter().collect();
        // Beside the directory, so that whatever happens it goes with it.
        let into = directory.make_work()?.join("context");
        http::fetch(url, &headers, &into, MOST_ARCHIVE)?;
        let file = std::fs::File::open(&into).map_err(|error| Error::system(without_credentials(url), error))?;
        archive::unpack(file, &directory.path())
    }

    fn checked_out(&self, text: &str, directory: &LayerWriter) -> Result<()> {
        let address = GitAddress::parse_context(text)?;
        let address = address.ok_or_else(|| Error::invalid(format!("{text}: it is no address of a repository")))?;
        let names = ("GIT_AUTH_HEADER", "GIT_AUTH_TOKEN");
        let mut auth = GitAuth::find(&address, names, &|name| self.grants.secret(name))?;
        auth.agent = self.grants.agent("").cloned();
        let keeps = self.options.says_yes("BUILDKIT_CONTEXT_KEEP_GIT_DIR");
        let commit = git::resolve(&address, &auth)?;
        git::checkout(&address, &commit, &auth, &directory.path(), keeps || address.keep_git_dir == Some(true))
    }

    /// The Dockerfile, and what stands beside it of what is left out.
    fn definition(&self, brought: &Brought) -> Result<Definition> {
        let text = match (&self.options.dockerfile, brought) {
            (Dockerfile::Stdin, _) | (_, Brought::Nothing) => return near(self.options),
            (_, Brought::Dockerfile(text)) => text.clone(),
            (Dockerfile::File(path), Brought::Files(directory)) => {
                let root = Root::open(directory.path())?;
                return below(&root, &[path.to_string_lossy().into_owned()]);
            }
            (Dockerfile::Default, Brought::Files(directory)) => {
                return below(&Root::open(directory.path())?, &NAMES.map(ToOwned::to_owned));
            }
        };
        Ok((File { name: NAMES[0].to_owned(), text }, None))
    }
}

/// A Dockerfile that is on this host or standard input.
#[derive(Debug)]
pub struct NearFile {
    /// What it is called.
    pub name: String,
    /// What stands in it.
    pub text: Vec<u8>,
    /// What is left out of its context, if that is a directory of this host.
    pub ignored: Option<Patterns>,
}

/// Reads the Dockerfile for what is asked of it instead of a build: nothing is fetched for that. Patterns that are wrong are the
/// build's to tell.
///
/// # Errors
/// `NotFound` for one that is not there, `Invalid` for one that is somewhere else.
pub fn near_file(options: &Options) -> Result<NearFile> {
    let is_elsewhere = matches!(options.context, Context::Git(_) | Context::Url(_));
    if is_elsewhere && options.dockerfile == Dockerfile::Default {
        return Err(Error::invalid("the Dockerfile is in a context that is somewhere else")
            .with_hint("fetch it first, and give the directory"));
    }
    let (File { name, text }, ignored) = match (&options.dockerfile, &options.context) {
        // An archive is nothing that anybody asks about.
        (Dockerfile::Default, Context::Stdin) => from_stdin()?,
        _ => near(options)?,
    };
    let root = match &options.context {
        Context::Directory(path) => Some(Root::open(path)?),
        _ => None,
    };
    let ignored = root.and_then(|root| patterns(&root, ignored).ok().flatten());
    let name = if let Dockerfile::File(path) = &options.dockerfile { path.display().to_string() } else { name };
    Ok(NearFile { name, text, ignored })
}

/// The Dockerfile on this host or standard input, and what stands beside it of what is left out.
fn near(options: &Options) -> Result<Definition> {
    match (&options.dockerfile, &options.context) {
        (Dockerfile::Stdin, _) => from_stdin(),
        // A path of whoever builds, and none of the context's.
        (Dockerfile::File(path), _) => match path.to_str().filter(|text| is_address(text)) {
            Some(address) => at_address(address),
            None => on_host(path),
        },
        (Dockerfile::Default, Context::Directory(path)) => {
            let root = Root::open(path).map_err(|error| Error::system(path.display(), io::Error::from(error)))?;
            below(&root, &NAMES.map(ToOwned::to_owned))
        }
        _ => Err(Error::invalid("there is no Dockerfile").with_hint("-f FILE, or - < FILE")),
    }
}

fn from_stdin() -> Result<Definition> {
    let text = bounded(io::stdin().lock(), "standard input")?;
    Ok((File { name: NAMES[0].to_owned(), text }, None))
}

/// The first of these files that is there, below a root.
fn below(root: &Root, names: &[String]) -> Result<Definition> {
    for name in names {
        let text = match root.read_regular(name, MOST_FILE) {
            Err(error) if error.kind() == fsroot::ErrorKind::NotFound => continue,
            other => other?,
        };
        let beside = format!("{name}.dockerignore");
        let ignored = match root.read_regular(&beside, MOST_FILE) {
            Err(error) if error.kind() == fsroot::ErrorKind::NotFound => None,
            other => Some((beside, other?)),
        };
        return Ok((File { name: name.clone(), text }, ignored));
    }
    let name = names.first().map(String::as_str).unwrap_or_default();
    Err(Error::new(ErrorKind::NotFound, format!("there is no {name} in the context"))
        .with_hint("name it with -f FILE, or another directory"))
}

fn is_address(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// A file that a web server has, with nothing beside it.
fn at_address(address: &str) -> Result<Definition> {
    let directory = tempfile::tempdir().map_err(|error| Error::system("a temporary directory", error))?;
    let fetched = http::fetch(address, &[], &directory.path().join(NAMES[0]), MOST_FILE)?;
    let text = std::fs::read(&fetched.file).map_err(|error| Error::system(without_credentials(address), error))?;
    Ok((File { name: NAMES[0].to_owned(), text }, None))
}

/// A file that whoever builds names.
fn on_host(path: &Path) -> Result<Definition> {
    let read = |path: &Path| {
        let shown = path.display().to_string();
        let file = std::fs::File::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::new(ErrorKind::NotFound, format!("-f {shown}: there is no such file")),
            _ => Error::system(&shown, error),
        })?;
        bounded(file, &shown)
    };
    let text = read(path)?;
    let name = path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    let beside: PathBuf = path.with_file_name(format!("{name}.dockerignore"));
    let ignored = if beside.exists() { Some((beside.display().to_string(), read(&beside)?)) } else { None };
    Ok((File { name, text }, ignored))
}

fn bounded(from: impl Read, shown: &str) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    from.take(MOST_FILE + 1).read_to_end(&mut text).map_err(|error| Error::system(shown, error))?;
    if text.len() as u64 > MOST_FILE {
        return Err(Error::invalid(format!("{shown}: more than {MOST_FILE} bytes are no Dockerfile")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_contexts() {
        for (name, expected) in [
            ("a", "a"),
            ("docker.io/library/a:latest", "a"),
            ("docker.io/library/a:latest::linux/arm64", "a::linux/arm64"),
        ] {
            assert_eq!(key(name), expected);
        }
    }
    #[test]
    fn a_near_dockerfile_is_read_below_its_context() {
        let directory = tempfile::tempdir().expect("a directory");
        let options = || Options { context: Context::Directory(directory.path().to_owned()), ..Options::default() };
        let put = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).expect("room");
        assert_eq!(near_file(&options()).expect_err("it is not there").kind(), ErrorKind::NotFound);
        std::os::unix::fs::symlink("/etc/hostname", directory.path().join("Dockerfile")).expect("room");
        near_file(&options()).expect_err("a link of the context leads nowhere outside it");
        std::fs::remove_file(directory.path().join("Dockerfile")).expect("it is there");
        put("dockerfile", "FROM scratch\n");
        put(".dockerignore", "x\n");
        let found = near_file(&options()).expect("it is there, however it is written");
        assert_eq!((found.name.as_str(), found.text.len()), ("dockerfile", 13));
        assert!(found.ignored.is_some_and(|patterns| patterns.exclude("x")));
        put("dockerfile.dockerignore", "y\n");
        let found = near_file(&options()).expect("it is there");
        assert!(found.ignored.is_some_and(|patterns| patterns.exclude("y") && !patterns.exclude("x")));
        let far = Options { context: Context::Url("https://example.org/a.tar".to_owned()), ..Options::default() };
        assert!(near_file(&far).expect_err("it is not here").hint().is_some());
    }
}
