//! A TCP proxy that cuts connections at a given byte.
//!
//! ```text
//!  client ◀──▶ proxy ◀──▶ nats-server      cut: what is let through arrives, then both sides see the end
//! ```

use std::{
    hash::{BuildHasher, RandomState},
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, sink},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use crate::server::Server;

/// Direction of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the client to the server.
    Request,
    /// From the server to the client.
    Answer,
}

#[derive(Default)]
struct Plan {
    /// Cut once so many more bytes have gone this way.
    cut: Option<(Way, usize)>,
    /// Cut each connection after a number of bytes that follows from this.
    seed: Option<u64>,
    cuts: usize,
    passed: [usize; 2],
}

impl Plan {
    /// Number of these bytes that go through, and whether that is the end.
    fn admit(&mut self, way: Way, bytes: usize) -> (usize, bool) {
        let mut pass = bytes;
        if let Some((of, left)) = &mut self.cut
            && *of == way
        {
            pass = bytes.min(*left);
            *left -= pass;
            if *left == 0 {
                self.cut = None;
                self.cuts += 1;
                self.passed[way as usize] += pass;
                return (pass, true);
            }
        }
        self.passed[way as usize] += pass;
        (pass, false)
    }

    /// Bytes of both ways after which a new connection ends.
    fn life(&mut self) -> usize {
        let Some(seed) = &mut self.seed else { return usize::MAX };
        // SplitMix64.
        *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*seed ^ (*seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        // The handshake alone is about 1 KB.
        2_000 + usize::try_from((mixed >> 31) % 60_000).unwrap()
    }
}

/// See the module's first line. It ends when it is dropped.
pub(crate) struct Proxy {
    port: u16,
    plan: Arc<Mutex<Plan>>,
    open: Arc<AtomicUsize>,
    flowing: watch::Sender<bool>,
    _accepting: JoinSet<()>,
}

impl Proxy {
    pub(crate) async fn before(server: &Server) -> Self {
        let upstream: SocketAddr = server.process.url().strip_prefix("nats://").unwrap().parse().unwrap();
        let listener = listen().await;
        let port = listener.local_addr().unwrap().port();
        let plan = Arc::<Mutex<Plan>>::default();
        let open = Arc::<AtomicUsize>::default();
        let flowing = watch::Sender::new(true);
        let mut accepting = JoinSet::new();
        let (for_plan, for_open, for_flowing) = (Arc::clone(&plan), Arc::clone(&open), flowing.subscribe());
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (plan, open, flowing) =
                    (Arc::clone(&for_plan), Arc::clone(&for_open), for_flowing.clone());
                connections.spawn(async move {
                    // No server there: the client sees the end at once and comes again.
                    let Ok(server) = TcpStream::connect(upstream).await else { return };
                    open.fetch_add(1, Ordering::Relaxed);
                    relay(client, server, &plan, flowing).await;
                    open.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Self { port, plan, open, flowing, _accepting: accepting }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Cuts when so many more bytes have gone this way; with 0, when the next one is about to.
    pub(crate) fn cut_after(&self, way: Way, bytes: usize) {
        self.plan.lock().cut = Some((way, bytes));
    }

    /// Takes back a cut that was not made.
    pub(crate) fn spare(&self) {
        self.plan.lock().cut = None;
    }

    /// From now on, no connection lives long; seeded. The one there is goes first.
    pub(crate) fn cut_at_random(&self, seed: u64) {
        let mut plan = self.plan.lock();
        plan.seed = Some(seed);
        plan.cut = Some((Way::Answer, 0));
    }

    /// Nothing goes through, and nothing is cut, until it is to flow again.
    pub(crate) fn flow(&self, flow: bool) {
        self.flowing.send_replace(flow);
    }

    pub(crate) fn cuts(&self) -> usize {
        self.plan.lock().cuts
    }

    pub(crate) fn passed(&self, way: Way) -> usize {
        self.plan.lock().passed[way as usize]
    }

    /// Connections that are open.
    pub(crate) fn connections(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

/// Below the range of outgoing connections, so that none of those holds the port.
async fn listen() -> TcpListener {
    loop {
        let port = 20_000 + u16::try_from(RandomState::new().hash_one(()) % 12_000).unwrap();
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            return listener;
        }
    }
}

async fn relay(client: TcpStream, server: TcpStream, plan: &Mutex<Plan>, mut flowing: watch::Receiver<bool>) {
    let mut life = plan.lock().life();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (mut request, mut answer) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    loop {
        let (way, read) = tokio::select! {
            read = from_client.read(&mut request) => (Way::Request, read),
            read = from_server.read(&mut answer) => (Way::Answer, read),
        };
        let Ok(bytes @ 1..) = read else { break };
        if flowing.wait_for(|flowing| *flowing).await.is_err() {
            break;
        }
        let (pass, mut cut) = plan.lock().admit(way, bytes.min(life));
        life -= pass;
        if life == 0 {
            plan.lock().cuts += 1;
            cut = true;
        }
        let passed = match way {
            Way::Request => to_server.write_all(&request[..pass]).await,
            Way::Answer => to_client.write_all(&answer[..pass]).await,
        };
        if cut || passed.is_err() {
            break;
        }
    }
    // An end, not a reset: a reset could take away what was let through. Errors say that the other side ended first.
    let _ = (to_client.shutdown().await, to_server.shutdown().await);
    tokio::join!(drain(from_client), drain(from_server));
}

async fn drain(mut from: impl AsyncRead + Unpin) {
    let _ = tokio::io::copy(&mut from, &mut sink()).await;
}
