//! Flags of the commands that pull and push, and what they share beside.

use clap::{ArgAction, Args};

/// How a registry is trusted.
#[derive(Debug, Args)]
#[group(skip)]
pub(in crate::commands) struct RegistryFlags {
    /// With false, unknown certificates and plain HTTP are accepted. This host's own addresses need neither
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    tls_verify: bool,
    #[command(flatten)]
    _trust: ContentTrustFlag,
}

/// Docker's `--disable-content-trust`.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(in crate::commands) struct ContentTrustFlag {
    /// Accepted as docker's: signatures of Docker Content Trust are neither made nor looked at, with true or false
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    disable_content_trust: bool,
}

impl RegistryFlags {
    /// Whether unknown certificates and plain HTTP are accepted.
    pub(in crate::commands) fn insecure(&self) -> bool {
        !self.tls_verify
    }
}

/// Whether `name` says neither tag nor digest, so that the tag `latest` is meant.
pub(in crate::commands) fn is_bare(name: &str) -> bool {
    !name[name.rfind('/').map_or(0, |slash| slash + 1)..].contains([':', '@'])
}
