//! The media of one participant: str0m's state, its UDP socket, mouth and ears. Whoever holds it drives it: the
//! task while ICE and DTLS are under way, then the thread of the leg.
//!
//! str0m wants one input, then everything that it has to say, then the next input: every method here leaves it
//! drained. Sans-IO ends here: this is the one place that touches the socket of a participant.

mod making;
mod orders;
mod streams;

pub(crate) use making::{Footing, Plan};

use crate::RoomCodec;
use crate::ears::Ears;
use crate::mouth::{Mouth, level};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::Instant;
use str0m::change::SdpPendingOffer;
use str0m::channel::ChannelId;
use str0m::media::{Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{ExtensionValues, RtpWrite, Ssrc};
use str0m::{Event, IceConnectionState, Input, Output, Rtc};
use trunkline_media::resample::Resampler;

/// The largest datagram that a server sends is below the Ethernet's 1,500 bytes.
const DATAGRAM: usize = 2_000;
/// One tick never reads more: a flood at one port costs that participant sound, and nobody else.
const DATAGRAMS: usize = 128;
/// Packets that str0m keeps of what it sent; nothing is asked for again in audio.
const KEPT: usize = 8;
/// Data packets that wait to be told.
const NEWS: usize = 256;

/// What whoever drives a line has to pass on.
#[derive(Debug)]
pub(crate) enum News {
    /// The socket holds something: for whoever waits for it.
    Readable,
    /// ICE and DTLS are through.
    Connected,
    /// A data packet.
    Data(Vec<u8>),
    /// An offer that the server has to answer.
    Offer(String),
    /// An answer could not be used; why.
    Fault(String),
    /// The path is gone, or back.
    Path(bool),
    /// The far end closed it, or str0m gave up; why.
    Closed(String),
}

/// What a line is told.
#[derive(Debug)]
pub(crate) enum Order {
    /// So many more tracks of others: an offer follows.
    Offer { audios: u32 },
    /// Another way to the server: an offer follows.
    Restart,
    /// The server's answer.
    Answer(String),
    /// A candidate of the server, `candidate:…`.
    Candidate(String),
    /// A data packet for the room.
    Data(Vec<u8>),
    /// Nothing is said until it is taken back.
    Mute(bool),
    /// The line is replaced by this one, which has been connected anew.
    Replace(Box<Line>),
}

/// Sockets as the two who drive lines have them.
enum Socket {
    Task(tokio::net::UdpSocket),
    Thread(UdpSocket),
    /// On its way from one to the other.
    Nobody,
}

struct Sending {
    mid: Mid,
    ssrc: Option<Ssrc>,
    pt: Option<Pt>,
    sequence: u64,
    time: u32,
    muted: bool,
    /// The next packet is the first after a silence.
    marker: bool,
}

/// See the module.
pub(crate) struct Line {
    rtc: Rtc,
    socket: Socket,
    /// Where we are, for servers on this machine and for others.
    loopback: SocketAddr,
    routed: Option<SocketAddr>,
    timeout: Instant,
    epoch: Instant,
    mouth: Mouth,
    /// From the leg's rate to the mouth's.
    to_mouth: Resampler,
    sending: Sending,
    ears: Ears,
    reliable: ChannelId,
    /// Data packets that wait for the channel to open.
    waiting: Vec<Vec<u8>>,
    channel_open: bool,
    pending: Option<SdpPendingOffer>,
    news: VecDeque<News>,
    dead: bool,
    buffer: Box<[u8; DATAGRAM]>,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("routed", &self.routed).finish_non_exhaustive()
    }
}

impl Line {
    /// Waits until the socket has something; for the task.
    pub(crate) async fn readable(&mut self) {
        match &self.socket {
            Socket::Task(socket) => {
                let _ = socket.readable().await;
            }
            Socket::Thread(_) | Socket::Nobody => std::future::pending().await,
        }
    }

    /// When it wants to be driven at the latest.
    pub(crate) fn timeout(&self) -> Instant {
        self.timeout
    }

    /// From the task to a thread of the media engine.
    pub(crate) fn leave_task(&mut self) -> Result<(), std::io::Error> {
        self.socket = match std::mem::replace(&mut self.socket, Socket::Nobody) {
            Socket::Task(socket) => Socket::Thread(socket.into_std()?),
            other => other,
        };
        Ok(())
    }

    /// What happened, the oldest first.
    pub(crate) fn next_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// A flood of data packets is lost where nobody takes it; all else is rare, and is kept.
    fn tell(&mut self, news: News) {
        if self.news.len() < NEWS || !matches!(news, News::Data(_)) {
            self.news.push_back(news);
        }
    }

    /// Reads what the socket holds, and does what the time asks for.
    pub(crate) fn drive(&mut self, now: Instant) {
        for _ in 0..DATAGRAMS {
            if !self.receive(now) {
                break;
            }
        }
        if self.timeout <= now && !self.dead {
            self.input(Input::Timeout(now));
        }
    }

    /// One datagram; false: there is none.
    fn receive(&mut self, now: Instant) -> bool {
        let read = match &self.socket {
            Socket::Task(socket) => socket.try_recv_from(self.buffer.as_mut_slice()),
            Socket::Thread(socket) => socket.recv_from(self.buffer.as_mut_slice()),
            Socket::Nobody => return false,
        };
        let (length, source) = match read {
            Ok(read) => read,
            // An ICMP error of an earlier packet says nothing about the next one.
            Err(error) => return error.kind() == ErrorKind::ConnectionRefused,
        };
        let destination =
            if source.ip().is_loopback() { self.loopback } else { self.routed.unwrap_or(self.loopback) };
        let bytes = self.buffer.get(..length).unwrap_or_default();
        let Ok(received) = Receive::new(Protocol::Udp, source, destination, bytes) else { return true };
        let input = Input::Receive(now, received);
        if !self.dead && self.rtc.accepts(&input) {
            if let Err(error) = self.rtc.handle_input(input) {
                self.die(error.to_string());
            }
            self.drain();
        }
        true
    }

    fn input(&mut self, input: Input<'_>) {
        if let Err(error) = self.rtc.handle_input(input) {
            self.die(error.to_string());
        }
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Transmit(datagram)) => {
                    // What does not leave is lost, as datagrams are.
                    let _ = match &self.socket {
                        Socket::Task(s) => s.try_send_to(&datagram.contents, datagram.destination),
                        Socket::Thread(s) => s.send_to(&datagram.contents, datagram.destination),
                        Socket::Nobody => Ok(0),
                    };
                }
                Ok(Output::Event(event)) => self.event(event),
                Ok(Output::Timeout(at)) => {
                    self.timeout = at;
                    return;
                }
                Err(error) => return self.die(error.to_string()),
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::RtpPacket(packet) => {
                let now = packet.timestamp.saturating_duration_since(self.epoch);
                let ssrc = packet.header.ssrc;
                if !self.ears.knows(ssrc)
                    && let Some(mid) = self.rtc.direct_api().stream_rx(&ssrc).map(|stream| stream.mid())
                {
                    self.ears.meet(mid, ssrc);
                }
                self.ears.packet(now, &packet);
            }
            Event::Connected => self.tell(News::Connected),
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                self.tell(News::Path(false));
            }
            Event::IceConnectionStateChange(
                IceConnectionState::Connected | IceConnectionState::Completed,
            ) => {
                self.tell(News::Path(true));
            }
            Event::ChannelOpen(id, _) if id == self.reliable => {
                self.channel_open = true;
                for packet in std::mem::take(&mut self.waiting) {
                    self.write(&packet);
                }
            }
            Event::ChannelData(data) => self.tell(News::Data(data.data)),
            Event::Closed => self.die("the server closed the media connection".into()),
            _ => {}
        }
    }

    fn die(&mut self, why: String) {
        if !self.dead {
            self.dead = true;
            self.tell(News::Closed(why));
        }
    }

    /// Says 20 ms.
    pub(crate) fn speak(&mut self, now: Instant, far: &[i16]) {
        let sending = &mut self.sending;
        let ticks = self.mouth.ticks();
        sending.time = sending.time.wrapping_add(ticks);
        let (Some(ssrc), Some(pt), false) = (sending.ssrc, sending.pt, sending.muted || self.dead) else {
            sending.marker = true;
            return;
        };
        let mut buffer = [0; trunkline_media::leg::FRAME];
        let sound = match &mut self.to_mouth {
            Resampler::Same => far,
            other => {
                let written = other.process(far, &mut buffer);
                buffer.get(..written).unwrap_or_default()
            }
        };
        let loudness = level(sound);
        let Some(payload) = self.mouth.say(sound) else { return };
        sending.sequence += 1;
        let ext_vals = ExtensionValues {
            audio_level: Some(loudness),
            voice_activity: Some(loudness > -50),
            ..ExtensionValues::default()
        };
        let packet = RtpWrite::new(pt, sending.sequence.into(), sending.time, now, payload)
            .marker(std::mem::take(&mut sending.marker))
            .ext_vals(ext_vals);
        if let Some(stream) = self.rtc.direct_api().stream_tx(&ssrc) {
            stream.write_rtp(packet);
        }
        self.drain();
    }

    /// 20 ms of everybody in the room. False: nobody says anything.
    pub(crate) fn hear(&mut self, now: Instant, near: &mut [i16]) -> bool {
        self.ears.hear(now.saturating_duration_since(self.epoch), near)
    }

    /// The leg's rate is this one now.
    pub(crate) fn set_rate(&mut self, rate: u32) {
        if self.mouth.codec() == trunkline_media::session::Codec::Opus
            && rate != self.mouth.rate()
            && let Ok(mouth) = Mouth::new(RoomCodec::Opus, rate)
        {
            self.mouth = mouth;
        }
        self.to_mouth = Resampler::new(rate, self.mouth.rate()).unwrap_or(Resampler::Same);
        self.ears.set_rate(rate);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // The server forgets the port with it, so that the next participant may have the same.
        if self.rtc.is_alive() && self.rtc.close().is_ok() {
            self.drain();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn g711(rate: u32) -> Line {
        let codec = RoomCodec::Pcmu;
        let plan = Plan { codec, rate, cid: "c", footing: &Footing::new(None), random: 1 };
        Line::new(&plan, Instant::now()).unwrap().0
    }

    #[tokio::test]
    async fn a_wideband_leg_hears_at_its_own_rate_after_the_line_was_made_anew() {
        let mut line = g711(8_000);
        line.set_rate(16_000);
        line.obey(Order::Replace(Box::new(g711(8_000))));
        assert_eq!(line.ears.rate(), 16_000);
    }
}
