//! How a participant comes back: by resuming its signalling, or by joining anew with a new line.

use super::requests::{client_info, join_request, line};
use super::{AGAIN, COMEBACK, Life, MEDIA, Media, Turn, Wish};
use crate::line::{Line, News, Order};
use crate::signal::Signal;
use crate::{Event, JoinError};
use livekit_protocol::signal_request::Message as Request;
use livekit_protocol::signal_response::Message as Response;
use livekit_protocol::{
    DataChannelInfo, DisconnectReason, JoinRequest, ReconnectReason, SessionDescription, SyncState,
};
use std::time::Instant;

impl Life {
    /// Wins the connection back; an error is the reason why that is over.
    pub(super) async fn come_back(&mut self, why: String, resume: bool) -> Result<(), i32> {
        let who = self.join.who;
        tracing::info!(identity = %self.identity, "room connection lost: {why}");
        self.teller.tell(Event::Interrupted { who, why }).await;
        let until = Instant::now() + COMEBACK;
        let mut resume = resume && self.connected;
        loop {
            let tried = if resume { self.resume().await } else { self.anew().await };
            let error = match tried {
                Ok(()) => {
                    let sid = self.sid.clone();
                    self.teller.tell(Event::Resumed { who, anew: !resume, sid }).await;
                    return Ok(());
                }
                Err(error) => error,
            };
            tracing::info!(identity = %self.identity, resume, "not back yet: {error}");
            match error {
                // It does not know us any more (404), or wants no resume: a new join may still do.
                JoinError::Refused { .. } if resume => resume = false,
                JoinError::Refused { .. } => return Err(DisconnectReason::JoinFailure as i32),
                JoinError::NoMedia { .. } if Instant::now() < until => {}
                _ if Instant::now() >= until => return Err(DisconnectReason::ConnectionTimeout as i32),
                _ => {}
            }
            self.pause().await?;
        }
    }

    /// Before the next try; who is told to leave meanwhile leaves.
    async fn pause(&mut self) -> Result<(), i32> {
        let pause = tokio::time::sleep(AGAIN);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => return Ok(()),
                wish = self.wishes.recv() => match wish {
                    Some(Wish::Leave(why)) => return Err(why.reason()),
                    None => return Err(DisconnectReason::ClientInitiated as i32),
                    Some(Wish::TakeSeat) => self.seat_wanted = true,
                    // What is said into a lost connection is lost, as in a telephone.
                    Some(_) => {}
                },
            }
        }
    }

    /// The same participant, another WebSocket; media goes on.
    async fn resume(&mut self) -> Result<(), JoinError> {
        let request = JoinRequest {
            reconnect: true,
            reconnect_reason: ReconnectReason::RrSignalDisconnected as i32,
            participant_sid: self.sid.clone(),
            client_info: Some(client_info()),
            ..JoinRequest::default()
        };
        let (signal, _) = Signal::resume(&self.dial, &request).await?;
        self.signal = signal;
        let state = self.state();
        self.signal
            .send(Request::SyncState(state))
            .await
            .map_err(|lost| JoinError::Protocol(lost.to_string()))?;
        // An offer that was under way is lost with its WebSocket.
        self.offered = self.path_lost.is_some();
        if self.offered {
            self.order(Order::Restart);
        }
        Ok(())
    }

    fn state(&self) -> SyncState {
        let channel =
            |label: &str, id| DataChannelInfo { label: label.to_owned(), id, ..DataChannelInfo::default() };
        SyncState {
            offer: Some(SessionDescription {
                r#type: "offer".to_owned(),
                sdp: self.offer.clone(),
                id: self.offer_id,
                ..SessionDescription::default()
            }),
            publish_tracks: self.published.clone().into_iter().collect(),
            data_channels: vec![channel("_reliable", 0), channel("_lossy", 1)],
            ..SyncState::default()
        }
    }

    /// A new join under the same identity, with a new line that takes the old one's place.
    async fn anew(&mut self) -> Result<(), JoinError> {
        let (line, offer) = line(&self.join, &self.footing)?;
        let request = join_request(&self.join, &offer, self.listens);
        let (signal, joined) = Signal::connect(&self.dial, &request).await?;
        self.signal = signal;
        self.joined(&joined);
        (self.offer, self.offer_id, self.offered) = (offer, 1, true);
        (self.answered, self.wanted, self.sections, self.path_lost) = (false, 0, 0, None);
        self.candidates.clear();
        self.tracks.clear();
        let seat = std::mem::replace(&mut self.media, Media::Here(Box::new(line)));
        let connected = self.connect_line().await;
        let line = match std::mem::replace(&mut self.media, Media::Moving) {
            Media::Here(line) => line,
            other => {
                self.media = other;
                return Err(JoinError::Protocol("the new line is gone".into()));
            }
        };
        self.media = seat;
        connected?;
        self.replace(line)
    }

    /// Until the new line has ICE and DTLS.
    async fn connect_line(&mut self) -> Result<(), JoinError> {
        let no_media = |why: String| JoinError::NoMedia { seconds: MEDIA.as_secs(), why };
        let until = Instant::now() + MEDIA;
        loop {
            let Media::Here(line) = &mut self.media else { return Err(no_media("it is gone".into())) };
            line.drive(Instant::now());
            while let Some(news) = line.next_news() {
                match news {
                    News::Connected => return Ok(()),
                    News::Closed(why) => return Err(no_media(why)),
                    _ => {}
                }
            }
            if Instant::now() >= until {
                return Err(no_media("it was waited for in vain".into()));
            }
            let Media::Here(line) = &mut self.media else { return Err(no_media("it is gone".into())) };
            let wake = line.timeout().min(until);
            tokio::select! {
                message = self.signal.next() => {
                    let message = message.map_err(|lost| JoinError::Protocol(lost.to_string()))?;
                    self.early(message).await?;
                }
                () = line.readable() => {}
                () = tokio::time::sleep_until(wake.into()) => {}
            }
        }
    }

    async fn early(&mut self, message: Response) -> Result<(), JoinError> {
        match self.message(message).await {
            Ok(()) => Ok(()),
            Err(Turn::Over(reason)) => {
                Err(JoinError::Refused { status: 0, why: super::name_of(reason).into() })
            }
            Err(Turn::Lost(why) | Turn::Anew(why)) => Err(JoinError::Protocol(why)),
        }
    }

    fn replace(&mut self, mut line: Box<Line>) -> Result<(), JoinError> {
        if matches!(self.media, Media::Seated(_)) {
            line.leave_task().map_err(|error| JoinError::NoMedia { seconds: 0, why: error.to_string() })?;
            self.order(Order::Replace(line));
        } else {
            self.media = Media::Here(line);
        }
        self.connected = true;
        self.media_by = None;
        if self.muted {
            self.order(Order::Mute(true));
        }
        Ok(())
    }
}
