//! How targets and sources of targets are asked: authentication, TLS.

use std::collections::BTreeMap;
use std::fmt::{Debug, Formatter};
use std::path::{Path, PathBuf};

use super::{raw, read_text};
use crate::records::Read;

/// A text that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// As it stands in the configuration.
    Text(String),
    /// In a file, which is read whenever the secret is needed.
    File(PathBuf),
}

impl Debug for Secret {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Secret::Text(_) => f.write_str("<secret>"),
            Secret::File(path) => write!(f, "<secret in {}>", path.display()),
        }
    }
}

impl Secret {
    /// The text. Reads the file: blocks.
    pub fn read(&self) -> Read<String> {
        match self {
            Secret::Text(text) => Ok(text.clone()),
            Secret::File(path) => Ok(read_text(path)?.trim().to_owned()),
        }
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Auth {
    None,
    Basic { username: Secret, password: Secret },
    Header { kind: String, credentials: Secret },
}

/// Versions of TLS that may be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum TlsVersion {
    V12 = 12,
    V13 = 13,
}

/// How to ask.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct ClientConfig {
    pub auth: Auth,
    pub ca: Option<Secret>,
    /// Certificate and key.
    pub identity: Option<(Secret, Secret)>,
    pub skips_verify: bool,
    pub tls_min: Option<TlsVersion>,
    pub tls_max: Option<TlsVersion>,
    pub server_name: Option<String>,
    pub follows_redirects: bool,
    pub uses_http2: bool,
    pub headers: Vec<(String, Secret)>,
}

pub(super) fn of_job(job: &raw::Job, folder: &Path) -> Read<ClientConfig> {
    let bearer = raw::Authorization {
        credentials: job.bearer_token.clone().map(raw::Scalar::Text),
        credentials_file: job.bearer_token_file.clone(),
        ..Default::default()
    };
    let has_bearer = job.bearer_token.is_some() || job.bearer_token_file.is_some();
    if has_bearer && job.authorization.is_some() {
        return Err("bearer_token and authorization exclude each other".to_owned());
    }
    let authorization = if has_bearer { Some(bearer) } else { job.authorization.clone() };
    Ok(ClientConfig {
        auth: auth(job.basic_auth.as_ref(), authorization.as_ref(), folder)?,
        follows_redirects: job.follow_redirects.unwrap_or(true),
        uses_http2: job.enable_http2.unwrap_or(true),
        headers: headers(&job.http_headers, folder)?,
        ..tls(job.tls_config.as_ref(), folder)?
    })
}

pub(super) fn of_discovery(http: &raw::HttpDiscovery, folder: &Path) -> Read<ClientConfig> {
    Ok(ClientConfig {
        auth: auth(http.basic_auth.as_ref(), http.authorization.as_ref(), folder)?,
        follows_redirects: http.follow_redirects.unwrap_or(true),
        uses_http2: http.enable_http2.unwrap_or(true),
        headers: headers(&http.http_headers, folder)?,
        ..tls(http.tls_config.as_ref(), folder)?
    })
}

/// One of a text and a file.
fn secret(
    key: &str,
    text: Option<String>,
    file: Option<&String>,
    folder: &Path,
) -> Read<Option<Secret>> {
    match (text, file) {
        (Some(_), Some(_)) => Err(format!("{key} and {key}_file exclude each other")),
        (Some(text), None) => Ok(Some(Secret::Text(text))),
        (None, Some(file)) => Ok(Some(Secret::File(folder.join(file)))),
        (None, None) => Ok(None),
    }
}

fn auth(
    basic: Option<&raw::BasicAuth>,
    authorization: Option<&raw::Authorization>,
    folder: &Path,
) -> Read<Auth> {
    let text = |scalar: &Option<raw::Scalar>| scalar.as_ref().map(raw::Scalar::text);
    match (basic, authorization) {
        (Some(_), Some(_)) => Err("basic_auth and authorization exclude each other".to_owned()),
        (Some(basic), None) => {
            let (name, file) = (text(&basic.username), basic.username_file.as_ref());
            let username = secret("basic_auth: username", name, file, folder)?;
            let (word, file) = (text(&basic.password), basic.password_file.as_ref());
            let password = secret("basic_auth: password", word, file, folder)?;
            let empty = || Secret::Text(String::new());
            let username = username.ok_or("basic_auth: username is needed")?;
            Ok(Auth::Basic { username, password: password.unwrap_or_else(empty) })
        }
        (None, Some(own)) => {
            let kind = own.kind.clone().unwrap_or_else(|| "Bearer".to_owned());
            if kind.trim().is_empty() || kind.eq_ignore_ascii_case("basic") {
                let message =
                    "authorization: type is empty or Basic, for which there is basic_auth";
                return Err(message.to_owned());
            }
            let (word, file) = (text(&own.credentials), own.credentials_file.as_ref());
            let credentials = secret("authorization: credentials", word, file, folder)?;
            let credentials = credentials.ok_or("authorization: credentials are needed")?;
            Ok(Auth::Header { kind, credentials })
        }
        (None, None) => Ok(Auth::None),
    }
}

fn headers(headers: &BTreeMap<String, raw::Header>, folder: &Path) -> Read<Vec<(String, Secret)>> {
    let mut all = Vec::new();
    for (name, header) in headers {
        if name.eq_ignore_ascii_case("authorization") || name.eq_ignore_ascii_case("host") {
            return Err(format!("http_headers: '{name}' may not be set here"));
        }
        let texts = header.values.iter().chain(&header.secrets);
        all.extend(texts.map(|text| (name.clone(), Secret::Text(text.text()))));
        let files = header.files.iter().map(|file| Secret::File(folder.join(file)));
        all.extend(files.map(|secret| (name.clone(), secret)));
    }
    Ok(all)
}

/// What is said of TLS, in a client without anything else.
fn tls(tls: Option<&raw::Tls>, folder: &Path) -> Read<ClientConfig> {
    let mut client = ClientConfig {
        auth: Auth::None,
        ca: None,
        identity: None,
        skips_verify: false,
        tls_min: None,
        tls_max: None,
        server_name: None,
        follows_redirects: true,
        uses_http2: true,
        headers: Vec::new(),
    };
    let Some(tls) = tls else { return Ok(client) };
    let version = |key: &str, text: &Option<String>| match text.as_deref() {
        None => Ok(None),
        Some("TLS12") => Ok(Some(TlsVersion::V12)),
        Some("TLS13") => Ok(Some(TlsVersion::V13)),
        Some(other) => Err(format!("tls_config: {key} is '{other}', expected TLS12 or TLS13")),
    };
    client.tls_min = version("min_version", &tls.min_version)?;
    client.tls_max = version("max_version", &tls.max_version)?;
    let of = |key: &str, text: &Option<String>, file: &Option<String>| {
        secret(&format!("tls_config: {key}"), text.clone(), file.as_ref(), folder)
    };
    client.ca = of("ca", &tls.ca, &tls.ca_file)?;
    let certificate = of("cert", &tls.cert, &tls.cert_file)?;
    let key = of("key", &tls.key, &tls.key_file)?;
    client.identity = match (certificate, key) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => return Err("tls_config: cert and key are needed together".to_owned()),
    };
    client.skips_verify = tls.insecure_skip_verify;
    client.server_name = tls.server_name.clone();
    Ok(client)
}
