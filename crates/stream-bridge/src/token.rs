//! Positions and resume tokens.
//!
//! ```text
//!  version 2   base64url(2 | incarnation | channel | seq | index | tag | checksum)   41 bytes, 55 characters
//!  version 1   the same without `tag`                                                 33 bytes, 44 characters: still read
//! ```
//! A token is the same for every client and grants nothing. `tag` is 64 bits of the id of the record at `seq`, so that a
//! stream which was put back is told from the one that the client has seen; 0 where it is not known. The checksum tells a
//! typing error from a token of elsewhere.

use std::collections::{BTreeMap, VecDeque};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use fillstream_domain::{Incarnation, OrderId, Position, RecordRef, Seq};
use parking_lot::RwLock;

/// Kind of an order's stream: one of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// Every step with its progress.
    Progress,
    /// One message per change of status.
    Status,
}

/// A channel: a family's stream of one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Channel {
    /// Whose.
    pub order: OrderId,
    /// Which.
    pub family: Family,
}

/// Place that a client asks to be resumed after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// A position of this channel; which record its sequence was is not known.
    Position(Position),
    /// A position of this channel, and the tag of the record at its sequence.
    Proved(Position, u64),
    /// A token of another channel or another stream.
    Foreign(&'static str),
}

impl After {
    /// The position; nothing for a token of elsewhere.
    #[must_use]
    pub const fn position(self) -> Option<Position> {
        match self {
            Self::Position(position) | Self::Proved(position, _) => Some(position),
            Self::Foreign(_) => None,
        }
    }
}

/// The text is neither a token nor a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a token that a message carried, or a sequence")]
pub struct NotAToken;

const VERSION: u8 = 2;
const LENGTH: usize = 1 + 8 + 8 + 8 + 4 + 8 + 4;
const OLD_VERSION: u8 = 1;
const OLD_LENGTH: usize = LENGTH - 8;

/// Instead of a tag: which record it is, is not known.
pub(crate) const UNKNOWN: u64 = 0;

/// Records of the tail whose tags are kept: a minute of a busy stream. Frames are made soon after their records come.
const TAIL_TAGS: usize = 65_536;
/// Records read from histories whose tags are kept.
const READ_TAGS: usize = 65_536;

/// Maker of tokens: which stream this is, and which records were seen of it.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) incarnation: Incarnation,
    tags: RwLock<Tags>,
}

#[derive(Debug, Default)]
struct Tags {
    /// Of the tail, in order.
    tail: VecDeque<(Seq, u64)>,
    /// Of histories and rows, in no order.
    read: BTreeMap<Seq, u64>,
}

impl Tokens {
    pub(crate) fn new(incarnation: Incarnation) -> Self {
        Self { incarnation, tags: RwLock::default() }
    }

    /// The tail has given this record.
    pub(crate) fn follow(&self, record: RecordRef) {
        let mut tags = self.tags.write();
        tags.tail.push_back((record.seq, record.id.tag()));
        if tags.tail.len() > TAIL_TAGS {
            tags.tail.pop_front();
        }
    }

    /// The record at this sequence was read.
    pub(crate) fn learn(&self, seq: Seq, tag: u64) {
        let mut tags = self.tags.write();
        tags.read.insert(seq, tag);
        if tags.read.len() > READ_TAGS {
            tags.read.pop_first();
        }
    }

    /// The token of a position on the channel with this mark.
    pub(crate) fn token(&self, mark: u64, position: Position) -> String {
        token(mark, self.incarnation, position, self.tag(position.seq).unwrap_or(UNKNOWN))
    }

    /// Nothing of what was seen holds any more.
    pub(crate) fn forget(&self) {
        *self.tags.write() = Tags::default();
    }

    /// The tag of the record at this sequence, if it is known.
    pub(crate) fn tag(&self, seq: Seq) -> Option<u64> {
        let tags = self.tags.read();
        let (front, back) = tags.tail.as_slices();
        let found = [front, back].into_iter().find_map(|run| {
            let at = run.binary_search_by_key(&seq, |(seq, _)| *seq).ok()?;
            run.get(at).map(|(_, tag)| *tag)
        });
        found.or_else(|| tags.read.get(&seq).copied())
    }
}

impl Channel {
    /// The token of a position on this channel, in a stream of this incarnation; of which record is not said.
    #[must_use]
    pub fn token(&self, incarnation: Incarnation, position: Position) -> String {
        token(self.mark(), incarnation, position, UNKNOWN)
    }

    /// The token of a position on this channel, proved as far as its record is known.
    pub(crate) fn token_in(&self, tokens: &Tokens, position: Position) -> String {
        tokens.token(self.mark(), position)
    }

    /// Reads what a client gave as `after`: a token, or a bare sequence.
    ///
    /// # Errors
    /// When it is neither.
    pub fn after(&self, incarnation: Incarnation, text: &str) -> Result<After, NotAToken> {
        after(self.mark(), incarnation, text)
    }

    /// A number that other channels do not share, but for an accident of 64 bits.
    fn mark(&self) -> u64 {
        let (high, low) = self.order.uuid().as_u64_pair();
        let family = match self.family {
            Family::Progress => 0x9e37_79b9_7f4a_7c15,
            Family::Status => 0xc2b2_ae3d_27d4_eb4f,
        };
        (high.rotate_left(29) ^ low).wrapping_mul(family)
    }
}

/// The token of a position on the channel with this mark.
pub(crate) fn token(mark: u64, incarnation: Incarnation, position: Position, tag: u64) -> String {
    let mut bytes = Vec::with_capacity(LENGTH);
    bytes.push(VERSION);
    bytes.extend(incarnation.get().to_be_bytes());
    bytes.extend(mark.to_be_bytes());
    bytes.extend(position.seq.get().to_be_bytes());
    bytes.extend(position.index.to_be_bytes());
    bytes.extend(tag.to_be_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads what a client of the channel with this mark gave as `after`.
///
/// # Errors
/// When it is neither a token nor a bare sequence.
pub(crate) fn after(mark: u64, incarnation: Incarnation, text: &str) -> Result<After, NotAToken> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let seq = text.parse().map_err(|_| NotAToken)?;
        return Ok(After::Position(Position::after_all_of(seq)));
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| NotAToken)?;
    let (body, checksum) = bytes.split_last_chunk::<4>().ok_or(NotAToken)?;
    let known = match body.first() {
        Some(&VERSION) => bytes.len() == LENGTH,
        Some(&OLD_VERSION) => bytes.len() == OLD_LENGTH,
        Some(_) | None => false,
    };
    if !known || crc32fast::hash(body) != u32::from_be_bytes(*checksum) {
        return Err(NotAToken);
    }
    let number = |at: usize| body[at..at + 8].try_into().map(u64::from_be_bytes).map_err(|_| NotAToken);
    let index = body[25..29].try_into().map(u32::from_be_bytes).map_err(|_| NotAToken)?;
    if number(1)? != incarnation.get() {
        return Ok(After::Foreign("other_stream"));
    }
    if number(9)? != mark {
        return Ok(After::Foreign("other_channel"));
    }
    let position = Position::new(Seq::new(number(17)?), index);
    let tag = if body[0] == OLD_VERSION { UNKNOWN } else { number(29)? };
    Ok(if tag == UNKNOWN { After::Position(position) } else { After::Proved(position, tag) })
}

#[cfg(test)]
mod tests {
    use fillstream_domain::RecordId;

    use super::*;

    const INCARNATION: Incarnation = Incarnation::new(7);

    fn channel(family: Family) -> Channel {
        Channel { order: "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e".parse().unwrap(), family }
    }

    #[test]
    fn a_token_names_its_position_and_its_record() {
        let (channel, tokens) = (channel(Family::Progress), Tokens::new(INCARNATION));
        let position = Position::new(Seq::new(4711), 1);
        let token = channel.token_in(&tokens, position);
        assert_eq!(token.len(), 55);
        assert_eq!(
            channel.after(INCARNATION, &token),
            Ok(After::Position(position)),
            "its record is not known"
        );
        let record = RecordRef { seq: position.seq, id: RecordId::Event(uuid::Uuid::from_u128(9)) };
        let followed: fn(&Tokens, RecordRef) = |tokens, it| tokens.follow(it);
        let read: fn(&Tokens, RecordRef) = |tokens, it| tokens.learn(it.seq, it.id.tag());
        for learn in [followed, read] {
            tokens.forget();
            learn(&tokens, record);
            let proved = After::Proved(position, record.id.tag());
            assert_eq!(channel.after(INCARNATION, &channel.token_in(&tokens, position)), Ok(proved));
        }
        assert_eq!(
            channel.after(INCARNATION, "4711"),
            Ok(After::Position(Position::after_all_of(Seq::new(4711))))
        );
    }

    /// As the first version made it, at sequence 4711, index 1, for the progress of the order above.
    #[test]
    fn an_old_token_is_still_read() {
        let channel = channel(Family::Progress);
        let mut bytes = vec![OLD_VERSION];
        bytes.extend(7_u64.to_be_bytes());
        bytes.extend(channel.mark().to_be_bytes());
        bytes.extend(4711_u64.to_be_bytes());
        bytes.extend(1_u32.to_be_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        let token = BASE64_URL_SAFE_NO_PAD.encode(&bytes);
        assert_eq!(token.len(), 44);
        let position = Position::new(Seq::new(4711), 1);
        assert_eq!(channel.after(INCARNATION, &token), Ok(After::Position(position)));
        bytes[0] = VERSION;
        let token = BASE64_URL_SAFE_NO_PAD.encode(&bytes);
        assert_eq!(channel.after(INCARNATION, &token), Err(NotAToken), "neither one nor the other");
    }

    #[test]
    fn tags_are_bounded() {
        let tokens = Tokens::new(INCARNATION);
        let id = RecordId::Event(uuid::Uuid::from_u128(9));
        for seq in (1..=TAIL_TAGS as u64 + 5).map(Seq::new) {
            tokens.follow(RecordRef { seq, id });
            tokens.learn(seq.plus(1_000_000), 1);
        }
        let known = |seq| tokens.tag(Seq::new(seq)).is_some();
        assert_eq!((known(5), known(6), known(TAIL_TAGS as u64 + 5)), (false, true, true));
        assert_eq!((known(1_000_005), known(1_000_006)), (false, true));
    }

    #[test]
    fn tokens_of_elsewhere_are_recognized() {
        let token = channel(Family::Progress).token_in(&Tokens::new(INCARNATION), Position::START);
        assert_eq!(channel(Family::Status).after(INCARNATION, &token), Ok(After::Foreign("other_channel")));
        assert_eq!(
            channel(Family::Progress).after(Incarnation::new(8), &token),
            Ok(After::Foreign("other_stream"))
        );
    }

    #[test]
    fn anything_else_is_no_token() {
        let channel = channel(Family::Progress);
        let good = channel.token_in(&Tokens::new(INCARNATION), Position::new(Seq::new(1), 0));
        let mut typo = good.clone().into_bytes();
        typo[20] = if typo[20] == b'A' { b'B' } else { b'A' };
        let typo = String::from_utf8(typo).unwrap();
        for bad in ["", "abc", "-1", "1.5", "99999999999999999999999", &good[..40], &typo, "AAAA", "日本"] {
            assert_eq!(channel.after(INCARNATION, bad), Err(NotAToken), "{bad:?}");
        }
    }
}
