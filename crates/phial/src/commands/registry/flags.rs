//! Flags of the commands that pull and push, and what they share beside.

use clap::{ArgAction, Args};

/// What pulls and pushes take.
#[derive(Debug, Args)]
#[group(skip)]
pub(in crate::commands) struct RegistryFlags {
    #[command(flatten)]
    tls: TlsFlag,
    #[command(flatten)]
    _trust: ContentTrustFlag,
}

/// How a registry is trusted.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct TlsFlag {
    /// With false, unknown certificates and plain HTTP are accepted. This host's own addresses need neither
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    tls_verify: bool,
}

/// Docker's `--disable-content-trust`.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(in crate::commands) struct ContentTrustFlag {
    /// Accepted as docker's: signatures of Docker Content Trust are neither made nor looked at, with true or false
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    disable_content_trust: bool,
}

impl RegistryFlags {
    /// Whether unknown certificates and plain HTTP are accepted.
    pub(in crate::commands) fn insecure(&self) -> bool {
        self.tls.insecure()
    }
}

impl TlsFlag {
    pub(super) fn insecure(&self) -> bool {
        !self.tls_verify
    }
}

/// Whether `name` says neither tag nor digest, so that the tag `latest` is meant.
pub(in crate::commands) fn is_bare(name: &str) -> bool {
    !name[name.rfind('/').map_or(0, |slash| slash + 1)..].contains([':', '@'])
}
