//! Clients that do not keep to the protocol, byte by byte.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    client::Client,
    life::{GOOD, order},
    rig::{PATIENCE, Rig, settings, until},
};

/// A connection that was upgraded by hand.
async fn raw(rig: &Rig) -> TcpStream {
    let mut stream = TcpStream::connect(rig.address).await.unwrap();
    let request = format!(
        "GET /api/orders/status/{} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        order(1)
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    stream
}

/// Reads frames until the close; its code.
async fn close_code(stream: &mut TcpStream) -> u16 {
    loop {
        let opcode = stream.read_u8().await.unwrap() & 0x0f;
        let length = match stream.read_u8().await.unwrap() {
            126 => usize::from(stream.read_u16().await.unwrap()),
            127 => usize::try_from(stream.read_u64().await.unwrap()).unwrap(),
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).await.unwrap();
        if opcode == 8 {
            return u16::from_be_bytes([payload[0], payload[1]]);
        }
    }
}

/// A frame from a client, masked with zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let mut bytes = vec![first];
    match length {
        0..126 => bytes.push(0x80 | u8::try_from(length).unwrap()),
        126..0x1_0000 => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

fn declared(length: u64) -> Vec<u8> {
    let mut bytes = vec![0x81, 0x80 | 127];
    bytes.extend(length.to_be_bytes());
    bytes.extend([0; 4]);
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_break_of_the_protocol_has_its_close_code() {
    let max = 1 << 20;
    let rig = Rig::start(settings()).await;
    rig.append(order(1), &GOOD[..1]).await;
    let mut bystander = Client::connect(&rig.url(true, order(1))).await;
    bystander.until_type("backfill").await;
    let fragments = [frame(0x01, &vec![b'a'; max]), frame(0x80, b"a")].concat();
    let unmasked = vec![0x81, 2, b'h', b'i'];
    for (name, bytes, code) in [
        ("a message over the limit", frame(0x81, &vec![b'a'; max + 1]), 1009),
        ("a message far over the limit, all of it sent", frame(0x81, &vec![b'a'; 8 * max]), 1009),
        ("fragments over the limit together", fragments, 1009),
        ("a declared length of 2^62", declared(1 << 62), 1009),
        ("a declared length of 2^63", declared(1 << 63), 1009),
        ("text that is not UTF-8", frame(0x81, &[0xff, 0xfe]), 1007),
        ("a frame without a mask", unmasked, 1002),
        ("a fragmented control frame", frame(0x09, b""), 1002),
        ("a long ping", frame(0x89, &[0; 126]), 1002),
        ("a reserved bit", frame(0xc1, b"hi"), 1002),
        ("an unknown opcode", frame(0x83, b"hi"), 1002),
        ("a continuation of nothing", frame(0x80, b"hi"), 1002),
    ] {
        let mut stream = raw(&rig).await;
        let (mut reader, mut writer) = stream.split();
        // The server may close while this client still writes.
        let written = async { drop(writer.write_all(&bytes).await) };
        let told = async {
            let mut all = Vec::new();
            drop(reader.read_to_end(&mut all).await);
            all
        };
        let ((), all) = timeout(PATIENCE, async { tokio::join!(written, told) }).await.expect(name);
        assert_eq!(last_close(&all), Some(code), "{name}");
    }
    let mut good = raw(&rig).await;
    good.write_all(&frame(0x81, &vec![b'a'; max])).await.unwrap();
    rig.append(order(1), &GOOD[1..]).await;
    assert_eq!(close_code(&mut good).await, 1000, "a message as large as is allowed");
    assert_eq!(bystander.until_close().await.0, 1000, "nothing else is disturbed");
    assert_eq!(bystander.shown, rig.channel(order(1), true).await);
    until("all are gone", || rig.hub.counters().connections.get() == 0).await;
}

/// The code of the close that ends these frames.
fn last_close(mut frames: &[u8]) -> Option<u16> {
    while let [first, length, rest @ ..] = frames {
        let (length, rest) = match *length {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            short => (usize::from(short), rest),
        };
        if first & 0x0f == 8 {
            assert_eq!(rest.len(), length, "nothing follows a close");
            return Some(u16::from_be_bytes([rest[0], rest[1]]));
        }
        frames = &rest[length..];
    }
    None
}
