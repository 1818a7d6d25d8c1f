//! A store in a directory of its own, and what most tests put into it.

use std::path::{Path, PathBuf};

use store::{
    ContainerId, ContainerLock, ContainerRecord, Digest, ErrorKind, ImageRecord, LayerRef, LayerSlot, Lease, Paths,
    Result, Store,
};
use tempfile::TempDir;

/// The canonical name most tests use.
pub(crate) const ALPINE: &str = "docker.io/library/alpine:latest";

pub(crate) struct Scene {
    pub(crate) store: Store,
    _directory: Option<TempDir>,
}

impl Scene {
    pub(crate) fn new() -> Scene {
        let directory = TempDir::new().expect("a directory can be made");
        Scene { store: open(directory.path()), _directory: Some(directory) }
    }

    /// The store of another scene, opened once more.
    pub(crate) fn in_directory(directory: &Path) -> Scene {
        Scene { store: open(directory), _directory: None }
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.store.paths().root().parent().expect("is not /").to_owned()
    }

    pub(crate) fn lease(&self) -> Lease {
        self.store.lease().expect("a lease")
    }

    /// Writes the layer if need be; its one file has the name.
    pub(crate) fn layer(&self, lease: &Lease, name: &str) -> LayerRef {
        let diff_id = Digest::of(name.as_bytes());
        if let LayerSlot::Write(writer) = self.store.begin_layer(lease, &diff_id).expect("a layer begins") {
            std::fs::write(writer.path().join("name"), name).expect("writes");
            writer.commit(name.len() as u64).expect("a layer is committed");
        }
        LayerRef { diff_id, digest: Digest::of(&[name.as_bytes(), b".gz"].concat()), size: name.len() as u64 }
    }

    /// What `image` commits, with its layers and blobs in the store.
    pub(crate) fn prepare_image(
        &self,
        lease: &Lease,
        configuration: &str,
        layers: &[&str],
        references: &[&str],
    ) -> ImageRecord {
        let put = |text: String| self.store.put_blob(lease, text.as_bytes()).expect("a blob is put");
        let layers: Vec<LayerRef> = layers.iter().map(|name| self.layer(lease, name)).collect();
        ImageRecord {
            id: put(configuration.to_owned()),
            manifest: put(format!("manifest of {configuration}")),
            references: references.iter().map(|&name| name.to_owned()).collect(),
            created: Some("2026-01-02T03:04:05Z".to_owned()),
            size: layers.iter().map(|layer| layer.size).sum(),
            layers,
            platform: "linux/amd64".to_owned(),
        }
    }

    pub(crate) fn image(&self, configuration: &str, layers: &[&str], references: &[&str]) -> ImageRecord {
        let lease = self.lease();
        let image = self.prepare_image(&lease, configuration, layers, references);
        self.store.commit_image(&lease, &image).expect("an image is committed");
        image
    }

    /// Creates a container that lives as long as what this returns.
    pub(crate) fn create(&self, record: &ContainerRecord) -> Result<ContainerLock> {
        self.store.reserve_container(&record.id)?.commit(record)
    }

    /// What the supervisor leaves in the container's directory when it has ended.
    pub(crate) fn write_exit(&self, id: &ContainerId) {
        std::fs::write(self.store.paths().container(id).join(Paths::EXIT_FILE), "{}").expect("writes");
    }

    /// Whether anything of the container is on disk.
    pub(crate) fn has_directories(&self, id: &ContainerId) -> bool {
        self.store.paths().container(id).exists() || self.store.paths().run_container(id).exists()
    }

    pub(crate) fn names_in_tmp(&self) -> Vec<String> {
        names_in(&self.store.paths().tmp())
    }
}

fn open(directory: &Path) -> Store {
    let paths = Paths::new(directory.join("root"), directory.join("run")).expect("is absolute");
    Store::open(&paths).expect("opens")
}

/// A container of the image, created in this boot to be run.
pub(crate) fn record(image: &ImageRecord, name: &str) -> ContainerRecord {
    ContainerRecord {
        id: ContainerId::generate().expect("the kernel has random bytes"),
        name: name.to_owned(),
        image: image.id,
        image_name: "alpine".to_owned(),
        created: "2026-01-02T03:04:05.000000006Z".to_owned(),
        boot_id: store::boot_id().expect("/proc is there"),
        auto_remove: false,
        keep_unstarted: false,
        config: serde_json::json!({ "command": ["true"] }),
    }
}

pub(crate) fn names_in(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("is there");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("reads").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The kind of the error, and that its text has all of the fragments.
pub(crate) fn check_error<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind, fragments: &[&str]) {
    let error = result.expect_err("is refused");
    assert_eq!(error.kind(), kind, "{error}");
    for fragment in fragments {
        assert!(error.to_string().contains(fragment), "{fragment:?} is not in {:?}", error.to_string());
    }
}
