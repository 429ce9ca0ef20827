#![allow(missing_docs, clippy::all, clippy::float_arithmetic, unreachable_pub, dead_code)]
#[path = "../tests/suite/lives.rs"]
mod lives;
use std::time::Instant;
#[tokio::main]
async fn main() {
    let url = std::env::args().nth(1).unwrap();
    let size: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    let store = fillstream_read_store::ReadStore::open(&url).await.unwrap();
    let events = lives::stream(std::env::args().nth(3).map_or(60000, |n| n.parse().unwrap()));
    println!(
        "{} events, {} bytes each",
        events.len(),
        events.iter().map(|e| e.payload.len()).sum::<usize>() / events.len()
    );
    let from = store.checkpoint().await.unwrap();
    assert!(from.is_none());
    let mut from = lives::at(0);
    let batches: Vec<_> = events.chunks(size).map(|chunk| (lives::batch(chunk), lives::end(chunk))).collect();
    let t = Instant::now();
    let mut worst = 0;
    for (batch, to) in &batches {
        let b = Instant::now();
        let _ = store.apply(from, batch, *to).await.unwrap();
        worst = worst.max(b.elapsed().as_millis());
        from = lives::at(*to);
    }
    println!("apply {:.0} events/s worst batch {worst} ms", events.len() as f64 / t.elapsed().as_secs_f64());
    let t = Instant::now();
    let mut rebuild = fillstream_read_store::Rebuild::begin(&store, lives::INCARNATION).await.unwrap();
    for (batch, to) in &batches {
        rebuild.apply(batch, *to).await.unwrap();
    }
    println!("rebuild {:.0} events/s", events.len() as f64 / t.elapsed().as_secs_f64());
    let t = Instant::now();
    rebuild.close_in().await.unwrap().swap().await.unwrap();
    println!("swap and sweep {:?}", t.elapsed());
    let t = Instant::now();
    for n in 0..2000 {
        assert!(store.swap_events(lives::order(n)).await.unwrap().len() > 0);
    }
    println!("swap_events {:?} each", t.elapsed() / 2000);
    let t = Instant::now();
    println!("equal {} {:?}", store.dump().await.unwrap() == lives::expected(&events), t.elapsed());
}
