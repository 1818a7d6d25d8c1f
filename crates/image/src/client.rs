//! The registry client: HTTP with its retries and redirects, the requests of the distribution protocol, and blobs as
//! streams that survive broken connections. The only place (with `auth::token`) where this crate is asynchronous.
//!
//! OCI distribution specification 1.1, "Pull"; docker's registry HTTP API v2.

/// URLs: which origin they belong to, redirects, what may go unencrypted.
pub(crate) mod url;

/// Which certificates are believed.
pub(crate) mod tls;

/// Where verification deviates from the ordinary.
pub(crate) mod verify;

/// Bodies of requests: whole, or in pieces.
pub(crate) mod body;

/// Dates in headers.
pub(crate) mod date;

/// Requests and redirects, with time limits and errors in words.
pub(crate) mod http;

/// What can be tried again, and when.
pub(crate) mod retry;

/// Connections in trouble, in words.
pub(crate) mod broken;

/// Answers other than success, in words.
pub(crate) mod refusal;

/// Manifests and small blobs, with authorization.
pub(crate) mod registry;

/// Blobs and manifests on their way to a registry.
pub(crate) mod upload;

/// The tags of a repository.
pub(crate) mod tags;

/// Large blobs, resumed where the connection broke.
pub(crate) mod blob;
