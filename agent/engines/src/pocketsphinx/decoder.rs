//! One decoder: an utterance at a time, sound in, words out.

use super::ENGINE;
use super::api::{Api, PsDecoder};
use super::channel::{Channel, MeanOf};
use super::vocabulary::Vocabulary;
use crate::error::EngineError;
use std::ffi::{CStr, CString, c_int};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Mutex;

/// The library was never meant to make two decoders at a time.
static ONE_IS_MADE_AT_A_TIME: Mutex<()> = Mutex::new(());
/// The name under which the search is known inside.
const SEARCH: &CStr = c"dialogue";

/// What was heard.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// Words in lower case, single spaces.
    pub text: String,
    /// How sure it is, 0..=1: the probability of these words against others that the sound could be, a
    /// word's (geometric) mean. Right sentences have 0.3 and more; of a single word it says little.
    pub confidence: f32,
}

/// Listens with one vocabulary to one caller at a time.
pub struct Decoder {
    api: Api,
    decoder: NonNull<PsDecoder>,
    mean: MeanOf,
    listening: bool,
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").field("listening", &self.listening).finish_non_exhaustive()
    }
}

// SAFETY: the library ties no decoder to the thread that made it, and two decoders share nothing that
// changes; `&mut self` keeps a decoder on one thread at a time.
unsafe impl Send for Decoder {}

/// How it listens. The silence was cut by the voice activity detector; a second pass over the words costs
/// more time after the caller has ended than it gains.
const OPTIONS: [(&CStr, &CStr); 8] = [
    (c"-remove_noise", c"no"),
    (c"-remove_silence", c"no"),
    (c"-fwdflat", c"no"),
    (c"-bestpath", c"yes"),
    (c"-cmn", c"live"),
    (c"-ds", c"1"),
    (c"-maxhmmpf", c"3000"),
    (c"-pl_window", c"5"),
];

impl Decoder {
    /// The rate it hears, in Hz.
    pub const RATE: u32 = 16_000;

    pub(super) fn new(api: Api, acoustic: &Path, vocabulary: &Vocabulary) -> Result<Self, EngineError> {
        let refused = |what| EngineError::Refused { engine: ENGINE, what };
        let hmm = CString::new(acoustic.as_os_str().as_bytes()).map_err(|_| refused("its folder's name"))?;
        let model = vocabulary.model.path().ok_or(refused("the temporary folder's name"))?;
        let mut arguments = vec![c"-hmm".as_ptr().cast_mut(), hmm.as_ptr().cast_mut()];
        for (name, value) in OPTIONS {
            arguments.extend([name.as_ptr().cast_mut(), value.as_ptr().cast_mut()]);
        }
        let count = c_int::try_from(arguments.len()).unwrap_or(0);
        let _guard = ONE_IS_MADE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // SAFETY: the arguments are `count` strings that outlive the call and are copied by it; the
        // decoder retains the configuration, so that ours may go.
        let decoder = unsafe {
            let config = (api.parse_arguments)(
                std::ptr::null_mut(),
                (api.options)(),
                count,
                arguments.as_mut_ptr(),
                1,
            );
            if config.is_null() {
                return Err(refused("its configuration"));
            }
            let decoder = (api.init)(config);
            (api.free_config)(config);
            NonNull::new(decoder).ok_or(refused("the acoustic model"))?
        };
        // SAFETY: the features belong to the decoder, and `Self` uses them no longer than that lives.
        let Some(mean) = (unsafe { MeanOf::new((api.get_feat)(decoder.as_ptr())) }) else {
            // SAFETY: it was made above and nobody else has it.
            unsafe { (api.free)(decoder.as_ptr()) };
            return Err(refused("the acoustic model's features"));
        };
        let this = Self { api, decoder, mean, listening: false };
        for (word, phones) in &vocabulary.words {
            // SAFETY: the decoder is ours, the strings end with a nul. A word whose phones the model does
            // not have is refused and not missed.
            unsafe { (api.add_word)(decoder.as_ptr(), word.as_ptr(), phones.as_ptr(), 0) };
        }
        // SAFETY: as above.
        let ready = unsafe {
            (api.set_lm_file)(decoder.as_ptr(), SEARCH.as_ptr(), model.as_ptr()) == 0
                && (api.set_search)(decoder.as_ptr(), SEARCH.as_ptr()) == 0
        };
        if ready { Ok(this) } else { Err(refused("the language model")) }
    }

    /// An utterance begins, over a line that sounds like this; one that was not finished is forgotten.
    ///
    /// # Errors
    /// The library refuses.
    pub fn start(&mut self, channel: &Channel) -> Result<(), EngineError> {
        self.abandon();
        // SAFETY: the decoder is ours and between utterances.
        if unsafe { (self.api.start_utt)(self.decoder.as_ptr()) } < 0 {
            return Err(EngineError::Refused { engine: ENGINE, what: "an utterance" });
        }
        self.mean.set(channel);
        self.listening = true;
        Ok(())
    }

    /// Sound of the utterance, mono at [`Decoder::RATE`]. Outside an utterance it is ignored.
    ///
    /// # Errors
    /// The library refuses.
    pub fn push(&mut self, samples: &[i16]) -> Result<(), EngineError> {
        if !self.listening || samples.is_empty() {
            return Ok(());
        }
        // SAFETY: it reads `samples.len()` values and keeps none of them.
        let frames =
            unsafe { (self.api.process_raw)(self.decoder.as_ptr(), samples.as_ptr(), samples.len(), 0, 0) };
        if frames < 0 {
            return Err(EngineError::Refused { engine: ENGINE, what: "sound" });
        }
        self.mean.learn();
        Ok(())
    }

    /// What the caller's line sounds like, with what was heard of it: for his next utterance.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.mean.channel()
    }

    /// What it seems to be so far; empty when it is nothing yet.
    #[must_use]
    pub fn partial(&mut self) -> String {
        if self.listening { self.hypothesis() } else { String::new() }
    }

    /// The utterance is over: what was it?
    ///
    /// # Errors
    /// The library refuses.
    pub fn finish(&mut self) -> Result<Heard, EngineError> {
        if !self.listening {
            return Ok(Heard { text: String::new(), confidence: 0.0 });
        }
        self.listening = false;
        // SAFETY: the decoder is ours and inside an utterance.
        if unsafe { (self.api.end_utt)(self.decoder.as_ptr()) } < 0 {
            return Err(EngineError::Refused { engine: ENGINE, what: "the end of an utterance" });
        }
        let text = self.hypothesis();
        // SAFETY: as above; the logarithm's base belongs to the decoder and lives as long.
        let confidence = unsafe {
            let score = (self.api.get_prob)(self.decoder.as_ptr());
            (self.api.exp)((self.api.get_logmath)(self.decoder.as_ptr()), score)
        };
        let words = text.split(' ').count() as f64;
        let confidence = if text.is_empty() { 0.0 } else { confidence.clamp(0.0, 1.0).powf(1.0 / words) };
        Ok(Heard { text, confidence: confidence as f32 })
    }

    /// Forgets an utterance that is not finished.
    pub fn abandon(&mut self) {
        if std::mem::take(&mut self.listening) {
            // SAFETY: the decoder is ours and inside an utterance.
            unsafe { (self.api.end_utt)(self.decoder.as_ptr()) };
        }
    }

    fn hypothesis(&mut self) -> String {
        let mut score = 0;
        // SAFETY: the text belongs to the decoder until it is used again; it is copied at once.
        unsafe {
            let text = (self.api.get_hyp)(self.decoder.as_ptr(), &raw mut score);
            if text.is_null() { String::new() } else { CStr::from_ptr(text).to_string_lossy().into_owned() }
        }
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        self.abandon();
        // SAFETY: it is freed once; nobody else has it.
        unsafe { (self.api.free)(self.decoder.as_ptr()) };
    }
}
