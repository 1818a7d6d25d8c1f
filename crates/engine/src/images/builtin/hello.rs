//! The image of the embedded program: the one that is always there.
//!
//! Its name is `phial/hello` (`docker.io/phial/hello:latest`). Docker's rules say that the short name `hello` means
//! `docker.io/library/hello:latest`, somebody else's: whoever looks an image up tries that first, so that an image that
//! the user has built or pulled under this name is used, and comes here for exactly [`is_hello`] before a registry is
//! asked.

use std::io::Read;

use fsroot::Root;
use serde_json::json;
use store::{ImageRecord, Store};

use super::archive::Archive;
use super::assemble::{Recipe, assemble};
use crate::error::{Context, Error, ErrorKind, Result};

/// Canonical name of the image.
pub const HELLO: &str = "docker.io/phial/hello:latest";

/// Where the program is in the image.
const PROGRAM: &str = "hello";

/// Bytes that are compared without asking in between.
const GROUP: usize = 256;

/// Whether `name`, as the user typed it, means the built-in image when there is no other of this name: `hello`, or the
/// image's own name in any form.
pub fn is_hello(name: &str) -> bool {
    name == "hello" || name.parse::<image::Reference>().is_ok_and(|reference| reference.to_string() == HELLO)
}

/// The image [`HELLO`] that has `program` in it; made if it is not there, or if it has another program.
///
/// When it is there, this costs one query, and a comparison of the program with the file in the layer: 0.1 ms in all for
/// a program of 480 kB, where its digest alone would take 0.27 ms. Nothing has to be kept for it that could be wrong, and
/// a damaged file is noticed.
///
/// # Errors
/// `Store` and `System` when the store or the file system refuses.
pub fn ensure_hello(store: &Store, program: &'static [u8]) -> Result<ImageRecord> {
    if let Some(image) = present(store, program)? {
        return Ok(image);
    }
    make(store, program)?;
    present(store, program)?.ok_or_else(|| {
        let message = format!("the layer of {HELLO} in {} is damaged", store.paths().layers().display());
        Error::new(ErrorKind::Store, message).with_hint("remove the image `phial/hello` and try again")
    })
}

/// The image under this name, if it is the one that [`make`] makes of this program.
fn present(store: &Store, program: &[u8]) -> Result<Option<ImageRecord>> {
    let image = match store.find_image(HELLO) {
        Ok(image) => image,
        Err(error) if error.kind() == store::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let [layer] = &image.layers[..] else { return Ok(None) };
    // The user may have given this name to a stranger's image: what lies in its layer can be anything.
    let found = Root::open(store.layer_dir(&layer.diff_id)).and_then(|root| root.open_regular(PROGRAM));
    let Ok(file) = found else { return Ok(None) };
    Ok(same(file, program).context(|| format!("reading /{PROGRAM} of {HELLO}"))?.then_some(image))
}

/// Whether `reader` gives exactly `bytes`.
fn same(mut reader: impl Read, bytes: &[u8]) -> std::io::Result<bool> {
    // Few system calls, and small enough to be in the second-level cache when it is compared.
    let mut buffer = vec![0; 64 << 10];
    let mut rest = bytes;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(rest.is_empty()),
            Ok(count) => match rest.split_at_checked(count) {
                Some((start, after)) if equal(start, &buffer[..count]) => rest = after,
                _ => return Ok(false),
            },
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Slices of one length. `==` calls musl's `memcmp`, which takes one byte at a time: four times as long for the whole
/// program as this, which the compiler makes vectors of.
fn equal(one: &[u8], other: &[u8]) -> bool {
    let differing = |a: &[u8], b: &[u8]| a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b));
    one.chunks(GROUP).zip(other.chunks(GROUP)).all(|(a, b)| differing(a, b) == 0)
}

fn make(store: &Store, program: &[u8]) -> Result<ImageRecord> {
    let mut archive = Archive::new(0);
    archive.file(PROGRAM, 0o755, program)?;
    assemble(
        store,
        &Recipe {
            reference: HELLO,
            archive: archive.finish(),
            config: json!({
                "Entrypoint": [format!("/{PROGRAM}")],
                "Labels": {
                    "org.opencontainers.image.title": "hello",
                    "org.opencontainers.image.description": "Tells from inside what makes it a container",
                    "org.opencontainers.image.licenses": env!("CARGO_PKG_LICENSE"),
                },
            }),
            // The program does not say when it was built, and two builds of one source are one image.
            created: None,
            created_by: "phial: the program that is embedded in it".to_owned(),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::{is_hello, same};

    #[test]
    fn names() {
        for name in ["hello", "phial/hello", "phial/hello:latest", "docker.io/phial/hello", super::HELLO] {
            assert!(is_hello(name), "{name}");
        }
        for name in
            ["", "hello:latest", "library/hello", "hello-world", "phial/hello:2", "quay.io/phial/hello", "Hello"]
        {
            assert!(!is_hello(name), "{name}");
        }
    }

    #[test]
    fn sameness() {
        let long = vec![7; 100_000];
        let check = |file: &[u8], bytes: &[u8], want: bool| {
            assert_eq!(same(file, bytes).expect("memory can be read"), want, "{} and {}", file.len(), bytes.len());
        };
        check(b"", b"", true);
        check(&long, &long, true);
        check(&long[1..], &long, false);
        check(&long, &long[1..], false);
        check(b"", &long, false);
        let mut other = long.clone();
        other[99_999] = 8;
        check(&other, &long, false);
    }
}
