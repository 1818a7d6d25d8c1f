//! What is built: Dockerfiles as small as what they measure, and the files that they take.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use end_to_end::{Context, Result};

use crate::bench::large::Random;

/// Files of the context with many.
pub(super) const FILES: usize = 10_000;
/// Stages that need nothing of one another.
pub(super) const STAGES: usize = 8;
/// Bytes of the large file.
pub(super) const LARGE: u64 = 1 << 30;
/// Bytes of what is pushed.
pub(super) const TO_PUSH: u64 = 300 << 20;

/// A directory that is built.
pub(super) struct Directory {
    path: PathBuf,
    name: &'static str,
    /// The file that changes, below it.
    changes: String,
}

impl Directory {
    fn new(dir: &Path, name: &'static str, dockerfile: &str) -> Result<Directory> {
        let path = dir.join(name);
        fs::create_dir_all(&path).context(path.display())?;
        let directory = Directory { path, name, changes: String::new() };
        directory.write("Dockerfile", dockerfile.as_bytes())?;
        Ok(directory)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result {
        let file = self.path.join(name);
        fs::create_dir_all(file.parent().unwrap_or(&self.path))?;
        fs::write(&file, bytes).context(file.display())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What its image is called.
    pub(super) fn tag(&self) -> String {
        format!("phial-bench-{}:latest", self.name)
    }

    /// Makes one file another than it was in any round before, at its beginning.
    ///
    /// # Errors
    /// Of the file system.
    pub(super) fn change(&self, round: usize) -> Result {
        let file = self.path.join(&self.changes);
        let open = File::options().write(true).open(&file).context(file.display())?;
        open.write_all_at(format!("round {round:>8}\n").as_bytes(), 0).context(file.display())
    }
}

/// Three stages, each with a command, and a few files.
pub(super) fn small(dir: &Path, image: &str) -> Result<Directory> {
    let text = format!(
        "FROM {image} AS base\nENV PLACE=/srv/app\nRUN mkdir -p $PLACE\nWORKDIR $PLACE\n\
         FROM base AS build\nCOPY src src\nRUN cat src/* > program && chmod 755 program\n\
         FROM base\nCOPY --from=build /srv/app/program /usr/local/bin/\nCOPY settings .\n\
         RUN sha256sum settings > sum\nUSER reader\nCMD [\"program\"]\n"
    );
    let directory = Directory::new(dir, "small", &text)?;
    directory.write("settings", b"some = setting\n")?;
    for file in 0..20 {
        directory.write(&format!("src/{file}.sh"), format!("echo {file}\n").as_bytes())?;
    }
    Ok(directory)
}

/// Many small files that are taken at once, and a command after that.
pub(super) fn many_files(dir: &Path, image: &str) -> Result<Directory> {
    let text = format!("FROM {image}\nWORKDIR /srv\nCOPY . .\nRUN cat dir-7/* | sha256sum > sum\n");
    let directory = Directory::new(dir, "many", &text)?;
    let mut random = Random::new(1);
    for file in 0..FILES {
        let mut bytes = vec![0; 500 + random.below(7_000)];
        random.fill(&mut bytes);
        directory.write(&format!("dir-{}/file-{file}", file % 100), &bytes)?;
    }
    Ok(Directory { changes: "dir-7/file-7".to_owned(), ..directory })
}

/// Stages that compute, and one that takes something of each.
pub(super) fn wide(dir: &Path, image: &str) -> Result<Directory> {
    let mut text = String::new();
    let count = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
    for stage in 0..STAGES {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "FROM {image} AS stage-{stage}\nARG SALT\nRUN {count}; echo $SALT $i > /made-{stage}");
    }
    let _ = writeln!(text, "FROM {image}");
    for stage in 0..STAGES {
        let _ = writeln!(text, "COPY --from=stage-{stage} /made-{stage} /srv/");
    }
    Directory::new(dir, "wide", &text)
}

/// One large file of noise.
pub(super) fn large_file(dir: &Path, image: &str) -> Result<Directory> {
    let directory = Directory::new(dir, "large", &format!("FROM {image}\nCOPY data /srv/\n"))?;
    noise(&directory.path.join("data"), LARGE, 1)?;
    Ok(Directory { changes: "data".to_owned(), ..directory })
}

/// A file that becomes half of itself if it is compressed.
pub(super) fn to_push(dir: &Path, image: &str) -> Result<Directory> {
    let directory = Directory::new(dir, "push", &format!("FROM {image}\nCOPY data /srv/\n"))?;
    noise(&directory.path.join("data"), TO_PUSH, 2)?;
    Ok(directory)
}

/// Fills a file with noise, every 4 KiB of it as often as that.
fn noise(path: &Path, bytes: u64, times: u64) -> Result {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).context(path.display())?);
    let mut random = Random::new(bytes);
    let mut block = [0; 4096];
    for _ in 0..bytes / (4096 * times) {
        random.fill(&mut block);
        for _ in 0..times {
            file.write_all(&block)?;
        }
    }
    file.flush().context(path.display())
}
