//! How an image was built, as others can read it: SLSA provenance version 1 (<https://slsa.dev/spec/v1.1/provenance>) in the form
//! of `BuildKit` (its `docs/attestations/slsa-definitions.md`). Pure. What a secret is stands nowhere in it, only what it is called;
//! neither do values of proxies, which may have passwords.

/// The steps of the graph.
mod steps;

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use store::ImageRecord;

use super::Image;
use crate::error::{Error, Result};
use crate::images::{LAYOUT, layout_name};
use crate::llb::Graph;
use crate::llb::message::{Definition, Kind};
use crate::options::{AttestationRequest, Context, Options};
use crate::source::without_credentials;

/// What the predicate is called.
pub(super) const PREDICATE: &str = "https://slsa.dev/provenance/v1";
/// What kind of build it is: which fields there are.
const BUILD_TYPE: &str = "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md";
/// Arguments of builds whose values may have passwords.
const PROXIES: [&str; 5] = ["http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"];

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Request {
    /// Whether everything is said (`mode=max`).
    is_max: bool,
    builder: String,
    is_reproducible: bool,
}

impl Request {
    /// Reads what is asked for.
    ///
    /// # Errors
    /// `Invalid` for what cannot be done.
    pub(super) fn of(request: &AttestationRequest) -> Result<Request> {
        let mut read = Request::default();
        for (key, value) in &request.attributes {
            match (key.as_str(), value.as_str()) {
                ("mode", "max") => read.is_max = true,
                ("mode", "min" | "") | ("version", "v1") => {}
                ("mode", _) => {
                    let error = Error::invalid(format!("--provenance mode={value}: it is neither min nor max"));
                    return Err(error.with_meant(value, &["min", "max"]));
                }
                ("builder-id", value) => value.clone_into(&mut read.builder),
                ("reproducible", value) => {
                    let wrong = || Error::invalid(format!("--provenance {key}={value}: it is neither true nor false"));
                    read.is_reproducible = notation::truth(value).ok_or_else(wrong)?;
                }
                ("version", _) => {
                    return Err(Error::invalid(format!("--provenance version={value}: only v1 is written"))
                        .with_hint("version=v1"));
                }
                ("filename" | "inline-only", _) => {
                    return Err(Error::invalid(format!("--provenance {key}={value} cannot be done")));
                }
                _ => {
                    let error = Error::invalid(format!("--provenance {key}={value}: there is no such key"));
                    return Err(error.with_meant(key, &["mode", "version", "builder-id", "reproducible", "disabled"]));
                }
            }
        }
        Ok(read)
    }
}

/// What a build knows of itself.
pub(super) struct Facts<'a> {
    pub(super) request: &'a Request,
    pub(super) options: &'a Options,
    pub(super) started: SystemTime,
    pub(super) finished: SystemTime,
    pub(super) invocation: &'a str,
}

impl Facts<'_> {
    /// How this image was built.
    pub(super) fn predicate(&self, image: &Image) -> Value {
        let definition = &image.converted.definition;
        let graph = Graph::read(definition).unwrap_or(Graph { vertices: Vec::new(), result: None });
        let mut internal = json!({"builderPlatform": image::Platform::host().to_string()});
        let mut known = Map::new();
        if self.request.is_max {
            internal["buildConfig"] = steps::all(&graph);
            known.insert("source".to_owned(), source(definition, &graph));
        }
        let is_local = graph.vertices.iter().any(|vertex| is_local(vertex.operation.op.as_ref()));
        let mut metadata = json!({
            "invocationID": self.invocation,
            "startedOn": shown(self.started),
            "finishedOn": shown(self.finished),
            "buildkit_metadata": known,
            "buildkit_completeness": {"request": self.request.is_max, "resolvedDependencies": !is_local},
        });
        if steps::is_hermetic(&graph) {
            metadata["buildkit_hermetic"] = json!(true);
        }
        if self.request.is_reproducible {
            metadata["buildkit_reproducible"] = json!(true);
        }
        json!({
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"configSource": self.config_source(definition), "request": self.parameters(&graph)},
                "internalParameters": internal,
                "resolvedDependencies": dependencies(&image.used, &graph),
            },
            "runDetails": {"builder": {"id": self.request.builder}, "metadata": metadata},
        })
    }

    fn config_source(&self, definition: &Definition) -> Value {
        let file = definition.source.as_ref().and_then(|source| source.infos.first());
        let mut source = json!({"path": file.map_or("Dockerfile", |file| file.filename.as_str())});
        if let Context::Url(address) | Context::Git(address) = &self.options.context {
            source["uri"] = json!(without_credentials(address));
        }
        source
    }

    fn parameters(&self, graph: &Graph) -> Value {
        let options = self.options;
        let mut arguments = Map::new();
        if self.request.is_max {
            let is_proxy = |key: &str| PROXIES.contains(&key.to_ascii_lowercase().as_str());
            let given = options.build_args.iter().filter(|(key, _)| !is_proxy(key));
            arguments.extend(given.map(|(key, value)| (format!("build-arg:{key}"), json!(value))));
            arguments.extend(options.labels.iter().map(|(key, value)| (format!("label:{key}"), json!(value))));
            arguments.extend(options.target.iter().map(|target| ("target".to_owned(), json!(target))));
        }
        let mut parameters = json!({"frontend": "dockerfile.v0", "args": arguments});
        let locals = steps::locals(graph);
        if !locals.is_empty() {
            parameters["locals"] = locals.iter().map(|name| json!({"name": name})).collect();
        }
        if self.request.is_max {
            let (secrets, agents) = steps::grants(graph);
            let named = |all: Vec<(String, bool)>| -> Value {
                let one =
                    |(id, optional)| if optional { json!({"id": id, "optional": true}) } else { json!({"id": id}) };
                all.into_iter().map(one).collect()
            };
            parameters["secrets"] = named(secrets);
            parameters["ssh"] = named(agents);
        }
        parameters
    }
}

/// The name of an image as a package URL (<https://github.com/package-url/purl-spec>).
pub(super) fn package(name: &image::Reference, platform: &str) -> String {
    let version = match (name.tag(), name.digest()) {
        (Some(tag), _) => format!("@{tag}"),
        (None, Some(digest)) => format!("@{digest}"),
        (None, None) => String::new(),
    };
    format!("pkg:docker/{}{version}?platform={}", name.familiar_name(), platform.replace('/', "%2F"))
}

/// The same of an image in a directory.
fn layout_package(place: &str, record: &ImageRecord) -> String {
    let name = layout_name(place);
    format!("pkg:oci/{name}@sha256%3A{}?platform={}", record.manifest.hex(), record.platform.replace('/', "%2F"))
}

/// What came from outside, each with a digest where one is known.
fn dependencies(used: &[(String, ImageRecord)], graph: &Graph) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    let mut seen = Vec::new();
    for (name, record) in used {
        // A short name and the whole one are the same.
        let uri = match (name.strip_prefix(LAYOUT), name.parse::<image::Reference>()) {
            (Some(place), _) => layout_package(place, record),
            (None, Ok(name)) => package(&name, &record.platform),
            (None, Err(_)) => continue,
        };
        if !seen.contains(&uri) {
            all.push(json!({"uri": uri, "digest": {"sha256": record.manifest.hex()}}));
            seen.push(uri);
        }
    }
    for vertex in &graph.vertices {
        let Some(Kind::Source(source)) = &vertex.operation.op else { continue };
        let is_fetched = ["http://", "https://", "git://"].iter().any(|scheme| source.identifier.starts_with(scheme));
        if !is_fetched {
            continue;
        }
        let full = source.attrs.get("git.fullurl").unwrap_or(&source.identifier);
        let mut one = json!({"uri": without_credentials(full)});
        let checksum = source.attrs.get("http.checksum").or_else(|| source.attrs.get("git.checksum"));
        if let Some(checksum) = checksum {
            let (algorithm, hex) = checksum.split_once(':').unwrap_or(("sha1", checksum));
            one["digest"] = json!({algorithm: hex});
        }
        all.push(one);
    }
    all
}

/// Where the steps come from: the files, and which lines have become which step.
fn source(definition: &Definition, graph: &Graph) -> Value {
    let Some(source) = &definition.source else { return json!({}) };
    let infos: Vec<Value> = source
        .infos
        .iter()
        .map(|info| json!({"filename": info.filename, "language": info.language, "data": STANDARD.encode(&info.data)}))
        .collect();
    let mut locations = Map::new();
    for (number, vertex) in graph.vertices.iter().enumerate() {
        let Some(places) = source.locations.get(&vertex.digest.to_string()) else { continue };
        let places: Vec<Value> = places.locations.iter().map(steps::location).collect();
        locations.insert(format!("step{number}"), json!({"locations": places}));
    }
    json!({"infos": infos, "locations": locations})
}

fn is_local(kind: Option<&Kind>) -> bool {
    matches!(kind, Some(Kind::Source(source)) if source.identifier.starts_with("local://"))
}

fn shown(time: SystemTime) -> String {
    Timestamp::try_from(time).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_packages() {
        let name = |text: &str| package(&text.parse().expect("it is a name"), "linux/arm64");
        assert_eq!(name("alpine:3"), "pkg:docker/alpine@3?platform=linux%2Farm64");
        assert_eq!(name("localhost:5000/a/b"), "pkg:docker/localhost:5000/a/b@latest?platform=linux%2Farm64");
    }

    #[test]
    fn requests() {
        let request = |pairs: &[(&str, &str)]| {
            let attributes = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            Request::of(&AttestationRequest { attributes })
        };
        assert!(request(&[("mode", "max"), ("version", "v1")]).expect("it is one").is_max);
        request(&[("version", "v0.2")]).expect_err("is not written");
        let hint = |key, value| request(&[(key, value)]).expect_err("is unknown").hint().map(str::to_owned);
        assert_eq!(hint("mod", "max").as_deref(), Some("did you mean mode?"));
        assert_eq!(hint("mode", "mox").as_deref(), Some("did you mean max?"));
        assert!(request(&[("reproducible", "1")]).expect("it is one").is_reproducible);
        request(&[("reproducible", "maybe")]).expect_err("it is neither");
        request(&[("filename", "x")]).expect_err("is not done");
    }
}
