//! Images: their names, the documents that describe them, the registries they come from, and the layers they are made
//! of. From here down everything that was fetched is hostile until its digest is verified, and its content after that.
//!
//! Knows nothing of containers. Keeps nothing itself: what is to stay goes into the `store`. Asynchronous code is an
//! inner matter of [`pull()`], which blocks.
//!
//! What stops a hostile registry, and where:
//!
//! | attack | answer |
//! |---|---|
//! | content that is not what was asked for | every digest and size, while it streams (`pull::layer`, `client::registry`) |
//! | credentials lured to another host (CVE-2020-15157) | `Authorization` is bound to one origin (`client::http`); foreign `urls` are refused |
//! | a document with two meanings (CVE-2021-41190) | refused (`document`) |
//! | endless documents (CVE-2021-20291) | 4 MiB (`client::registry`) |
//! | bombs | a limit of bytes and of the ratio (`pull::decode`), and those of [`layer::Limits`] |
//! | digests as paths (CVE-2024-3727) | `store::Digest` is 64 digits or nothing |
//! | endless redirects, retries, silence | 10 redirects, [`Patience`] |

/// The crate's error and its kinds.
mod error;

/// Names: `alpine` is `docker.io/library/alpine:latest`. Pure.
mod reference;

/// Mirrors, registries without encryption, short names.
mod registries;

/// Manifests and indexes. Pure.
mod document;

/// The config blob of an image. Pure.
mod config;

/// Which entry of an index is for whom. Pure.
mod platform;

/// A tar stream becomes a directory; contained, bounded.
pub mod layer;

/// The archive of a layer in the store, as it was.
mod rebuild;

/// Credentials, challenges and tokens.
mod auth;

/// The registry client. Asynchronous.
mod client;

/// Images in files: `save` and `load`.
pub mod saved;

/// A file from a web server.
mod download;
pub use download::{Answer, Download, download, download_changed};

/// Decompression of files.
mod decompress;
pub use decompress::{Counted, decompressed};

/// Compression of what leaves: gzip on all processors, zstd.
pub mod compress;

/// How registries are reached, whatever is done with them.
mod access;

/// The events of a pull.
mod progress;

/// Indexes that are made here.
mod index;

/// Looking for repositories.
mod search;

/// Several layers at once.
mod lanes;

/// The pull itself.
mod pull;

/// The push.
mod push;

pub use access::Access;
pub use auth::credentials::{Credentials, CredentialsSource};
pub use auth::file::Kept;
pub use auth::login::{login, login_again, login_domain, logout};
pub use auth::token::basic_authorization;
pub use client::retry::Patience;
pub use config::{Config, Healthcheck, History, ImageConfig, RootFs};
pub use document::{Descriptor, Document, Index, Manifest};
pub use error::{Error, ErrorKind, Result};
pub use index::{EntryPlatform, Examined, IndexEntry, examine, index_document, platform_of, push_index};
pub use platform::Platform;
pub use progress::{LayerState, Progress, ProgressEvent, Told, UploadState};
pub use pull::{PullOptions, RemoteImage, look, platforms, pull, put_layer, tags};
pub use push::{Compression, Documents, PushOptions, Pushed, push, push_documents};
pub use rebuild::{layer_length, write_layer};
pub use reference::Reference;
pub use registries::Registries;
pub use search::{Found, SEARCH_MAX, search};
pub use store::Digest;
