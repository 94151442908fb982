//! The TLS configuration of a broker: whom we trust and who we are.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::broker::Broker;
use super::error::{Error, Result};

/// What each connection to a broker over TLS starts from.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    config: Arc<ClientConfig>,
    server: ServerName<'static>,
}

impl Tls {
    /// Reads the certificates of `broker`; `None` where it is reached without TLS.
    pub(super) fn of(broker: &Broker) -> Result<Option<Self>> {
        if !broker.tls {
            return match (&broker.authorities, &broker.identity) {
                (None, None) => Ok(None),
                _ => Err(bad("certificate for this broker", &"`mqtt://` is not encrypted")),
            };
        }
        let Some(authorities) = &broker.authorities else {
            let cause = "there is none, and so nobody to trust; name one in PEM";
            return Err(bad("certificate authority", &cause));
        };
        let mut roots = RootCertStore::empty();
        let trusted = certificates(&authorities.0, "certificate authority")?;
        let (_, unusable) = roots.add_parsable_certificates(trusted);
        // One odd authority among many, as in a system's own list, does no harm.
        if roots.is_empty() {
            let cause = format!("none of {unusable} certificates has the form of an authority");
            return Err(bad("certificate authority", &cause));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|cause| bad("TLS version", &cause))?
            .with_root_certificates(roots);
        let config = match &broker.identity {
            None => config.with_no_client_auth(),
            Some(identity) => {
                let chain = certificates(&identity.0.chain, "client certificate")?;
                let key = PrivateKeyDer::from_pem_slice(&identity.0.key)
                    .map_err(|cause| bad("client's private key", &cause))?;
                config
                    .with_client_auth_cert(chain, key)
                    .map_err(|cause| bad("client certificate with its key", &cause))?
            }
        };
        let server = ServerName::try_from(broker.host.clone())
            .map_err(|cause| bad("name of the broker's host for TLS", &cause))?;
        Ok(Some(Self { config: Arc::new(config), server }))
    }

    /// Begins a connection.
    pub(super) fn start(&self) -> std::result::Result<ClientConnection, rustls::Error> {
        ClientConnection::new(Arc::clone(&self.config), self.server.clone())
    }
}

fn certificates(pem: &[u8], what: &'static str) -> Result<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<std::result::Result<_, _>>()
        .map_err(|cause| bad(what, &cause))?;
    match certificates.is_empty() {
        true => Err(bad(what, &"it holds no certificate in PEM")),
        false => Ok(certificates),
    }
}

fn bad(what: &'static str, cause: &dyn std::fmt::Display) -> Error {
    Error::Certificate { what, cause: cause.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(broker: &Broker, wanted: &str) {
        let error = Tls::of(broker).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }

    #[test]
    fn says_what_is_wrong_with_a_certificate() {
        let plain = Broker::parse("mqtt://h").unwrap();
        assert!(Tls::of(&plain).unwrap().is_none());
        check(&plain.with_authorities("x"), "not encrypted");
        let broker = Broker::parse("mqtts://h").unwrap();
        check(&broker, "nobody to trust");
        check(&broker.clone().with_authorities("x"), "no certificate in PEM");
        let pem =
            |body| format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        check(&broker.clone().with_authorities(pem("AAAA")), "none of 1 certificates");
        check(&broker.with_authorities(pem("!")), "certificate authority is not usable");
    }
}
