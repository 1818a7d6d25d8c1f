//! Who we are to a registry: where credentials come from, what a registry demands, and the tokens it is then given.

/// The user's credentials: docker's `config.json` and credential helpers.
pub(crate) mod credentials;

/// The same file, changed by logging in and out.
pub(crate) mod file;

/// Programs that keep secrets.
pub(crate) mod helper;

/// Whether a registry accepts credentials.
pub(crate) mod login;

/// What a 401 demands. Pure.
pub(crate) mod challenge;

/// The header that meets a demand.
pub(crate) mod token;
