//! The proof of the join: a publisher, a tail that lags, replicas that are behind, sockets that come, resume and go,
//! in every order that dice can find. The order's channels, told from its events alone, are what each socket must
//! have been sent, each message once, each naming the one before it.

use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use std::sync::Arc;

use crate::{
    recent::Recent,
    token::{Family, Tokens},
    topic::Topic,
};
use fillstream_domain::{Incarnation, OrderId, Position, Seq, subject::SwapSubject, swap::SwapEvent};
use fillstream_event_log::Record;

#[path = "../tests/sockets/life.rs"]
mod life;

use life::Place;

const INCARNATION: Incarnation = Incarnation::new(7);
/// Steps after which the world stops moving at random and everything still under way is brought to its end.
const STEPS: usize = 160;

/// Rule that is switched off in a negative control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    Nothing,
    /// The gate: late live records are shown again.
    Gate,
    /// The check that a history reaches what is known.
    Floor,
    /// A resuming socket does not wait for the tail to reach its token.
    Reach,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Faults {
    missing: usize,
    twice: usize,
    out_of_order: usize,
    broken_chain: usize,
}

impl Faults {
    fn add(&mut self, more: Self) {
        self.missing += more.missing;
        self.twice += more.twice;
        self.out_of_order += more.out_of_order;
        self.broken_chain += more.broken_chain;
    }
}

/// Progress of the topic's owner with the history.
enum Loading {
    Idle,
    AskedFloor(u64),
    /// Events that were read, not handed over yet.
    Read {
        floor: Seq,
        history: Vec<Record>,
    },
}

struct Socket {
    family: Family,
    after: Position,
    begun: bool,
    gate: Position,
    told: Vec<Place>,
    faults: Faults,
}

struct World {
    dice: ChaCha8Rng,
    broken: Broken,
    order: OrderId,
    stream: Vec<(Record, SwapEvent)>,
    to_publish: Vec<SwapEvent>,
    next_seq: u64,
    /// Records that the tail has handed over, and that the replica has.
    tail: usize,
    replica: usize,
    tail_seq: Seq,
    recent: Recent,
    topic: Option<Topic>,
    loading: Loading,
    stale: u32,
    sockets: Vec<Socket>,
    gone: Vec<Socket>,
}

impl World {
    fn new(seed: u64, broken: Broken) -> Self {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let order = life::order(u128::from(seed));
        let mut kinds = vec!["placed"];
        for _ in 0..dice.random_range(0..4) {
            kinds.extend(life::FAILED_ATTEMPT);
        }
        kinds.extend(&life::GOOD[1..dice.random_range(1..=5)]);
        kinds.reverse();
        Self {
            broken,
            order,
            stream: Vec::new(),
            to_publish: kinds.into_iter().map(|kind| life::event(order, kind, "")).collect(),
            next_seq: dice.random_range(1..5),
            tail: 0,
            replica: 0,
            tail_seq: Seq::new(0),
            recent: Recent::default(),
            topic: None,
            loading: Loading::Idle,
            stale: 0,
            sockets: Vec::new(),
            gone: Vec::new(),
            dice,
        }
    }

    fn step(&mut self) {
        match self.dice.random_range(0..12) {
            0 | 1 => self.publish(),
            2 | 3 => self.deliver(),
            4 => self.replicate(),
            5..=7 => self.load(),
            8 => self.join(),
            9 | 10 => self.serve(),
            _ => self.part(),
        }
    }

    fn publish(&mut self) {
        let Some(event) = self.to_publish.pop() else { return };
        let seq = self.next_seq;
        // Other orders' events lie between.
        self.next_seq += self.dice.random_range(1..4);
        let payload = event.encode().into();
        let subject = life::subject(self.order, &event);
        let record = Record::new(Seq::new(seq), subject, 0, None, payload);
        self.stream.push((record, event));
    }

    fn deliver(&mut self) {
        let Some((record, _)) = self.stream.get(self.tail) else { return };
        let record = record.clone();
        self.tail += 1;
        self.tail_seq = record.seq;
        match &mut self.topic {
            Some(topic) => {
                topic.on_live(record);
            }
            None => {
                let subject = SwapSubject::parse(&record.subject).unwrap();
                self.recent.remember(subject, record, 8, 1 << 20);
            }
        }
    }

    fn replicate(&mut self) {
        self.replica = self.dice.random_range(self.replica..=self.stream.len());
    }

    /// One step of reading the history, as [`crate::Hub`] does it: the floor from the leader, a read, then it is
    /// handed over; when it is stale again, and from the leader in the end.
    fn load(&mut self) {
        let Some(topic) = &mut self.topic else { return };
        if topic.is_loaded() {
            return;
        }
        self.loading = match std::mem::replace(&mut self.loading, Loading::Idle) {
            Loading::Idle => {
                Loading::AskedFloor(self.stream.last().map_or(0, |(record, _)| record.seq.get()))
            }
            Loading::AskedFloor(floor) => {
                let upto = if self.stale > 3 { self.stream.len() } else { self.replica };
                let history = self.stream[..upto].iter().map(|(record, _)| record.clone()).collect();
                Loading::Read { floor: Seq::new(floor), history }
            }
            Loading::Read { floor, history } => match topic.on_history(&history, floor) {
                Ok(()) => Loading::Idle,
                Err(_) => {
                    self.stale += 1;
                    Loading::AskedFloor(floor.get())
                }
            },
        };
    }

    /// A new socket, one that resumes behind what another one saw here, or one that comes from another process,
    /// whose tail may be ahead of this one's.
    fn join(&mut self) {
        if self.stream.is_empty() || self.sockets.len() >= 4 {
            return;
        }
        let families = [Family::Progress, Family::Status];
        let mut family = *families.choose(&mut self.dice).unwrap();
        let mut after = Position::START;
        if self.dice.random_bool(0.3) {
            let (seq, index) = *self.channel(family).choose(&mut self.dice).unwrap();
            after = Position::new(Seq::new(seq), index);
        } else if self.dice.random_bool(0.5)
            && let Some(earlier) = self.gone.choose(&mut self.dice)
        {
            (family, after) = (earlier.family, earlier.gate);
        }
        if self.topic.is_none() {
            self.topic = Some(self.new_topic());
            (self.loading, self.stale) = (Loading::Idle, 0);
        }
        let (told, faults) = (Vec::new(), Faults::default());
        self.sockets.push(Socket { family, after, begun: false, gate: after, told, faults });
    }

    fn new_topic(&mut self) -> Topic {
        let mut topic = Topic::new(self.order, Arc::new(Tokens::new(INCARNATION)));
        topic.without_gate = self.broken == Broken::Gate;
        topic.without_floor = self.broken == Broken::Floor;
        if let Some(history) = self.recent.take(self.order) {
            topic.on_history(&history, Seq::new(0)).unwrap();
        }
        topic
    }

    /// A socket begins, or is sent some of what is behind its gate.
    fn serve(&mut self) {
        if self.sockets.is_empty() {
            return;
        }
        let socket = self.dice.random_range(0..self.sockets.len());
        let max = self.dice.random_range(1..8);
        self.serve_one(socket, max);
    }

    fn serve_one(&mut self, socket: usize, max: usize) {
        let (Some(topic), socket) = (&mut self.topic, &mut self.sockets[socket]) else { return };
        let reached = self.tail_seq >= socket.after.seq || self.broken == Broken::Reach;
        if !topic.is_loaded() || !reached {
            return;
        }
        if !socket.begun {
            socket.begin(topic);
            return;
        }
        for (position, frame) in topic.frames_behind(socket.family, socket.gate, max) {
            socket.take(position, &serde_json::from_str(&frame).unwrap());
        }
    }

    /// A socket goes; the last one takes the topic with it.
    fn part(&mut self) {
        if self.sockets.is_empty() || self.dice.random_bool(0.5) {
            return;
        }
        let gone = self.sockets.swap_remove(self.dice.random_range(0..self.sockets.len()));
        self.gone.push(gone);
        if self.sockets.is_empty() {
            self.topic = None;
        }
    }

    /// Events that the stream holds for a channel.
    fn channel(&self, family: Family) -> Vec<Place> {
        let events = self.stream.iter().map(|(record, event)| (record.seq.get(), event));
        life::places(events, family == Family::Progress)
    }

    /// Everything still under way comes to its end.
    fn settle(&mut self) {
        while !self.to_publish.is_empty() {
            self.publish();
        }
        while self.tail < self.stream.len() {
            self.deliver();
        }
        self.replica = self.stream.len();
        for _ in 0..12 {
            self.load();
        }
        for socket in 0..self.sockets.len() {
            for _ in 0..3 {
                self.serve_one(socket, usize::MAX);
            }
        }
    }

    fn verdict(mut self) -> Faults {
        self.settle();
        let mut faults = Faults::default();
        for socket in &self.sockets {
            faults.add(socket.judge(&self.channel(socket.family), true));
        }
        for socket in &self.gone {
            faults.add(socket.judge(&self.channel(socket.family), false));
        }
        faults
    }
}

impl Socket {
    fn begin(&mut self, topic: &Topic) {
        let backfill: Value = serde_json::from_str(&topic.backfill(self.family, self.after)).unwrap();
        for entry in backfill["logs"].as_array().unwrap() {
            self.told.push(place(entry, "seq", "index"));
        }
        let end = place(&backfill, "seq", "index");
        let last = self.told.last().copied().unwrap_or((self.after.seq.get(), self.after.index));
        self.faults.broken_chain += usize::from(end != last);
        self.gate = topic.end(self.family);
        self.begun = true;
    }

    fn take(&mut self, position: Position, message: &Value) {
        let at = place(message, "seq", "index");
        assert_eq!(at, (position.seq.get(), position.index), "{message}");
        let before = place(message, "prev_seq", "prev_index");
        self.faults.broken_chain += usize::from(before != (self.gate.seq.get(), self.gate.index));
        self.told.push(at);
        self.gate = position;
    }

    /// Compares what was sent with what the channel holds.
    fn judge(&self, channel: &[Place], stayed: bool) -> Faults {
        let after = (self.after.seq.get(), self.after.index);
        let mut wanted: Vec<Place> = channel.iter().copied().filter(|place| *place > after).collect();
        if !stayed {
            // It was sent all up to where it left.
            wanted.retain(|place| self.begun && *place <= (self.gate.seq.get(), self.gate.index));
        }
        let mut faults = self.faults;
        faults.out_of_order += self.told.windows(2).filter(|pair| pair[1] < pair[0]).count();
        let mut told = self.told.clone();
        told.sort_unstable();
        faults.twice += told.windows(2).filter(|pair| pair[1] == pair[0]).count();
        faults.twice += told.iter().filter(|place| **place <= after).count();
        faults.missing += wanted.iter().filter(|place| told.binary_search(place).is_err()).count();
        faults
    }
}

fn place(message: &Value, seq: &str, index: &str) -> Place {
    let number = |name: &str| message[name].as_u64().unwrap_or_else(|| panic!("{name} in {message}"));
    (number(seq), u32::try_from(number(index)).unwrap())
}

fn run(seed: u64, broken: Broken) -> Faults {
    let mut world = World::new(seed, broken);
    for _ in 0..STEPS {
        world.step();
    }
    world.verdict()
}

fn run_all(seeds: u64, broken: Broken) -> Faults {
    let mut all = Faults::default();
    for seed in 0..seeds {
        all.add(run(seed, broken));
    }
    all
}

#[test]
fn ten_thousand_interleavings_without_a_fault() {
    for seed in 0..10_000 {
        assert_eq!(run(seed, Broken::Nothing), Faults::default(), "seed {seed}");
    }
}

#[test]
fn without_the_gate_there_are_duplicates() {
    let faults = run_all(1000, Broken::Gate);
    assert!(faults.twice > 0, "{faults:?}");
}

#[test]
fn without_the_floor_a_replica_that_is_behind_leaves_holes() {
    let faults = run_all(1000, Broken::Floor);
    assert!(faults.missing > 0, "{faults:?}");
}

#[test]
fn a_token_that_is_ahead_of_the_tail_breaks_the_chain_of_who_does_not_wait() {
    let faults = run_all(1000, Broken::Reach);
    assert!(faults.broken_chain > 0, "{faults:?}");
}

/// Each kind of event in the world does happen; else the proof would prove little.
#[test]
fn the_dice_reach_every_corner() {
    let (mut resumed, mut stale, mut late, mut recent, mut sent) = (0, 0, 0, 0, 0);
    for seed in 0..1000 {
        let mut world = World::new(seed, Broken::Nothing);
        for _ in 0..STEPS {
            let had_topic = world.topic.is_some();
            world.step();
            recent += u32::from(!had_topic && world.topic.as_ref().is_some_and(Topic::is_loaded));
            late += u32::from(world.topic.is_some() && world.tail + 2 < world.stream.len());
        }
        stale += world.stale;
        world.settle();
        let sockets = || world.sockets.iter().chain(&world.gone);
        resumed += sockets().filter(|socket| socket.begun && socket.after > Position::START).count();
        sent += sockets().map(|socket| socket.told.len()).sum::<usize>();
    }
    println!("resumed {resumed}, stale {stale}, late {late}, recent {recent}, sent {sent}");
    assert!(resumed > 100 && stale > 100 && late > 100 && recent > 100 && sent > 10_000);
}
