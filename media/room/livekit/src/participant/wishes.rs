//! What the gateway wants of a participant.

use super::{Life, Media, Turn};
use crate::line::Order;
use crate::{Leave, data};
use livekit_protocol::signal_request::Message as Request;
use livekit_protocol::{UpdateParticipantMetadata, UpdateSubscription};
use std::sync::Arc;
use std::time::Instant;
use trunkline_media::event::Prompt;

/// One of them.
#[derive(Debug)]
pub(crate) enum Wish {
    Listen,
    TakeSeat,
    Play(Option<Arc<Prompt>>),
    Attributes(Vec<(String, String)>),
    Key(char),
    Answer { id: String, to: String, answer: Result<String, (u32, String)> },
    Leave(Leave),
}

impl Life {
    /// The gateway wants something.
    pub(super) async fn wish(&mut self, wish: Wish) -> Result<(), Turn> {
        match wish {
            Wish::Listen => {
                self.listens = true;
                self.subscribe(self.people.tracks()).await?;
            }
            Wish::TakeSeat => {
                self.seat_wanted = true;
                self.hand_over().await;
            }
            Wish::Play(sound) => {
                if let (Some(sound), Media::Here(line)) = (&sound, &mut self.media) {
                    line.set_rate(sound.rate);
                }
                self.playing = sound.map(|sound| (sound, 0));
            }
            Wish::Attributes(attributes) => {
                self.remember(&attributes);
                let attributes = attributes.into_iter().collect();
                let update = UpdateParticipantMetadata { attributes, ..UpdateParticipantMetadata::default() };
                self.say(Request::UpdateMetadata(update)).await?;
            }
            Wish::Key(digit) => {
                if let Some(packet) = data::key(digit) {
                    self.order(Order::Data(packet));
                }
            }
            Wish::Answer { id, to, answer } => {
                self.order(Order::Data(data::answer(&id, &to, answer)));
                self.said_at = Some(Instant::now());
            }
            Wish::Leave(why) => return Err(self.leave(why.reason()).await),
        }
        Ok(())
    }

    /// Who joins anew has the attributes of now, not those of the first day.
    fn remember(&mut self, attributes: &[(String, String)]) {
        let known = &mut self.join.attributes;
        known.retain(|(name, _)| !attributes.iter().any(|(newer, _)| newer == name));
        known.extend(attributes.iter().filter(|(_, value)| !value.is_empty()).cloned());
    }

    pub(super) async fn subscribe(&mut self, track_sids: Vec<String>) -> Result<(), Turn> {
        if track_sids.is_empty() {
            return Ok(());
        }
        self.asked.extend(track_sids.iter().cloned());
        let update = UpdateSubscription { track_sids, subscribe: true, ..UpdateSubscription::default() };
        self.say(Request::Subscription(update)).await
    }
}
