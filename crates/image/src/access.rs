//! How registries are reached: encryption, certificates, credentials, patience, and the registries file. The same for
//! everything that is done with them.

use std::path::PathBuf;

use tokio::runtime::Runtime;

use crate::auth::credentials::CredentialsSource;
use crate::auth::token::Scope;
use crate::client::http::Http;
use crate::client::registry::{OnRetry, Registry};
use crate::client::retry::Patience;
use crate::client::tls::CERTS_D;
use crate::error::{Error, ErrorKind, Result};
use crate::registries::{Endpoint, Registries};

/// How registries are reached.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Accept unknown certificates, and plain HTTP where there is no TLS (`--tls-verify=false`), whatever the registries
    /// file says. For this host's own addresses plain HTTP is always accepted.
    pub insecure: bool,
    /// Directory with the certificates of single registries, in docker's layout. `None` is `/etc/docker/certs.d`.
    pub certificates: Option<PathBuf>,
    /// Where credentials come from.
    pub credentials: CredentialsSource,
    /// How long to wait for a registry in trouble.
    pub patience: Patience,
    /// What the registries file says.
    pub registries: Registries,
}

impl Access {
    /// Connections to `endpoint`.
    pub(crate) fn http(&self, endpoint: &Endpoint) -> Http {
        let certificates = self.certificates.clone().unwrap_or_else(|| PathBuf::from(CERTS_D));
        Http::new(self.insecure || endpoint.insecure, self.patience, certificates)
    }

    /// The repository at `endpoint`.
    pub(crate) async fn open<'a>(
        &self,
        endpoint: &Endpoint,
        scope: Scope,
        on_retry: &'a OnRetry<'a>,
    ) -> Result<Registry<'a>> {
        // Credentials that were given are for the registry that was named.
        let foreign = endpoint.is_mirror && matches!(self.credentials, CredentialsSource::Given(_));
        let credentials = if foreign { CredentialsSource::Anonymous } else { self.credentials.clone() };
        Registry::open(endpoint, self.http(endpoint), credentials, scope, on_retry).await
    }
}

/// What drives one operation: one thread, which reads and writes all sockets.
pub(crate) fn runtime() -> Result<Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Error::new(ErrorKind::Network, format!("cannot set up networking: {error}")))
}
