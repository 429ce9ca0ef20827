//! Refusals before the upgrade.

use crate::{
    client::Client,
    life::{GOOD, order},
    rig::{Rig, settings, until},
};

async fn refused(url: &str, headers: &[(&'static str, &str)]) -> (u16, String) {
    let refused = Client::try_connect(url, headers).await.err().unwrap_or_else(|| panic!("{url} is taken"));
    let code = refused.body["code"].as_str().unwrap_or_default().to_owned();
    (refused.status, code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_that_do_not_exist_and_ids_that_are_none() {
    let rig = Rig::start(settings()).await;
    let address = rig.address;
    let long = "a".repeat(300);
    for id in
        ["..%2Fx", "*", "%3E", "a.b", "%00", &long, "%ff", "0198c0de7a5e7c3a9f003f2a1b4c5d6e", "%20", "x"]
    {
        for path in ["execute?orderId=", "status/"] {
            let url = format!("ws://{address}/api/orders/{path}{id}");
            assert_eq!(refused(&url, &[]).await.0, 400, "{url}");
        }
    }
    assert_eq!(refused(&format!("ws://{address}/api/orders/execute"), &[]).await.0, 400);
    for every_step in [true, false] {
        let found = refused(&rig.url(every_step, order(1)), &[]).await;
        assert_eq!(found, (404, "unknown_order".to_owned()));
    }
    assert_eq!(rig.log.pages_read.load(std::sync::atomic::Ordering::Relaxed), 0, "no raw input in a subject");
    assert_eq!(rig.hub.counters().connections.get(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_the_same_however_its_id_is_written() {
    let rig = Rig::start(settings()).await;
    rig.append(order(1), &GOOD).await;
    let url = rig.url(true, order(1)).replace("0198c0de", "0198C0DE");
    let mut client = Client::connect(&url).await;
    assert_eq!(client.text().await["orderId"], order(1).to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_and_from_where() {
    let rig = Rig::start(settings()).await;
    rig.append(order(1), &GOOD[..1]).await;
    let url = rig.url(true, order(1));
    for (headers, status) in [
        (("authorization", "Bearer x"), 401),
        (("x-user-id", "me"), 400),
        (("origin", "https://elsewhere.example"), 403),
    ] {
        assert_eq!(refused(&url, &[headers]).await.0, status, "{headers:?}");
    }
    let listed = [("origin", "https://desk.example")];
    assert!(Client::try_connect(&url, &listed).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_full_or_goes_down_takes_no_more() {
    let rig = Rig::start(fillstream_stream_bridge::Settings { max_sockets: 2, ..settings() }).await;
    rig.append(order(1), &GOOD[..1]).await;
    let url = rig.url(true, order(1));
    let one = Client::connect(&url).await;
    let _two = Client::connect(&url).await;
    assert_eq!(refused(&url, &[]).await, (503, "too_many_sockets".to_owned()));
    drop(one);
    until("there is room again", || rig.hub.counters().connections.get() < 2).await;
    let _three = Client::connect(&url).await;
    rig.hub.stop();
    assert_eq!(refused(&url, &[]).await, (503, "going_down".to_owned()));
    assert_eq!(rig.hub.counters().refused.get(), 2);
}
