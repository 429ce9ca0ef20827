use super::*;
use fillstream_domain::{Incarnation, Position, Seq};

use crate::token::Tokens;

const CHANNEL: MarketChannel = MarketChannel::Trades(None);
const INCARNATION: Incarnation = Incarnation::new(7);

fn at(seq: Seq, index: u32) -> Position {
    Position::new(seq, index)
}

fn told(at: Position, text: &str) -> Told {
    Told { at, last: false, tag: None, body: Body::Stored(format!(r#"{{"type":"x","text":"{text}"}}"#)) }
}

/// A channel that stood at 1, 0, with messages at these places behind it.
fn ring(places: &[(u64, u32)]) -> Ring {
    let mut ring = Ring::new(Some(at(Seq::new(1), 0)));
    for (seq, index) in places {
        ring.push(told(at(Seq::new(*seq), *index), ""));
    }
    ring
}

/// Places of the frames behind a place, each with the place that it names before it.
fn frames(ring: &mut Ring, after: Position) -> Vec<(Position, Position)> {
    let frames = ring.frames_behind(&CHANNEL, &Tokens::new(INCARNATION), after, usize::MAX).into_iter();
    let frames = frames.map(|(at, text)| {
        let message: serde_json::Value = serde_json::from_str(&text).unwrap();
        let index = u32::try_from(message["prev_index"].as_u64().unwrap()).unwrap();
        (at, Position { seq: Seq::new(message["prev_seq"].as_u64().unwrap()), index })
    });
    frames.collect()
}

#[test]
fn each_message_is_kept_once_and_names_the_one_before_it() {
    let places = [(3, 0), (3, 1), (5, 0), (7, 0)];
    let mut ring = ring(&places);
    // What is known already comes again, as behind a tail that was set up anew.
    for (seq, index) in [(7, 0), (3, 1), (1, 0), (0, 9)] {
        ring.push(told(at(Seq::new(seq), index), "again"));
    }
    let all: Vec<_> = [(1, 0)].iter().chain(&places).map(|(seq, index)| at(Seq::new(*seq), *index)).collect();
    for (place, after) in all.iter().enumerate() {
        let behind: Vec<_> = all[place..].windows(2).map(|pair| (pair[1], pair[0])).collect();
        assert_eq!(frames(&mut ring, *after), behind, "behind {after:?}");
        assert_eq!(ring.count_behind(*after), behind.len(), "behind {after:?}");
    }
    assert_eq!((ring.end(), ring.events()), (Some(at(Seq::new(7), 0)), 3));
}

#[test]
fn places_between_messages_are_found() {
    let ring = ring(&[(3, 0), (3, 1), (5, 0), (7, 0)]);
    for (place, stands_for, events_up_to, events_behind) in [
        (at(Seq::new(0), 0), None, 0, 3),
        (at(Seq::new(1), 0), Some(at(Seq::new(1), 0)), 0, 3),
        (at(Seq::new(2), 0), Some(at(Seq::new(1), 0)), 0, 3),
        (at(Seq::new(3), 0), Some(at(Seq::new(3), 0)), 1, 3),
        (at(Seq::new(4), 0), Some(at(Seq::new(3), 1)), 1, 2),
        (Position::after_all_of(Seq::new(5)), Some(at(Seq::new(5), 0)), 2, 1),
        (at(Seq::new(9), 0), Some(at(Seq::new(7), 0)), 3, 0),
    ] {
        assert_eq!(ring.at_or_before(place), stands_for, "{place:?}");
        assert_eq!(ring.events_up_to(place.seq), events_up_to, "{place:?}");
        assert_eq!(ring.events_behind(place, 0), events_behind, "{place:?}");
        assert_eq!(ring.events_behind(place, 2), events_behind.min(1), "{place:?}, but for the first two");
    }
}

#[test]
fn a_channel_whose_beginning_is_not_known_is_silent_until_it_is() {
    let mut ring = Ring::new(None);
    assert_eq!(ring.end(), None);
    ring.push(told(at(Seq::new(5), 0), ""));
    assert_eq!(
        (frames(&mut ring, at(Seq::new(0), 0)), ring.forgotten(at(Seq::new(0), 0))),
        (Vec::new(), None)
    );
    ring.begin(at(Seq::new(2), 4));
    ring.begin(at(Seq::new(3), 3));
    assert_eq!(
        frames(&mut ring, at(Seq::new(2), 4)),
        [(at(Seq::new(5), 0), at(Seq::new(2), 4))],
        "the first answer counts"
    );
}

#[test]
fn the_oldest_are_forgotten_by_number_and_by_size() {
    let few: Vec<_> = (2..).take(MAX_LINES).map(|seq| (seq, 0)).collect();
    let mut ring = ring(&few);
    assert_eq!(ring.forgotten(at(Seq::new(1), 0)), None, "as many as are kept");
    ring.push(told(at(Seq::new(90), 0), ""));
    assert_eq!(
        (ring.forgotten(at(Seq::new(1), 0)), ring.forgotten(at(Seq::new(2), 0))),
        (Some(at(Seq::new(2), 0)), None)
    );
    assert_eq!((ring.count_behind(at(Seq::new(0), 0)), ring.events()), (MAX_LINES, MAX_LINES as u64 + 1));
    // Two of these are more than a channel keeps, and the last one stays however large it is.
    let large = "x".repeat(MAX_BYTES / 2);
    for seq in [91, 92] {
        ring.push(told(at(Seq::new(seq), 0), &large));
        assert_eq!(ring.count_behind(at(Seq::new(0), 0)), 1, "{seq}");
    }
    assert_eq!(
        (ring.forgotten(at(Seq::new(90), 0)), ring.end()),
        (Some(at(Seq::new(91), 0)), Some(at(Seq::new(92), 0)))
    );
    ring.push(told(at(Seq::new(93), 0), ""));
    assert_eq!(ring.count_behind(at(Seq::new(0), 0)), 1, "what it takes is given back with it");
    ring.push(told(at(Seq::new(94), 0), ""));
    assert_eq!(ring.count_behind(at(Seq::new(0), 0)), 2);
}
