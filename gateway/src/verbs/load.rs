//! `trunkline load`: a call generator, with or without sound.

use super::{Failure, Outcome};
use crate::cli::Context;
use crate::phone::PhoneError;
use crate::phone::line::{Happening, Line, LineConfig, preferences};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::Write;
use std::net::IpAddr;
use trunkline_media::engine::{InbandDtmf, LegConfig, Reservation};
use trunkline_media::event::{LegEvent, LegId, LegReport};
use trunkline_media::sdp::{OfferAnswer, Preferences};
use trunkline_media::session::{Codec, Direction};
use trunkline_sip::{CallHandle, Event, Flow, Invite, Time};

/// What can be said after `trunkline load`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Whom to call: sip:agent@127.0.0.1
    uri: String,
    /// Calls in all
    #[arg(long, default_value_t = 100)]
    calls: u64,
    /// New calls a second
    #[arg(long, default_value_t = 10.0)]
    rate: f64,
    /// Calls at a time, at most
    #[arg(long, default_value_t = 2000)]
    at_a_time: usize,
    /// How long a call that was answered goes on
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0)]
    hold: f64,
    /// Send and receive sound (G.711); without it only the signalling is real
    #[arg(long)]
    media: bool,
    /// Our own address, where the machine has several
    #[arg(long, value_name = "IP")]
    ip: Option<IpAddr>,
}

/// A call that is up, or on its way.
struct One {
    began: Time,
    talks: OfferAnswer,
    ports: Option<Reservation>,
    leg: Option<LegId>,
}

/// What was seen.
#[derive(Default)]
struct Tally {
    placed: u64,
    answered: u64,
    /// How calls failed or ended otherwise than by us.
    failures: BTreeMap<String, u64>,
    set_up: Vec<f64>,
    first_packet: Vec<f64>,
    received: u64,
    lost: u64,
    sent: u64,
    jitter_max_ms: f32,
    most_at_a_time: usize,
    took: Time,
}

struct Load {
    line: Line,
    flow: Flow,
    arguments: Arguments,
    up: HashMap<CallHandle, One>,
    of_leg: HashMap<LegId, Time>,
    ends: VecDeque<(Time, CallHandle)>,
    tally: Tally,
}

/// Places the calls.
pub fn run(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    if arguments.rate <= 0.0 || arguments.calls == 0 {
        return Err(Failure::Usage("--rate and --calls: expected more than nothing".into()));
    }
    crate::serve::open_files_limit();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(PhoneError::from)?;
    let tally = runtime.block_on(async {
        let config = LineConfig { ip: arguments.ip, port: 0, calls: arguments.at_a_time.max(2) };
        let mut line = Line::open(&config)?;
        let flow = line.flow_to(&arguments.uri).await?;
        let load = Load {
            line,
            flow,
            arguments,
            up: HashMap::new(),
            of_leg: HashMap::new(),
            ends: VecDeque::new(),
            tally: Tally::default(),
        };
        load.all().await
    })?;
    let ok = tally.failures.is_empty();
    let said = if context.json { Outcome::json(&tally.as_json()) } else { Outcome::said(tally.table()) };
    Ok(Outcome { ok, ..said })
}

impl Load {
    async fn all(mut self) -> Result<Tally, PhoneError> {
        let began = self.line.now();
        let pace = 1.0 / self.arguments.rate;
        loop {
            let now = self.line.now();
            let due = began + Time::from_secs_f64(pace * self.tally.placed as f64);
            let more = self.tally.placed < self.arguments.calls;
            if more && due <= now && self.up.len() < self.arguments.at_a_time {
                self.place(now)?;
                continue;
            }
            while self.ends.front().is_some_and(|(at, _)| *at <= now) {
                if let Some((_, call)) = self.ends.pop_front() {
                    // It may have ended already.
                    let _ = self.line.endpoint.hang_up(now, call, "");
                }
            }
            if !more && self.up.is_empty() && self.of_leg.is_empty() {
                break;
            }
            let end = self.ends.front().map(|(at, _)| *at);
            let wake =
                [more.then_some(due.max(now + Time::from_micros(200))), end].into_iter().flatten().min();
            match self.line.next(wake).await {
                Happening::Sip(event) => self.on_sip(event)?,
                Happening::Leg(leg, event) => self.on_leg(leg, event),
                Happening::Time => {}
            }
        }
        self.tally.took = self.line.now() - began;
        self.line.close().await;
        Ok(self.tally)
    }

    fn place(&mut self, now: Time) -> Result<(), PhoneError> {
        let address = self.flow.local.ip();
        let ports = if self.arguments.media { Some(self.line.engine.reserve(address)?) } else { None };
        let port = ports.as_ref().map_or(40_000, Reservation::port);
        // Fifty packets a second, whoever is silent: comfort noise would be a tenth of the load.
        let preferences = Preferences { comfort_noise: false, ..preferences(&[Codec::Pcmu, Codec::Pcma]) };
        let mut talks = OfferAnswer::new(address, port, self.tally.placed + 1, preferences);
        let invite = Invite {
            uri: self.arguments.uri.clone(),
            flow: self.flow,
            from: format!("<sip:load{}@{}>", self.tally.placed, self.flow.local),
            to: String::new(),
            contact_user: "load".into(),
            route: Vec::new(),
            headers: Vec::new(),
            sdp: Some(talks.offer(Direction::SendRecv).into()),
            credentials: None,
            ring_timeout: Time::from_secs(30),
        };
        let call = self.line.endpoint.invite(now, invite)?;
        self.tally.placed += 1;
        self.up.insert(call, One { began: now, talks, ports, leg: None });
        self.tally.most_at_a_time = self.tally.most_at_a_time.max(self.up.len());
        Ok(())
    }

    fn on_sip(&mut self, event: Event) -> Result<(), PhoneError> {
        let now = self.line.now();
        match event {
            Event::Answered { call, sdp, .. } => {
                let Some(one) = self.up.get_mut(&call) else { return Ok(()) };
                self.tally.answered += 1;
                self.tally.set_up.push((now - one.began).as_secs_f64() * 1000.0);
                self.ends.push_back((now + Time::from_secs_f64(self.arguments.hold), call));
                let session = sdp.and_then(|sdp| one.talks.accept(&sdp).ok());
                match (session, one.ports.take()) {
                    (Some(session), Some(ports)) => {
                        let leg = self.line.engine.open(ports, leg_config(session))?;
                        one.leg = Some(leg);
                        self.of_leg.insert(leg, now);
                    }
                    (None, _) => self.failed("200 with an answer that cannot be used".into()),
                    _ => {}
                }
            }
            Event::Rejected { call, status, .. } => {
                self.up.remove(&call);
                self.failed(status.to_string());
            }
            Event::Ended { call, end } => {
                if let Some(leg) = self.up.remove(&call).and_then(|one| one.leg) {
                    self.line.engine.close(leg);
                }
                if end != trunkline_sip::End::LocalBye {
                    self.failed(format!("{end:?}"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn failed(&mut self, how: String) {
        *self.tally.failures.entry(how).or_default() += 1;
    }

    fn on_leg(&mut self, leg: LegId, event: LegEvent) {
        match event {
            LegEvent::FirstPacket { .. } => {
                if let Some(answered) = self.of_leg.get(&leg) {
                    self.tally.first_packet.push((self.line.now() - *answered).as_secs_f64() * 1000.0);
                }
            }
            LegEvent::Closed { report } => {
                self.of_leg.remove(&leg);
                self.tally.heard(&report);
            }
            _ => {}
        }
    }
}

fn leg_config(session: trunkline_media::session::Session) -> LegConfig {
    LegConfig {
        session,
        company: None,
        timeout_initial: Time::from_secs(3600),
        timeout: Time::from_secs(3600),
        inband_dtmf: InbandDtmf::Never,
        symmetric: true,
    }
}

impl Tally {
    fn heard(&mut self, report: &LegReport) {
        self.received += report.received;
        self.lost += report.lost;
        self.sent += report.sent;
        self.jitter_max_ms = self.jitter_max_ms.max(report.jitter_max_ms);
    }

    fn loss(&self) -> f64 {
        let expected = self.received + self.lost;
        if expected == 0 { 0.0 } else { self.lost as f64 * 100.0 / expected as f64 }
    }

    fn table(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let mut row = |name: &str, value: String| {
            let _ = writeln!(text, "{name:<13} {value}");
        };
        row(
            "calls",
            format!(
                "{} placed, {} answered, {} at a time at most",
                self.placed, self.answered, self.most_at_a_time
            ),
        );
        row(
            "took",
            format!(
                "{:.1} s, {:.0} calls a second",
                self.took.as_secs_f64(),
                self.placed as f64 / self.took.as_secs_f64()
            ),
        );
        row("set-up", spread(&self.set_up));
        if self.received + self.sent > 0 {
            row("first packet", spread(&self.first_packet));
            row(
                "packets",
                format!(
                    "{} sent, {} received, {} lost ({:.4} %)",
                    self.sent,
                    self.received,
                    self.lost,
                    self.loss()
                ),
            );
            row("jitter", format!("{:.1} ms at most", self.jitter_max_ms));
        }
        for (how, count) in &self.failures {
            row("failed", format!("{count} x {how}"));
        }
        text
    }

    fn as_json(&self) -> Value {
        let at = |values: &[f64]| json!({ "p50": percentile(values, 0.5), "p99": percentile(values, 0.99) });
        json!({
            "placed": self.placed,
            "answered": self.answered,
            "failures": self.failures,
            "took_s": self.took.as_secs_f64(),
            "most_at_a_time": self.most_at_a_time,
            "set_up_ms": at(&self.set_up),
            "first_packet_ms": at(&self.first_packet),
            "packets": { "sent": self.sent, "received": self.received, "lost": self.lost, "loss_percent": self.loss() },
            "jitter_max_ms": self.jitter_max_ms,
        })
    }
}

fn spread(values: &[f64]) -> String {
    let at = |share| percentile(values, share).unwrap_or(0.0);
    format!("p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms", at(0.5), at(0.9), at(0.99))
}

/// The nearest-rank percentile; `None` of nothing.
fn percentile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_percentile_of_a_hundred_values_is_the_value_of_that_rank() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(percentile(&values, 0.99), Some(99.0));
        assert_eq!(percentile(&[], 0.5), None);
    }
}
