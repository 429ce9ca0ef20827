//! Three nats-servers as a cluster. What the third one and the others tell each other arrives late.

use std::{
    fs,
    process::{Child, Command},
    time::{Duration, Instant},
};

use fillstream_nats_server::locate;
use fillstream_tests::{Scratch, free_port};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{sleep, sleep_until},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// See the module's first line. Killed when dropped.
pub(super) struct Nodes {
    servers: Vec<(Child, u16)>,
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for (server, _) in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

impl Nodes {
    pub(super) async fn start(scratch: &Scratch, delay: Duration) -> Self {
        let binary = locate(&mut |line| eprintln!("{line}")).expect("a nats-server can be had");
        let routes = [free_port(), free_port(), free_port()];
        let late = [late_way(routes[0], delay).await, late_way(routes[1], delay).await];
        let peers = [vec![routes[1]], vec![routes[0]], late.to_vec()];
        let mut servers = Vec::new();
        for (n, peers) in peers.iter().enumerate() {
            let (port, dir) = (free_port(), scratch.path().join(format!("n{n}")));
            fs::create_dir_all(&dir).expect("a new directory");
            let peers: Vec<_> = peers.iter().map(|peer| format!("\"nats://127.0.0.1:{peer}\"")).collect();
            let config = format!(
                "server_name: n{n}\nhost: 127.0.0.1\nport: {port}\njetstream {{ store_dir: {dir:?} }}\n\
                 cluster {{ name: late, listen: \"127.0.0.1:{}\", no_advertise: true, routes: [{}] }}\n",
                routes[n],
                peers.join(", ")
            );
            let conf = dir.join("nats.conf");
            fs::write(&conf, config).expect("writable");
            let log = fs::File::create(dir.join("log")).expect("writable");
            let server = Command::new(&binary).arg("-c").arg(&conf).stderr(log).spawn();
            servers.push((server.expect("nats-server starts"), port));
        }
        let nodes = Self { servers };
        let deadline = Instant::now() + PATIENCE;
        for (_, port) in &nodes.servers {
            while TcpStream::connect(("127.0.0.1", *port)).await.is_err() {
                assert!(Instant::now() < deadline, "the nodes do not listen");
                sleep(Duration::from_millis(20)).await;
            }
        }
        nodes
    }

    /// The addresses of these nodes.
    pub(super) fn url(&self, nodes: &[usize]) -> String {
        let urls: Vec<_> = nodes.iter().map(|n| format!("nats://127.0.0.1:{}", self.servers[*n].1)).collect();
        urls.join(",")
    }

    pub(super) fn signal(&self, node: usize, signal: Signal) {
        let pid = i32::try_from(self.servers[node].0.id()).ok().and_then(Pid::from_raw).expect("a pid");
        let _ = kill_process(pid, signal);
    }
}

/// A port whose connections go to another one, each byte late in both directions.
async fn late_way(to: u16, delay: Duration) -> u16 {
    let port = free_port();
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a free port");
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let Ok(far) = TcpStream::connect(("127.0.0.1", to)).await else { continue };
            let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
            tokio::spawn(late_copy(near_read, far_write, delay));
            tokio::spawn(late_copy(far_read, near_write, delay));
        }
    });
    port
}

async fn late_copy(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    delay: Duration,
) {
    let (sender, mut receiver) = mpsc::unbounded_channel::<(tokio::time::Instant, Vec<u8>)>();
    tokio::spawn(async move {
        while let Some((due, bytes)) = receiver.recv().await {
            sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if sender.send((tokio::time::Instant::now() + delay, buffer[..read].to_vec())).is_err() {
            return;
        }
    }
}
