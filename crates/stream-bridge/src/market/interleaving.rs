//! The proof of the join: a matcher, a tail that lags, a projection that lags behind that, sockets that come, resume and
//! go, in every order that dice can find. What the log says of a channel is what each socket must have been sent, each
//! message once, each naming the one before it.

use std::{collections::HashSet, sync::Arc};

use fillstream_domain::{Incarnation, Position, Seq, Timestamp, book::Side};
use fillstream_event_log::{After as Begin, EventLog, MemoryLog};
use futures_util::FutureExt;
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tokio::task::unconstrained;

use crate::{
    hub::Hub,
    market::{
        MarketTail,
        channel::{MarketChannel, MarketStream},
        feed::Seat,
        frame,
        registry::Markets,
        ring::MAX_LINES,
    },
    settings::Settings,
    token::After,
};

#[path = "../../tests/market/flow.rs"]
#[allow(dead_code, reason = "the other suite uses all of it")]
pub(super) mod flow;
#[path = "../../tests/market/stored.rs"]
#[allow(dead_code, reason = "the other suite uses all of it")]
pub(super) mod stored;

use flow::{commit, created, levels, lot, outcome, parts, record, trade};
use stored::Stored;

const INCARNATION: Incarnation = Incarnation::new(7);
const MARKETS: [&str; 2] = ["BTC/USDT", "ETH/USDT"];
/// Steps after which everything still under way is brought to its end.
const STEPS: usize = 120;

/// Rule that is switched off in a negative control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    Nothing,
    /// Nobody waits for the store to have come far enough.
    Store,
    /// A channel begins where the stream ends, not where the tail is.
    Since,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Faults {
    missing: usize,
    twice: usize,
    broken_chain: usize,
}

struct Socket {
    seat: Seat,
    /// Place that it asked to be resumed after.
    after: Option<Position>,
    /// Place of the channel when the seat was taken, as the log says.
    owed_from: Position,
    from: Option<Position>,
    gate: Option<Position>,
    told: Vec<Position>,
    broken_chain: usize,
}

struct World {
    dice: ChaCha8Rng,
    broken: Broken,
    log: MemoryLog,
    stored: Stored,
    hub: Arc<Hub>,
    markets: Arc<Markets>,
    tail: MarketTail,
    /// Records that the tail has handed over.
    handed: Seq,
    stored_up_to: Seq,
    orders: u128,
    sockets: Vec<Socket>,
    gone: Vec<Socket>,
    /// Corners that were reached.
    from_store: usize,
}

impl World {
    async fn new(seed: u64, broken: Broken) -> Self {
        let log = MemoryLog::new(INCARNATION);
        for market in MARKETS {
            log.append_now(record(&commit(market, Vec::new())));
        }
        let stored = Stored::new(log.clone());
        let told = if broken == Broken::Store { stored.clone().claiming_all() } else { stored.clone() };
        let clock = || Timestamp::from_unix_ms(0);
        let hub = Hub::with_markets(Arc::new(log.clone()), Arc::new(told), Settings::default(), clock);
        let markets = Arc::clone(hub.markets.as_ref().unwrap());
        stored.hold_at(2);
        markets.load(INCARNATION, 0).await.unwrap();
        let (dice, tail) = (ChaCha8Rng::seed_from_u64(seed), MarketTail::default());
        let (handed, stored_up_to) = (2, 2);
        let (sockets, gone) = (Vec::new(), Vec::new());
        Self {
            dice,
            broken,
            log,
            stored,
            hub,
            markets,
            tail,
            handed: Seq::new(handed),
            stored_up_to: Seq::new(stored_up_to),
            orders: 0,
            sockets,
            gone,
            from_store: 0,
        }
    }

    async fn step(&mut self) {
        match self.dice.random_range(0..12) {
            0..3 => self.publish(),
            3..6 => self.hand_over().await,
            6..8 => self.project(),
            8 => self.join().await,
            9..11 => self.serve_any().await,
            _ => self.part(),
        }
    }

    /// A commit of one to three parts, with orders of three users.
    fn publish(&mut self) {
        let market = MARKETS.choose(&mut self.dice).unwrap();
        let count = self.dice.random_range(1..=3);
        let mut outcomes = Vec::new();
        for _ in 0..count {
            let mut changes = Vec::new();
            for _ in 0..self.dice.random_range(0..4) {
                self.orders += 2;
                let mut of = |side| {
                    lot(
                        self.orders + u128::from(side == Side::Buy),
                        self.dice.random_range(1..=3),
                        side,
                        100,
                        1,
                    )
                };
                let (maker, taker) = (of(Side::Sell), of(Side::Buy));
                changes.push(created(maker));
                if self.dice.random_bool(0.5) {
                    changes.extend([created(taker), trade(maker.filled(1), taker.filled(1), 1)]);
                }
            }
            outcomes.push(outcome(changes, levels(&[], &[])));
        }
        for part in parts(market, outcomes) {
            self.log.append_now(record(&part));
        }
    }

    /// The tail takes the next record in.
    async fn hand_over(&mut self) {
        let Some(record) = self.next_record().await else { return };
        self.handed = record.seq;
        self.tail.take_in(&self.markets, &self.log, &record).await;
        self.hub.set_position(self.tail.position(self.handed));
    }

    async fn next_record(&self) -> Option<fillstream_event_log::Record> {
        let mut follow = self.log.follow(Begin::Seq(self.handed), None).await.unwrap();
        if follow.behind() == 0 { None } else { follow.next(1).await.unwrap().pop() }
    }

    /// The projection goes on, perhaps beyond the tail: it has one of its own.
    fn project(&mut self) {
        self.stored_up_to = self.stored_up_to.plus(self.dice.random_range(0..4));
        self.stored.hold_at(self.stored_up_to.get());
    }

    fn any_channel(&mut self) -> MarketChannel {
        let symbol = [None, Some(flow::symbol(MARKETS[0]))].choose(&mut self.dice).unwrap().clone();
        match self.dice.random_bool(0.6) {
            true => MarketChannel::Orders(flow::user(self.dice.random_range(1..=3)), symbol),
            false => MarketChannel::Trades(symbol),
        }
    }

    async fn join(&mut self) {
        let (channel, after) = match self.gone.choose(&mut self.dice) {
            Some(gone) if self.dice.random_bool(0.5) => (gone.seat.feed.channel.clone(), gone.gate),
            Some(_) | None => (self.any_channel(), None),
        };
        if self.broken == Broken::Since {
            let last = self.log.info().await.unwrap().last_seq;
            self.markets.pretend_position(last);
        }
        let seat = self.markets.watch(&self.hub, &channel).unwrap();
        let from = seat.feed.ring.lock().end();
        // Everything that the tail hands out from now on is owed.
        let owed_from = Position::after_all_of(self.tail.position(self.handed));
        let (told, broken_chain) = (Vec::new(), 0);
        self.sockets.push(Socket { seat, after, owed_from, from, gate: None, told, broken_chain });
    }

    async fn serve_any(&mut self) {
        if !self.sockets.is_empty() {
            let socket = self.dice.random_range(0..self.sockets.len());
            let max = self.dice.random_range(1..6);
            self.serve(socket, max).await;
        }
    }

    /// A socket begins, or is sent some of what is behind its gate; nothing happens when it has to wait.
    async fn serve(&mut self, socket: usize, max: usize) {
        let socket = &mut self.sockets[socket];
        let feed = Arc::clone(&socket.seat.feed);
        let Some(gate) = socket.gate else {
            let Some(beginning) = self.markets.beginning(&feed).now_or_never() else { return };
            socket.gate = match socket.after {
                None => Some(socket.from.unwrap_or(beginning)),
                Some(after) => {
                    let found =
                        self.markets.resumable(&self.hub, &feed, After::Position(after)).now_or_never();
                    found.map(|found| found.expect("it was told before"))
                }
            };
            return;
        };
        let forgotten = feed.ring.lock().forgotten(gate);
        let frames = match forgotten {
            None => feed.ring.lock().frames_behind(&feed.channel, &self.hub.tokens, gate, max),
            Some(up_to) => {
                let Some(history) = self.markets.stored(up_to.seq).now_or_never() else { return };
                self.from_store += 1;
                let mut previous = gate;
                let mut frames = Vec::new();
                for told in history.page(&feed.channel, gate, up_to, max).await.unwrap() {
                    frames.push((
                        told.at,
                        frame::live(&feed.channel, &self.hub.tokens, &told, previous).into(),
                    ));
                    previous = told.at;
                }
                if frames.is_empty() {
                    // A hole, which a socket would tell; here it is found by what is missing.
                    socket.gate = Some(up_to);
                }
                frames
            }
        };
        for (at, frame) in frames {
            let message: Value = serde_json::from_str(&frame).unwrap();
            let named = (message["prev_seq"].as_u64(), message["prev_index"].as_u64());
            let gate = socket.gate.replace(at).unwrap();
            socket.broken_chain += usize::from(named != (Some(gate.seq.get()), Some(gate.index.into())));
            socket.told.push(at);
        }
    }

    fn part(&mut self) {
        if !self.sockets.is_empty() && self.dice.random_bool(0.5) {
            let gone = self.dice.random_range(0..self.sockets.len());
            self.gone.push(self.sockets.swap_remove(gone));
            // Its place is given up: only what it was told is kept.
            if let Some(gone) = self.gone.last_mut() {
                let seat = &gone.seat;
                let kept = crate::market::feed::Feed::new(seat.feed.channel.clone(), Seq::new(0), None);
                let seat = Seat {
                    feed: kept,
                    hub: Arc::clone(&seat.hub),
                    markets: Arc::clone(&seat.markets),
                    book: None,
                    history: seat.history,
                };
                seat.feed.sockets.store(1, std::sync::atomic::Ordering::Relaxed);
                drop(std::mem::replace(&mut gone.seat, seat));
            }
        }
    }

    async fn verdict(mut self) -> (Faults, usize) {
        while self.next_record().await.is_some() {
            self.hand_over().await;
        }
        self.stored.hold_at(u64::MAX);
        let mut faults = Faults::default();
        for socket in 0..self.sockets.len() {
            for _ in 0..20 {
                self.serve(socket, 50).await;
            }
        }
        for (socket, stayed) in
            self.sockets.iter().map(|one| (one, true)).chain(self.gone.iter().map(|one| (one, false)))
        {
            let channel = self.stored.channel(&socket.seat.feed.channel).await;
            let from = socket.after.unwrap_or(socket.owed_from);
            let up_to = if stayed { Position::after_all_of(Seq::MAX) } else { socket.gate.unwrap_or(from) };
            let owed = channel.iter().map(|told| told.at).filter(|at| *at > from && *at <= up_to);
            faults.missing += owed.filter(|at| !socket.told.contains(at)).count();
            faults.twice += socket.told.windows(2).filter(|pair| pair[1] <= pair[0]).count();
            faults.twice += socket.told.iter().filter(|at| **at <= from && socket.after.is_some()).count();
            faults.broken_chain += socket.broken_chain;
        }
        let Self { markets, sockets, gone, from_store, .. } = self;
        let channels = sockets.iter().map(|socket| &socket.seat.feed.channel);
        let of_users: HashSet<_> =
            channels.filter(|channel| channel.stream() == MarketStream::Orders).collect();
        assert_eq!(markets.user_channels(), of_users.len(), "sockets share their channels");
        drop((sockets, gone));
        assert_eq!(markets.user_channels(), 0, "a user's channel goes with its last socket");
        (faults, from_store)
    }
}

async fn run(seed: u64, broken: Broken) -> (Faults, usize) {
    // Else the runtime has everything wait now and then, to be fair.
    unconstrained(async {
        let mut world = World::new(seed, broken).await;
        for _ in 0..STEPS {
            world.step().await;
        }
        world.verdict().await
    })
    .await
}

async fn run_all(seeds: u64, broken: Broken) -> Faults {
    let mut all = Faults::default();
    for seed in 0..seeds {
        let (faults, _) = run(seed, broken).await;
        all.missing += faults.missing;
        all.twice += faults.twice;
        all.broken_chain += faults.broken_chain;
    }
    all
}

#[tokio::test]
async fn five_hundred_interleavings_without_a_fault() {
    let mut from_store = 0;
    for seed in 0..500 {
        let (faults, read) = run(seed, Broken::Nothing).await;
        assert_eq!(faults, Faults::default(), "seed {seed}");
        from_store += read;
    }
    assert!(from_store > 300, "the store is read: {from_store}; a channel keeps {MAX_LINES}");
}

#[tokio::test]
async fn who_does_not_wait_for_the_store_has_holes() {
    let faults = run_all(100, Broken::Store).await;
    assert!(faults.missing > 0 || faults.broken_chain > 0, "{faults:?}");
}

#[tokio::test]
async fn a_channel_that_begins_ahead_of_the_tail_breaks() {
    let faults = run_all(100, Broken::Since).await;
    assert!(faults.missing > 0 || faults.broken_chain > 0, "{faults:?}");
}
