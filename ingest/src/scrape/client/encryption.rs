//! TLS as a configuration wants it.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use super::super::config::{self, TlsVersion};
use crate::records::Read;

/// The settings of a client. Reads certificates: blocks.
pub fn of(config: &config::ClientConfig) -> Read<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let is_wanted = |version: TlsVersion| {
        let number = |version: TlsVersion| version as u8;
        config.tls_min.is_none_or(|least| number(version) >= number(least))
            && config.tls_max.is_none_or(|most| number(version) <= number(most))
    };
    let versions = [(TlsVersion::V13, &TLS13), (TlsVersion::V12, &TLS12)];
    let versions = versions.into_iter().filter(|(version, _)| is_wanted(*version));
    let versions = versions.map(|(_, version)| version).collect::<Vec<_>>();
    let builder = ClientConfig::builder_with_provider(provider.clone());
    let builder = builder
        .with_protocol_versions(&versions)
        .map_err(|err| format!("tls_config: min_version, max_version: {err}"))?;
    let builder = match config.skips_verify {
        true => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(provider)))
        }
        false => builder.with_root_certificates(roots(config)?),
    };
    let Some((certificate, key)) = &config.identity else {
        return Ok(builder.with_no_client_auth());
    };
    let certificate = certificates("cert", &certificate.read()?)?;
    let key = PrivateKeyDer::from_pem_slice(key.read()?.as_bytes())
        .map_err(|err| format!("tls_config: key: {err}"))?;
    builder
        .with_client_auth_cert(certificate, key)
        .map_err(|err| format!("tls_config: cert and key: {err}"))
}

fn certificates(key: &str, pem: &str) -> Read<Vec<CertificateDer<'static>>> {
    let all = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    let all = all.map_err(|err| format!("tls_config: {key}: {err}"))?;
    if all.is_empty() {
        return Err(format!("tls_config: {key}: there is no certificate"));
    }
    Ok(all)
}

/// Whom to trust: those that are named, else those that the machine trusts.
fn roots(config: &config::ClientConfig) -> Read<RootCertStore> {
    let mut roots = RootCertStore::empty();
    match &config.ca {
        Some(ca) => {
            for certificate in certificates("ca", &ca.read()?)? {
                roots.add(certificate).map_err(|err| format!("tls_config: ca: {err}"))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    Ok(roots)
}

/// Takes any certificate, as `insecure_skip_verify` says; signatures still have to be right.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

type Verified<T> = Result<T, rustls::Error>;

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Verified<ServerCertVerified> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Verified<HandshakeSignatureValid> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Verified<HandshakeSignatureValid> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
