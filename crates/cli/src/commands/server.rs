//! The server's HTTP, as commands speak to it.

use std::time::Duration;

use clap::Args;
use serde_json::Value;
use tokio_tungstenite::tungstenite::{
    client::IntoClientRequest,
    handshake::client::Request,
    http::{HeaderValue, header::AUTHORIZATION},
};

use super::refusal::Refused;
use crate::{Failure, settings::Secret};

/// Longest wait for an answer: above what the server itself waits for its stream.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);

/// Which server a command asks, and as whom.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServerArgs {
    /// Address of the server's HTTP
    #[arg(long, env = "FILLSTREAM_SERVER", default_value = "http://127.0.0.1:3000", value_name = "URL", value_parser = server)]
    pub(crate) server: String,
    /// Bearer token, where the server asks for one. Better given as the variable: everybody on the machine can read flags
    #[arg(long, env = "FILLSTREAM_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<Secret>,
}

/// Commands speak plain HTTP.
fn server(text: &str) -> Result<String, String> {
    match text.strip_prefix("http://").map(|rest| rest.trim_end_matches('/')) {
        Some(host) if !host.is_empty() => Ok(format!("http://{host}")),
        Some(_) | None => Err("must be such as http://127.0.0.1:3000".to_owned()),
    }
}

impl ServerArgs {
    /// Sends a JSON body; the answer, if it is a 2xx.
    ///
    /// # Errors
    /// When the server does not answer, or refuses.
    pub(crate) fn post(&self, path: &str, key: Option<&str>, body: &Value) -> Result<Value, Failure> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(ANSWER_PATIENCE))
            .build()
            .into();
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

    /// The request that opens a socket.
    ///
    /// # Errors
    /// When the address or the token cannot be sent.
    pub(crate) fn socket(&self, path: &str) -> Result<Request, Failure> {
        let mut request = format!("{}{path}", self.server.replacen("http", "ws", 1)).into_client_request()?;
        if let Some(bearer) = self.bearer()? {
            request.headers_mut().insert(AUTHORIZATION, bearer);
        }
        Ok(request)
    }

    /// That nothing answered, and what to do.
    pub(crate) fn silent(&self, error: &dyn std::fmt::Display) -> Failure {
        let server = &self.server;
        format!("{server} does not answer: {error}; start `fillstream up`, or name a server with --server")
            .into()
    }

    fn bearer(&self) -> Result<Option<HeaderValue>, Failure> {
        let Some(token) = &self.token else { return Ok(None) };
        let value = HeaderValue::from_str(&format!("Bearer {}", token.reveal()));
        let mut value = value.map_err(|_| "the token holds characters that no header can: is it whole?")?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}
