//! Credentials that the address holds. The client does not look there by itself.

use async_nats::{ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;

use super::connect::{Access, ConnectError};

/// Takes user and password, or a token alone, out of the first address that has them.
pub(super) fn with_credentials(options: ConnectOptions, urls: &str) -> ConnectOptions {
    let addresses = urls.split(',').filter_map(|url| url.trim().parse::<ServerAddr>().ok());
    let Some(address) = addresses.into_iter().find(ServerAddr::has_user_pass) else { return options };
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    match (address.username(), address.password()) {
        (Some(user), Some(password)) => options.user_and_password(plain(user), plain(password)),
        (Some(token), None) => options.token(plain(token)),
        (None, _) => options,
    }
}

/// Adds the proofs of the server to us and of us to it.
pub(super) async fn with_access(
    mut options: ConnectOptions,
    access: &Access,
) -> Result<ConnectOptions, ConnectError> {
    if let Some(ca) = &access.ca {
        options = options.require_tls(true).add_root_certificates(ca.clone());
    }
    if let Some((certificate, key)) = &access.certificate {
        options = options.require_tls(true).add_client_certificate(certificate.clone(), key.clone());
    }
    let Some(path) = &access.creds else { return Ok(options) };
    let with = options.credentials_file(path).await;
    with.map_err(|source| ConnectError::Credentials { path: path.clone(), source })
}

/// Host and port of one NATS address, whoever comes there.
#[must_use]
pub fn host_and_port(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    host.split('/').next().unwrap_or(host)
}

/// NATS addresses as they may be printed: whoever reads a log needs no password.
#[must_use]
pub fn without_passwords(urls: &str) -> String {
    let bare = |url: &str| {
        let scheme = url.split_once("://").map_or(String::new(), |(scheme, _)| format!("{scheme}://"));
        scheme + host_and_port(url)
    };
    urls.split(',').map(bare).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        for (urls, shown) in [
            ("nats://127.0.0.1:4222", "nats://127.0.0.1:4222"),
            ("nats://me:p@ss@a:1,b:2,tls://token@c", "nats://a:1,b:2,tls://c"),
            ("me:secret@a:1", "a:1"),
        ] {
            assert_eq!(without_passwords(urls), shown);
        }
    }
}
