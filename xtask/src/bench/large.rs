//! A large image as real ones are: five layers, 800 MB in 34,000 files, more than 300 MB compressed. The lowest layer
//! is a Debian; the files of the others are pieces of that Debian's own files, so that they compress like those, and
//! every tenth is noise. Made once, kept below `target/bench`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::image::{Compression, Dialect, Image, Layer};
use end_to_end::process::{program, run};
use end_to_end::registry::{Options, Registry};
use end_to_end::{Context, Result};
use serde_json::json;

use crate::say;

/// The image's name in its registry.
pub(crate) const IMAGE: &str = "large:latest";

/// Layers besides the Debian, and the files in each.
const LAYERS: usize = 4;
const FILES: usize = 6_400;

/// The storage of a registry with the image in it.
pub(crate) fn prepare() -> Result<PathBuf> {
    let base = end_to_end::target().join("bench");
    let finished = base.join("large-1");
    if finished.exists() {
        return Ok(finished);
    }
    fs::create_dir_all(&base).context(base.display())?;
    let phase = say::Phase::begin("a large image (once)");
    let work = tempfile::Builder::new().prefix("making-").tempdir_in(&base)?;
    let storage = work.path().join("storage");
    make(work.path(), &storage)?;
    fs::rename(&storage, &finished)?;
    phase.end("made");
    Ok(finished)
}

fn make(work: &Path, storage: &Path) -> Result {
    let debian = work.join("debian.tar");
    let mut mmdebstrap = Command::new(program("mmdebstrap", "mmdebstrap")?);
    mmdebstrap.args(["--quiet", "--mode=root", "--variant=minbase", "--include=perl,python3-minimal", "bookworm"]);
    run(mmdebstrap.arg(&debian))?.success()?;
    let pool = fs::read(&debian)?;
    let layers: Vec<Result<Layer>> = std::thread::scope(|scope| {
        let base = scope.spawn(|| Layer::from_tar(debian.clone(), Compression::Gzip));
        let pool = &pool;
        let others = (1..=LAYERS).map(|number| scope.spawn(move || layer(work, pool, number)));
        let others: Vec<_> = others.collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Result<Layer>>| {
            thread.join().expect("a thread that makes a layer does not panic")
        };
        std::iter::once(join(base)).chain(others.into_iter().map(join)).collect()
    });
    let layers = layers.into_iter().collect::<Result<Vec<Layer>>>()?;
    let compressed: u64 = layers.iter().map(Layer::size).sum();
    say::line(&format!("{} layers, {} MB compressed", layers.len(), compressed / 1_000_000));
    let registry = Registry::with(Options { storage: Some(storage.to_owned()), ..Options::default() })?;
    // Docker's media types: the old peers of Debian 12 know them best.
    let image = Image { dialect: Dialect::Docker, ..Image::new(layers, json!({"Cmd": ["true"]})) };
    image.push(&registry, IMAGE).map(drop)
}

fn layer(work: &Path, pool: &[u8], number: usize) -> Result<Layer> {
    let tree = work.join(format!("layer-{number}"));
    let mut random = Random::new(number as u64);
    for file in 0..FILES {
        let dir = tree.join(format!("srv/layer-{number}/{:02x}/{:02x}", file % 16, file / 16 % 16));
        if file < 256 {
            fs::create_dir_all(&dir)?;
        }
        let size = size_of_a_file(&mut random);
        let start = random.below(pool.len() - size);
        let mut bytes = pool[start..start + size].to_vec();
        if file % 10 == 0 {
            random.fill(&mut bytes);
        }
        fs::write(dir.join(format!("file-{file}")), bytes)?;
    }
    let layer = Layer::from_directory(&tree, work, Compression::Gzip)?;
    fs::remove_dir_all(&tree)?;
    Ok(layer)
}

/// Most files are small, and a few have most of the bytes: 25 KB on average.
fn size_of_a_file(random: &mut Random) -> usize {
    match random.below(100) {
        0..70 => 200 + random.below(8_000),
        70..96 => 8_000 + random.below(56_000),
        _ => 64_000 + random.below(550_000),
    }
}

/// Xorshift: the same bytes on every machine.
pub(super) struct Random(u64);

impl Random {
    /// One that begins with this, which is not 0.
    pub(super) fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub(super) fn fill(&mut self, bytes: &mut [u8]) {
        bytes.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]));
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("a remainder is below its divisor, which is a usize")
    }
}
