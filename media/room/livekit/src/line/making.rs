//! How a line is made: socket, candidates, codecs, m-lines, data channels, and the first offer.

use super::{DATAGRAM, KEPT, Line, Sending, Socket};
use crate::ears::Ears;
use crate::mouth::Mouth;
use crate::{JoinError, RoomCodec};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use str0m::channel::{ChannelConfig, Reliability};
use str0m::crypto::CryptoProvider;
use str0m::crypto::dtls::DtlsCert;
use str0m::media::{Direction, MediaKind};
use str0m::rtp::Extension;
use str0m::{Candidate, Rtc, RtcConfig};
use trunkline_media::resample::Resampler;

/// A check that is lost is tried again soon: a caller waits for it.
const STUN_RTO: Duration = Duration::from_millis(60);
/// m-lines for tracks of others in the first offer, so that the first of them need no second one.
const SPARE: usize = 2;

/// What all lines of a process have in common.
pub(crate) struct Footing {
    bind: Option<IpAddr>,
    /// Making a key takes longer than all else of a line, so that they share one.
    identity: OnceLock<Option<Identity>>,
}

/// What DTLS knows this process by.
struct Identity {
    crypto: Arc<CryptoProvider>,
    certificate: DtlsCert,
}

impl Footing {
    /// `bind`: where media sockets are bound to; `None`: as the system's routes say.
    pub(crate) fn new(bind: Option<IpAddr>) -> Self {
        Self { bind, identity: OnceLock::new() }
    }

    /// The first key and the first peer connection of a process take 50 to 100 ms; made here, they keep no caller
    /// waiting.
    pub(crate) fn warm_up(&self) {
        let _ = self.identity();
        drop(Rtc::builder().build(Instant::now()));
    }

    /// `None`: each line makes its own.
    fn identity(&self) -> Option<&Identity> {
        let make = || {
            let crypto = Arc::new(str0m::crypto::from_feature_flags());
            let certificate = crypto.dtls_provider.generate_certificate()?;
            Some(Identity { crypto, certificate })
        };
        self.identity.get_or_init(make).as_ref()
    }
}

/// What a line is made of.
pub(crate) struct Plan<'a> {
    pub codec: RoomCodec,
    pub rate: u32,
    /// Second word of `a=msid`, by which the server finds the track.
    pub cid: &'a str,
    pub footing: &'a Footing,
    pub random: u64,
}

impl Line {
    /// A line and its offer. Must be called within the runtime.
    pub(crate) fn new(plan: &Plan<'_>, now: Instant) -> Result<(Self, String), JoinError> {
        let no_media = |why: String| JoinError::NoMedia { seconds: 0, why };
        let ip = plan.footing.bind.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        let socket = UdpSocket::bind((ip, 0))
            .and_then(|socket| socket.set_nonblocking(true).map(|()| socket))
            .map_err(|error| no_media(format!("cannot open a UDP socket on {ip}: {error}")))?;
        let port = socket.local_addr().map_err(|error| no_media(error.to_string()))?.port();
        let socket = tokio::net::UdpSocket::from_std(socket).map_err(|error| no_media(error.to_string()))?;
        let mut config = config(plan.codec);
        if let Some(Identity { crypto, certificate }) = plan.footing.identity() {
            config = config.set_crypto_provider(Arc::clone(crypto)).set_dtls_cert(certificate.clone());
        }
        let mut rtc = config.build(now);
        let (loopback, routed) = places(plan.footing.bind, port);
        for place in [Some(loopback).filter(|_| plan.footing.bind.is_none_or(|ip| ip.is_loopback())), routed]
        {
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
            news: VecDeque::new(),
            dead: false,
            buffer: Box::new([0; DATAGRAM]),
        };
        line.drain();
        Ok((line, offer.to_sdp_string()))
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
