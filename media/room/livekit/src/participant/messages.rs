//! What the server says to a participant.

use super::{Life, Turn};
use crate::Event;
use crate::line::Order;
use livekit_protocol::signal_response::Message as Response;
use livekit_protocol::{
    LeaveRequest, MuteTrackRequest, ParticipantInfo, RequestResponse, RoomMovedResponse, SessionDescription,
    leave_request,
};
use serde_json::Value;

/// More tracks than that in one go are an error, or an attack.
const MOST_TRACKS: u32 = 64;

impl Life {
    /// One message.
    pub(super) async fn message(&mut self, message: Response) -> Result<(), Turn> {
        match message {
            Response::Answer(answer) => self.answer(answer).await?,
            Response::Trickle(trickle) => self.candidate(&trickle.candidate_init),
            Response::MediaSectionsRequirement(wanted) => {
                // None wanted: what we have offered is enough, but only an offer brings the answer that says
                // which of them a new track is in. str0m makes no offer without a change, so it is one more.
                let audios = if self.misses_a_track() { wanted.num_audios.max(1) } else { wanted.num_audios };
                self.wanted += audios;
                self.sections += audios;
                if self.sections > MOST_TRACKS {
                    return Err(Turn::Anew("more tracks came and went than a session has room for".into()));
                }
                self.offer_more();
            }
            Response::Update(update) => self.update(&update.participants).await?,
            Response::TrackPublished(published) => self.published = Some(published),
            Response::TrackUnpublished(gone) => {
                tracing::warn!(identity = %self.identity, track = %gone.track_sid, "the server unpublished our track");
            }
            Response::Mute(MuteTrackRequest { muted, .. }) => self.mute(muted).await,
            Response::RefreshToken(token) => self.dial.token = token,
            Response::RoomMoved(moved) => self.moved(moved).await,
            Response::RequestResponse(RequestResponse { reason, message, .. }) if reason != 0 => {
                tracing::warn!(identity = %self.identity, reason, "the server refused a request: {message}");
            }
            Response::Leave(leave) => return Err(self.sent_away(&leave)),
            _ => {}
        }
        Ok(())
    }

    fn sent_away(&self, leave: &LeaveRequest) -> Turn {
        let why = || format!("the server asks for it ({})", leave.reason().as_str_name());
        match leave.action() {
            leave_request::Action::Resume => Turn::Lost(why()),
            leave_request::Action::Reconnect => Turn::Anew(why()),
            // Servers before the action had only the flag.
            leave_request::Action::Disconnect if leave.can_reconnect => Turn::Anew(why()),
            leave_request::Action::Disconnect => Turn::Over(leave.reason),
        }
    }

    async fn answer(&mut self, answer: SessionDescription) -> Result<(), Turn> {
        // The answer to an offer that is not the last one: a later one is on its way.
        if answer.id != 0 && answer.id != self.offer_id {
            return Ok(());
        }
        self.offered = false;
        self.answered = true;
        self.order(Order::Answer(answer.sdp));
        for candidate in std::mem::take(&mut self.candidates) {
            self.order(Order::Candidate(candidate));
        }
        for (mid, track) in answer.mid_to_track_id {
            let known = self.tracks.insert(mid, track.clone());
            if known.as_ref() != Some(&track) {
                self.hears(track).await;
            }
        }
        self.offer_more();
        Ok(())
    }

    /// Is there a track of somebody that no m-line has yet?
    fn misses_a_track(&self) -> bool {
        let mut tracks = self.people.tracks().into_iter();
        tracks.any(|track| !self.tracks.values().any(|known| *known == track))
    }

    /// A track of somebody else comes through.
    async fn hears(&mut self, track: String) {
        let Some((identity, codec)) = self.people.of_track(&track) else { return };
        let (identity, codec) = (identity.to_owned(), codec.to_owned());
        self.teller.tell(Event::Hears { who: self.join.who, identity, track, codec }).await;
    }

    /// One offer at a time: whoever sends a second one before the answer to the first gets an answer to neither.
    fn offer_more(&mut self) {
        if !self.offered && self.wanted > 0 {
            self.offered = true;
            let audios = std::mem::take(&mut self.wanted);
            self.order(Order::Offer { audios });
        }
    }

    fn candidate(&mut self, init: &str) {
        let Ok(init) = serde_json::from_str::<Value>(init) else { return };
        let Some(candidate) = init.get("candidate").and_then(Value::as_str).filter(|c| !c.is_empty()) else {
            return;
        };
        if self.answered {
            self.order(Order::Candidate(candidate.to_owned()));
        } else if self.candidates.len() < MOST_TRACKS as usize {
            self.candidates.push(candidate.to_owned());
        }
    }

    async fn update(&mut self, participants: &[ParticipantInfo]) -> Result<(), Turn> {
        let who = self.join.who;
        let mut changed = false;
        for info in participants {
            if info.sid == self.sid {
                let mut attributes: Vec<_> = info.attributes.clone().into_iter().collect();
                attributes.sort();
                self.teller.tell(Event::Attributes { who, attributes }).await;
                continue;
            }
            changed |= self.people.update(info);
        }
        if changed {
            let (others, sip) = self.people.counts();
            self.teller.tell(Event::Others { who, others, sip }).await;
        }
        // Those who are not subscribed to by the server's own choice are asked for.
        if self.listens && !self.join.listen {
            let new = self.people.tracks().into_iter().filter(|t| !self.asked.contains(t)).collect();
            self.subscribe(new).await?;
        }
        Ok(())
    }

    async fn mute(&mut self, muted: bool) {
        self.muted = muted;
        self.order(Order::Mute(muted));
        self.teller.tell(Event::Muted { who: self.join.who, muted }).await;
    }

    async fn moved(&mut self, moved: RoomMovedResponse) {
        self.dial.token = moved.token;
        self.people.begin(&moved.other_participants);
        if let Some(own) = moved.participant {
            self.sid = own.sid;
        }
        let (others, sip) = self.people.counts();
        self.teller.tell(Event::Others { who: self.join.who, others, sip }).await;
    }
}
