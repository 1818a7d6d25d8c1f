//! The archive of a layer in the store, written again: what `push` and `save` send. Owns the check that it is the one that the
//! image's configuration names; how it is written is up to `layer`.

use std::io::Write;

use store::{Digest, Hashing, Store};

use crate::error::{Error, ErrorKind, Result};
use crate::layer;

/// Writes the uncompressed archive of the layer `diff_id` to `out`, byte for byte as it was, and returns its length. A layer that was made
/// here, which has no tape, is packed, and that always gives the same bytes.
///
/// # Errors
/// `Digest` if what was written is not that archive (a file of the layer was changed on disk); `NotFound` if the store has no such layer;
/// `Unsupported` for one without a tape (older versions kept none; see [`layer::unpack_with_tape`]); `Store` when it cannot be read or
/// `out` not be written. Whatever the error, what is in `out` is of no use.
pub fn write_layer(store: &Store, diff_id: &Digest, out: &mut dyn Write) -> Result<u64> {
    let Some(found) = store.layer(diff_id)? else {
        return Err(Error::new(ErrorKind::NotFound, format!("no such layer: {diff_id}")));
    };
    let root = fsroot::Root::open(&found.path).map_err(|error| Error::new(ErrorKind::Store, error.to_string()))?;
    let mut out = Hashing::new(out);
    let tape = store.layer_tape(diff_id)?;
    let has_tape = tape.is_some();
    let written = match tape {
        Some(tape) => layer::replay(tape, &root, &mut out),
        None => layer::pack(root.dir(), layer::Form::Layer, &mut out).map(|packed| packed.length),
    };
    let written = written.map_err(|error| {
        Error::new(ErrorKind::Store, format!("layer {}: {error}", diff_id.short())).caused_by(error)
    })?;
    let (digest, _) = out.finish();
    if digest != *diff_id && !has_tape {
        let why = format!(
            "the archive of layer {diff_id} cannot be written again: an older version pulled it (pull the image \
             anew), or it has more than is kept of files that it replaces itself"
        );
        return Err(Error::new(ErrorKind::Unsupported, why));
    }
    if digest != *diff_id {
        let why = format!("layer {diff_id} was changed on disk: its content is {digest} now");
        return Err(Error::new(ErrorKind::Digest, why));
    }
    Ok(written)
}

/// How many bytes [`write_layer`] would write, without reading the contents of files.
///
/// # Errors
/// `NotFound`, `Store`.
pub fn layer_length(store: &Store, diff_id: &Digest) -> Result<u64> {
    let Some(found) = store.layer(diff_id)? else {
        return Err(Error::new(ErrorKind::NotFound, format!("no such layer: {diff_id}")));
    };
    let length = match store.layer_tape(diff_id)? {
        Some(tape) => layer::recorded_length(tape),
        None => fsroot::Root::open(&found.path)
            .map_err(layer::Error::from)
            .and_then(|root| layer::measure(root.dir(), layer::Form::Layer))
            .map(|packed| packed.length),
    };
    length.map_err(|error| Error::new(ErrorKind::Store, format!("layer {}: {error}", diff_id.short())).caused_by(error))
}
