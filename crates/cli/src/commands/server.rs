//! The server's HTTP, as commands speak to it: in clear to this machine, else over TLS when there is something to hide.

use std::{io, net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Error,
        client::IntoClientRequest,
        http::{HeaderValue, Uri, header::AUTHORIZATION},
    },
};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::refusal::Refused;
use crate::{Failure, settings::Secret};

/// Longest wait for an answer: above what the server itself waits for its stream.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);
/// Longest wait for a connection, and for a socket to open.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// Which server a command asks, and as whom.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServerArgs {
    /// Address of the server's HTTP, such as https://orders.example
    #[arg(long, env = "FILLSTREAM_SERVER", default_value = "http://127.0.0.1:3000", value_name = "URL", value_parser = server)]
    pub(crate) server: String,
    /// Certificates that the server's is believed by, PEM [default: those of the operating system]
    #[arg(long, env = "FILLSTREAM_SERVER_CA", value_name = "FILE")]
    server_ca: Option<PathBuf>,
    /// Bearer token, where the server asks for one. Better given as the variable: everybody on the machine can read flags.
    /// It is sent over https, or to this machine
    #[arg(long, env = "FILLSTREAM_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<Secret>,
}

/// Reads the server's address: scheme, host and port.
fn server(text: &str) -> Result<String, String> {
    let bare = text.trim_end_matches('/');
    let uri = bare.parse::<Uri>().ok().filter(|uri| uri.host().is_some_and(|host| !host.is_empty()));
    match uri.as_ref().and_then(Uri::scheme_str) {
        Some("http" | "https") => Ok(bare.to_owned()),
        Some(_) | None => Err("must be such as http://127.0.0.1:3000 or https://orders.example".to_owned()),
    }
}

/// What a socket runs over.
pub(crate) trait Line: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Line for S {}

impl ServerArgs {
    /// Sends a JSON body; the answer, if it is a 2xx.
    ///
    /// # Errors
    /// When the server does not answer, or refuses.
    pub(crate) fn post(&self, path: &str, key: Option<&str>, body: &Value) -> Result<Value, Failure> {
        let agent = self.agent(ANSWER_PATIENCE)?;
        let server = &self.server;
        let mut request = agent.post(format!("{server}{path}")).header("Content-Type", "application/json");
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(bearer) = self.bearer()? {
            request = request.header(AUTHORIZATION, bearer);
        }
        let mut answer = request.send(body.to_string()).map_err(|error| self.silent(&error))?;
        let status = answer.status();
        let text = answer.body_mut().read_to_string()?;
        if !status.is_success() {
            return Err(Refused::new(text.as_bytes(), status.as_u16()).into());
        }
        let parsed = serde_json::from_str(&text);
        parsed.map_err(|_| format!("{server} answers {status} without JSON: that is no fillstream").into())
    }

    /// What asks over HTTP, for so long at most.
    ///
    /// # Errors
    /// When the certificates that are named cannot be read.
    pub(crate) fn agent(&self, patience: Duration) -> Result<ureq::Agent, Failure> {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_PATIENCE.min(patience)))
            .timeout_global(Some(patience));
        let config = if self.is_secure() {
            let roots =
                self.roots()?.iter().map(|root| Certificate::from_der(root).to_owned()).collect::<Vec<_>>();
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let tls = TlsConfig::builder().root_certs(RootCerts::from(roots));
            config.tls_config(tls.unversioned_rustls_crypto_provider(provider).build())
        } else {
            config
        };
        Ok(config.build().into())
    }

    /// Opens a socket.
    ///
    /// # Errors
    /// When the address or the token cannot be sent, or the server refuses or does not answer in time.
    pub(crate) async fn socket(
        &self,
        path: &str,
    ) -> Result<Result<WebSocketStream<Box<dyn Line>>, Error>, Failure> {
        let mut request = format!("{}{path}", self.server.replacen("http", "ws", 1)).into_client_request()?;
        if let Some(bearer) = self.bearer()? {
            request.headers_mut().insert(AUTHORIZATION, bearer);
        }
        let tls = if self.is_secure() { Some(self.tls()?) } else { None };
        let uri = request.uri().clone();
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
        let opening = async {
            let stream = TcpStream::connect((host.as_str(), port)).await.map_err(Error::Io)?;
            let line: Box<dyn Line> = match tls {
                Some(tls) => {
                    let name =
                        ServerName::try_from(host).map_err(|error| Error::Io(io::Error::other(error)))?;
                    Box::new(tls.connect(name, stream).await.map_err(Error::Io)?)
                }
                None => Box::new(stream),
            };
            client_async(request, line).await.map(|(socket, _)| socket)
        };
        let late = |_| Err(Error::Io(io::ErrorKind::TimedOut.into()));
        Ok(timeout(CONNECT_PATIENCE, opening).await.unwrap_or_else(late))
    }

    /// That nothing answered, and what to do.
    pub(crate) fn silent(&self, error: &dyn std::fmt::Display) -> Failure {
        let server = &self.server;
        format!("{server} does not answer: {error}; start `fillstream up`, or name a server with --server")
            .into()
    }

    fn is_secure(&self) -> bool {
        self.server.starts_with("https://")
    }

    fn tls(&self) -> Result<TlsConnector, Failure> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.roots()?);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()).into())
    }

    /// Whom the server's certificate is believed by.
    fn roots(&self) -> Result<Vec<CertificateDer<'static>>, Failure> {
        match &self.server_ca {
            Some(file) => CertificateDer::pem_file_iter(file).and_then(Iterator::collect).map_err(|error| {
                format!("--server-ca: cannot read {} as PEM: {error}", file.display()).into()
            }),
            // One that cannot be read is none that is believed.
            None => Ok(rustls_native_certs::load_native_certs().certs),
        }
    }

    /// The token, as a header. In clear it goes to nobody but this machine.
    fn bearer(&self) -> Result<Option<HeaderValue>, Failure> {
        let Some(token) = &self.token else { return Ok(None) };
        if !self.is_secure() && !is_here(&self.server) {
            let server = &self.server;
            return Err(format!(
                "the token would go to {server} in clear, for everybody on the way to read: name the server with https, \
                 or leave the token out"
            )
            .into());
        }
        let value = HeaderValue::from_str(&format!("Bearer {}", token.reveal()));
        let mut value = value.map_err(|_| "the token holds characters that no header can: is it whole?")?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

/// Whether an address is this machine's alone.
fn is_here(server: &str) -> bool {
    let uri = server.parse::<Uri>().ok();
    let host = uri.as_ref().and_then(Uri::host).map(|host| host.trim_matches(['[', ']']));
    host.is_some_and(|host| {
        host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(address: &str, token: Option<&str>) -> ServerArgs {
        let token = token.map(|token| token.parse().unwrap());
        ServerArgs { server: server(address).unwrap(), server_ca: None, token }
    }

    #[test]
    fn a_token_goes_in_clear_to_this_machine_alone() {
        for (address, sent) in [
            ("http://127.0.0.1:3000", true),
            ("http://localhost:3000/", true),
            ("http://[::1]:3000", true),
            ("https://orders.example", true),
            ("http://orders.example", false),
            ("http://10.0.0.7:3000", false),
            ("http://127.0.0.1.evil.example", false),
            ("http://localhost@evil.example", false),
        ] {
            assert_eq!(args(address, Some("secret")).bearer().is_ok(), sent, "{address}");
            assert!(args(address, None).bearer().unwrap().is_none(), "{address}");
        }
        let refused = args("http://orders.example", Some("secret")).bearer().unwrap_err().to_string();
        assert!(refused.contains("https") && !refused.contains("secret"), "{refused}");
    }

    #[test]
    fn addresses_that_would_never_do_are_refused() {
        for text in ["orders.example", "ftp://orders.example", "http://", "https:///x", ""] {
            assert!(server(text).is_err(), "{text:?}");
        }
    }
}
