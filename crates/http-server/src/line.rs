//! A connection's stream, which knows what it waits for and how long.
//!
//! ```text
//!  Opened ─ byte ─▶ Head ─ request ─▶ Busy ─ answer written ─▶ Idle ─ byte ─▶ Head …        Busy ─ 101 ─▶ Socket
//!    │ head          │ head             │ (body: Answering)      │ idle                            its own times
//!    ▼               ▼                                           ▼
//!   end             408, end                                    end
//! ```
//! However a connection ends, its peer may still be writing: closed at once, it would get a reset and lose what was said to
//! it last, an answer or a close code. So a line that is let go of shuts down its writing and reads on for a while.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use fillstream_http_edge::Unfinished;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    runtime::Handle,
    time::{Instant, Sleep, sleep_until, timeout},
};

use crate::{Times, places::Place};

/// Time for which a peer is read on from after the end.
const LINGER: Duration = Duration::from_secs(2);
/// Bytes that are read on at most: several of the largest messages.
const LINGER_BYTES: usize = 16 << 20;
/// Bytes read at once meanwhile.
const LINGER_CHUNK: usize = 16 << 10;

/// Answer to a request that does not come. By hand: there is no request that could be answered.
const TOO_LATE: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/problem+json\r\nConnection: close\r\n\
    Content-Length: 167\r\n\r\n\
    {\"type\":\"https://fillstream.dev/problems/request_timeout\",\"title\":\"Request Timeout\",\"status\":408,\
    \"detail\":\"The request did not come in time.\",\"code\":\"request_timeout\"}";

/// Phase of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Nothing has come yet.
    Opened,
    /// Between two requests.
    Idle,
    /// A request has begun.
    Head,
    /// A request is being answered.
    Busy,
    /// It has become a socket, which has times of its own.
    Socket,
}

/// A line's state, shared with what answers its requests.
#[derive(Debug)]
pub(crate) struct State {
    phase: AtomicU8,
    opened: Instant,
    /// Milliseconds from `opened` to the phase's begin.
    since: AtomicU64,
    pub(crate) unfinished: Arc<Unfinished>,
}

impl State {
    pub(crate) fn new(unfinished: Arc<Unfinished>) -> Arc<Self> {
        let phase = AtomicU8::new(Phase::Opened as u8);
        Arc::new(Self { phase, opened: Instant::now(), since: AtomicU64::new(0), unfinished })
    }

    pub(crate) fn begin(&self, phase: Phase) {
        let since = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since.store(since, Ordering::Relaxed);
        self.phase.store(phase as u8, Ordering::Release);
    }

    fn phase(&self) -> Phase {
        let found = self.phase.load(Ordering::Acquire);
        let all = [Phase::Opened, Phase::Idle, Phase::Head, Phase::Busy, Phase::Socket];
        all.into_iter().find(|phase| *phase as u8 == found).unwrap_or(Phase::Socket)
    }

    /// Until when something has to come; nothing while nothing is waited for.
    fn deadline(&self, times: &Times) -> Option<(Phase, Instant)> {
        let phase = self.phase();
        let limit = match phase {
            Phase::Opened | Phase::Head => times.head,
            Phase::Idle => times.idle,
            Phase::Busy | Phase::Socket => return None,
        };
        Some((phase, self.opened + Duration::from_millis(self.since.load(Ordering::Relaxed)) + limit))
    }
}

/// See the module's first line.
pub(crate) struct Line<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> {
    /// There until it is let go of.
    stream: Option<S>,
    state: Arc<State>,
    times: Times,
    /// Armed for what has to come next.
    reading: Option<Pin<Box<Sleep>>>,
    /// Armed while the peer takes nothing.
    writing: Option<Pin<Box<Sleep>>>,
    /// Bytes that are left to send before the end.
    farewell: Option<&'static [u8]>,
    /// The peer has said all, or is gone: nothing is to be waited for.
    ended: bool,
    place: Option<Place>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Line<S> {
    pub(crate) fn new(stream: S, state: Arc<State>, times: Times, place: Place) -> Self {
        Self {
            stream: Some(stream),
            state,
            times,
            reading: None,
            writing: None,
            farewell: None,
            ended: false,
            place: Some(place),
        }
    }

    fn stream(&mut self) -> io::Result<Pin<&mut S>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Something has come, or the end.
    fn heard(&mut self, bytes: usize) {
        if bytes == 0 {
            self.ended = true;
            return;
        }
        match self.state.phase() {
            Phase::Opened | Phase::Idle => self.state.begin(Phase::Head),
            Phase::Head | Phase::Busy => {}
            Phase::Socket => {
                self.reading = None;
                self.state.unfinished.add(bytes as u64);
            }
        }
    }

    /// A socket whose message cannot be completed, because all together hold too much and it holds most.
    fn given_up(&self, context: &Context<'_>) -> io::Result<()> {
        if self.state.phase() == Phase::Socket && self.state.unfinished.poll_given_up(context) {
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, "too many unfinished messages"));
        }
        Ok(())
    }

    /// True when what has to come is late; if not, this task is woken when it is.
    fn late(&mut self, context: &mut Context<'_>) -> Option<Phase> {
        let Some((phase, until)) = self.state.deadline(&self.times) else {
            self.reading = None;
            return None;
        };
        let timer = self.reading.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        timer.as_mut().poll(context).is_ready().then_some(phase)
    }

    /// Says what is left to say; the end is read behind it.
    fn poll_farewell(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(left) = self.farewell.filter(|left| !left.is_empty()) {
            // It is a courtesy: a peer that does not take it at once does without.
            let Poll::Ready(written) = self.stream()?.poll_write(context, left) else { break };
            match written {
                Ok(written) if written > 0 => self.farewell = left.get(written..),
                Ok(_) | Err(_) => break,
            }
        }
        self.farewell = Some(&[]);
        let _ = self.stream()?.poll_flush(context);
        Poll::Ready(Ok(()))
    }

    /// Counts how long the peer takes nothing.
    fn watch_writing<T>(
        &mut self,
        context: &mut Context<'_>,
        poll: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if poll.is_ready() || self.state.phase() == Phase::Socket {
            self.writing = None;
            return poll;
        }
        let until = Instant::now() + self.times.write;
        let timer = self.writing.get_or_insert_with(|| Box::pin(sleep_until(until)));
        ready!(timer.as_mut().poll(context));
        self.ended = true;
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncRead for Line<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.farewell.is_some() {
            return Poll::Ready(Ok(()));
        }
        self.given_up(context)?;
        let before = buffer.filled().len();
        if let Poll::Ready(read) = self.stream()?.poll_read(context, buffer) {
            match read {
                Ok(()) => self.heard(buffer.filled().len() - before),
                Err(error) => {
                    self.ended = true;
                    return Poll::Ready(Err(error));
                }
            }
            return Poll::Ready(Ok(()));
        }
        match self.late(context) {
            None => Poll::Pending,
            // Nothing was asked: nothing is answered, it ends.
            Some(Phase::Opened | Phase::Idle | Phase::Busy | Phase::Socket) => Poll::Ready(Ok(())),
            Some(Phase::Head) => {
                self.farewell = Some(TOO_LATE);
                self.poll_farewell(context)
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncWrite for Line<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = self.stream()?.poll_write(context, bytes);
        self.watch_writing(context, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = self.stream()?.poll_write_vectored(context, bytes);
        self.watch_writing(context, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = self.stream()?.poll_flush(context);
        self.watch_writing(context, poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = self.stream()?.poll_shutdown(context);
        self.watch_writing(context, poll)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Drop for Line<S> {
    fn drop(&mut self) {
        let (Some(stream), place) = (self.stream.take(), self.place.take()) else { return };
        // Without a runtime the process is going, and everything with it.
        if let (false, Ok(runtime)) = (self.ended, Handle::try_current()) {
            runtime.spawn(linger(stream, place));
        }
    }
}

/// Says that nothing follows, and reads on until the peer has said the same. The place is held meanwhile.
async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin, _place: Option<Place>) {
    let rest = async {
        stream.shutdown().await?;
        let mut chunk = vec![0; LINGER_CHUNK];
        let mut taken = 0;
        while taken < LINGER_BYTES {
            match stream.read(&mut chunk).await? {
                0 => break,
                bytes => taken += bytes,
            }
        }
        io::Result::Ok(())
    };
    let _ = timeout(LINGER, rest).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_by_hand_is_a_whole_one() {
        let text = std::str::from_utf8(TOO_LATE).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{}", body.len());
    }
}
