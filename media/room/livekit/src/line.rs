//! The media of one participant: str0m's state, its UDP socket, mouth and ears. Whoever holds it drives it: the
//! task while ICE and DTLS are under way, then the thread of the leg.
//!
//! str0m wants one input, then everything that it has to say, then the next input: every method here leaves it
//! drained. Sans-IO ends here: this is the one place that touches the socket of a participant.

use crate::ears::{self, Ears};
use crate::mouth::{Mouth, level};
use crate::{JoinError, RoomCodec};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::channel::{ChannelConfig, ChannelId, Reliability};
use str0m::crypto::CryptoProvider;
use str0m::crypto::dtls::DtlsCert;
use str0m::media::{Direction, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{Extension, ExtensionValues, RtpWrite, Ssrc};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig};
use trunkline_media::resample::Resampler;

/// The largest datagram that a server sends is below the Ethernet's 1,500 bytes.
const DATAGRAM: usize = 2_000;
/// One tick never reads more: a flood at one port costs that participant sound, and nobody else.
const DATAGRAMS: usize = 128;
/// Packets that str0m keeps of what it sent; nothing is asked for again in audio.
const KEPT: usize = 8;
/// A check that is lost is tried again soon: a caller waits for it.
const STUN_RTO: Duration = Duration::from_millis(60);
/// m-lines for tracks of others in the first offer, so that the first of them need no second one.
const SPARE: usize = 2;

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
    news: Vec<News>,
    dead: bool,
    buffer: Box<[u8; DATAGRAM]>,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("routed", &self.routed).finish_non_exhaustive()
    }
}

/// What DTLS knows this process by.
#[derive(Clone)]
pub(crate) struct Identity {
    crypto: Arc<CryptoProvider>,
    certificate: DtlsCert,
}

impl Identity {
    /// A new key and its certificate; `None`: each line makes its own.
    pub(crate) fn new() -> Option<Self> {
        let crypto = Arc::new(str0m::crypto::from_feature_flags());
        let certificate = crypto.dtls_provider.generate_certificate()?;
        Some(Self { crypto, certificate })
    }
}

/// What a line is made of.
pub(crate) struct Plan<'a> {
    pub codec: RoomCodec,
    pub rate: u32,
    /// Second word of `a=msid`, by which the server finds the track.
    pub cid: &'a str,
    pub bind: Option<IpAddr>,
    /// The key that all lines of the process share: making one takes longer than all else of a line.
    pub identity: Option<&'a Identity>,
    pub random: u64,
}

impl Line {
    /// A line and its offer. Must be called within the runtime.
    pub(crate) fn new(plan: &Plan<'_>, now: Instant) -> Result<(Self, String), JoinError> {
        let no_media = |why: String| JoinError::NoMedia { seconds: 0, why };
        let ip = plan.bind.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        let socket = UdpSocket::bind((ip, 0))
            .and_then(|socket| socket.set_nonblocking(true).map(|()| socket))
            .map_err(|error| no_media(format!("cannot open a UDP socket on {ip}: {error}")))?;
        let port = socket.local_addr().map_err(|error| no_media(error.to_string()))?.port();
        let socket = tokio::net::UdpSocket::from_std(socket).map_err(|error| no_media(error.to_string()))?;
        let mut config = config(plan.codec);
        if let Some(Identity { crypto, certificate }) = plan.identity {
            config = config.set_crypto_provider(Arc::clone(crypto)).set_dtls_cert(certificate.clone());
        }
        let mut rtc = config.build(now);
        let (loopback, routed) = places(plan.bind, port);
        for place in [Some(loopback).filter(|_| plan.bind.is_none_or(|ip| ip.is_loopback())), routed] {
            if let Some(candidate) = place.and_then(|place| Candidate::host(place, "udp").ok()) {
                rtc.add_local_candidate(candidate);
            }
        }
        let mut api = rtc.sdp_api();
        let (stream, cid) = (Some("trunkline".to_owned()), Some(plan.cid.to_owned()));
        let mid = api.add_media(MediaKind::Audio, Direction::SendOnly, stream, cid, None);
        for _ in 0..SPARE {
            api.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        }
        let reliable = api.add_channel_with_config(channel("_reliable", true));
        api.add_channel_with_config(channel("_lossy", false));
        let (offer, pending) = api.apply().ok_or_else(|| no_media("str0m made no offer".into()))?;
        let mouth = Mouth::new(plan.codec, plan.rate).map_err(|error| no_media(error.to_string()))?;
        let to_mouth =
            Resampler::new(plan.rate, mouth.rate()).map_err(|error| no_media(error.to_string()))?;
        let mut line = Self {
            rtc,
            socket: Socket::Task(socket),
            loopback,
            routed,
            timeout: now,
            epoch: now,
            mouth,
            to_mouth,
            sending: Sending {
                mid,
                ssrc: None,
                pt: None,
                sequence: plan.random & 0x7fff,
                time: (plan.random >> 32) as u32,
                muted: false,
                marker: true,
            },
            ears: Ears::new(plan.rate),
            reliable,
            waiting: Vec::new(),
            channel_open: false,
            pending: Some(pending),
            news: Vec::new(),
            dead: false,
            buffer: Box::new([0; DATAGRAM]),
        };
        line.drain();
        Ok((line, offer.to_sdp_string()))
    }

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

    /// What happened since the last time.
    pub(crate) fn take_news(&mut self) -> impl Iterator<Item = News> + '_ {
        self.news.drain(..)
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
            Event::Connected => self.news.push(News::Connected),
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                self.news.push(News::Path(false));
            }
            Event::IceConnectionStateChange(
                IceConnectionState::Connected | IceConnectionState::Completed,
            ) => {
                self.news.push(News::Path(true));
            }
            Event::ChannelOpen(id, _) if id == self.reliable => {
                self.channel_open = true;
                for packet in std::mem::take(&mut self.waiting) {
                    self.write(&packet);
                }
            }
            Event::ChannelData(data) => self.news.push(News::Data(data.data)),
            Event::Closed => self.die("the server closed the media connection".into()),
            _ => {}
        }
    }

    fn die(&mut self, why: String) {
        if !self.dead {
            self.dead = true;
            self.news.push(News::Closed(why));
        }
    }

    /// Does what it is told.
    pub(crate) fn obey(&mut self, order: Order) {
        match order {
            Order::Offer { audios } => {
                let mut api = self.rtc.sdp_api();
                for _ in 0..audios {
                    api.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
                }
                self.pending = api.apply().map(|(offer, pending)| {
                    self.news.push(News::Offer(offer.to_sdp_string()));
                    pending
                });
            }
            Order::Restart => {
                let mut api = self.rtc.sdp_api();
                api.ice_restart(true);
                self.pending = api.apply().map(|(offer, pending)| {
                    self.news.push(News::Offer(offer.to_sdp_string()));
                    pending
                });
            }
            Order::Answer(sdp) => self.answered(&sdp),
            Order::Candidate(text) => self.candidate(&text),
            Order::Data(packet) if self.channel_open => self.write(&packet),
            Order::Data(packet) if self.waiting.len() < 64 => self.waiting.push(packet),
            Order::Data(_) => {
                self.news.push(News::Fault("too many data packets wait for the channel".into()))
            }
            Order::Mute(muted) => self.sending.muted = muted,
            Order::Replace(mut line) => {
                // What was said goes on where it was, for those who listen.
                line.ears.set_rate(self.mouth.rate());
                line.to_mouth = std::mem::replace(&mut self.to_mouth, Resampler::Same);
                line.sending.muted = self.sending.muted;
                *self = *line;
            }
        }
        if !self.dead {
            self.drain();
        }
    }

    fn answered(&mut self, sdp: &str) {
        let Some(pending) = self.pending.take() else { return };
        let accepted =
            SdpAnswer::from_sdp_string(sdp).map_err(|error| error.to_string()).and_then(|answer| {
                self.rtc.sdp_api().accept_answer(pending, answer).map_err(|error| error.to_string())
            });
        if let Err(why) = accepted {
            self.news.push(News::Fault(format!("the server's answer cannot be used: {why}")));
            return;
        }
        self.drain();
        self.expect_streams(sdp);
        let wanted = self.mouth.codec();
        let agreed = ears::codecs(self.rtc.codec_config().params().iter().map(|p| (p.pt(), p.spec().codec)));
        let ours = agreed.iter().find(|(_, codec)| *codec == wanted).map(|(number, _)| Pt::from(*number));
        self.ears.set_codecs(agreed);
        let mid = self.sending.mid;
        self.sending.pt = ours;
        self.sending.ssrc = self.rtc.direct_api().stream_tx_by_mid(mid, None).map(|stream| {
            stream.set_rtx_cache(KEPT, Duration::from_millis(200), None);
            stream.ssrc()
        });
        self.drain();
    }

    /// An m-line that carried one track may carry another now: str0m has to be told of its SSRC, since it learns
    /// those of an m-line once.
    fn expect_streams(&mut self, sdp: &str) {
        let ours = self.sending.mid;
        for (mid, ssrc) in streams(sdp) {
            // str0m panics over an m-line that it does not know.
            if mid == ours || self.rtc.media(mid).is_none() {
                continue;
            }
            let mut api = self.rtc.direct_api();
            if api.stream_rx(&ssrc).is_some() {
                continue;
            }
            if let Some(old) = api.stream_rx_by_mid(mid, None).map(|stream| stream.ssrc()) {
                api.remove_stream_rx(old);
            }
            api.expect_stream_rx(ssrc, None, mid, None);
            self.drain();
        }
    }

    fn candidate(&mut self, text: &str) {
        let Ok(candidate) = Candidate::from_sdp_string(text) else { return };
        // Our one socket is UDP, and of one family.
        if candidate.proto() == Protocol::Udp && candidate.addr().is_ipv4() == self.loopback.is_ipv4() {
            self.rtc.add_remote_candidate(candidate);
            self.drain();
            // The first check goes out now, and not at the next step of its clock.
            self.input(Input::Timeout(Instant::now()));
        }
    }

    fn write(&mut self, packet: &[u8]) {
        let written = match self.rtc.channel(self.reliable) {
            Some(mut channel) => channel.write(true, packet).unwrap_or(false),
            None => false,
        };
        if !written {
            self.news
                .push(News::Fault("a data packet could not be sent: the channel is full or gone".into()));
        }
        self.drain();
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

fn config(codec: RoomCodec) -> RtcConfig {
    let config = Rtc::builder()
        .set_rtp_mode(true)
        .clear_codecs()
        .clear_extension_map()
        .set_extension(1, Extension::AudioLevel)
        .set_stats_interval(None)
        .set_send_buffer_audio(KEPT)
        .set_rtcp_report_interval_audio(Duration::from_secs(5));
    // The server takes the first codec of the m-line as the track's, so ours comes first; the others are what
    // tracks of others may come in.
    let mut config = match codec {
        RoomCodec::Opus => config.enable_opus(true, false).enable_pcmu(true, false).enable_pcma(true, false),
        RoomCodec::Pcmu => config.enable_pcmu(true, false).enable_opus(true, false).enable_pcma(true, false),
        RoomCodec::Pcma => config.enable_pcma(true, false).enable_opus(true, false).enable_pcmu(true, false),
    };
    config.set_initial_stun_rto(STUN_RTO);
    config
}

fn channel(label: &str, reliable: bool) -> ChannelConfig {
    let reliability =
        if reliable { Reliability::Reliable } else { Reliability::MaxRetransmits { retransmits: 0 } };
    ChannelConfig { label: label.to_owned(), ordered: reliable, reliability, ..ChannelConfig::default() }
}

/// Each m-line's SSRC, as a description names it.
fn streams(sdp: &str) -> Vec<(Mid, Ssrc)> {
    let (mut found, mut mid): (Vec<(Mid, Ssrc)>, Option<Mid>) = (Vec::new(), None);
    let mut waiting: Option<Ssrc> = None;
    for line in sdp.lines().map(str::trim_end) {
        if line.starts_with("m=") {
            (mid, waiting) = (None, None);
        } else if let Some(name) = line.strip_prefix("a=mid:") {
            mid = Some(Mid::from(name));
        } else if let Some(ssrc) = line.strip_prefix("a=ssrc:") {
            let number = ssrc.split(' ').next().and_then(|number| number.parse::<u32>().ok());
            waiting = waiting.or(number.map(Ssrc::from));
        }
        if let (Some(mid), Some(ssrc)) = (mid, waiting)
            && !found.iter().any(|(known, _)| *known == mid)
        {
            found.push((mid, ssrc));
        }
    }
    found
}

/// The addresses of a socket with this port: on this machine, and as the default route has it. No packet is
/// sent for that.
fn places(bind: Option<IpAddr>, port: u16) -> (SocketAddr, Option<SocketAddr>) {
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if let Some(ip) = bind.filter(|ip| !ip.is_unspecified()) {
        let place = SocketAddr::new(ip, port);
        return if ip.is_loopback() { (place, None) } else { (place, Some(place)) };
    }
    let routed = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
        .and_then(|probe| probe.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).and_then(|()| probe.local_addr()))
        .ok()
        .filter(|place| !place.ip().is_loopback())
        .map(|place| SocketAddr::new(place.ip(), port));
    (loopback, routed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ssrc_of_each_m_line_is_found_wherever_it_stands() {
        let sdp = "v=0\r\nm=audio 9 X 0\r\na=mid:a\r\na=ssrc:7 cname:x\r\na=ssrc:7 msid:y\r\nm=audio 9 X 0\r\n\
                   a=ssrc:9 cname:z\r\na=mid:b\r\nm=audio 0 X 0\r\na=mid:c\r\n";
        assert_eq!(streams(sdp), [(Mid::from("a"), Ssrc::from(7)), (Mid::from("b"), Ssrc::from(9))]);
        assert_eq!(streams("garbage"), []);
    }
}
