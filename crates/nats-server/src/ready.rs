use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// Of one look. The server greets at once, or is not ready.
const PATIENCE: Duration = Duration::from_secs(1);

/// True when the server of this name takes connections on this port with JetStream on. It listens only after it has
/// recovered its store, so its greeting is the whole health check; the name keeps a stranger on that port from passing
/// for it.
pub(crate) fn is_ready(port: u16, name: &str) -> bool {
    greeting(port).is_ok_and(|info| {
        info.starts_with("INFO ")
            && info.contains(r#""jetstream":true"#)
            && info.contains(&format!(r#""server_name":"{name}""#))
    })
}

fn greeting(port: u16) -> std::io::Result<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line)
}
