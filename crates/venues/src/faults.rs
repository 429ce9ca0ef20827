//! Faults on purpose: which can happen, how often, and dice that fall the same way in every run.

use std::{fmt, str::FromStr};

use fillstream_domain::VenueId;
use sha2::{Digest, Sha256};

/// Probabilities are given in thousandths: fine enough for rare faults, and integers.
const CERTAIN_PERMILLE: u16 = 1000;

/// Something that can go wrong at a simulated venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// `drop`: a send is accepted but never arrives. Rolled for each send anew.
    Drop,
    /// `lose_reply`: a send arrives, the answer is lost. Rolled for each send anew.
    LoseReply,
    /// `land_late`: a transaction lands at any time that is left of its life.
    LandLate,
    /// `revert`: a transaction lands reverted.
    Revert,
    /// `unknowable`: the venue never tells what became of a transaction.
    Unknowable,
    /// `quote_error`: no quote for this attempt of the order.
    QuoteError,
    /// `quote_late`: the quote for this attempt of the order comes a minute late.
    QuoteLate,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Drop,
        Self::LoseReply,
        Self::LandLate,
        Self::Revert,
        Self::Unknowable,
        Self::QuoteError,
        Self::QuoteLate,
    ];

    /// The name, as it stands in the settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::LoseReply => "lose_reply",
            Self::LandLate => "land_late",
            Self::Revert => "revert",
            Self::Unknowable => "unknowable",
            Self::QuoteError => "quote_error",
            Self::QuoteLate => "quote_late",
        }
    }
}

/// Frequency of each fault, in permille; by default none ever happens.
///
/// Written as `drop=100,lose_reply=50`: a name of [`Fault`], and 0 to 1000. What is not named does not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults([u16; Fault::ALL.len()]);

/// The text does not say how often which fault happens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultsError {
    /// A part without `=`.
    #[error("`{0}` must be written name=permille, such as drop=100")]
    Malformed(String),
    /// A name that no fault has.
    #[error("unknown fault `{0}`: must be one of {known}", known = Fault::ALL.map(Fault::name).join(", "))]
    Unknown(String),
    /// One name in two parts.
    #[error("fault `{0}` is given twice")]
    Twice(&'static str),
    /// No integer from 0 to 1000.
    #[error("`{1}` of fault `{0}` must be an integer from 0 to {CERTAIN_PERMILLE} (permille)")]
    OutOfRange(&'static str, String),
}

impl Faults {
    /// Frequency of `fault`, in permille.
    #[must_use]
    pub const fn permille(&self, fault: Fault) -> u16 {
        self.0[fault as usize]
    }
}

impl FromStr for Faults {
    type Err = FaultsError;

    fn from_str(text: &str) -> Result<Self, FaultsError> {
        let mut faults = Self::default();
        if text.trim().is_empty() {
            return Ok(faults);
        }
        let mut given = Vec::new();
        for part in text.split(',').map(str::trim) {
            let (name, value) =
                part.split_once('=').ok_or_else(|| FaultsError::Malformed(part.to_owned()))?;
            let fault = Fault::ALL.into_iter().find(|fault| fault.name() == name.trim());
            let fault = fault.ok_or_else(|| FaultsError::Unknown(name.trim().to_owned()))?;
            if given.contains(&fault) {
                return Err(FaultsError::Twice(fault.name()));
            }
            let permille = value.trim().parse().ok().filter(|permille| *permille <= CERTAIN_PERMILLE);
            faults.0[fault as usize] =
                permille.ok_or_else(|| FaultsError::OutOfRange(fault.name(), value.trim().to_owned()))?;
            given.push(fault);
        }
        Ok(faults)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let active = Fault::ALL.into_iter().filter(|fault| self.permille(*fault) > 0);
        for (place, fault) in active.enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{}={}", fault.name(), self.permille(fault))?;
        }
        Ok(())
    }
}

/// Decides which faults happen, by a hash of what is decided on: there is no state, so a run can be repeated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dice {
    pub(crate) seed: u64,
    pub(crate) venue: VenueId,
    pub(crate) faults: Faults,
}

impl Dice {
    /// True when `fault` strikes `subject` at its `nth` time.
    pub(crate) fn strikes(&self, fault: Fault, subject: &str, nth: u32) -> bool {
        let permille = self.faults.permille(fault);
        permille > 0
            && self.roll(fault.name(), subject, nth) % u64::from(CERTAIN_PERMILLE) < u64::from(permille)
    }

    /// An evenly spread number for `what` happens to `subject` at its `nth` time.
    pub(crate) fn roll(&self, what: &str, subject: &str, nth: u32) -> u64 {
        let text = format!("{}/{}/{what}/{subject}/{nth}", self.seed, self.venue);
        let digest = Sha256::digest(text.as_bytes());
        digest.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_read_back_as_written() {
        for (text, written) in [
            ("", ""),
            (" ", ""),
            ("drop=100,lose_reply=50", "drop=100,lose_reply=50"),
            (" unknowable = 1000 , land_late=0 ", "unknowable=1000"),
        ] {
            let faults: Faults = text.parse().unwrap();
            assert_eq!(faults.to_string(), written);
            assert_eq!(written.parse(), Ok(faults));
        }
    }

    #[test]
    fn refusals_name_the_part() {
        for (text, message) in [
            ("drop", "`drop` must be written name=permille, such as drop=100"),
            ("drop=1,", "`` must be written name=permille, such as drop=100"),
            (
                "dorp=1",
                "unknown fault `dorp`: must be one of drop, lose_reply, land_late, revert, unknowable, quote_error, quote_late",
            ),
            ("drop=1,drop=2", "fault `drop` is given twice"),
            ("drop=1001", "`1001` of fault `drop` must be an integer from 0 to 1000 (permille)"),
            ("revert=0.5", "`0.5` of fault `revert` must be an integer from 0 to 1000 (permille)"),
        ] {
            assert_eq!(text.parse::<Faults>().map_err(|error| error.to_string()), Err(message.to_owned()));
        }
    }

    #[test]
    fn dice_repeat_themselves_and_strike_as_often_as_told() {
        let dice = |seed, venue| Dice { seed, venue, faults: "drop=200".parse().unwrap() };
        let struck =
            |dice: Dice| (0..5000).filter(|n| dice.strikes(Fault::Drop, "tx", *n)).collect::<Vec<_>>();
        let first = struck(dice(1, VenueId::Raydium));
        assert_eq!(first, struck(dice(1, VenueId::Raydium)));
        assert_ne!(first, struck(dice(2, VenueId::Raydium)));
        assert_ne!(first, struck(dice(1, VenueId::Meteora)));
        assert!((900..1100).contains(&first.len()), "{} of 5000 at 200 permille", first.len());
    }
}
