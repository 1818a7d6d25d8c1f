//! What is in an image: the archive that `save` writes, its layers laid upon one another, and all that as lines that can be
//! compared. OCI image specification 1.1 (layers, configuration).
//!
//! Layers are read here once more, by another implementation of tar than Phial's.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

use serde_json::{Value, json};
use tar::{Archive, Entry, EntryType};

use crate::image::digest_of;
use crate::{Context, Result};

/// What stands for the usual search path.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Larger files are shown by their digests.
const LARGEST: usize = 400;

/// An image.
#[derive(Debug, Clone)]
pub struct Flat {
    /// Its configuration, as it is.
    pub config: Value,
    /// Its files: each by its path, as it is shown.
    lines: BTreeMap<String, String>,
}

/// What an image has besides another one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Added {
    /// Its files, as [`Flat`] shows them.
    pub tree: Vec<String>,
    /// What its configuration has; `null` is what only the other one has.
    pub config: Value,
    /// What it says of itself.
    pub image: Value,
    /// How many layers.
    pub layers: usize,
    /// Its history: `layer` or `empty`, and what was done.
    pub history: Vec<String>,
}

impl Flat {
    /// Reads an archive of one image.
    ///
    /// # Errors
    /// It is not what `save` writes.
    pub fn read(archive: &Path) -> Result<Flat> {
        let mut file = File::open(archive).context(archive.display())?;
        let mut places = HashMap::new();
        for entry in Archive::new(&file).entries()? {
            let entry = entry?;
            places.insert(entry.path()?.display().to_string(), (entry.raw_file_position(), entry.size()));
        }
        let mut member = |name: &str| -> Result<Vec<u8>> {
            let (start, size) = *places.get(name).context(format!("{name} is not in the archive"))?;
            file.seek(SeekFrom::Start(start))?;
            let mut bytes = Vec::new();
            (&file).take(size).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let manifest: Value = serde_json::from_slice(&member("manifest.json")?)?;
        let manifest = &manifest[0];
        let config = serde_json::from_slice(&member(manifest["Config"].as_str().context("no Config")?)?)?;
        let mut tree = Tree::default();
        for layer in manifest["Layers"].as_array().into_iter().flatten() {
            tree.add(&member(layer.as_str().context("the name of a layer")?)?)?;
        }
        Ok(Flat { config, lines: tree.lines()? })
    }

    /// What it has besides what it was built upon: `base`, or nothing.
    pub fn since(&self, base: &Flat) -> Added {
        let nothing = Flat {
            config: json!({"config": {"Env": [PATH], "WorkingDir": "/"}, "rootfs": {"diff_ids": []}, "history": []}),
            lines: BTreeMap::from([("/".to_owned(), "/ 0755".to_owned())]),
        };
        let below = if list(&self.config["rootfs"]["diff_ids"]).starts_with(list(&base.config["rootfs"]["diff_ids"])) {
            base
        } else {
            &nothing
        };
        let layers = |of: &Flat| list(&of.config["rootfs"]["diff_ids"]).len();
        Added {
            tree: self.tree_since(below),
            config: differing(&self.config["config"], &below.config["config"]),
            image: self.image(),
            layers: layers(self) - layers(below),
            history: self.steps_since(below).iter().map(step).collect(),
        }
    }

    fn tree_since(&self, below: &Flat) -> Vec<String> {
        let has_another_root = below.lines.len() > 1;
        let new = self.lines.iter().filter(|(path, line)| {
            below.lines.get(*path) != Some(*line) && !(has_another_root && path.as_str() == "/")
        });
        let is_gone = |path: &str| {
            let above = Path::new(path).parent().and_then(Path::to_str);
            !self.lines.contains_key(path) && above.is_some_and(|above| above == "/" || self.lines.contains_key(above))
        };
        let gone = below.lines.keys().filter(|path| path.as_str() != "/" && is_gone(path));
        new.map(|(_, line)| line.clone()).chain(gone.map(|path| format!("{path} gone"))).collect()
    }

    fn steps_since(&self, below: &Flat) -> &[Value] {
        let (all, before) = (list(&self.config["history"]), list(&below.config["history"]));
        all.strip_prefix(before).unwrap_or(all)
    }

    /// What is neither configuration nor layers nor what most images say.
    fn image(&self) -> Value {
        let mut image = self.config.clone();
        if let Some(object) = image.as_object_mut() {
            object.retain(|key, value| {
                let is_usual = (key == "os" && value == "linux") || (key == "architecture" && value == "amd64");
                !is_usual && !["config", "history", "rootfs", "created"].contains(&key.as_str())
            });
        }
        image
    }

    /// When it was made, and when each step was that it has besides.
    pub fn times(&self, base: &Flat) -> (Value, Vec<Value>) {
        let below = self.steps_since(base).iter().map(|step| step["created"].clone());
        let mut times: Vec<Value> = below.collect();
        times.dedup();
        (self.config["created"].clone(), times)
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn step(step: &Value) -> String {
    let kind = if step["empty_layer"] == true { "empty" } else { "layer" };
    let mut line = format!("{kind} {}", step["created_by"].as_str().unwrap_or_default());
    match step["comment"].as_str() {
        Some("buildkit.dockerfile.v0") => {}
        comment => {
            // Writing to a String cannot fail.
            let _ = write!(line, " [comment: {}]", comment.unwrap_or("None"));
        }
    }
    line
}

/// The keys that the two have not in common, as the first one has them.
fn differing(config: &Value, below: &Value) -> Value {
    let (config, below) = (shortened(config), shortened(below));
    let keys = [&config, &below].into_iter().filter_map(Value::as_object).flat_map(serde_json::Map::keys);
    let differing = keys.filter(|key| config[*key] != below[*key]);
    Value::Object(differing.map(|key| (key.clone(), config[key].clone())).collect())
}

/// Without keys that say nothing, which some write and others do not.
fn shortened(config: &Value) -> Value {
    let mut config = config.clone();
    for entry in config["Env"].as_array_mut().into_iter().flatten().filter(|entry| *entry == PATH) {
        *entry = json!("{PATH}");
    }
    if let Some(health) = config.get_mut("Healthcheck").and_then(Value::as_object_mut) {
        health.retain(|_, value| *value != json!(0));
    }
    if let Some(keys) = config.as_object_mut() {
        keys.retain(|_, value| ![json!(""), json!([]), json!({}), Value::Null].contains(value));
    }
    config
}

/// Layers upon one another. Names that are one file have one node.
#[derive(Default)]
struct Tree {
    names: BTreeMap<String, usize>,
    nodes: Vec<Node>,
}

struct Node {
    kind: EntryType,
    mode: u32,
    owner: (u64, u64),
    /// What a file holds, where a link leads to, the numbers of a device.
    data: Vec<u8>,
}

impl Tree {
    fn add(&mut self, layer: &[u8]) -> Result {
        let mut new = Vec::new();
        for entry in Archive::new(layer).entries()? {
            let mut entry = entry?;
            let path = cleaned(&entry.path()?);
            let (above, name) = path.rsplit_once('/').unwrap_or_default();
            match name.strip_prefix(".wh.") {
                Some(".wh..opq") => self.remove_below(above),
                Some(name) => self.remove(&format!("{above}/{name}")),
                None => new.push((path.clone(), Node::of(&mut entry)?)),
            }
        }
        for (path, node) in new {
            self.put(path, node);
        }
        Ok(())
    }

    fn put(&mut self, path: String, node: Node) {
        let is_directory = |node: &Node| node.kind.is_dir();
        let old = self.names.get(&path).map(|old| is_directory(&self.nodes[*old]));
        if old.is_some_and(|old| old != is_directory(&node)) {
            self.remove_below(&path);
        }
        let same = if node.kind.is_hard_link() {
            self.names.get(&cleaned(Path::new(&*String::from_utf8_lossy(&node.data)))).copied()
        } else {
            None
        };
        let index = same.unwrap_or_else(|| {
            self.nodes.push(node);
            self.nodes.len() - 1
        });
        self.names.insert(path, index);
    }

    fn remove(&mut self, path: &str) {
        self.names.remove(path);
        self.remove_below(path);
    }

    fn remove_below(&mut self, path: &str) {
        let above = format!("{}/", path.trim_end_matches('/'));
        self.names.retain(|name, _| name == "/" || !name.starts_with(&above));
    }

    fn lines(&self) -> Result<BTreeMap<String, String>> {
        let mut first: HashMap<usize, &str> = HashMap::new();
        let mut lines = BTreeMap::new();
        for (path, index) in &self.names {
            let node = &self.nodes[*index];
            let known = first.get(index).copied().filter(|_| node.kind.is_file());
            let line = match known {
                Some(known) => format!("{} = {known}", shown(path)),
                None => node.line(path)?,
            };
            first.entry(*index).or_insert(path);
            lines.insert(path.clone(), line);
        }
        Ok(lines)
    }
}

impl Node {
    fn of(entry: &mut Entry<'_, &[u8]>) -> Result<Node> {
        let mut data = Vec::new();
        let header = entry.header().clone();
        let kind = header.entry_type();
        if kind.is_file() {
            entry.read_to_end(&mut data)?;
        } else if kind.is_symlink() || kind.is_hard_link() {
            data = entry.link_name_bytes().context("a link to nothing")?.into_owned();
        } else if kind.is_character_special() || kind.is_block_special() {
            let number = |part: Option<u32>| part.unwrap_or_default();
            data = format!("{}:{}", number(header.device_major()?), number(header.device_minor()?)).into_bytes();
        }
        Ok(Node { kind, mode: header.mode()? & 0o7777, owner: (header.uid()?, header.gid()?), data })
    }

    /// `/path 0644 "contents"`, `/directory/ 0755 7:8`, `/link -> target`: the owner only if it is not root.
    fn line(&self, path: &str) -> Result<String> {
        let Node { kind, mode, owner: (user, group), data } = self;
        let owner = if (*user, *group) == (0, 0) { String::new() } else { format!(" {user}:{group}") };
        let text = String::from_utf8_lossy(data);
        let name = shown(path);
        Ok(match kind {
            EntryType::Directory => {
                let with_slash = shown(&format!("{}/", path.trim_end_matches('/')));
                format!("{with_slash} {mode:04o}{owner}")
            }
            EntryType::Symlink => format!("{name} -> {text}{owner}"),
            EntryType::Link => format!("{name} = {text}"),
            EntryType::Char => format!("{name} {mode:04o}{owner} char {text}"),
            EntryType::Block => format!("{name} {mode:04o}{owner} block {text}"),
            EntryType::Fifo => format!("{name} {mode:04o}{owner} fifo"),
            _ => format!("{name} {mode:04o}{owner} {}", contents(data)?),
        })
    }
}

fn contents(data: &[u8]) -> Result<String> {
    match std::str::from_utf8(data) {
        Ok(text) if data.len() <= LARGEST => Ok(serde_json::to_string(text)?),
        _ => {
            let digest = digest_of(data)?;
            Ok(format!("{} {} bytes", &digest[.."sha256:".len() + 16], data.len()))
        }
    }
}

/// A path as it is, or in quotes if it has blanks or the like.
fn shown(path: &str) -> String {
    if path.bytes().all(|byte| byte.is_ascii_graphic()) { path.to_owned() } else { json!(path).to_string() }
}

/// The path of an entry: absolute, without `.`.
fn cleaned(path: &Path) -> String {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_string_lossy()),
        _ => None,
    });
    format!("/{}", names.collect::<Vec<_>>().join("/"))
}
