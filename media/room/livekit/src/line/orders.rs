//! What a line is told: offers and answers, candidates, data, another line in its place.

use super::streams::streams;
use super::{KEPT, Line, News, Order};
use crate::ears;
use std::time::{Duration, Instant};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind, Pt};
use str0m::net::Protocol;
use str0m::{Candidate, Input};

impl Line {
    /// Does what it is told.
    pub(crate) fn obey(&mut self, order: Order) {
        match order {
            Order::Offer { audios } => {
                let mut api = self.rtc.sdp_api();
                for _ in 0..audios {
                    api.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
                }
                let applied = api.apply();
                self.offer(applied);
            }
            Order::Restart => {
                let mut api = self.rtc.sdp_api();
                api.ice_restart(true);
                let applied = api.apply();
                self.offer(applied);
            }
            Order::Answer(sdp) => self.answered(&sdp),
            Order::Candidate(text) => self.candidate(&text),
            Order::Data(packet) if self.channel_open => self.write(&packet),
            Order::Data(packet) if self.waiting.len() < 64 => self.waiting.push(packet),
            Order::Data(_) => self.tell(News::Fault("too many data packets wait for the channel".into())),
            Order::Mute(muted) => self.sending.muted = muted,
            Order::Replace(line) => {
                let (rate, muted) = (self.ears.rate(), self.sending.muted);
                *self = *line;
                self.sending.muted = muted;
                self.set_rate(rate);
            }
        }
        if !self.dead {
            self.drain();
        }
    }

    fn offer(&mut self, applied: Option<(SdpOffer, SdpPendingOffer)>) {
        if let Some((offer, _)) = &applied {
            self.tell(News::Offer(offer.to_sdp_string()));
        }
        self.pending = applied.map(|(_, pending)| pending);
    }

    fn answered(&mut self, sdp: &str) {
        let Some(pending) = self.pending.take() else { return };
        let accepted =
            SdpAnswer::from_sdp_string(sdp).map_err(|error| error.to_string()).and_then(|answer| {
                self.rtc.sdp_api().accept_answer(pending, answer).map_err(|error| error.to_string())
            });
        if let Err(why) = accepted {
            self.tell(News::Fault(format!("the server's answer cannot be used: {why}")));
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

    pub(super) fn write(&mut self, packet: &[u8]) {
        let written = match self.rtc.channel(self.reliable) {
            Some(mut channel) => channel.write(true, packet).unwrap_or(false),
            None => false,
        };
        if !written {
            self.tell(News::Fault("a data packet could not be sent: the channel is full or gone".into()));
        }
        self.drain();
    }
}
