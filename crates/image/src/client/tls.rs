//! Which certificates are believed: the system's (or Mozilla's where the system has none), and those an administrator
//! put down for one registry, as for docker: `/etc/docker/certs.d/HOST[:PORT]/`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::client::verify::{AnyCertificate, Trusted};
use crate::error::{Error, ErrorKind, Result};

/// Docker's directory of certificates per registry.
pub(crate) const CERTS_D: &str = "/etc/docker/certs.d";

/// The TLS configuration for `authority` (`host[:port]`), with the certificates in `directory`. Without `verify`,
/// nothing that is sent can be trusted to stay private.
pub(crate) fn config(authority: &str, directory: &Path, verify: bool) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let refuse = |why: &dyn std::fmt::Display| Error::new(ErrorKind::Tls, format!("TLS for {authority}: {why}"));
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| refuse(&error))?;
    // A registry may redirect to a host of any name.
    let files = if authority.starts_with('.') { Files::default() } else { Files::list(&directory.join(authority)) };
    let builder = if !verify {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
    } else if files.authorities.is_empty() {
        builder.with_root_certificates(system_roots())
    } else {
        let certificates = files.authorities()?;
        let mut roots = RootCertStore::clone(&system_roots());
        for certificate in &certificates {
            roots.add(certificate.clone()).map_err(|error| refuse(&error))?;
        }
        let ordinary = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        let ordinary = ordinary.map_err(|error| refuse(&error))?;
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Trusted { ordinary, certificates }))
    };
    let Some((certificate, key)) = files.client else { return Ok(builder.with_no_client_auth()) };
    let private = PrivateKeyDer::from_pem_file(&key).map_err(|error| unusable(&key, &error))?;
    builder.with_client_auth_cert(read(&certificate)?, private).map_err(|error| unusable(&certificate, &error))
}

/// `*.crt` are authorities; one `X.cert` beside `X.key` is ours.
#[derive(Default)]
struct Files {
    authorities: Vec<PathBuf>,
    client: Option<(PathBuf, PathBuf)>,
}

impl Files {
    fn list(directory: &Path) -> Self {
        let Ok(entries) = std::fs::read_dir(directory) else { return Self::default() };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        let has = |path: &PathBuf, extension: &str| path.extension().is_some_and(|found| found == extension);
        let client = paths.iter().find(|path| has(path, "cert") && path.with_extension("key").exists());
        Self {
            client: client.map(|path| (path.clone(), path.with_extension("key"))),
            authorities: paths.into_iter().filter(|path| has(path, "crt")).collect(),
        }
    }

    fn authorities(&self) -> Result<Vec<CertificateDer<'static>>> {
        let files: Result<Vec<_>> = self.authorities.iter().map(|path| read(path)).collect();
        Ok(files?.into_iter().flatten().collect())
    }
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| unusable(path, &error))?;
    certificates.map(|certificate| certificate.map_err(|error| unusable(path, &error))).collect()
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Tls, format!("{}: {error}", path.display()))
}

/// Read once: a pull speaks to a registry, its token server and its store of blobs, and reading takes milliseconds.
fn system_roots() -> Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let read = || {
        let mut store = RootCertStore::empty();
        // Certificates of the system that do not parse are the system's problem, not this pull's.
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if store.is_empty() {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        Arc::new(store)
    };
    Arc::clone(ROOTS.get_or_init(read))
}
