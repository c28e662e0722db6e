//! Who is in the room beside us, and which of their tracks are sound.

use livekit_protocol::participant_info::{Kind, State};
use livekit_protocol::{ParticipantInfo, TrackType};

/// Somebody else.
#[derive(Debug, Clone)]
struct Person {
    sid: String,
    identity: String,
    sip: bool,
    /// Sound: track and its codec.
    tracks: Vec<(String, String)>,
}

/// Everybody else.
#[derive(Debug, Default)]
pub(crate) struct People {
    all: Vec<Person>,
}

impl People {
    /// All who are there now.
    pub(crate) fn begin(&mut self, others: &[ParticipantInfo]) {
        self.all.clear();
        for other in others {
            self.update(other);
        }
    }

    /// Somebody came, changed or went. True: the number of people changed.
    pub(crate) fn update(&mut self, info: &ParticipantInfo) -> bool {
        let before = self.all.len();
        self.all.retain(|person| person.sid != info.sid);
        // Agents and recorders of livekit's own are people here; who is gone is not.
        if info.state() != State::Disconnected {
            let sound = |track: &&livekit_protocol::TrackInfo| track.r#type() == TrackType::Audio;
            self.all.push(Person {
                sid: info.sid.clone(),
                identity: info.identity.clone(),
                sip: info.kind() == Kind::Sip,
                tracks: info
                    .tracks
                    .iter()
                    .filter(sound)
                    .map(|t| (t.sid.clone(), t.mime_type.clone()))
                    .collect(),
            });
        }
        before != self.all.len()
    }

    /// How many, and how many of them are telephones.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.all.len(), self.all.iter().filter(|person| person.sip).count())
    }

    /// Whose track it is, and its codec.
    pub(crate) fn of_track(&self, sid: &str) -> Option<(&str, &str)> {
        self.all.iter().find_map(|person| {
            person
                .tracks
                .iter()
                .find(|(track, _)| track == sid)
                .map(|(_, codec)| (&*person.identity, &**codec))
        })
    }

    /// Every track of sound.
    pub(crate) fn tracks(&self) -> Vec<String> {
        self.all.iter().flat_map(|person| person.tracks.iter().map(|(sid, _)| sid.clone())).collect()
    }
}
