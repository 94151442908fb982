//! What the caller's threads and a connection's own thread share: two bounded queues and a status.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mio::Waker;

use super::error::{Error, Result};
use super::message::{Message, Receipt};
use super::options::{Listener, Options, Status};

/// A message on its way to the broker.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    pub(super) retain: bool,
}

impl Outgoing {
    fn bytes(&self) -> usize {
        self.topic.len() + self.payload.len()
    }
}

struct State {
    status: Status,
    /// Whether the connection ever worked.
    ready: bool,
    closing: bool,
    inbox: VecDeque<Result<Message>>,
    inbox_bytes: usize,
    receipts: Vec<Receipt>,
    outbox: VecDeque<Outgoing>,
    /// Messages that were taken from the caller and not confirmed, in the outbox or in flight.
    unconfirmed: usize,
    unconfirmed_bytes: usize,
    /// Whether bytes wait for the network.
    unsent: bool,
    refusal: Option<Error>,
}

/// The shared state of one connection. Callers use the first half of its functions, the
/// connection's thread the second.
pub(super) struct Mailbox {
    state: Mutex<State>,
    changed: Condvar,
    waker: Waker,
    queue: usize,
    queue_bytes: usize,
    listener: Option<Listener>,
}

impl Mailbox {
    pub(super) fn new(options: &Options, waker: Waker) -> Self {
        let state = State {
            status: Status::Connecting,
            ready: false,
            closing: false,
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            receipts: Vec::new(),
            outbox: VecDeque::new(),
            unconfirmed: 0,
            unconfirmed_bytes: 0,
            unsent: false,
            refusal: None,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            waker,
            queue: options.queue,
            queue_bytes: options.queue_bytes,
            listener: options.listener.clone(),
        }
    }

    pub(super) fn status(&self) -> Status {
        self.lock().status.clone()
    }

    /// Waits until the connection works for the first time; `Ok(false)` where it does not in time.
    pub(super) fn wait_ready(&self, timeout: Duration) -> Result<bool> {
        self.wait(timeout, |state| state.ready.then_some(true)).map(|ready| ready.unwrap_or(false))
    }

    /// The oldest message that arrived; `None` where none does in time.
    pub(super) fn receive(&self, timeout: Duration) -> Result<Option<Message>> {
        let item = self.wait(timeout, |state| {
            let item = state.inbox.pop_front()?;
            state.inbox_bytes -= bytes_of(&item);
            Some(item)
        })?;
        let Some(item) = item else { return Ok(None) };
        // The thread may have stopped reading for want of this room.
        self.wake();
        item.map(Some)
    }

    /// Hands a receipt to the broker.
    pub(super) fn acknowledge(&self, receipt: Receipt) {
        self.lock().receipts.push(receipt);
        self.wake();
    }

    /// Queues a message as soon as there is room.
    pub(super) fn publish(&self, message: Outgoing, timeout: Duration) -> Result<()> {
        let bytes = message.bytes();
        let mut message = Some(message);
        let queued = self.wait(timeout, |state| {
            let fits = state.unconfirmed_bytes + bytes <= self.queue_bytes;
            if state.unconfirmed >= self.queue || (!fits && state.unconfirmed > 0) {
                return None;
            }
            state.outbox.extend(message.take());
            state.unconfirmed += 1;
            state.unconfirmed_bytes += bytes;
            Some(())
        })?;
        match queued {
            Some(()) => {
                self.wake();
                Ok(())
            }
            None => Err(Error::QueueFull { messages: self.lock().unconfirmed, waited: timeout }),
        }
    }

    /// Waits until no message is unconfirmed.
    pub(super) fn flush(&self, timeout: Duration) -> Result<()> {
        let flushed = self.wait(timeout, |state| {
            (state.unconfirmed == 0 && !state.unsent && state.receipts.is_empty()).then_some(())
        })?;
        let mut state = self.lock();
        match (flushed, state.refusal.take()) {
            (_, Some(refusal)) => Err(refusal),
            (Some(()), None) => Ok(()),
            (None, None) => {
                Err(Error::Unconfirmed { messages: state.unconfirmed, waited: timeout })
            }
        }
    }

    /// The first message that the broker refused since the last call or flush.
    pub(super) fn take_refusal(&self) -> Option<Error> {
        self.lock().refusal.take()
    }

    /// Asks the connection's thread to end.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.wake();
    }

    /// Repeats `attempt` at every change until it succeeds, the time is over (`Ok(None)`), or the
    /// connection has ended for good.
    fn wait<T>(
        &self,
        timeout: Duration,
        mut attempt: impl FnMut(&mut State) -> Option<T>,
    ) -> Result<Option<T>> {
        let end = Instant::now().checked_add(timeout);
        let mut state = self.lock();
        loop {
            if let Some(done) = attempt(&mut state) {
                return Ok(Some(done));
            }
            if let Status::Closed { error } = &state.status {
                return error.clone().map_or(Ok(None), Err);
            }
            // A time beyond the end of the clock is for ever.
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            state = match left {
                Some(Duration::ZERO) => return Ok(None),
                Some(left) => match self.changed.wait_timeout(state, left) {
                    Ok((state, _)) => state,
                    Err(poisoned) => poisoned.into_inner().0,
                },
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// A panic elsewhere cannot leave the state half changed: no statement under the lock panics.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the wait of the connection's thread. Where that fails, the thread has ended.
    pub(super) fn wake(&self) {
        let _ = self.waker.wake();
    }
}

/// The half for the connection's thread.
impl Mailbox {
    pub(super) fn is_closing(&self) -> bool {
        self.lock().closing
    }

    /// Whether another message may be read from the network.
    pub(super) fn has_room(&self) -> bool {
        let state = self.lock();
        state.inbox.len() < self.queue && state.inbox_bytes < self.queue_bytes
    }

    pub(super) fn deliver(&self, item: Result<Message>) {
        let mut state = self.lock();
        state.inbox_bytes += bytes_of(&item);
        state.inbox.push_back(item);
        drop(state);
        self.changed.notify_all();
    }

    pub(super) fn take_receipts(&self) -> Vec<Receipt> {
        std::mem::take(&mut self.lock().receipts)
    }

    pub(super) fn next_outgoing(&self) -> Option<Outgoing> {
        self.lock().outbox.pop_front()
    }

    /// Puts messages back to the front, in their order, to be sent again.
    pub(super) fn put_back(&self, messages: impl DoubleEndedIterator<Item = Outgoing>) {
        let mut state = self.lock();
        for message in messages.rev() {
            state.outbox.push_front(message);
        }
    }

    /// Notes that a message needs nothing more, because the broker has it or will never take it.
    pub(super) fn settle(&self, message: &Outgoing, refusal: Option<Error>) {
        let mut state = self.lock();
        state.unconfirmed -= 1;
        state.unconfirmed_bytes -= message.bytes();
        if state.refusal.is_none() {
            state.refusal = refusal;
        }
        drop(state);
        self.changed.notify_all();
    }

    pub(super) fn set_unsent(&self, unsent: bool) {
        let mut state = self.lock();
        if std::mem::replace(&mut state.unsent, unsent) != unsent {
            drop(state);
            self.changed.notify_all();
        }
    }

    /// Changes the status, and tells the caller's listener.
    pub(super) fn set_status(&self, status: Status) {
        let mut state = self.lock();
        state.status = status.clone();
        state.ready |= matches!(status, Status::Connected { .. });
        drop(state);
        self.changed.notify_all();
        if let Some(Listener(told)) = &self.listener {
            told(&status);
        }
    }
}

fn bytes_of(item: &Result<Message>) -> usize {
    match item {
        Ok(message) => message.topic.len() + message.payload.len(),
        Err(Error::MessageTooLarge { topic, .. }) => topic.len(),
        Err(_) => 0,
    }
}
