//! Positions and resume tokens.
//!
//! A token is `base64url(version | incarnation | channel | seq | index | checksum)`: 33 bytes, 44 characters, the
//! same for every client, granting nothing. The checksum tells a typing error from a token of elsewhere.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use fillstream_domain::{Incarnation, OrderId, Position, Seq};

/// Which of the two streams of an order.
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

/// What a client asks to be resumed after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// A position of this channel.
    Position(Position),
    /// A token of another channel or another stream.
    Foreign(&'static str),
}

/// The text is neither a token nor a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a token that a message carried, or a sequence")]
pub struct NotAToken;

const VERSION: u8 = 1;
const LENGTH: usize = 1 + 8 + 8 + 8 + 4 + 4;

impl Channel {
    /// The token of a position on this channel, in a stream of this incarnation.
    #[must_use]
    pub fn token(&self, incarnation: Incarnation, position: Position) -> String {
        token(self.mark(), incarnation, position)
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
pub(crate) fn token(mark: u64, incarnation: Incarnation, position: Position) -> String {
    let mut bytes = Vec::with_capacity(LENGTH);
    bytes.push(VERSION);
    bytes.extend(incarnation.get().to_be_bytes());
    bytes.extend(mark.to_be_bytes());
    bytes.extend(position.seq.get().to_be_bytes());
    bytes.extend(position.index.to_be_bytes());
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
    if bytes.len() != LENGTH || body[0] != VERSION || crc32fast::hash(body) != u32::from_be_bytes(*checksum) {
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
    Ok(After::Position(Position::new(Seq::new(number(17)?), index)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INCARNATION: Incarnation = Incarnation::new(7);

    fn channel(family: Family) -> Channel {
        Channel { order: "0198c0de-7a5e-7c3a-9f00-3f2a1b4c5d6e".parse().unwrap(), family }
    }

    #[test]
    fn a_token_names_its_position() {
        let channel = channel(Family::Progress);
        let position = Position::new(Seq::new(4711), 1);
        let token = channel.token(INCARNATION, position);
        assert_eq!(token.len(), 44);
        assert_eq!(channel.after(INCARNATION, &token), Ok(After::Position(position)));
        assert_eq!(
            channel.after(INCARNATION, "4711"),
            Ok(After::Position(Position::after_all_of(Seq::new(4711))))
        );
    }

    #[test]
    fn tokens_of_elsewhere_are_recognized() {
        let token = channel(Family::Progress).token(INCARNATION, Position::START);
        assert_eq!(channel(Family::Status).after(INCARNATION, &token), Ok(After::Foreign("other_channel")));
        assert_eq!(
            channel(Family::Progress).after(Incarnation::new(8), &token),
            Ok(After::Foreign("other_stream"))
        );
    }

    #[test]
    fn anything_else_is_no_token() {
        let channel = channel(Family::Progress);
        let good = channel.token(INCARNATION, Position::new(Seq::new(1), 0));
        let mut typo = good.clone().into_bytes();
        typo[20] = if typo[20] == b'A' { b'B' } else { b'A' };
        let typo = String::from_utf8(typo).unwrap();
        for bad in ["", "abc", "-1", "1.5", "99999999999999999999999", &good[..40], &typo, "AAAA", "日本"] {
            assert_eq!(channel.after(INCARNATION, bad), Err(NotAToken), "{bad:?}");
        }
    }
}
