//! A build from its options to what was asked for: the order of things, and nothing else.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use dockerfile::evaluate::{self, Evaluated, Inputs, evaluate};
use engine::Engine;
use store::Lease;

use crate::Built;
use crate::context::Local;
use crate::error::{Error, ErrorKind, Result};
use crate::export::{self, Image};
use crate::frontend::{self, ContextKind, Converted, Found, Images, NoCache, Request, Surroundings};
use crate::images::{Resolver, to_message};
use crate::llb::Graph;
use crate::llb::message::Definition;
use crate::llb::message::exec::{HostIp, NetMode, ProxyEnv, Ulimit};
use crate::options::Options;
use crate::progress::{Event, Watch};
use crate::remote::{Imported, Notes};
use crate::report::Reporter;
use crate::scan::{Document, Given, Scanner};
use crate::solve::{Job, Solved, solve};
use crate::sources::{self, Sources};
use crate::surroundings::Grants;
use crate::tree::Tree;

/// The argument that says when everything was made: <https://reproducible-builds.org/specs/source-date-epoch>.
pub(crate) const EPOCH: &str = "SOURCE_DATE_EPOCH";

/// Builds.
///
/// # Errors
/// [`ErrorKind`] tells them apart. What was made before stays in the cache, and nothing else stays.
pub fn build(engine: &Engine, options: &Options, watch: &dyn Watch) -> Result<Built> {
    let reporter = Reporter::new(watch);
    let started = std::time::SystemTime::now();
    export::check(options)?;
    crate::remote::check(options)?;
    let grants = Grants::of(options)?;
    let epoch = export::epoch(options)?;
    let lease = engine.store().lease()?;
    let sources = sources::of(engine, options, &lease, &grants, &reporter)?;
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
            sources: &sources,
            grants: &grants,
            imported: &imported,
            notes: &notes,
        };
        let built = building.image(platform, epoch);
        images.push(
            built.map_err(|error| error.with_file(&sources.file.name, String::from_utf8_lossy(&sources.file.text)))?,
        );
    }
    sources.contexts.values().for_each(Local::keep);
    let export = export::Exporting::new(engine, &lease, options, &reporter, &notes, started)?;
    let built = export.all(&images)?;
    crate::remote::export(engine, &lease, options, &reporter, &notes, &images)?;
    engine.sync_images_later();
    // What nobody refers to goes only when nobody holds a lease.
    drop(lease);
    crate::usage::keep_within_bounds(engine);
    Ok(built)
}

/// A build for one platform.
struct Building<'a> {
    engine: &'a Engine,
    options: &'a Options,
    lease: &'a Lease,
    reporter: &'a Reporter<'a>,
    sources: &'a Sources,
    grants: &'a Grants,
    imported: &'a Imported,
    notes: &'a Notes,
}

impl Building<'_> {
    fn image(&self, platform: &image::Platform, epoch: Option<u64>) -> Result<Image> {
        let pulls = crate::pulls::Pulls::new(self.reporter);
        let images =
            Resolver::new(self.engine, self.lease, self.options.pull, platform.clone(), &self.sources.named, &pulls);
        let evaluated = self.evaluated(&images, platform)?;
        self.tell_findings(&evaluated)?;
        let converted = self.converted(&evaluated, &images, platform)?;
        let scanner = self.scanner(&image::Platform::host())?;
        let solved = self.solved(&converted.definition, &images, self.notes, None);
        let Solved { tree, created } = solved.map_err(|error| located(error, &converted))?;
        let documents = scanner.map_or_else(|| Ok(Vec::new()), |scanner| self.scanned(&scanner, &tree, platform))?;
        let used = images.used();
        Ok(Image { converted, tree, created, epoch, used, documents, platform: platform.clone() })
    }

    fn solved(
        &self,
        definition: &Definition,
        images: &Resolver<'_>,
        notes: &Notes,
        built: Option<&Tree>,
    ) -> Result<Solved> {
        let graph =
            Graph::read(definition).map_err(|refused| Error::invalid(format!("the graph of the build: {refused}")))?;
        solve(&Job {
            engine: self.engine,
            lease: self.lease,
            graph: &graph,
            reporter: self.reporter,
            images,
            built,
            contexts: &self.sources.contexts,
            grants: self.grants,
            imported: self.imported,
            notes,
            explains: self.options.explain,
            brought: Mutex::default(),
            terminal: Mutex::new(()),
            leashes: Mutex::default(),
            is_canceled: AtomicBool::new(false),
        })
    }

    /// What looks into the image, if something shall, and its own image: it is here before anything is built.
    fn scanner(&self, host: &image::Platform) -> Result<Option<(Scanner, Found)>> {
        let Some(request) = &self.options.sbom else { return Ok(None) };
        let scanner = Scanner::of(request)?;
        let (pulls, named) = (crate::pulls::Pulls::new(self.reporter), BTreeMap::new());
        let images = Resolver::new(self.engine, self.lease, self.options.pull, host.clone(), &named, &pulls);
        let found = images
            .image(&scanner.image, &to_message(host))
            .map_err(|why| Error::new(ErrorKind::NotFound, format!("--sbom generator={}: {why}", scanner.image)))?;
        scanner.arguments(&found.config.config)?;
        Ok(Some((scanner, found)))
    }

    /// What it says is in these files. It runs on this host, for whatever they are.
    fn scanned(
        &self,
        (scanner, found): &(Scanner, Found),
        tree: &Tree,
        platform: &image::Platform,
    ) -> Result<Vec<Document>> {
        if tree.layers.is_empty() {
            return Ok(Vec::new());
        }
        let (pulls, named, host) = (crate::pulls::Pulls::new(self.reporter), BTreeMap::new(), image::Platform::host());
        let images = Resolver::new(self.engine, self.lease, false, host.clone(), &named, &pulls);
        let surroundings = surroundings(self.options, self.grants);
        let given = Given { platform, surroundings, anew: self.options.no_cache };
        let graph = scanner.graph(found, &to_message(&host), given)?;
        // What is known of the image is nothing that other hosts need for the next one.
        let Solved { tree, .. } = self.solved(&graph, &images, &Notes::default(), Some(tree))?;
        tree.open(self.engine.store())?.map_or_else(|| Ok(Vec::new()), |root| scanner.documents(&root))
    }

    fn evaluated(&self, images: &Resolver<'_>, platform: &image::Platform) -> Result<Evaluated> {
        let inputs = Inputs {
            arguments: &self.options.build_args,
            build_platform: to_evaluate(&image::Platform::host()),
            target_platform: to_evaluate(platform),
            target: self.options.target.as_deref(),
            all_stages: false,
            ignored: self.sources.contexts.get("context").and_then(Local::patterns),
            bases: images,
            named_contexts: &self.sources.names,
        };
        check_front_end(self.options, &self.sources.file.text)?;
        let parsed = dockerfile::Dockerfile::parse(&self.sources.file.text)?;
        Ok(evaluate(parsed, &inputs)?)
    }

    fn converted(&self, evaluated: &Evaluated, images: &Resolver<'_>, platform: &image::Platform) -> Result<Converted> {
        let options = self.options;
        let request = Request {
            filename: &self.sources.file.name,
            file: &self.sources.file.text,
            platform: to_message(platform),
            images,
            no_cache: match (options.no_cache, options.no_cache_stages.as_slice()) {
                (true, _) => NoCache::Everything,
                (false, []) => NoCache::Nothing,
                (false, stages) => NoCache::Stages(stages.to_vec()),
            },
            surroundings: surroundings(options, self.grants),
            // Whatever it was, it is a directory by now.
            context: &ContextKind::Local { shared_key: String::new(), excludes: Vec::new() },
            named_contexts: &self.sources.named,
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
                place: Some((self.sources.file.name.clone(), finding.lines.first)),
                url: Some(finding.rule.url()),
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

/// Refuses a file that is for a front end that is not ours, whatever its language: it would mean something else.
///
/// # Errors
/// `Dockerfile`, with the line that says it.
pub fn check_front_end(options: &Options, text: &[u8]) -> Result<()> {
    let given = options.build_args.get("BUILDKIT_SYNTAX").cloned();
    let is_given = given.is_some();
    let Some(syntax) = given.or_else(|| dockerfile::statement::syntax(text)) else { return Ok(()) };
    let line = String::from_utf8_lossy(text).lines().position(|line| line.contains(&syntax)).filter(|_| !is_given);
    let name = syntax.split_whitespace().next().unwrap_or_default();
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    if ["", "docker/dockerfile", "docker/dockerfile-upstream", "dockerfile.v0"]
        .iter()
        .any(|ours| name.strip_prefix(ours).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '@'])))
    {
        return Ok(());
    }
    let error = Error::new(ErrorKind::Dockerfile, format!("syntax={syntax}: front ends that are images are not run"))
        .with_hint("docker/dockerfile is built in; leave the line out if that is what the file is for");
    Err(match line {
        Some(line) => error.in_lines(line + 1, line + 1),
        None => error,
    })
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
        proxy: proxy(&options.build_args),
        cache_namespace: options.build_args.get("BUILDKIT_CACHE_MOUNT_NS").cloned().unwrap_or_default(),
    }
}

/// How others are reached, if arguments say that: they are for commands, and nothing of the image.
fn proxy(arguments: &BTreeMap<String, String>) -> Option<ProxyEnv> {
    let given = |name: &str| {
        let found = arguments.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let proxy = ProxyEnv {
        http_proxy: given("HTTP_PROXY"),
        https_proxy: given("HTTPS_PROXY"),
        ftp_proxy: given("FTP_PROXY"),
        no_proxy: given("NO_PROXY"),
        all_proxy: given("ALL_PROXY"),
    };
    (proxy != ProxyEnv::default()).then_some(proxy)
}

fn to_evaluate(platform: &image::Platform) -> evaluate::Platform {
    evaluate::Platform {
        os: platform.os.clone(),
        os_version: String::new(),
        architecture: platform.architecture.clone(),
        variant: platform.variant.clone().unwrap_or_default(),
    }
}
