//! What is done with registries as such: logging in and out, searching.

use image::{Access, CredentialsSource, Registries};

use super::Execute;
use crate::context::Context;
use crate::failure::{Failure, Result};

/// Flags of the commands that pull and push.
pub(super) mod flags;
/// `login`.
pub(super) mod login;
/// `logout`.
pub(super) mod logout;
/// `search`.
pub(super) mod search;

/// Where credentials are kept.
fn credentials(context: &Context) -> CredentialsSource {
    context.config.clone().map(CredentialsSource::Directory).unwrap_or_default()
}

/// How registries are reached. It takes neither root nor the store.
fn access(context: &Context, insecure: bool, doing: &str) -> Result<Access> {
    let registries = Registries::load(context.registries.as_deref())
        .map_err(|error| Failure::new(format!("cannot {doing}: {error}")))?;
    Ok(Access { insecure, credentials: credentials(context), registries, ..Access::default() })
}
