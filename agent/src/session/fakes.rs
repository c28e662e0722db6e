//! Providers and a caller on a virtual clock.

use super::*;
use crate::dialogue::Dialogue;
use crate::provider::{ProviderError, TtsEvent};
use std::sync::Mutex;
use std::time::Duration;
use trunkline_media::port::{LegPort, audio_port};

/// What the providers will do, and have done.
#[derive(Debug, Default)]
pub(super) struct Script {
    /// What recognition makes of each piece, in order.
    pub says: VecDeque<&'static str>,
    /// It tells so after this many frames already.
    pub partial_after: Option<usize>,
    pub stt_fails: bool,
    /// So many replies cannot be spoken.
    pub tts_fails: usize,
    /// The voice never answers.
    pub tts_dead: bool,
    /// Samples that recognition was given.
    pub pushed: Vec<i16>,
    pub spoken: Vec<String>,
}

pub(super) type Shared = Arc<Mutex<Script>>;

pub(super) struct FakeVad;

impl Vad for FakeVad {
    fn window(&self) -> usize {
        256
    }
    fn rate(&self) -> u32 {
        8_000
    }
    fn probability(&mut self, window: &[i16]) -> f32 {
        f32::from(u8::from(window.iter().filter(|s| s.abs() > 1_000).count() > 128))
    }
    fn reset(&mut self) {}
}

pub(super) struct FakeStt {
    script: Shared,
    generation: Generation,
    frames: usize,
    events: VecDeque<SttEvent>,
}

impl Stt for FakeStt {
    fn rate(&self) -> u32 {
        16_000
    }
    fn start(&mut self, generation: Generation) {
        (self.generation, self.frames) = (generation, 0);
        if self.script.lock().unwrap().stt_fails {
            let error = ProviderError::Unavailable { provider: "ears", why: "gone".to_owned() };
            self.events.push_back(SttEvent::Failed { generation, error });
        }
    }
    fn push(&mut self, samples: &[i16]) {
        let mut script = self.script.lock().unwrap();
        script.pushed.extend_from_slice(samples);
        self.frames += 1;
        if script.partial_after == Some(self.frames)
            && let Some(text) = script.says.front()
        {
            let text = (*text).to_owned();
            self.events.push_back(SttEvent::Partial { generation: self.generation, text });
        }
    }
    fn finish(&mut self) {
        let text = self.script.lock().unwrap().says.pop_front().unwrap_or_default().to_owned();
        self.events.push_back(SttEvent::Final { generation: self.generation, text, confidence: Some(0.9) });
    }
    fn cancel(&mut self) {
        self.events.clear();
    }
    fn poll(&mut self) -> Option<SttEvent> {
        self.events.pop_front()
    }
}

pub(super) struct FakeTts {
    script: Shared,
    events: VecDeque<TtsEvent>,
}

impl Tts for FakeTts {
    fn rate(&self) -> u32 {
        8_000
    }
    fn say(&mut self, generation: Generation, text: &str) {
        let mut script = self.script.lock().unwrap();
        if script.tts_dead {
            return;
        }
        if script.tts_fails > 0 {
            script.tts_fails -= 1;
            let error = ProviderError::Unavailable { provider: "voice", why: "gone".to_owned() };
            self.events.push_back(TtsEvent::Failed { generation, error });
            return;
        }
        script.spoken.push(text.to_owned());
        // Sixty milliseconds a letter.
        self.events.push_back(TtsEvent::Audio { generation, samples: vec![LOUD; text.len() * 480].into() });
    }
    fn finish(&mut self, generation: Generation) {
        if !self.script.lock().unwrap().tts_dead {
            self.events.push_back(TtsEvent::Done { generation });
        }
    }
    fn cancel(&mut self, _: Generation) {
        self.events.clear();
    }
    fn poll(&mut self) -> Option<TtsEvent> {
        self.events.pop_front()
    }
}

/// A call: the session, the leg that plays the caller, and a clock.
pub(super) struct Call {
    pub session: Session,
    pub leg: LegPort,
    pub script: Shared,
    pub now: Time,
    pub events: Vec<(Time, AgentEvent)>,
    /// For each 20 ms: was the agent heard?
    pub heard: Vec<bool>,
}

/// The agent's voice.
pub(super) const LOUD: i16 = 12_000;
pub(super) const FAILURE: &str = "Sorry, say it again.";

impl Call {
    pub(super) fn new(yaml: &str) -> Self {
        Self::at(8_000, yaml)
    }

    pub(super) fn at(rate: u32, yaml: &str) -> Self {
        Self::with(Box::new(FakeVad), rate, yaml)
    }

    pub(super) fn with(vad: Box<dyn Vad>, rate: u32, yaml: &str) -> Self {
        let script = Shared::default();
        let (port, leg) = audio_port(rate, 10);
        let stt = FakeStt {
            script: Arc::clone(&script),
            generation: Generation(0),
            frames: 0,
            events: VecDeque::new(),
        };
        let tts = FakeTts { script: Arc::clone(&script), events: VecDeque::new() };
        let dialogue = Arc::new(Dialogue::parse("test.yaml", yaml).unwrap());
        let session = Session::new(Setup {
            dialogue,
            facts: Vec::new(),
            port,
            vad,
            stt: Box::new(stt),
            tts: Box::new(tts),
            kept: Arc::from([(FAILURE.to_owned(), Arc::from(vec![1_000; 4_000]))]),
            unix: 0,
        })
        .unwrap();
        let mut call = Self { session, leg, script, now: Time::ZERO, events: Vec::new(), heard: Vec::new() };
        call.session.begin(Time::ZERO);
        call
    }

    /// The caller's telephone sends this, at 8,000 Hz, and something of what the agent said 160 ms ago.
    pub(super) fn play(&mut self, sound: impl IntoIterator<Item = i16>, echo: f32) -> &mut Self {
        let mut sound = sound.into_iter().peekable();
        let mut way = VecDeque::from(vec![0i16; 8 * 160]);
        while sound.peek().is_some() {
            self.now += Duration::from_millis(20);
            let n = self.leg.spoken.slots().min(160);
            let mut spoken: Vec<i16> = self.leg.spoken.read_chunk(n).unwrap().into_iter().collect();
            spoken.resize(160, 0);
            self.heard.push(spoken.iter().any(|s| s.abs() > 500));
            way.extend(spoken);
            for (back, sample) in way.drain(..160).zip(sound.by_ref().chain(std::iter::repeat(0))) {
                let both = f32::from(back) * echo + f32::from(sample);
                self.leg.heard.push(both as i16).unwrap();
            }
            self.session.tick(self.now);
            self.fetch();
        }
        self
    }

    /// So many milliseconds; the caller is loud or silent.
    pub(super) fn run(&mut self, ms: u64, voice: bool) -> &mut Self {
        let frame = self.leg.rate as usize / 50;
        for _ in 0..ms / 20 {
            self.now += Duration::from_millis(20);
            let n = frame.min(self.leg.spoken.slots());
            let loud =
                self.leg.spoken.read_chunk(n).unwrap().into_iter().filter(|s| s.abs() > 500).count() > 0;
            self.heard.push(loud);
            for _ in 0..frame {
                self.leg.heard.push(if voice { 5_000 } else { 0 }).unwrap();
            }
            self.session.tick(self.now);
            self.fetch();
        }
        self
    }

    pub(super) fn fetch(&mut self) {
        while let Some(event) = self.session.poll() {
            self.events.push((self.now, event));
        }
    }

    /// The caller says this, and then is silent for a second.
    pub(super) fn say(&mut self, text: &'static str) -> &mut Self {
        self.script.lock().unwrap().says.push_back(text);
        self.run(600, true).run(1_000, false)
    }

    pub(super) fn key(&mut self, key: char) -> &mut Self {
        self.session.key(self.now, key);
        self.fetch();
        self
    }

    /// Until the agent has been silent for half a second.
    pub(super) fn until_silent(&mut self) -> &mut Self {
        for _ in 0..3_000 {
            self.run(20, false);
            let last = self.heard.iter().rev().take(25);
            if self.heard.len() > 25 && last.clone().all(|heard| !heard) {
                return self;
            }
        }
        panic!("the agent speaks for ever");
    }

    /// What the agent said, and whether it was cut off.
    pub(super) fn said(&self) -> Vec<(String, bool)> {
        self.events
            .iter()
            .filter_map(|(_, event)| match event {
                AgentEvent::Transcript { caller: false, text, interrupted, .. } => {
                    Some((text.clone(), *interrupted))
                }
                _ => None,
            })
            .collect()
    }

    pub(super) fn has(&self, wanted: impl Fn(&AgentEvent) -> bool) -> bool {
        self.events.iter().any(|(_, event)| wanted(event))
    }

    /// When this happened last.
    pub(super) fn when(&self, wanted: impl Fn(&AgentEvent) -> bool) -> Time {
        self.events.iter().rev().find(|(_, event)| wanted(event)).unwrap().0
    }
}
