//! A stream that was put back: an older copy of it, as after a power loss or a restored backup.

use fillstream_domain::Seq;

use crate::{
    client::Client,
    life::{FAILED_ATTEMPT, GOOD, order},
    rig::{Rig, settings, until},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_is_reset_and_told_what_there_is_now() {
    for every_step in [true, false] {
        let rig = Rig::start(settings()).await;
        rig.append(order(1), &GOOD[..1]).await;
        let kept = rig.append(order(1), &FAILED_ATTEMPT).await;
        let lost = rig.append(order(1), &FAILED_ATTEMPT).await;
        let mut client = Client::connect(&rig.url(every_step, order(1))).await;
        client.until_type("backfill").await;
        rig.caught_up().await;
        let token = client.token.clone();

        rig.log.calm.put_back(Seq::new(kept));
        let reset = client.until_type("reset").await;
        assert_eq!(reset["reason"], "other_history", "{reset}");
        client.until_type("backfill").await;
        assert_eq!(client.shown, rig.channel(order(1), every_step).await);

        // Live, under the numbers of what was lost; the client checks the chain.
        let again = rig.append(order(1), &FAILED_ATTEMPT).await;
        assert_eq!(again, lost);
        let channel = rig.channel(order(1), every_step).await;
        client.until_shown(*channel.last().unwrap()).await;
        assert_eq!(client.shown, channel);
        rig.caught_up().await;

        // A token of what was lost names a record that is not there, though another one is.
        let mut late = Client::connect(&format!("{}after={token}", rig.url(every_step, order(1)))).await;
        assert_eq!(late.until_type("reset").await["reason"], "other_history");
        late.until_type("backfill").await;
        assert_eq!(late.shown, channel);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_is_gone_ends_its_socket() {
    let rig = Rig::start(settings()).await;
    let seq = rig.append(order(1), &GOOD[..1]).await;
    let mut client = Client::connect(&rig.url(true, order(1))).await;
    client.until_type("backfill").await;
    rig.caught_up().await;
    rig.log.calm.put_back(Seq::new(seq - 1));
    let (code, reason) = client.until_close().await;
    assert_eq!((code, &*reason), (1008, "there is no such order"));
    until("the tail is at the stream's end", || rig.hub.position() == Seq::new(seq - 1)).await;
    assert!(Client::try_connect(&rig.url(true, order(1)), &[]).await.is_err());
}
