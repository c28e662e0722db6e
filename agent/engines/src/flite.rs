//! Speech out of text: flite's voices, as Debian's `libflite1` ships them.
//!
//! A voice is loaded once for the process and never unloaded. flite keeps voices, language tables and
//! feature lists as unguarded globals, so one synthesis runs at a time, whichever voice it is; at thirty
//! times faster than speech, and with a cache in front of it, one core's worth is plenty.

use crate::error::EngineError;
use crate::library::Shared;
use crate::resample::Halver;
use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::NonNull;
use std::sync::Mutex;

const ENGINE: &str = "flite";
const PACKAGE: &str = "libflite1";

/// One synthesis at a time in the whole process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The voices of `libflite1` that speak American English.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Voice {
    /// A woman's; the clearest over a telephone.
    #[default]
    Slt,
    /// A man's.
    Rms,
    /// A Scotsman's.
    Awb,
    /// A man's, from diphones: rougher and quicker to make.
    Kal,
}

impl Voice {
    fn library(self) -> &'static str {
        match self {
            Self::Slt => "libflite_cmu_us_slt.so.1",
            Self::Rms => "libflite_cmu_us_rms.so.1",
            Self::Awb => "libflite_cmu_us_awb.so.1",
            Self::Kal => "libflite_cmu_us_kal.so.1",
        }
    }

    fn register(self) -> &'static str {
        match self {
            Self::Slt => "register_cmu_us_slt",
            Self::Rms => "register_cmu_us_rms",
            Self::Awb => "register_cmu_us_awb",
            Self::Kal => "register_cmu_us_kal",
        }
    }
}

/// `cst_wave` of flite 2.2's `cst_wave.h`.
#[repr(C)]
struct CstWave {
    kind: *const c_char,
    sample_rate: c_int,
    num_samples: c_int,
    num_channels: c_int,
    samples: *mut i16,
}

type TextToWave = unsafe extern "C" fn(*const c_char, *mut c_void) -> *mut CstWave;
type DeleteWave = unsafe extern "C" fn(*mut CstWave);
type Init = unsafe extern "C" fn() -> c_int;
type Register = unsafe extern "C" fn(*const c_char) -> *mut c_void;

/// A voice, ready to speak. Clones speak with the same one.
#[derive(Clone)]
pub struct Flite {
    text_to_wave: TextToWave,
    delete_wave: DeleteWave,
    voice: NonNull<c_void>,
}

impl std::fmt::Debug for Flite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flite").finish_non_exhaustive()
    }
}

// SAFETY: the voice is a static of a library that is never unloaded, and every use of it holds
// `ONE_AT_A_TIME`.
unsafe impl Send for Flite {}
// SAFETY: as above.
unsafe impl Sync for Flite {}

impl Flite {
    /// Rate of what it speaks, in Hz.
    pub const RATE: u32 = 8_000;

    /// Loads the libraries and the default voice.
    ///
    /// # Errors
    /// A library is missing or of another version; the error names the Debian package.
    pub fn open() -> Result<Self, EngineError> {
        Self::open_voice(Voice::default())
    }

    /// Loads the libraries and a voice.
    ///
    /// # Errors
    /// A library is missing or of another version; the error names the Debian package.
    pub fn open_voice(voice: Voice) -> Result<Self, EngineError> {
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let flite = Shared::open(ENGINE, "libflite.so.1", PACKAGE)?;
        let voices = Shared::open(ENGINE, voice.library(), PACKAGE)?;
        // SAFETY: types as flite.h of 2.2 has them; the libraries are kept for ever below.
        let (init, text_to_wave, delete_wave, register) = unsafe {
            (
                flite.function::<Init>("flite_init")?,
                flite.function::<TextToWave>("flite_text_to_wave")?,
                flite.function::<DeleteWave>("delete_wave")?,
                voices.function::<Register>(voice.register())?,
            )
        };
        // SAFETY: both take no state of ours; they are safe to call again, and the guard keeps others out.
        let pointer = unsafe {
            init();
            register(std::ptr::null())
        };
        let voice = NonNull::new(pointer)
            .ok_or(EngineError::Refused { engine: ENGINE, what: "registering the voice" })?;
        std::mem::forget((flite, voices));
        Ok(Self { text_to_wave, delete_wave, voice })
    }

    /// Rate of what it speaks, in Hz.
    #[must_use]
    pub fn rate(&self) -> u32 {
        Self::RATE
    }

    /// Speaks a text: mono at 8,000 Hz, cleanly limited to what a telephone carries. A text without a word
    /// gives no sound. Give it a sentence at a time (see [`crate::text::sentences`]): the first is heard
    /// sooner, and nobody waits for the rest of a reply that was cancelled.
    ///
    /// # Errors
    /// flite made no wave, or one that is not mono at 8,000 or 16,000 Hz.
    pub fn speak(&self, text: &str) -> Result<Vec<i16>, EngineError> {
        let plain = crate::text::plain(text);
        if !plain.bytes().any(|b| b.is_ascii_alphanumeric()) {
            return Ok(Vec::new());
        }
        let refused = EngineError::Refused { engine: ENGINE, what: "synthesis" };
        let Ok(text) = CString::new(plain) else { return Err(refused) };
        let guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // SAFETY: `text` lives across the call and ends with a nul; the voice came from this library; the
        // guard keeps other syntheses out.
        let wave = unsafe { (self.text_to_wave)(text.as_ptr(), self.voice.as_ptr()) };
        if wave.is_null() {
            return Err(refused);
        }
        // SAFETY: flite returned it, laid out as `CstWave`; `samples` holds `num_samples * num_channels`
        // values until `delete_wave`, which happens once, after the copy.
        let (rate, channels, samples) = unsafe {
            let w = &*wave;
            let count = usize::try_from(w.num_samples).unwrap_or(0);
            let samples = if w.samples.is_null() || w.num_channels != 1 {
                Vec::new()
            } else {
                std::slice::from_raw_parts(w.samples, count).to_vec()
            };
            let facts = (w.sample_rate, w.num_channels, samples);
            (self.delete_wave)(wave);
            facts
        };
        drop(guard);
        match (rate, channels) {
            (8_000, 1) => Ok(samples),
            (16_000, 1) => Ok(Halver::whole(&samples)),
            _ => Err(refused),
        }
    }
}
