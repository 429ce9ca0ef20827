//! Markets: defined by an event on a subject of their own.

use fillstream_domain::{
    Seq, Timestamp,
    book::{BookInput, Definition, DefinitionError, MOST_MAKERS, Symbol},
    subject::{ALL_DEFINITIONS, book_definition},
};
use fillstream_event_log::{AppendError, Consistency, EventLog, LogError, NewRecord};
use tracing::info;
use uuid::Uuid;

/// The markets of a stream that has none yet (CONTRACT.md).
const DEFAULT_MARKETS: [&str; 3] = ["BTC/USDT", "ETH/USDT", "SOL/USDC"];

/// Reasons why a definition was not written.
#[derive(Debug, thiserror::Error)]
pub enum DefineError {
    /// No market can have it.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// It counts in other units than the market does.
    #[error("{0} exists with another tick_size, lot_size or quote_decimals; these never change")]
    Units(Symbol),
    /// One input may cause too much.
    #[error("max_makers must be at most {MOST_MAKERS}")]
    MaxMakers,
    /// Somebody else has defined the market meanwhile.
    #[error("the market was defined by somebody else at the same time; look at it and try again")]
    Overtaken,
    /// The stream could not be written.
    #[error("the definition is not stored: {0}")]
    Append(AppendError),
    /// The stream could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// The definition that each market has now, with its sequence. What cannot be read is left out: its matcher parks it.
///
/// # Errors
/// When the stream cannot be asked.
pub async fn definitions(log: &dyn EventLog) -> Result<Vec<(Seq, Definition)>, LogError> {
    let records = log.last_of_each(ALL_DEFINITIONS).await?;
    let definition = |payload: &[u8]| match BookInput::decode(payload).ok()? {
        BookInput::Definition(definition) => Some(definition),
        BookInput::Placed(_)
        | BookInput::AmendRequested(_)
        | BookInput::CancelRequested(_)
        | BookInput::Clock(_) => None,
    };
    Ok(records.iter().filter_map(|record| Some((record.seq, definition(&record.payload)?))).collect())
}

/// Writes a market's definition; returns its sequence, or nothing when that is what the market has already.
///
/// # Errors
/// See [`DefineError`]; nothing is stored then.
pub async fn define(log: &dyn EventLog, definition: Definition) -> Result<Option<Seq>, DefineError> {
    definition.check()?;
    if definition.max_makers > MOST_MAKERS {
        return Err(DefineError::MaxMakers);
    }
    let subject = book_definition(&definition.symbol);
    let last = log.last(&subject, Consistency::Leader).await?;
    let after = last.as_ref().map_or(Seq::ZERO, |record| record.seq);
    if let Some(Ok(BookInput::Definition(now))) = last.map(|record| BookInput::decode(&record.payload)) {
        if !definition.has_units_of(&now) {
            return Err(DefineError::Units(definition.symbol));
        }
        if (Definition { at: now.at, ..definition.clone() }) == now {
            return Ok(None);
        }
    }
    write(log, definition, after).await.map(Some)
}

async fn write(log: &dyn EventLog, definition: Definition, after: Seq) -> Result<Seq, DefineError> {
    let subject = book_definition(&definition.symbol);
    let time = definition.at.to_string();
    let input = BookInput::Definition(definition);
    let record = NewRecord {
        subject,
        after,
        event_id: Uuid::now_v7(),
        event_type: input.event_type().cloud_event_type(),
        time,
        traceparent: None,
        retries: None,
        payload: input.encode().into(),
    };
    match log.append(record).await {
        Ok(seq) => Ok(seq),
        Err(AppendError::Fenced { .. }) => Err(DefineError::Overtaken),
        Err(
            error @ (AppendError::Full(_)
            | AppendError::Refused(_)
            | AppendError::Unknown
            | AppendError::Closed),
        ) => Err(DefineError::Append(error)),
    }
}

/// Gives a stream without any market the contract's. What an operator has defined is never changed.
pub(crate) async fn define_defaults(log: &dyn EventLog, at: Timestamp) -> Result<(), DefineError> {
    if !log.last_of_each(ALL_DEFINITIONS).await?.is_empty() {
        return Ok(());
    }
    for symbol in DEFAULT_MARKETS {
        let symbol: Symbol = symbol.parse().expect("written in this file");
        // Only where nothing is: the list of definitions may be a replica's that is behind.
        match write(log, Definition::standard(symbol.clone(), at), Seq::ZERO).await {
            Ok(_) => info!(%symbol, "the market is defined with the defaults"),
            // By another matcher that started at the same time, or by an operator.
            Err(DefineError::Overtaken) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
