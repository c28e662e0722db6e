//! All participants of this process: the door through which the gateway joins, tells and hears them.

use crate::line::Footing;
use crate::participant::{self, Wish};
use crate::signal::client_config;
use crate::{Event, Join, Leave, Settings};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot};
use trunkline_media::event::Prompt;
use trunkline_room::{ParticipantId, RoomError, Wake};

/// Events that wait for whoever drains them.
const EVENTS: usize = 8_192;
/// Wishes that wait for one participant.
const WISHES: usize = 64;
/// How long a process that ends waits for its goodbyes.
const GOODBYES: Duration = Duration::from_millis(800);

/// What tasks tell the gateway by.
#[derive(Clone)]
pub(crate) struct Teller {
    events: mpsc::Sender<Event>,
    wake: Wake,
}

impl Teller {
    /// Tells; waits where the gateway is behind, as nothing of this may be lost.
    pub(crate) async fn tell(&self, event: Event) {
        let _ = self.events.send(event).await;
        (self.wake)();
    }
}

type Wishes = Arc<Mutex<HashMap<ParticipantId, mpsc::Sender<Wish>>>>;

/// Rooms of LiveKit servers. Every method returns at once; what comes of it is an [`Event`]. Dropping it makes
/// everybody leave, and waits a moment for the servers to hear it.
pub struct LiveRooms {
    footing: Arc<Footing>,
    tls: Arc<rustls::ClientConfig>,
    runtime: Handle,
    teller: Teller,
    wishes: Wishes,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Events of all participants; bounded.
#[derive(Debug)]
pub struct Events {
    queue: mpsc::Receiver<Event>,
}

impl Events {
    /// The next one.
    pub fn try_next(&mut self) -> Option<Event> {
        self.queue.try_recv().ok()
    }
}

impl std::fmt::Debug for LiveRooms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveRooms").field("participants", &self.count()).finish_non_exhaustive()
    }
}

impl LiveRooms {
    /// Starts the thread of the signalling.
    ///
    /// # Errors
    /// No thread, or roots of trust that cannot be read.
    pub fn start(settings: Settings, wake: Wake) -> Result<(Self, Events), RoomError> {
        let tls = client_config(&settings.extra_roots).map_err(RoomError::Trust)?;
        let (events, queue) = mpsc::channel(EVENTS);
        let runtime = Builder::new_current_thread().enable_all().build().map_err(RoomError::Thread)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let footing = Arc::new(Footing::new(settings.bind));
        let warm = Arc::clone(&footing);
        let thread = std::thread::Builder::new()
            .name("trunkline-live".to_owned())
            .spawn(move || {
                warm.warm_up();
                let _ = runtime.block_on(stopped);
            })
            .map_err(RoomError::Thread)?;
        let rooms = Self {
            footing,
            tls,
            runtime: handle,
            teller: Teller { events, wake },
            wishes: Wishes::default(),
            stop: Some(stop),
            thread: Some(thread),
        };
        Ok((rooms, Events { queue }))
    }

    fn wishes(&self) -> MutexGuard<'_, HashMap<ParticipantId, mpsc::Sender<Wish>>> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins. `Joined`, `Ready` or `Failed` follow.
    pub fn join(&self, join: Join) {
        let (wish, wishes) = mpsc::channel(WISHES);
        let who = join.who;
        self.wishes().insert(who, wish);
        let life = participant::live(join, Arc::clone(&self.footing), Arc::clone(&self.tls), wishes);
        let (teller, all) = (self.teller.clone(), Arc::clone(&self.wishes));
        self.runtime.spawn(async move {
            let last = life(teller.clone()).await;
            all.lock().unwrap_or_else(PoisonError::into_inner).remove(&who);
            teller.tell(last).await;
        });
    }

    /// A wish that finds no room is lost: 64 of them wait for a task that does nothing else.
    fn wish(&self, who: ParticipantId, wish: Wish) {
        if let Some(wishes) = self.wishes().get(&who)
            && wishes.try_send(wish).is_err()
        {
            tracing::warn!(participant = who.0, "a participant does not keep up with what it is told");
        }
    }

    /// Hears the others from now on.
    pub fn listen(&self, who: ParticipantId) {
        self.wish(who, Wish::Listen);
    }

    /// The seat is wanted; `Event::Seat` follows once media is connected.
    pub fn take_seat(&self, who: ParticipantId) {
        self.wish(who, Wish::TakeSeat);
    }

    /// Plays this into the room again and again until the seat is taken, or `None` comes (the dial tone).
    pub fn play(&self, who: ParticipantId, sound: Option<Arc<Prompt>>) {
        self.wish(who, Wish::Play(sound));
    }

    /// Sets attributes; an empty value removes one.
    pub fn set_attributes(&self, who: ParticipantId, attributes: Vec<(String, String)>) {
        self.wish(who, Wish::Attributes(attributes));
    }

    /// Tells the room of a key (SipDTMF).
    pub fn key(&self, who: ParticipantId, digit: char) {
        self.wish(who, Wish::Key(digit));
    }

    /// Answers a room RPC: a payload, or a code and a message.
    pub fn answer(&self, who: ParticipantId, id: &str, to: &str, answer: Result<String, (u32, String)>) {
        self.wish(who, Wish::Answer { id: id.to_owned(), to: to.to_owned(), answer });
    }

    /// Leaves; `Left` follows.
    pub fn leave(&self, who: ParticipantId, why: Leave) {
        self.wish(who, Wish::Leave(why));
    }

    /// Participants that are in rooms, or on their way.
    #[must_use]
    pub fn count(&self) -> usize {
        self.wishes().len()
    }
}

impl Drop for LiveRooms {
    fn drop(&mut self) {
        for wishes in self.wishes().values() {
            let _ = wishes.try_send(Wish::Leave(Leave::ClientInitiated));
        }
        let end = Instant::now() + GOODBYES;
        while self.count() > 0 && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
