//! Steps for mounts, masks and read-only paths.

use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use oci_spec::runtime::{Linux, LinuxNamespaceType, Mount, Process, Spec};
use rustix::mount::{MountAttrFlags, MountFlags};
use sys::clone::namespace;
use sys::mount::{Change, Propagation, classic_flags};

use super::namespaces::Namespaces;
use super::options::{self, Options, Word};
use super::{
    Bind, Classic, Contents, Context, IdMaps, Links, MappedIds, NewMount, Source, SourceLink, Step, Tree, c_string,
    cgroups, container_path, devices, id_map_option,
};
use crate::cgroup::Hierarchy;
use crate::error::{Error, ErrorKind, Result};
use crate::idmap;

/// What the steps of the file system follow from, besides the mounts themselves.
pub(super) struct Scene<'a> {
    bundle: &'a Path,
    pub(super) hierarchies: &'a [Hierarchy],
    /// Namespaces that are not the caller's.
    pub(super) own: u64,
    /// What a mount of the host has unless it says otherwise.
    propagation: Propagation,
    /// Those of the container's user namespace.
    maps: Option<IdMaps>,
}

impl<'a> Scene<'a> {
    pub(super) fn of(linux: &Linux, spaces: &Namespaces, context: &Context<'a>) -> Result<Scene<'a>> {
        let propagation = match linux.rootfs_propagation().as_deref() {
            Some("slave" | "rslave") => Propagation::Slave,
            Some("shared" | "rshared") => Propagation::Shared,
            // Private: a mount made in the container must not appear on the host.
            _ => Propagation::Private,
        };
        Ok(Scene {
            bundle: context.bundle,
            hierarchies: context.hierarchies,
            own: spaces.new | spaces.joined,
            propagation,
            maps: container_maps(linux)?,
        })
    }

    /// Whether the container has a namespace that is not the caller's.
    pub(super) fn has(&self, flag: u64) -> bool {
        self.own & flag != 0
    }
}

/// Maps of the container's user namespace, if it has one.
fn container_maps(linux: &Linux) -> Result<Option<IdMaps>> {
    let user = linux.namespaces().iter().flatten().find(|space| space.typ() == LinuxNamespaceType::User);
    let Some(user) = user else { return Ok(None) };
    if let Some(path) = user.path().clone().filter(|path| path != Path::new("")) {
        return Ok(Some(IdMaps::Namespace(path)));
    }
    let lines = |field, list: &Option<Vec<_>>| match list.as_deref() {
        // Without maps the launch fails with a better message than one about a mount.
        None | Some([]) => Ok(String::new()),
        Some(list) => idmap::text(field, list),
    };
    Ok(Some(IdMaps::Lines {
        uids: lines("linux.uidMappings", linux.uid_mappings())?,
        gids: lines("linux.gidMappings", linux.gid_mappings())?,
    }))
}

/// Adds everything that is mounted or made before the process's own steps.
pub(super) fn add(spec: &Spec, linux: &Linux, scene: &Scene<'_>, steps: &mut Vec<Step>) -> Result<()> {
    let mounts = spec.mounts().as_deref().unwrap_or_default();
    for mount in mounts {
        add_mount(mount, scene, steps)?;
    }
    // A /dev bound from the host has the host's devices; nothing is made there.
    let bound_dev = mounts.iter().any(|mount| {
        container_path(mount.destination()) == Path::new("/dev") && mount.typ().as_deref() != Some("tmpfs")
    });
    if !bound_dev {
        devices::add(linux, scene.has(namespace::USER), steps)?;
    }
    Ok(())
}

/// Adds what closes the file system once everything is in it.
pub(super) fn finish(
    spec: &Spec,
    linux: &Linux,
    read_only: bool,
    process: &Process,
    steps: &mut Vec<Step>,
) -> Result<()> {
    let terminal = process.terminal().unwrap_or(false);
    close_tmpfs(spec, terminal.then_some(Path::new("/dev")), steps)?;
    for path in linux.readonly_paths().iter().flatten() {
        steps.push(Step::ReadOnly(path_string(Path::new(path), "linux.readonlyPaths")?));
    }
    for path in linux.masked_paths().iter().flatten() {
        steps.push(Step::Mask(path_string(Path::new(path), "linux.maskedPaths")?));
    }
    steps.push(Step::MakeWorkingDirectory(path_string(process.cwd(), "process.cwd")?));
    if read_only {
        steps.push(Step::Remount { target: c"/".to_owned(), change: READ_ONLY });
    }
    Ok(())
}

/// What makes a mount read-only.
pub(super) const READ_ONLY: Change = Change { set: MountAttrFlags::MOUNT_ATTR_RDONLY, ..Change::NONE };

/// A read-only tmpfs could hold nothing if it were read-only before devices and mount points are made in it.
fn close_tmpfs(spec: &Spec, waits: Option<&Path>, steps: &mut Vec<Step>) -> Result<()> {
    let mounts = spec.mounts().as_deref().unwrap_or_default();
    for (number, mount) in mounts.iter().enumerate().filter(|(_, mount)| mount.typ().as_deref() == Some("tmpfs")) {
        let destination = container_path(mount.destination());
        let parsed = options::parse(mount.options().as_deref().unwrap_or_default(), &destination.to_string_lossy())?;
        // What lies on top of it is not meant.
        let covered = mounts[number + 1..].iter().any(|later| container_path(later.destination()) == destination);
        let closed = read_only(&parsed) && !parsed.has(Word::Remount) && !is_bind(&parsed);
        if closed && !covered && waits != Some(&destination) {
            let target = path_string(&destination, "mounts.destination")?;
            steps.push(Step::Remount { target, change: READ_ONLY });
        }
    }
    Ok(())
}

/// Closes `/dev` once the terminal is in it.
pub(super) fn close_dev(spec: &Spec, steps: &mut Vec<Step>) -> Result<()> {
    let Some(console) = steps.iter().position(|step| matches!(step, Step::Console { .. })) else { return Ok(()) };
    let mut all = Vec::new();
    close_tmpfs(spec, None, &mut all)?;
    let of_dev =
        all.into_iter().find(|step| matches!(step, Step::Remount { target, .. } if target.as_c_str() == c"/dev"));
    if let Some(step) = of_dev {
        steps.insert(console + 1, step);
    }
    Ok(())
}

fn read_only(parsed: &Options) -> bool {
    (parsed.change.set | parsed.below.set).contains(MountAttrFlags::MOUNT_ATTR_RDONLY)
}

/// Makes the root, and all that is mounted in it, private.
pub(super) fn private_root() -> Step {
    let change = Change { propagation: Some(Propagation::Private), ..Change::NONE };
    Step::Remount { target: c"/".to_owned(), change }
}

/// Gives the root the propagation asked for; once it is the root, because a shared one cannot become it.
pub(super) fn propagate_root(linux: &Linux, steps: &mut Vec<Step>) -> Result<()> {
    let (kind, recursive) = match linux.rootfs_propagation().as_deref() {
        // So it is by now.
        None | Some("" | "private" | "rprivate") => return Ok(()),
        Some("slave") => (Propagation::Slave, false),
        Some("rslave") => (Propagation::Slave, true),
        Some("shared") => (Propagation::Shared, false),
        Some("rshared") => (Propagation::Shared, true),
        Some("unbindable") => (Propagation::Unbindable, false),
        Some("runbindable") => (Propagation::Unbindable, true),
        Some(other) => {
            let message = format!("linux.rootfsPropagation {other:?}: is no propagation");
            return Err(Error::new(ErrorKind::Invalid, message));
        }
    };
    let change = Change { propagation: Some(kind), recursive, ..Change::NONE };
    steps.push(Step::Remount { target: c"/".to_owned(), change });
    Ok(())
}

/// One entry of `mounts`, read.
pub(super) struct Asked<'a> {
    mount: &'a Mount,
    pub(super) destination: PathBuf,
    /// For messages.
    shown: String,
    pub(super) options: Options,
    kind: &'a str,
}

impl Asked<'_> {
    pub(super) fn target(&self) -> Result<CString> {
        path_string(&self.destination, "mounts.destination")
    }

    fn links(&self) -> Links {
        if self.options.has(Word::TargetNoFollow) { Links::Keep } else { Links::Follow }
    }

    pub(super) fn invalid(&self, why: impl std::fmt::Display) -> Error {
        Error::new(ErrorKind::Invalid, format!("mount on {}: {why}", self.shown))
    }
}

fn is_bind(options: &Options) -> bool {
    options.has(Word::Bind) || options.has(Word::RecursiveBind)
}

fn add_mount(mount: &Mount, scene: &Scene<'_>, steps: &mut Vec<Step>) -> Result<()> {
    let destination = container_path(mount.destination());
    let shown = destination.display().to_string();
    if destination == Path::new("/") {
        return Err(Error::new(ErrorKind::Invalid, "mounts: a mount on / would replace the root file system"));
    }
    let options = options::parse(mount.options().as_deref().unwrap_or_default(), &shown)?;
    let asked = Asked { mount, destination, shown, options, kind: mount.typ().as_deref().unwrap_or("none") };
    let bind = is_bind(&asked.options) || asked.kind == "bind";
    refuse_combinations(&asked, bind)?;
    if asked.options.has(Word::Remount) {
        steps.push(remount(&asked)?);
    } else if bind {
        forbid_proc(&asked)?;
        let source = Source::Bind(bind_source(&asked, scene)?);
        steps.push(Step::Attach { source, target: asked.target()?, links: asked.links() });
    } else if asked.kind == "image" {
        forbid_proc(&asked)?;
        let source = Source::Tree(image(&asked)?);
        steps.push(Step::Attach { source, target: asked.target()?, links: asked.links() });
    } else if cgroups::is_tree(asked.kind, scene.hierarchies) {
        forbid_proc(&asked)?;
        cgroups::add(&asked, scene, steps)?;
    } else if asked.kind == "sysfs" && scene.has(namespace::USER) && !scene.has(namespace::NETWORK) {
        steps.push(host_sysfs(&asked)?);
    } else {
        steps.push(Step::Mount(new_mount(&asked, scene)?));
    }
    Ok(())
}

/// Words that mean nothing together.
fn refuse_combinations(asked: &Asked<'_>, bind: bool) -> Result<()> {
    let options = &asked.options;
    let only_bind = [
        (Word::CopySymlink, "copy-symlink"),
        (Word::SourceNoFollow, "src-nofollow"),
        (Word::MapIds, "idmap"),
        (Word::MapIdsBelow, "ridmap"),
    ];
    let maps = [asked.mount.uid_mappings(), asked.mount.gid_mappings()].into_iter().flatten();
    if !bind {
        if let Some((_, word)) = only_bind.iter().find(|(word, _)| options.has(*word)) {
            return Err(asked.invalid(format_args!("{word} is for bind mounts")));
        }
        if maps.into_iter().any(|maps| !maps.is_empty()) {
            return Err(asked.invalid("uidMappings and gidMappings are for bind mounts"));
        }
    }
    if options.has(Word::CopyUp) && (bind || asked.kind != "tmpfs") {
        return Err(asked.invalid(format_args!("tmpcopyup is for tmpfs, and this is {}", asked.kind)));
    }
    if options.subpath.is_some() && !bind && asked.kind != "image" {
        return Err(asked.invalid("subpath is for bind mounts and images"));
    }
    if bind && !options.super_flags.is_empty() {
        let message =
            "sync, dirsync, mand, lazytime and iversion belong to a file system; a bind mount has its source's";
        return Err(asked.invalid(message));
    }
    Ok(())
}

/// A change of what is mounted there; of its file system too unless it is a bind mount.
fn remount(asked: &Asked<'_>) -> Result<Step> {
    let of_file_system = !asked.options.data.is_empty() || !asked.options.super_flags.is_empty();
    if of_file_system && !is_bind(&asked.options) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "mount on {}: remount changes attributes of a mount here, not options of a file system",
                asked.shown
            ),
        ));
    }
    let (own, below) = (asked.options.change, asked.options.below);
    let change = if below.is_none() { own } else { merged(own, below) };
    Ok(Step::Remount { target: asked.target()?, change })
}

/// Both at once: what is recursive wins.
fn merged(own: Change, below: Change) -> Change {
    let set = (own.set - below.clear) | below.set;
    Change { set, clear: own.clear | below.clear, propagation: own.propagation.or(below.propagation), recursive: true }
}

fn bind_source(asked: &Asked<'_>, scene: &Scene<'_>) -> Result<Bind> {
    let path = asked.mount.source().as_ref().ok_or_else(|| asked.invalid("a bind mount needs a source"))?;
    let options = &asked.options;
    // Values for a file system say nothing here: whoever uses the options of a tmpfs for a bind mount as well gets what
    // `mount(2)` gives. A word alone is more likely an attribute, misspelt.
    if let Some((key, _)) = options.data.iter().find(|(_, value)| value.is_none()) {
        return Err(asked.invalid(format_args!("{} is no option of a bind mount", key.to_string_lossy())));
    }
    let link = match (options.has(Word::CopySymlink), options.has(Word::SourceNoFollow)) {
        (true, _) => SourceLink::Copy,
        (false, true) => SourceLink::Keep,
        (false, false) => SourceLink::Follow,
    };
    let recursive = options.has(Word::RecursiveBind);
    let own = options.change;
    let mut everywhere = Change { propagation: Some(scene.propagation), ..options.below };
    let mut top = Change { recursive: false, set: own.set - options.below.clear, ..own };
    if own.recursive && own.propagation.is_some() {
        everywhere.propagation = own.propagation;
        top.propagation = None;
    }
    if !recursive {
        // There is one mount: one call does for all.
        everywhere = merged(top, everywhere);
        top = Change::NONE;
    }
    // What is mounted in the host's /sys, cgroups above all, is not the container's to write to (CVE-2023-25809).
    if recursive && path == Path::new("/sys") {
        everywhere.set |= top.set & MountAttrFlags::MOUNT_ATTR_RDONLY;
    }
    let (ids, below) = (mapped_ids(asked, scene)?, below(asked)?);
    Ok(Bind { path: scene.bundle.join(path), recursive, everywhere, top, ids, link, below })
}

fn below(asked: &Asked<'_>) -> Result<Option<CString>> {
    let below = asked.options.subpath.as_ref().map(|path| c_string(path.as_bytes(), "mounts.options: subpath"));
    below.transpose()
}

/// The layers of an image, one `lower=…` each, and `upper=…` with `work=…` if changes go anywhere: what `type=image` of ours
/// has.
fn image(asked: &Asked<'_>) -> Result<Tree> {
    let (mut lower, mut upper, mut work) = (Vec::new(), None, None);
    for (key, value) in &asked.options.data {
        let path = value.as_ref().map(|value| PathBuf::from(OsStr::from_bytes(value.as_bytes())));
        match (key.as_bytes(), path) {
            (b"lower", Some(path)) => lower.push(path),
            (b"upper", Some(path)) => upper = Some(path),
            (b"work", Some(path)) => work = Some(path),
            _ => return Err(asked.invalid(format_args!("{} is no option of an image", key.to_string_lossy()))),
        }
    }
    if lower.is_empty() {
        return Err(asked.invalid("an image needs layers (lower=…)"));
    }
    if upper.is_some() != work.is_some() {
        return Err(asked.invalid("an image that can be changed needs both upper=… and work=…"));
    }
    Ok(Tree { lower, upper: upper.zip(work), below: below(asked)? })
}

/// How the ids of a bind mount are shown (runtime-spec `config.md`, `uidMappings`, `idmap`).
fn mapped_ids(asked: &Asked<'_>, scene: &Scene<'_>) -> Result<Option<MappedIds>> {
    let (one, below) = (asked.options.has(Word::MapIds), asked.options.has(Word::MapIdsBelow));
    let given = |maps: &Option<Vec<_>>| maps.as_ref().is_some_and(|maps| !maps.is_empty());
    let (uids, gids) = (asked.mount.uid_mappings(), asked.mount.gid_mappings());
    let maps = match (given(uids), given(gids)) {
        (true, true) => {
            let lines = |name: &str, list: &Option<Vec<_>>| {
                idmap::text(&format!("mount on {}: {name}", asked.shown), list.as_deref().unwrap_or_default())
            };
            IdMaps::Lines { uids: lines("uidMappings", uids)?, gids: lines("gidMappings", gids)? }
        }
        (false, false) if asked.options.maps.is_some() => {
            let text = asked.options.maps.as_deref().unwrap_or_default();
            id_map_option::parse(text, scene.maps.as_ref(), &asked.shown)?
        }
        (false, false) if one || below => scene.maps.clone().ok_or_else(|| {
            asked.invalid("idmap needs uidMappings and gidMappings, or a user namespace whose maps it can have")
        })?,
        (false, false) => return Ok(None),
        _ => return Err(asked.invalid("uidMappings and gidMappings need one another")),
    };
    Ok(Some(MappedIds { maps, recursive: below }))
}

/// sysfs belongs to a network namespace, and a user namespace must own that to mount it: what the host has is shown
/// instead, read-only throughout.
fn host_sysfs(asked: &Asked<'_>) -> Result<Step> {
    forbid_proc(asked)?;
    let own = asked.options.change;
    let read_only = own.set & MountAttrFlags::MOUNT_ATTR_RDONLY;
    let mut bind = Bind::of(PathBuf::from("/sys"));
    bind.recursive = true;
    bind.everywhere.set = read_only;
    bind.top = Change { set: own.set, ..Change::NONE };
    Ok(Step::Attach { source: Source::Bind(bind), target: asked.target()?, links: Links::Keep })
}

fn new_mount(asked: &Asked<'_>, scene: &Scene<'_>) -> Result<NewMount> {
    let kind = asked.kind;
    if !(kind == "proc" && asked.destination == Path::new("/proc")) {
        forbid_proc(asked)?;
    }
    if kind == "none" {
        return Err(asked.invalid("has neither a type nor bind among its options"));
    }
    if kind == "mqueue" && scene.has(namespace::USER) && !scene.has(namespace::IPC) {
        return Err(asked.invalid("mqueue in a user namespace needs an ipc namespace in linux.namespaces"));
    }
    let options = &asked.options;
    let mut attributes = (options.change.set - options.below.clear) | options.below.set;
    if kind == "tmpfs" {
        // Made read-only once everything is in it.
        attributes -= MountAttrFlags::MOUNT_ATTR_RDONLY;
    }
    let on_device = asked.mount.source().as_ref().is_some_and(|source| source.is_absolute());
    let (data, classic) = file_system_options(asked, attributes, on_device)?;
    let mode = !options.has_data(c"mode");
    let contents = match (kind, options.has(Word::CopyUp)) {
        ("tmpfs", true) => Contents::CopyOfTarget { mode },
        ("tmpfs", false) if mode => Contents::LikeTarget,
        _ => Contents::Own,
    };
    // proc and sysfs go on a real directory only: through a link, what is later written to /proc would go elsewhere
    // (CVE-2019-19921, CVE-2023-27561).
    let links = if matches!(kind, "proc" | "sysfs") { Links::Keep } else { asked.links() };
    Ok(NewMount {
        file_system: c_string(kind.as_bytes(), "mounts.type")?,
        options: data,
        attributes,
        propagation: options.change.propagation.filter(|kind| *kind != Propagation::Private),
        target: asked.target()?,
        links,
        contents,
        classic,
    })
}

type Words = Vec<(CString, Option<CString>)>;

/// Options of a file system, in the words of both interfaces.
fn file_system_options(asked: &Asked<'_>, attributes: MountAttrFlags, on_device: bool) -> Result<(Words, Classic)> {
    /// What `fsconfig(2)` takes of a value, with its terminating zero.
    const LONGEST: usize = 256;
    let options = &asked.options;
    let mut data = options.data.clone();
    // Every devpts is a new one since Linux 4.7.
    if asked.kind == "devpts" {
        data.retain(|(key, _)| key.as_c_str() != c"newinstance");
    }
    let classic_data = data.iter().map(word).collect::<Vec<_>>().join(&b","[..]);
    // A kernel's own file system has no source worth naming; one on a device needs it.
    let source = asked.mount.source().as_ref().map(|source| source.as_os_str().as_encoded_bytes()).unwrap_or_default();
    let source = c_string(source, "mounts.source")?;
    if !source.is_empty() {
        data.insert(0, (c"source".to_owned(), Some(source.clone())));
    }
    for (flag, name) in options::SUPER_WORDS {
        if options.super_flags.contains(flag) {
            data.push((name.to_owned(), None));
        }
    }
    // A read-only device can hold a file system that is read-only itself, not just the mount of it.
    if on_device && attributes.contains(MountAttrFlags::MOUNT_ATTR_RDONLY) {
        data.push((c"ro".to_owned(), None));
    }
    let too_long = |value: &CString| value.as_bytes_with_nul().len() > LONGEST;
    let only = options.super_flags.contains(options::INODE_VERSION)
        || data.iter().any(|(_, value)| value.as_ref().is_some_and(too_long));
    let flags = classic_flags(attributes) | options.super_flags;
    let classic = Classic { source, flags, data: c_string(&classic_data, "mounts.options")?, only };
    Ok((data, classic))
}

fn word((key, value): &(CString, Option<CString>)) -> Vec<u8> {
    match value {
        None => key.as_bytes().to_owned(),
        Some(value) => [key.as_bytes(), b"=", value.as_bytes()].concat(),
    }
}

/// A tmpfs that steps of ours put something into.
pub(super) fn directory(target: CString, attributes: MountAttrFlags) -> NewMount {
    let named = |key: &std::ffi::CStr, value: &std::ffi::CStr| (key.to_owned(), Some(value.to_owned()));
    NewMount {
        file_system: c"tmpfs".to_owned(),
        options: vec![named(c"source", c"tmpfs"), named(c"mode", c"755")],
        attributes,
        propagation: None,
        target,
        links: Links::Follow,
        contents: Contents::Own,
        classic: Classic {
            source: c"tmpfs".to_owned(),
            flags: classic_flags(attributes) | MountFlags::empty(),
            data: c"mode=755".to_owned(),
            only: false,
        },
    }
}

/// Nothing but proc itself goes on /proc, and nothing inside it but what hides or replaces a harmless file: whatever
/// stood at /proc/self/attr or /proc/sys would receive what is written there (CVE-2019-16884).
fn forbid_proc(asked: &Asked<'_>) -> Result<()> {
    const ALLOWED: [&str; 8] = ["cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo"];
    let Ok(inside) = asked.destination.strip_prefix("/proc") else { return Ok(()) };
    if ALLOWED.iter().any(|name| inside == Path::new(name)) {
        return Ok(());
    }
    Err(asked.invalid("only proc can be mounted on or inside /proc"))
}

pub(super) fn path_string(path: &Path, field: &str) -> Result<CString> {
    c_string(container_path(path).as_os_str().as_encoded_bytes(), field)
}
