//! WebSocket connections byte by byte: clients that do not keep to the protocol, do not read, or vanish.

use std::{io, time::Duration};

use socket2::{Domain, Socket, Type};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::socket::PATIENCE;

/// Receive buffer of a client for which the kernels hold little, bytes.
const NARROW_BUFFER: usize = 4096;
/// Its segments, bytes: the server's kernel makes its own buffer by their size, which on loopback is 64 KiB.
const NARROW_SEGMENT: u32 = 1200;
/// Longest head of an answer to an upgrade.
const MAX_HEAD: usize = 8 << 10;

/// A connection for which both kernels together hold about 100 KiB that are not read, and not some megabytes.
pub(crate) async fn narrow(address: &str) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_recv_buffer_size(NARROW_BUFFER)?;
    socket.set_tcp_mss(NARROW_SEGMENT)?;
    socket.set_nonblocking(true)?;
    let address = address.parse().map_err(io::Error::other)?;
    TcpSocket::from_std_stream(socket.into()).connect(address).await
}

/// See the module's first line.
#[derive(Debug)]
pub struct Raw(TcpStream);

impl Raw {
    /// An upgraded connection; the status code when the upgrade is refused, 0 when there is no server.
    ///
    /// # Errors
    /// See above.
    pub async fn open(address: &str, path: &str) -> Result<Self, u16> {
        let mut stream = TcpStream::connect(address).await.map_err(|_| 0_u16)?;
        stream.write_all(upgrade(address, path).as_bytes()).await.map_err(|_| 0_u16)?;
        match timeout(PATIENCE, head(&mut stream)).await {
            Ok(Some(101)) => Ok(Self(stream)),
            Ok(status) => Err(status.unwrap_or(0)),
            Err(_) => Err(0),
        }
    }

    /// Writes these bytes, if the server is still there.
    pub async fn write(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes).await;
    }

    /// Writes these bytes while it reads to the end: the code of the close that the server ends with, if it does.
    pub async fn ending(mut self, bytes: &[u8]) -> Option<u16> {
        let (mut reader, mut writer) = self.0.split();
        let mut all = Vec::new();
        // The server may close while this client still writes.
        let written = async { drop(writer.write_all(bytes).await) };
        let told = async { drop(reader.read_to_end(&mut all).await) };
        timeout(PATIENCE, async { tokio::join!(written, told) }).await.ok()?;
        last_close(&all)
    }

    /// Says good-bye as the protocol wants it, and waits for the answer.
    pub async fn close(self) -> Option<u16> {
        self.ending(&frame(0x88, &1000_u16.to_be_bytes())).await
    }

    /// Breaks the connection off with a reset.
    pub fn reset(self) {
        let _ = self.0.set_zero_linger();
    }

    /// Reads nothing more until it is dropped.
    pub async fn is_cut(&self, patience: Duration) -> bool {
        let gone = async {
            while self.0.readable().await.is_ok() {
                if matches!(self.0.try_read(&mut [0; 4096]), Ok(0)) {
                    return;
                }
            }
        };
        timeout(patience, gone).await.is_ok()
    }
}

/// A request to be upgraded.
#[must_use]
pub fn upgrade(address: &str, path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// Reads the head of an answer, and nothing behind it; its status.
async fn head(stream: &mut TcpStream) -> Option<u16> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < MAX_HEAD {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8_lossy(&head).split(' ').nth(1)?.parse().ok()
}

/// A frame from a client, masked with zeros. `first` is its opcode with the bits before it.
#[must_use]
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = match payload.len() {
        short @ 0..126 => vec![0x80 | u8::try_from(short).expect("below 126")],
        middle @ 126..0x1_0000 => {
            let length = u16::try_from(middle).expect("below 64 KiB");
            [&[0x80 | 126][..], &length.to_be_bytes()].concat()
        }
        long => [&[0x80 | 127][..], &(long as u64).to_be_bytes()].concat(),
    };
    [&[first][..], &length, &[0; 4], payload].concat()
}

/// The head of a text frame that claims to be this long, and nothing of its text.
#[must_use]
pub fn declared(length: u64) -> Vec<u8> {
    [&[0x81, 0x80 | 127][..], &length.to_be_bytes(), &[0; 4]].concat()
}

/// The code of the close that ends these frames of a server.
fn last_close(mut frames: &[u8]) -> Option<u16> {
    while let [first, length, rest @ ..] = frames {
        let (length, rest) = match *length {
            126 => (usize::from(u16::from_be_bytes(*rest.first_chunk()?)), rest.get(2..)?),
            127 => (usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).ok()?, rest.get(8..)?),
            short => (usize::from(short), rest),
        };
        if first & 0x0f == 8 {
            return (rest.len() == length)
                .then(|| u16::from_be_bytes(rest.first_chunk().copied().unwrap_or_default()));
        }
        frames = rest.get(length..)?;
    }
    None
}
