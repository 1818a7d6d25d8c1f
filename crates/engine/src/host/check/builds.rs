//! Results of builds: whether the layers that they are made of are there, as they were written.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use fsroot::Root;
use image::layer::{self, Form};
use store::{Digest, Hashing, StepResult};

use super::{CheckOptions, CheckReport};
use crate::engine::Engine;
use crate::error::Result;

/// After images: what is damaged and theirs has gone by then, if that was wanted.
pub(super) fn check(engine: &Engine, how: CheckOptions, report: &mut CheckReport) -> Result<()> {
    let damaged = damaged(engine, how)?;
    if damaged.is_empty() {
        return Ok(());
    }
    // While it is held, no build goes on with a result that is about to be forgotten.
    let _alone = if how.repair { Some(engine.store().alone()?) } else { None };
    for (result, why) in damaged {
        let what =
            format!("build cache: {}: {why}", crate::one_line(&result.description.replace(char::is_control, " ")));
        if how.repair {
            engine.store().forget_steps(&[result.id])?;
            report.repaired(what, "forgotten; the next build makes it anew");
        } else {
            report.found(what, "phial system check --repair forgets it, and the next build makes it anew");
        }
    }
    Ok(())
}

/// Each result with what is wrong with it.
fn damaged(engine: &Engine, how: CheckOptions) -> Result<Vec<(StepResult, String)>> {
    let results = engine.store().step_results()?;
    let own: BTreeSet<Digest> = results.iter().flat_map(|result| result.own.iter().copied()).collect();
    let all: BTreeSet<Digest> = results.iter().flat_map(|result| result.outputs.iter().flatten().copied()).collect();
    let mut faults: BTreeMap<Digest, String> = BTreeMap::new();
    for layer in all {
        // Those of images were read with them.
        let fault = if own.contains(&layer) { fault(engine, &layer, how)? } else { missing(engine, &layer) };
        if let Some(fault) = fault {
            faults.insert(layer, fault);
        }
    }
    let wrong = |result: &StepResult| result.outputs.iter().flatten().find_map(|layer| faults.get(layer)).cloned();
    Ok(results.into_iter().filter_map(|result| wrong(&result).map(|why| (result, why))).collect())
}

fn missing(engine: &Engine, layer: &Digest) -> Option<String> {
    let is_there = engine.store().layer_dir(layer).is_dir();
    (!is_there).then(|| format!("layer {} is missing", layer.short()))
}

/// What is wrong with a layer that a step has written; what its archive is is known if an image was made of it.
fn fault(engine: &Engine, layer: &Digest, how: CheckOptions) -> Result<Option<String>> {
    if let Some(missing) = missing(engine, layer) {
        return Ok(Some(missing));
    }
    if how.quick {
        return Ok(None);
    }
    let read = |out: &mut dyn io::Write| {
        let root = Root::open(engine.store().layer_dir(layer)).map_err(layer::Error::from)?;
        layer::pack(root.dir(), Form::Layer, out)
    };
    let expected = engine.store().written_digest(layer)?;
    let mut sum = Hashing::new(io::sink());
    let found = match expected {
        Some(_) => read(&mut sum),
        None => Root::open(engine.store().layer_dir(layer))
            .map_err(layer::Error::from)
            .and_then(|root| layer::measure(root.dir(), Form::Layer)),
    };
    let found = match found {
        Ok(found) => found,
        Err(error) => return Ok(Some(error.to_string())),
    };
    let is_other = match expected {
        Some(expected) => sum.finish().0 != expected,
        None => engine.store().recorded_layer_size(layer) != found.bytes,
    };
    Ok(is_other.then(|| format!("layer {} was changed on disk", layer.short())))
}
