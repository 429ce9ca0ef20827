//! Orders over NATS: what HTTP answers, found and looked at as any NATS service.

mod accounts;
mod discovery;
mod kills;
mod orders;
mod refusals;
mod rights;

use std::time::Duration;

use fillstream_nats_server::PrivateServer;
use fillstream_tests::nats::{Client, Reply};
use tokio::time::{Instant, sleep};

use crate::site::Site;

const ANN: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d01";
const BOB: &str = "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d02";
const EXECUTE: &str = "fillstream.orders.execute";
/// An order that is good.
const GOOD: &str = r#"{"tokenIn":"SOL","tokenOut":"USDC","amount":10}"#;
const PATIENCE: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(20);

fn url(site: &Site) -> String {
    site.nats.as_ref().map(PrivateServer::url).or_else(|| site.process.nats_url()).expect("an address")
}

/// A client, once this many processes take requests.
async fn client(site: &Site, processes: usize) -> Client {
    let mut client = Client::connect(&url(site)).await;
    let deadline = Instant::now() + PATIENCE;
    loop {
        // A request to everybody is answered by nobody while there is no service yet.
        let pong = client.request("$SRV.PING.fillstream", &[], "").await.expect("an answer");
        if pong.status.is_none() && (processes == 1 || client.found(processes).await) {
            return client;
        }
        assert!(Instant::now() < deadline, "no process takes requests: {}", site.process.said());
        sleep(POLL).await;
    }
}

/// Whether so many services answer.
trait Found {
    async fn found(&mut self, processes: usize) -> bool;
}

impl Found for Client {
    async fn found(&mut self, processes: usize) -> bool {
        self.send("$SRV.PING.fillstream", &[], "").await.expect("the server reads");
        let mut found = 0;
        while found < processes {
            match tokio::time::timeout(Duration::from_millis(500), self.receive()).await {
                Ok(Some(_)) => found += 1,
                Ok(None) | Err(_) => return false,
            }
        }
        true
    }
}

async fn ask(client: &mut Client, subject: &str, headers: &[(&str, &str)], payload: &str) -> Reply {
    let reply = client.request(subject, headers, payload).await;
    reply.unwrap_or_else(|| panic!("{subject} is answered by silence"))
}

/// The status that HTTP would have.
fn status(reply: &Reply) -> u16 {
    let status = reply.header("Http-Status").and_then(|status| status.parse().ok());
    status.unwrap_or_else(|| panic!("no status: {reply:?}"))
}
