//! The life of a participant: one task from the join to the goodbye.
//!
//! Joining: a line with its offer, signalling with everything in one request, ICE and DTLS driven here, since
//! a handshake must not wait for 20 ms ticks. Then the line goes to a seat, and the task has only messages left:
//! tracks of others, attributes, keys, RPC. A lost WebSocket is resumed under the same participant while the sound
//! goes on; what cannot be resumed is joined anew with a new line, which the seat takes over at a tick.

mod comeback;
mod messages;
mod requests;
mod wishes;

pub(crate) use wishes::Wish;

use crate::line::{Footing, Line, News, Order};
use crate::people::People;
use crate::rooms::Teller;
use crate::seat::{Chair, RoomSeat};
use crate::signal::{Dial, Lost, Signal};
use crate::{Event, Join, JoinError, data};
use livekit_protocol::signal_request::Message as Request;
use livekit_protocol::{DisconnectReason, JoinResponse, TrackPublishedResponse};
use requests::{description, join_request, line};
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use trunkline_media::company::Company;
use trunkline_media::event::Prompt;

/// Media that is not there by then will not come: a firewall, or a wrong address.
const MEDIA: Duration = Duration::from_secs(10);
/// A participant that cannot be won back within this is gone; the server forgets it after 15 to 20 s anyway.
const COMEBACK: Duration = Duration::from_secs(20);
/// Between two tries of it.
const AGAIN: Duration = Duration::from_millis(500);
/// A path that gives no sign of life for so long is not one that hiccuped.
const PATH: Duration = Duration::from_secs(4);
const FRAME: Duration = Duration::from_millis(20);
/// An answer is with whoever asked, within this.
const HEARD: Duration = Duration::from_millis(150);

/// Who drives the line.
enum Media {
    Here(Box<Line>),
    Seated(Chair),
    /// From one to the other; nobody sees it.
    Moving,
}

/// Why the life in the room goes on no longer, or not as it was.
enum Turn {
    /// The end, with the reason.
    Over(i32),
    /// Signalling is lost: resume.
    Lost(String),
    /// The whole connection has to be made anew.
    Anew(String),
}

type Last = Pin<Box<dyn Future<Output = Event> + Send>>;

/// The life of one participant, to be spawned; its result is the last event of it.
pub(crate) fn live(
    join: Join,
    footing: Arc<Footing>,
    tls: Arc<rustls::ClientConfig>,
    wishes: mpsc::Receiver<Wish>,
) -> impl FnOnce(Teller) -> Last {
    move |teller| {
        Box::pin(async move {
            let who = join.who;
            let dial = Dial { url: join.url.clone(), token: join.token.clone(), tls };
            let begun = Life::begin(join, dial, footing, wishes, teller).await;
            match begun {
                Ok(mut life) => {
                    let reason = life.run().await;
                    Event::Left { who, reason, name: name_of(reason) }
                }
                Err(Begun::Failed(error)) => Event::Failed { who, error },
                Err(Begun::Left(reason)) => Event::Left { who, reason, name: name_of(reason) },
            }
        })
    }
}

/// LiveKit's name of a reason.
fn name_of(reason: i32) -> &'static str {
    DisconnectReason::try_from(reason).unwrap_or_default().as_str_name()
}

enum Begun {
    Failed(JoinError),
    /// It was told to leave before it was in.
    Left(i32),
}

struct Life {
    join: Join,
    dial: Dial,
    footing: Arc<Footing>,
    wishes: mpsc::Receiver<Wish>,
    teller: Teller,
    signal: Signal,
    media: Media,
    people: People,
    /// `PA_…`
    sid: String,
    identity: String,
    published: Option<TrackPublishedResponse>,
    /// What we publish, and subscribed tracks by the m-line they come in.
    tracks: HashMap<String, String>,
    /// Tracks that were asked for, where the server does not subscribe by itself.
    asked: HashSet<String>,
    offer: String,
    offer_id: u32,
    /// An offer is out; so many more tracks wait for the answer to it.
    offered: bool,
    wanted: u32,
    /// m-lines that were offered for tracks of others, beyond the first few.
    sections: u32,
    answered: bool,
    /// Candidates that came before the answer.
    candidates: Vec<String>,
    connected: bool,
    listens: bool,
    seat_wanted: bool,
    playing: Option<(Arc<Prompt>, usize)>,
    /// When the media has to be there.
    media_by: Option<Instant>,
    path_lost: Option<Instant>,
    muted: bool,
    /// When a room method was answered last.
    said_at: Option<Instant>,
}

impl Life {
    async fn begin(
        join: Join,
        dial: Dial,
        footing: Arc<Footing>,
        mut wishes: mpsc::Receiver<Wish>,
        teller: Teller,
    ) -> Result<Self, Begun> {
        let (line, offer) = line(&join, &footing).map_err(Begun::Failed)?;
        let request = join_request(&join, &offer, join.listen);
        let mut early = Vec::new();
        let connected = {
            let connecting = Signal::connect(&dial, &request);
            tokio::pin!(connecting);
            loop {
                tokio::select! {
                    joined = &mut connecting => break joined,
                    Some(wish) = wishes.recv() => match wish {
                        Wish::Leave(why) => return Err(Begun::Left(why.reason())),
                        other => early.push(other),
                    },
                }
            }
        };
        let (signal, joined) = connected.map_err(Begun::Failed)?;
        let mut life = Self {
            listens: join.listen,
            join,
            dial,
            footing,
            wishes,
            teller,
            signal,
            media: Media::Here(Box::new(line)),
            people: People::default(),
            sid: String::new(),
            identity: String::new(),
            published: None,
            tracks: HashMap::new(),
            asked: HashSet::new(),
            offer,
            offer_id: 1,
            offered: true,
            wanted: 0,
            sections: 0,
            answered: false,
            candidates: Vec::new(),
            connected: false,
            seat_wanted: false,
            playing: None,
            media_by: Some(Instant::now() + MEDIA),
            path_lost: None,
            muted: false,
            said_at: None,
        };
        let room_sid = life.joined(&joined);
        let (others, sip) = life.people.counts();
        let (who, sid) = (life.join.who, life.sid.clone());
        life.teller.tell(Event::Joined { who, sid, room_sid, others, sip }).await;
        for wish in early {
            // Signalling that is lost already is noticed by the loop.
            let _ = life.wish(wish).await;
        }
        Ok(life)
    }

    /// Takes over what a JoinResponse says; the room's sid.
    fn joined(&mut self, joined: &JoinResponse) -> String {
        self.people.begin(&joined.other_participants);
        if let Some(own) = &joined.participant {
            self.sid.clone_from(&own.sid);
            self.identity.clone_from(&own.identity);
        }
        joined.room.as_ref().map(|room| room.sid.clone()).unwrap_or_default()
    }

    /// Until it is over; the reason.
    async fn run(&mut self) -> i32 {
        let mut ticks = interval(FRAME);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let turn = self.turn(&mut ticks).await;
            match turn {
                Ok(()) => {}
                Err(Turn::Over(reason)) => return reason,
                Err(Turn::Lost(why)) => {
                    if let Err(reason) = self.come_back(why, true).await {
                        return reason;
                    }
                }
                Err(Turn::Anew(why)) => {
                    if let Err(reason) = self.come_back(why, false).await {
                        return reason;
                    }
                }
            }
        }
    }

    /// One thing that happens.
    async fn turn(&mut self, ticks: &mut tokio::time::Interval) -> Result<(), Turn> {
        let here = matches!(self.media, Media::Here(_));
        let playing = here && self.playing.is_some();
        let wake = self.wake();
        tokio::select! {
            message = self.signal.next() => self.message(message.map_err(|Lost(why)| Turn::Lost(why))?).await?,
            wish = self.wishes.recv() => match wish {
                Some(wish) => self.wish(wish).await?,
                // The gateway is gone.
                None => return Err(self.leave(DisconnectReason::ClientInitiated as i32).await),
            },
            news = next_news(&mut self.media) => self.heard(news).await?,
            () = tokio::time::sleep_until(wake.into()) => {}
            _ = ticks.tick(), if playing => self.play(),
        }
        self.serve().await
    }

    /// When something has to be done at the latest.
    fn wake(&self) -> Instant {
        let line = match &self.media {
            Media::Here(line) => Some(line.timeout()),
            Media::Seated(_) | Media::Moving => None,
        };
        let path = self.path_lost.map(|since| since + PATH);
        let hour = Instant::now() + Duration::from_secs(3_600);
        [line, self.media_by, path].into_iter().flatten().min().unwrap_or(hour)
    }

    /// Drives the line where it is here, and looks at the clock.
    async fn serve(&mut self) -> Result<(), Turn> {
        let now = Instant::now();
        let mut news = Vec::new();
        if let Media::Here(line) = &mut self.media {
            line.drive(now);
            news.extend(std::iter::from_fn(|| line.next_news()));
        }
        for one in news {
            self.heard(Some(one)).await?;
        }
        if self.media_by.is_some_and(|by| by <= now) {
            return Err(Turn::Anew(format!("no media connection within {} s", MEDIA.as_secs())));
        }
        if self.path_lost.is_some_and(|since| since + PATH <= now) {
            return Err(Turn::Anew("no sign of life on the media path".into()));
        }
        Ok(())
    }

    fn order(&mut self, order: Order) {
        match &mut self.media {
            Media::Here(line) => line.obey(order),
            Media::Seated(chair) => {
                if !chair.tell(order) {
                    tracing::warn!(identity = %self.identity, "the media thread does not keep up with a participant");
                }
            }
            Media::Moving => {}
        }
    }

    /// Something of the line.
    async fn heard(&mut self, news: Option<News>) -> Result<(), Turn> {
        let who = self.join.who;
        match news {
            Some(News::Connected) => {
                self.connected = true;
                self.media_by = None;
                self.teller.tell(Event::Ready { who }).await;
                self.hand_over().await;
            }
            Some(News::Data(bytes)) => match data::read(&bytes) {
                Some(data::Said::Key { from, digit }) => {
                    self.teller.tell(Event::Key { who, from, digit }).await;
                }
                Some(data::Said::Rpc { from, id, method, payload }) => {
                    self.order(Order::Data(data::acknowledge(&id, &from)));
                    self.teller.tell(Event::Rpc { who, from, id, method, payload }).await;
                }
                None => {}
            },
            Some(News::Offer(sdp)) => {
                self.offer_id += 1;
                self.offered = true;
                self.offer.clone_from(&sdp);
                self.say(Request::Offer(description(sdp, self.offer_id))).await?;
            }
            Some(News::Readable) => {}
            Some(News::Path(true)) => self.path_lost = None,
            Some(News::Path(false)) => {
                self.path_lost.get_or_insert_with(Instant::now);
            }
            Some(News::Fault(why)) => tracing::warn!(identity = %self.identity, "{why}"),
            Some(News::Closed(why)) => return Err(Turn::Anew(why)),
            // The leg is gone, and with it what we were here for.
            None => return Err(self.leave(DisconnectReason::ClientInitiated as i32).await),
        }
        Ok(())
    }

    /// The seat goes to whoever wanted it, once media is there.
    async fn hand_over(&mut self) {
        if !(self.connected && self.seat_wanted) {
            return;
        }
        let Media::Here(line) = &mut self.media else { return };
        if let Err(error) = line.leave_task() {
            tracing::warn!(identity = %self.identity, "a participant keeps its socket: {error}");
            return;
        }
        let Media::Here(line) = std::mem::replace(&mut self.media, Media::Moving) else { return };
        let (seat, chair) = RoomSeat::new(line);
        self.media = Media::Seated(chair);
        self.playing = None;
        let seat: Box<dyn Company> = Box::new(seat);
        self.teller.tell(Event::Seat { who: self.join.who, seat }).await;
    }

    /// 20 ms of what is played into the room.
    fn play(&mut self) {
        let (Some((sound, at)), Media::Here(line)) = (&mut self.playing, &mut self.media) else { return };
        let length = (sound.rate / 50) as usize;
        if *at + length > sound.samples.len() {
            *at = 0;
        }
        let frame = sound.samples.get(*at..*at + length).unwrap_or_default();
        *at += length;
        if !frame.is_empty() {
            line.speak(Instant::now(), frame);
        }
    }

    async fn say(&mut self, request: Request) -> Result<(), Turn> {
        self.signal.send(request).await.map_err(|Lost(why)| Turn::Lost(why))
    }

    async fn leave(&mut self, reason: i32) -> Turn {
        // Who leaves takes his words along: the server drops data of somebody who is gone.
        if let Some(heard) = self.said_at.map(|said| said + HEARD) {
            tokio::time::sleep_until(heard.into()).await;
        }
        self.signal.leave(reason).await;
        Turn::Over(reason)
    }
}

/// What the line has to say where another thread drives it; `None`: it is gone.
async fn next_news(media: &mut Media) -> Option<News> {
    match media {
        Media::Here(line) => {
            line.readable().await;
            // `serve` reads it.
            Some(News::Readable)
        }
        Media::Seated(chair) => chair.news.recv().await,
        Media::Moving => std::future::pending().await,
    }
}
