//! A build from its options to what was asked for: the order of things, and nothing else.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use dockerfile::evaluate::{self, Evaluated, Inputs, evaluate};
use engine::Engine;
use store::Lease;

use crate::Built;
use crate::context::Local;
use crate::error::{Error, ErrorKind, Result};
use crate::export::{self, Image};
use crate::frontend::{self, Converted, NoCache, Request, Surroundings};
use crate::images::{Resolver, to_message};
use crate::llb::Graph;
use crate::llb::message::exec::{HostIp, NetMode, Ulimit};
use crate::options::{Context, Dockerfile, Options};
use crate::progress::{Amount, Event, Watch};
use crate::remote::{Imported, Notes};
use crate::report::Reporter;
use crate::solve::{Job, Solved, solve};
use crate::surroundings::Grants;

/// A larger Dockerfile is refused.
const MOST_FILE: u64 = 16 << 20;
/// The argument that says when everything was made: <https://reproducible-builds.org/specs/source-date-epoch>.
pub(crate) const EPOCH: &str = "SOURCE_DATE_EPOCH";

/// The file that says what is built.
pub(crate) struct File {
    /// What it is called.
    pub(crate) name: String,
    /// What stands in it.
    pub(crate) text: Vec<u8>,
}

/// Builds.
///
/// # Errors
/// [`ErrorKind`] tells them apart. What was made before stays in the cache, and nothing else stays.
pub fn build(engine: &Engine, options: &Options, watch: &dyn Watch) -> Result<Built> {
    let reporter = Reporter::new(watch);
    let names = export::names(options)?;
    let grants = Grants::of(options)?;
    let epoch = export::epoch(options)?;
    let lease = engine.store().lease()?;
    let (file, contexts) = sources(engine, options, &reporter)?;
    let platforms =
        if options.platforms.is_empty() { vec![image::Platform::host()] } else { options.platforms.clone() };
    let mut images = Vec::new();
    let notes = Notes::default();
    for platform in &platforms {
        let imported = Imported::open(engine, options, platform, &reporter);
        let building = Building {
            engine,
            options,
            lease: &lease,
            reporter: &reporter,
            contexts: &contexts,
            grants: &grants,
            file: &file,
            imported: &imported,
            notes: &notes,
        };
        images.push(
            building
                .image(platform, epoch)
                .map_err(|error| error.with_file(&file.name, String::from_utf8_lossy(&file.text)))?,
        );
    }
    contexts.values().for_each(Local::keep);
    let export = export::Exporting { engine, lease: &lease, options, reporter: &reporter, names, notes: &notes };
    let mut built = export.all(&images)?;
    crate::remote::export(engine, &lease, options, &reporter, &notes, &images)?;
    built.longest = reporter.longest();
    engine.sync_images_later();
    // What nobody refers to goes only when nobody holds a lease.
    drop(lease);
    crate::usage::keep_within_bounds(engine);
    Ok(built)
}

/// The Dockerfile and the contexts.
fn sources(engine: &Engine, options: &Options, reporter: &Reporter<'_>) -> Result<(File, BTreeMap<String, Local>)> {
    let paths = engine.paths();
    let mut contexts = BTreeMap::new();
    let (file, ignored) = reporter.during("[internal] load build definition", |step| {
        let found = definition(options)?;
        let (name, length) = (format!("reading {}", found.0.name), found.0.text.len() as u64);
        reporter.progress(step, &name, Amount { current: length, total: Some(length) }, true);
        Ok(found)
    })?;
    if let Context::Directory(path) = &options.context {
        contexts.insert("context".to_owned(), Local::open(path, ignored, paths)?);
    }
    Ok((file, contexts))
}

/// The Dockerfile, and what stands beside it of what is left out.
fn definition(options: &Options) -> Result<(File, Option<(String, Vec<u8>)>)> {
    let path = match (&options.dockerfile, &options.context) {
        (Dockerfile::Stdin, _) | (Dockerfile::Default, Context::Stdin | Context::Nothing) => {
            let mut text = Vec::new();
            let read = std::io::Read::take(std::io::stdin().lock(), MOST_FILE + 1);
            std::io::Read::read_to_end(&mut { read }, &mut text)
                .map_err(|error| Error::system("reading the Dockerfile from standard input", error))?;
            return Ok((checked(File { name: "Dockerfile".to_owned(), text })?, None));
        }
        (Dockerfile::File(path), _) => path.clone(),
        (Dockerfile::Default, Context::Directory(directory)) => {
            let usual = directory.join("Dockerfile");
            let small = directory.join("dockerfile");
            if !usual.exists() && small.exists() { small } else { usual }
        }
        (Dockerfile::Default, _) => "Dockerfile".into(),
    };
    let text = read(&path)?;
    let name = path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    let beside = path.with_file_name(format!("{name}.dockerignore"));
    let ignored = match beside.exists() {
        true => Some((beside.display().to_string(), read(&beside)?)),
        false => None,
    };
    Ok((checked(File { name, text })?, ignored))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let shown = path.display().to_string();
    let opened = std::fs::File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Error::new(ErrorKind::NotFound, format!("{shown}: there is no such file")).with_hint("name it with -f FILE")
        }
        _ => Error::system(&shown, error),
    })?;
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(opened, MOST_FILE + 1), &mut text)
        .map_err(|error| Error::system(shown, error))?;
    Ok(text)
}

fn checked(file: File) -> Result<File> {
    if file.text.len() as u64 > MOST_FILE {
        return Err(Error::invalid(format!("{}: more than {MOST_FILE} bytes are no Dockerfile", file.name)));
    }
    Ok(file)
}

/// A build for one platform.
struct Building<'a> {
    engine: &'a Engine,
    options: &'a Options,
    lease: &'a Lease,
    reporter: &'a Reporter<'a>,
    contexts: &'a BTreeMap<String, Local>,
    grants: &'a Grants,
    file: &'a File,
    imported: &'a Imported,
    notes: &'a Notes,
}

impl Building<'_> {
    fn image(&self, platform: &image::Platform, epoch: Option<u64>) -> Result<Image> {
        let pulls = crate::pulls::Pulls::new(self.reporter);
        let images = Resolver::new(self.engine, self.options.pull, platform.clone(), &pulls);
        let evaluated = self.evaluated(&images, platform)?;
        self.tell_findings(&evaluated)?;
        let converted = self.converted(&evaluated, &images, platform)?;
        let graph = Graph::read(&converted.definition)
            .map_err(|refused| Error::invalid(format!("the graph of the build: {refused}")))?;
        let job = Job {
            engine: self.engine,
            lease: self.lease,
            graph: &graph,
            reporter: self.reporter,
            images: &images,
            contexts: self.contexts,
            grants: self.grants,
            imported: self.imported,
            notes: self.notes,
            explains: self.options.explain,
            terminal: Mutex::new(()),
            leashes: Mutex::default(),
            is_canceled: AtomicBool::new(false),
        };
        let solved = solve(&job).map_err(|error| located(error, &converted))?;
        let used = images.used();
        let Solved { tree, created, counts } = solved;
        Ok(Image { converted, tree, created, counts, epoch, used, platform: platform.clone() })
    }

    fn evaluated(&self, images: &Resolver<'_>, platform: &image::Platform) -> Result<Evaluated> {
        let inputs = Inputs {
            arguments: &self.options.build_args,
            build_platform: to_evaluate(&image::Platform::host()),
            target_platform: to_evaluate(platform),
            target: self.options.target.as_deref(),
            all_stages: false,
            ignored: self.contexts.get("context").and_then(Local::patterns),
            bases: images,
        };
        let parsed = dockerfile::Dockerfile::parse(&self.file.text)?;
        Ok(evaluate(parsed, &inputs)?)
    }

    fn converted(&self, evaluated: &Evaluated, images: &Resolver<'_>, platform: &image::Platform) -> Result<Converted> {
        let options = self.options;
        let request = Request {
            filename: &self.file.name,
            file: &self.file.text,
            platform: to_message(platform),
            images,
            no_cache: match (options.no_cache, options.no_cache_stages.as_slice()) {
                (true, _) => NoCache::Everything,
                (false, []) => NoCache::Nothing,
                (false, stages) => NoCache::Stages(stages.to_vec()),
            },
            surroundings: surroundings(options, self.grants),
        };
        let mut converted = frontend::convert(evaluated, &request)?;
        converted.config.labels.extend(options.labels.clone());
        Ok(converted)
    }

    /// What checks have found. The file says whether that is an error.
    fn tell_findings(&self, evaluated: &Evaluated) -> Result<()> {
        for finding in &evaluated.findings {
            self.reporter.tell(Event::Warning {
                rule: finding.rule.name().to_owned(),
                message: finding.message.clone(),
                place: Some((self.file.name.clone(), finding.lines.first)),
                url: Some(finding.rule.url().to_owned()),
            });
        }
        if evaluated.findings_are_errors && !evaluated.findings.is_empty() {
            let count = evaluated.findings.len();
            return Err(Error::new(ErrorKind::Dockerfile, format!("{count} findings of checks are errors here"))
                .with_hint("the Dockerfile says so with # check=error=true; phial build --check shows them"));
        }
        Ok(())
    }
}

/// An error of an operation, with the lines that it comes from.
fn located(error: Error, converted: &Converted) -> Error {
    let Some(operation) = error.operation().map(ToString::to_string) else { return error };
    let places = converted.definition.source.as_ref().and_then(|source| source.locations.get(&operation));
    let range = places.and_then(|places| places.locations.first()).and_then(|place| place.ranges.first());
    let line = |position: Option<&crate::llb::message::Position>| {
        position.and_then(|position| usize::try_from(position.line).ok()).unwrap_or_default()
    };
    match range {
        Some(range) => error.in_lines(line(range.start.as_ref()), line(range.end.as_ref())),
        None => error,
    }
}

/// How commands run.
fn surroundings(options: &Options, grants: &Grants) -> Surroundings {
    let hosts = options.extra_hosts.iter().map(|host| HostIp { host: host.name.clone(), ip: host.address.to_string() });
    let limits = options.ulimits.iter().map(|limit| Ulimit {
        name: limit.name().to_owned(),
        // -1 is no limit, in the graph as on command lines.
        soft: i64::try_from(limit.soft).unwrap_or(-1),
        hard: i64::try_from(limit.hard).unwrap_or(-1),
    });
    Surroundings {
        network: match &grants.network {
            engine::config::Network::Host => Some(NetMode::Host),
            engine::config::Network::None => Some(NetMode::None),
            _ => None,
        },
        extra_hosts: hosts.collect(),
        hostname: options.build_args.get("BUILDKIT_SANDBOX_HOSTNAME").cloned().unwrap_or_default(),
        ulimits: limits.collect(),
        shm_size: options.shm_size,
        cgroup_parent: options.cgroup_parent.clone().unwrap_or_default(),
        proxy: None,
        cache_namespace: options.build_args.get("BUILDKIT_CACHE_MOUNT_NS").cloned().unwrap_or_default(),
    }
}

fn to_evaluate(platform: &image::Platform) -> evaluate::Platform {
    evaluate::Platform {
        os: platform.os.clone(),
        os_version: String::new(),
        architecture: platform.architecture.clone(),
        variant: platform.variant.clone().unwrap_or_default(),
    }
}
