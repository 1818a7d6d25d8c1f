//! The store against real directories, real locks and real processes that are killed.

/// A store in a directory of its own, and what most tests put into it.
mod scene;

/// `kill -9` at chosen and at arbitrary instants, and several processes at once.
mod processes;

mod collection;
mod containers;
mod durability;
mod format;
mod images;
mod layer_blobs;
mod layers;
mod networks;
mod steps;
mod volumes;
