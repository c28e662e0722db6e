//! The far half of a transfer: a call that we place, joined with the caller's once it is answered.

use super::desk::{Desk, Errand, LookUp};
use super::media::Media;
use super::{Call, Caller, Destination, State, chronicle};
use crate::control::Stage;
use bytes::Bytes;
use trunkline_media::sdp::Encryption;
use trunkline_media::session::Direction;
use trunkline_records::Cdr;
use trunkline_sip::message::{Scheme, Uri, text};
use trunkline_sip::{Flow, Invite, Time};

/// Whose host has to be looked up to reach this address.
///
/// # Errors
/// It is no address that a call can be placed to; a sentence.
pub fn host_of(to: &str) -> Result<(String, u16), String> {
    let uri = Uri::parse(to).map_err(|error| {
        format!("{}: expected a SIP address such as sip:office@192.0.2.1 ({error})", text::Escaped(to))
    })?;
    if !matches!(uri.scheme, Scheme::Sip | Scheme::Sips) {
        return Err(format!("{}: only sip: and sips: addresses can be called", text::Escaped(to)));
    }
    // Sent by UDP instead, credentials and keys would go in the clear, and nobody would know.
    if let Some(transport) = uri.transport()
        && !["udp", "tcp", "tls"].iter().any(|known| transport.eq_ignore_ascii_case(known))
    {
        return Err(format!(
            "{}: expected transport udp, tcp or tls, found {}, which is not served in this version",
            text::Escaped(to),
            text::Escaped(transport)
        ));
    }
    Ok((
        uri.host.trim_matches(['[', ']']).to_owned(),
        uri.port.unwrap_or_else(|| crate::serve::transport(to).port()),
    ))
}

/// Asks for the address of a transfer's far party.
pub(super) fn look_up(desk: &mut Desk, from: u64, to: &str) {
    let asked = host_of(to).and_then(|(host, port)| {
        let wanted = LookUp { serial: from, to: to.to_owned(), host, port };
        desk.look_ups.try_send(wanted).map_err(|_| "too many host names are being looked up".to_owned())
    });
    if let Err(why) = asked {
        desk.errands.push_back(Errand::Failed { partner: from, why });
    }
}

/// Places the call.
///
/// # Errors
/// Why it cannot be placed; a sentence.
pub(super) fn place(desk: &mut Desk, near: &Call, to: &str, flow: Flow) -> Result<Box<Call>, String> {
    let mut media = Media::reserve(desk, &flow, Encryption::Disable).map_err(|no| no.why)?;
    let offer = media.talks.offer(Direction::SendRecv);
    let host = flow.local;
    let name =
        if near.caller.name.is_empty() { String::new() } else { text::quoted(&near.caller.name) + " " };
    let user: String =
        near.caller.from.chars().filter(|c| c.is_ascii_alphanumeric() || "+-_.".contains(*c)).collect();
    let user = if user.is_empty() { "anonymous".to_owned() } else { user };
    let invite = Invite {
        uri: to.to_owned(),
        flow,
        from: format!("{name}<sip:{user}@{host}>"),
        to: String::new(),
        contact_user: user.clone(),
        route: Vec::new(),
        headers: Vec::new(),
        sdp: Some(offer.into()),
        credentials: None,
        ring_timeout: desk.config.limits.ringing,
    };
    let sip = desk.endpoint.invite(desk.now, invite).map_err(|error| error.to_string())?;
    desk.totals.outbound += 1;
    let id = desk.call_id();
    let cdr = Cdr {
        id: id.to_string(),
        sip_call_id: desk.endpoint.identity(sip).map(|i| i.call_id).unwrap_or_default(),
        direction: "outbound".into(),
        from: user.clone(),
        to: to.to_owned(),
        source: chronicle::shown(flow.remote),
        destination: format!("transfer of {}", near.id),
        started: desk.chronicle.wall(desk.now),
        ..Cdr::default()
    };
    let caller = Caller { from: to.to_owned(), ..Caller::default() };
    let mut call = Box::new(Call::new(desk, id, sip, cdr, caller));
    call.begins(desk, Stage::Join);
    call.media = Some(media);
    call.destination = Destination::Partner;
    call.partner = Some(near.serial);
    call.open(desk, Vec::new());
    Ok(call)
}

impl Call {
    /// Somebody answered our INVITE; an error says why the answer is of no use.
    pub(super) fn take_answer(&mut self, desk: &mut Desk, sdp: Option<Bytes>) -> Result<(), String> {
        self.is_answered(desk);
        self.passed(desk, Stage::Join);
        self.begins(desk, Stage::WaitMedia);
        let sdp = sdp.ok_or("the 200 has no answer")?;
        self.describes(desk, false, true, &sdp);
        let media = self.media.as_mut().ok_or("the call has no media")?;
        let unusable = |why: String| format!("the answer cannot be used: {why}");
        let session = media.talks.accept(&sdp).map_err(|error| unusable(error.to_string()))?;
        self.run(desk, session).map_err(|no| unusable(no.why))
    }

    /// From here on it is an answered call, for the records and the totals.
    pub(super) fn is_answered(&mut self, desk: &mut Desk) {
        self.state = State::Answered;
        self.cdr.status = 200;
        self.cdr.answered = Some(desk.chronicle.wall(desk.now));
        desk.totals.answered += 1;
        self.entered(desk, "answered", "");
    }

    /// Our INVITE was answered.
    pub(super) fn far_answered(&mut self, desk: &mut Desk, sdp: Option<Bytes>) {
        match (self.take_answer(desk, sdp), self.partner) {
            (Ok(()), Some(partner)) => {
                self.state = State::Up;
                self.met = true;
                desk.chronicle.update(&self.cdr);
                desk.errands.push_back(Errand::Answered { partner });
            }
            (Ok(()), None) => self.hang_up(desk, super::words::NORMAL, "the caller is gone"),
            (Err(why), _) => {
                self.give_back(desk, &why);
                self.hang_up(desk, 88, &why);
            }
        }
    }

    /// Our INVITE failed.
    pub(super) fn far_refused(&mut self, desk: &mut Desk, status: u16) {
        self.cdr.status = status;
        let why = match status {
            408 => "nobody answered in time".to_owned(),
            487 => "the caller gave up meanwhile".to_owned(),
            486 | 600 => "the line is busy".to_owned(),
            _ => format!("refused with {status}"),
        };
        self.give_back(desk, &why);
        self.over(desk, &why, &trunkline_sip::End::Refused(status));
    }

    /// The caller goes back to where it came from.
    fn give_back(&mut self, desk: &mut Desk, why: &str) {
        if let Some(partner) = self.partner.take() {
            desk.errands.push_back(Errand::Failed { partner, why: why.to_owned() });
        }
    }

    /// Both halves are up: into a room of their own.
    pub(super) fn join(&mut self, desk: &mut Desk, far: &mut Call) {
        let room = format!("transfer {}", self.id);
        self.hush(desk);
        self.partner = Some(far.serial);
        self.decided(desk, "connected", &format!("with {} (call {})", far.caller.from, far.id));
        self.cdr.destination = format!("{}, then {}", self.cdr.destination, far.caller.from);
        desk.chronicle.update(&self.cdr);
        self.meet_partner(desk, &room);
        far.meet_partner(desk, &room);
    }
}

/// The caller waits at most this long for the address of a host.
pub const LOOK_UP_PATIENCE: Time = Time::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_port_means_5060() {
        assert_eq!(host_of("sip:office@pbx.example"), Ok(("pbx.example".into(), 5060)));
        assert_eq!(host_of("sip:office@[::1]:5070"), Ok(("::1".into(), 5070)));
    }

    #[test]
    fn a_number_alone_is_refused_with_what_was_expected() {
        assert!(host_of("tel:+15550100").is_err_and(|why| why.contains("only sip:")));
    }
}
