//! The offer/answer machine (RFC 3264) of one leg.

use super::crypto::Encryption;
use super::describe::{Description, Line};
use super::encrypting::Encrypting;
use super::payload_types::{Format, PayloadTypes};
use super::stream::{self, Stream};
use super::{Preferences, SdpError};
use crate::session::{Codec, Direction, Session};
use crate::srtp::{KeySource, Security};
use std::net::IpAddr;

/// Packet times that we send, milliseconds.
const PACKET_TIMES: [u8; 5] = [10, 20, 30, 40, 60];

/// Payload types and what they stand for, in the order of the m line.
type Formats = Vec<(u8, Format)>;

/// The offer/answer machine of one leg. Keeps the o= line and payload types steady over the call's life.
#[derive(Debug)]
pub struct OfferAnswer {
    ip: IpAddr,
    port: u16,
    origin: u64,
    preferences: Preferences,
    numbers: PayloadTypes,
    /// The last description that left here, and its version.
    sent: Option<Description>,
    version: u64,
    /// m= lines of the session that stands.
    lines: Vec<Line>,
    /// What we want the direction to be: a hold of ours outlives an offer of the peer's.
    wish: Direction,
    offer: Option<Offer>,
    session: Option<Session>,
    encrypting: Encrypting,
}

/// Our last offer.
#[derive(Debug)]
struct Offer {
    description: Description,
    wish_before: Direction,
    /// An answer was taken. More may follow: 183 and 200 of several forks each carry one.
    answered: bool,
}

impl OfferAnswer {
    /// For a leg whose RTP arrives at `ip`:`port`. `origin` makes the o= line unique.
    #[must_use]
    pub fn new(ip: IpAddr, port: u16, origin: u64, preferences: Preferences) -> Self {
        Self {
            ip,
            port,
            // some peers read the o= numbers as signed 64 bits
            origin: origin >> 1,
            preferences,
            numbers: PayloadTypes::default(),
            sent: None,
            version: 0,
            lines: vec![Line::Audio { proto: "RTP/AVP".to_owned() }],
            wish: Direction::SendRecv,
            offer: None,
            session: None,
            encrypting: Encrypting::default(),
        }
    }

    /// From now on with encryption as this mode has it, under keys of this source. Not for a session that stands.
    pub fn encrypt(&mut self, mode: Encryption, keys: KeySource) {
        self.encrypting = Encrypting::new(mode, keys);
        if mode != Encryption::Disable && self.session.is_none() {
            self.lines = vec![Line::Audio { proto: "RTP/SAVP".to_owned() }];
        }
    }

    /// Our offer, for an INVITE, a re-INVITE (hold: `Direction::SendOnly`), or a delayed offer.
    pub fn offer(&mut self, direction: Direction) -> String {
        self.roll_back();
        let formats = self.offered_formats();
        let crypto = self.encrypting.offer(self.session.as_ref());
        let standing = self.session.as_ref();
        let description = Description {
            ip: self.ip,
            port: self.port,
            lines: self.lines.clone(),
            formats,
            ptime_ms: standing.map_or(20, |session| session.ptime_ms),
            direction,
            rtcp_mux: standing.is_some_and(|session| session.rtcp_mux),
            crypto,
        };
        let text = self.send(&description);
        self.offer = Some(Offer { description, wish_before: self.wish, answered: false });
        self.wish = direction;
        text
    }

    /// The answer to the peer's offer, and the session that stands then.
    ///
    /// # Errors
    /// [`SdpError`]; the session stays what it was. `State` while an offer of ours is open: it must be
    /// answered ([`Self::accept`]) or taken back ([`Self::roll_back`]) first.
    pub fn answer(&mut self, offer: &[u8]) -> Result<(String, Session), SdpError> {
        if self.offer.as_ref().is_some_and(|offer| !offer.answered) {
            return Err(SdpError::State);
        }
        let streams = stream::read(offer)?;
        let (chosen, codec) = self.choose(&streams)?;
        let stream = &streams[chosen];
        let (remote, remote_rtcp) = stream.target(self.ip)?;
        let direction = both(stream.reversed(remote.is_some()), self.wish);
        let crypto = self.encrypting.answer(stream)?;
        let (formats, event) = self.answer_formats(codec, stream);
        let payload_type = formats.first().map_or(0, |(number, _)| *number);
        let session = Session {
            remote,
            remote_rtcp,
            rtcp_mux: stream.rtcp_mux,
            codec,
            payload_type,
            receive: vec![(payload_type, codec)],
            dtmf: event.map(|(n, _)| (n, n)),
            dtmf_clock: event.map_or(8_000, |(_, clock)| clock),
            comfort_noise: formats.iter().any(|(_, format)| *format == Format::Noise),
            ptime_ms: packet_time(codec, stream.ptime, stream.maxptime),
            direction,
            security: crypto.as_ref().map(|(_, security)| security.clone()).or_else(|| self.kept(stream)),
        };
        for (number, format) in &formats {
            self.numbers.learn(*number, *format);
        }
        self.lines = answer_lines(&streams, chosen);
        let description = Description {
            ip: self.ip,
            port: if stream.port == 0 { 0 } else { self.port },
            lines: self.lines.clone(),
            formats,
            ptime_ms: session.ptime_ms,
            direction,
            rtcp_mux: stream.rtcp_mux,
            crypto: crypto.into_iter().map(|(line, _)| line).collect(),
        };
        let text = self.send(&description);
        self.offer = None;
        self.stand(&session);
        Ok((text, session))
    }

    /// The peer's answer to our offer. May be called again for the same offer: forks and 183 before
    /// 200 each bring an answer, and the last one stands.
    ///
    /// # Errors
    /// [`SdpError`]; the session stays what it was and the offer stays open.
    pub fn accept(&mut self, answer: &[u8]) -> Result<Session, SdpError> {
        let Some(offer) = &self.offer else { return Err(SdpError::State) };
        let ours = &offer.description;
        let streams = stream::read(answer)?;
        let place = ours.lines.iter().position(|line| matches!(line, Line::Audio { .. })).unwrap_or(0);
        let stream = streams.get(place).filter(|stream| stream.is_audio()).ok_or(SdpError::NoAudio)?;
        if stream.port == 0 && self.session.is_none() {
            return Err(SdpError::NoAudio);
        }
        let (number, codec) = first_audio(&stream.formats, &ours.formats)
            .or_else(|| {
                // a stream that is switched off often comes with a format list of no meaning
                let standing = self.session.as_ref().filter(|_| stream.port == 0)?;
                Some((standing.payload_type, standing.codec))
            })
            .ok_or_else(|| self.no_codec(&stream.offered))?;
        let (remote, remote_rtcp) = stream.target(self.ip)?;
        let security = match stream.port {
            0 => self.kept(stream),
            _ => self.encrypting.accept(&ours.crypto, stream)?,
        };
        let mine = |wanted: Format| ours.formats.iter().find(|(_, f)| *f == wanted).map(|(n, _)| *n);
        let theirs = |wanted: Format| stream.formats.iter().find(|(_, f)| *f == wanted).map(|(n, _)| *n);
        let clock = self.event_clock(codec, &stream.formats);
        let both_have = |format| Some((theirs(format)?, mine(format)?));
        let dtmf = clock.and_then(|clock| both_have(Format::Event(clock)));
        let session = Session {
            remote,
            remote_rtcp,
            rtcp_mux: ours.rtcp_mux && stream.rtcp_mux,
            codec,
            payload_type: number,
            receive: receivable(&ours.formats, &stream.formats, codec),
            dtmf,
            dtmf_clock: clock.filter(|_| dtmf.is_some()).unwrap_or(8_000),
            comfort_noise: mine(Format::Noise).is_some() && self.noise(codec, &stream.formats).is_some(),
            ptime_ms: packet_time(codec, stream.ptime, stream.maxptime),
            direction: both(stream.reversed(remote.is_some()), ours.direction),
            security,
        };
        if let Some(offer) = &mut self.offer {
            offer.answered = true;
        }
        if session.security.is_none()
            && let Some(line) = self.lines.get_mut(place)
        {
            // an answer in the clear to an encrypted offer: so are our offers from now on
            *line = Line::Audio { proto: "RTP/AVP".to_owned() };
        }
        self.stand(&session);
        Ok(session)
    }

    /// Our offer was refused: the session stays what it was. Harmless when none is open.
    pub fn roll_back(&mut self) {
        if let Some(offer) = self.offer.take()
            && !offer.answered
        {
            self.wish = offer.wish_before;
        }
    }

    /// The session that stands.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    fn stand(&mut self, session: &Session) {
        let before = self.session.replace(session.clone());
        self.encrypting.stands(before.as_ref(), session);
    }

    /// A stream that is switched off keeps its keys, and with them the count of their packets.
    fn kept(&self, stream: &Stream) -> Option<Box<Security>> {
        self.session.as_ref().filter(|_| stream.port == 0).and_then(|session| session.security.clone())
    }

    /// RFC 3264 §8: the version grows by one with each description that differs from the last one sent.
    fn send(&mut self, description: &Description) -> String {
        if self.sent.as_ref() != Some(description) {
            self.version += 1;
            self.sent = Some(description.clone());
        }
        description.text(self.origin, self.version)
    }

    /// What we offer: the codec in use first, so that a hold does not change the sound.
    fn offered_formats(&mut self) -> Vec<(u8, Format)> {
        let in_use = self.session.as_ref().map(|session| session.codec);
        let mut codecs = self.preferences.codecs.clone();
        codecs.sort_by_key(|codec| Some(*codec) != in_use);
        let mut formats: Vec<Format> = codecs.iter().map(|codec| Format::Audio(*codec)).collect();
        if self.preferences.dtmf {
            // RFC 4733 §2.1: the event's clock is the clock of the audio it stands for
            formats.push(Format::Event(8_000));
            if codecs.contains(&Codec::Opus) {
                formats.push(Format::Event(48_000));
            }
        }
        if self.preferences.comfort_noise && codecs.iter().any(|codec| codec.clock() == 8_000) {
            formats.push(Format::Noise);
        }
        formats.into_iter().map(|format| (self.numbers.of(format), format)).collect()
    }

    /// The stream of an offer that we take, and its codec by our preference.
    fn choose(&self, streams: &[Stream]) -> Result<(usize, Codec), SdpError> {
        let mut why = SdpError::NoAudio;
        for (place, stream) in streams.iter().enumerate().filter(|(_, stream)| stream.is_audio()) {
            if stream.port != 0
                && let Err(no) = stream.encrypted(self.encrypting.mode)
            {
                if why == SdpError::NoAudio {
                    why = no;
                }
                continue;
            }
            let common = self
                .preferences
                .codecs
                .iter()
                .find(|codec| stream.formats.iter().any(|(_, format)| *format == Format::Audio(**codec)));
            match common {
                Some(codec) if stream.port != 0 => return Ok((place, *codec)),
                None if stream.port != 0 => why = self.no_codec(&stream.offered),
                _ => {}
            }
        }
        // the peer may switch off the stream of a session that stands, not begin with one
        let off = streams.iter().position(|stream| stream.is_audio() && stream.port == 0);
        match (off, &self.session) {
            (Some(place), Some(session)) if why == SdpError::NoAudio => Ok((place, session.codec)),
            _ => Err(why),
        }
    }

    /// The formats of an answer under the offer's numbers (codec, event, noise), and the event among them.
    fn answer_formats(&mut self, codec: Codec, stream: &Stream) -> (Formats, Option<(u8, u32)>) {
        let number = |wanted: Format| stream.formats.iter().find(|(_, f)| *f == wanted).map(|(n, _)| *n);
        let audio = Format::Audio(codec);
        // a stream that is switched off may list nothing that we know
        let audio_number = number(audio).unwrap_or_else(|| self.numbers.of(audio));
        let event = self
            .event_clock(codec, &stream.formats)
            .and_then(|clock| Some((number(Format::Event(clock))?, clock)));
        let mut formats = vec![(audio_number, audio)];
        formats.extend(event.map(|(number, clock)| (number, Format::Event(clock))));
        formats.extend(self.noise(codec, &stream.formats).map(|number| (number, Format::Noise)));
        (formats, event)
    }

    fn event_clock(&self, codec: Codec, theirs: &[(u8, Format)]) -> Option<u32> {
        let has = |clock| theirs.iter().any(|(_, format)| *format == Format::Event(clock));
        [codec.clock(), 8_000].into_iter().find(|clock| self.preferences.dtmf && has(*clock))
    }

    /// Opus has a silence of its own; RFC 3389 comfort noise goes with the 8,000 Hz clocks.
    fn noise(&self, codec: Codec, theirs: &[(u8, Format)]) -> Option<u8> {
        let wanted = self.preferences.comfort_noise && codec.clock() == 8_000;
        theirs
            .iter()
            .find(|(number, format)| wanted && *format == Format::Noise && *number == 13)
            .map(|(n, _)| *n)
    }

    fn no_codec(&self, offered: &str) -> SdpError {
        let ours: Vec<&str> = self.preferences.codecs.iter().map(|codec| codec.name()).collect();
        SdpError::NoCodec { offered: offered.to_owned(), ours: ours.join(", ") }
    }
}

/// The first audio format of theirs that is also in ours.
fn first_audio(theirs: &[(u8, Format)], ours: &[(u8, Format)]) -> Option<(u8, Codec)> {
    theirs.iter().find_map(|(number, format)| match format {
        Format::Audio(codec) if ours.iter().any(|(_, known)| known == format) => Some((*number, *codec)),
        _ => None,
    })
}

/// Audio formats of our offer that the answer repeats; what we send comes first.
fn receivable(ours: &[(u8, Format)], theirs: &[(u8, Format)], codec: Codec) -> Vec<(u8, Codec)> {
    let mut list: Vec<(u8, Codec)> = ours
        .iter()
        .filter_map(|(number, format)| match format {
            Format::Audio(known) if *known == codec || theirs.iter().any(|(_, f)| f == format) => {
                Some((*number, *known))
            }
            _ => None,
        })
        .collect();
    list.sort_by_key(|(_, known)| *known != codec);
    list
}

/// The same m= lines in the same order; all but one refused (RFC 3264 §6).
fn answer_lines(streams: &[Stream], chosen: usize) -> Vec<Line> {
    streams
        .iter()
        .enumerate()
        .map(|(place, stream)| {
            if place == chosen {
                Line::Audio { proto: stream.proto.clone() }
            } else {
                Line::Refused {
                    media: stream.media.clone(),
                    proto: stream.proto.clone(),
                    fmt: stream.fmt.clone(),
                }
            }
        })
        .collect()
}

fn both(one: Direction, other: Direction) -> Direction {
    Direction::from_parts(one.sends() && other.sends(), one.receives() && other.receives())
}

/// 20 ms unless the peer asks for something else that the codec has; never more than its maximum.
fn packet_time(codec: Codec, ptime: Option<u32>, maxptime: Option<u32>) -> u8 {
    let most = maxptime.unwrap_or(60).max(10);
    let asked = ptime.unwrap_or(20).min(most);
    PACKET_TIMES
        .into_iter()
        .filter(|ms| u32::from(*ms) <= asked)
        // RFC 6716 §2.1.4: Opus has no frame of 30 ms
        .rfind(|ms| codec != Codec::Opus || *ms != 30)
        .unwrap_or(10)
}
