//! The functions of `libpocketsphinx.so.3` and `libsphinxbase.so.3` that are used, with their types as the
//! headers of Debian's 0.8+5prealpha declare them.

use super::{ENGINE, LIBRARY_PACKAGE};
use crate::error::EngineError;
use crate::library::Shared;
use std::ffi::{c_char, c_double, c_int, c_void};

/// `arg_t`: what options there are. Only handed through.
#[repr(C)]
pub(super) struct Options {
    _opaque: [u8; 0],
}
/// `cmd_ln_t`: a configuration.
#[repr(C)]
pub(super) struct Config {
    _opaque: [u8; 0],
}
/// `ps_decoder_t`.
#[repr(C)]
pub(super) struct PsDecoder {
    _opaque: [u8; 0],
}
/// `logmath_t`: the base in which scores are logarithms.
#[repr(C)]
pub(super) struct LogMath {
    _opaque: [u8; 0],
}
/// `ngram_model_t`.
#[repr(C)]
pub(super) struct Ngrams {
    _opaque: [u8; 0],
}

/// `cmn_t` of cmn.h.
#[repr(C)]
pub(super) struct Cmn {
    pub(super) cmn_mean: *mut f32,
    pub(super) cmn_var: *mut f32,
    pub(super) sum: *mut f32,
    pub(super) nframe: c_int,
    pub(super) veclen: c_int,
}
/// `feat_t` of feat.h, as far as it is used.
#[repr(C)]
pub(super) struct Feat {
    refcount: c_int,
    name: *mut c_char,
    pub(super) cepsize: c_int,
    n_stream: c_int,
    stream_len: *mut u32,
    window_size: c_int,
    n_sv: c_int,
    sv_len: *mut u32,
    subvecs: *mut *mut c_int,
    sv_buf: *mut f32,
    sv_dim: c_int,
    cmn: c_int,
    varnorm: c_int,
    agc: c_int,
    compute_feat: *const c_void,
    pub(super) cmn_struct: *mut Cmn,
}

type SetCallback = unsafe extern "C" fn(*const c_void, *mut c_void);
type ReadNgrams = unsafe extern "C" fn(*mut Config, *const c_char, c_int, *mut LogMath) -> *mut Ngrams;
type ParseArguments =
    unsafe extern "C" fn(*mut Config, *const Options, c_int, *mut *mut c_char, c_int) -> *mut Config;
type AddWord = unsafe extern "C" fn(*mut PsDecoder, *const c_char, *const c_char, c_int) -> c_int;
type ProcessRaw = unsafe extern "C" fn(*mut PsDecoder, *const i16, usize, c_int, c_int) -> c_int;
type Named = unsafe extern "C" fn(*mut PsDecoder, *const c_char) -> c_int;

/// The functions. The libraries are never unloaded.
#[derive(Clone, Copy)]
pub(super) struct Api {
    pub(super) parse_arguments: ParseArguments,
    pub(super) free_config: unsafe extern "C" fn(*mut Config) -> c_int,
    pub(super) exp: unsafe extern "C" fn(*mut LogMath, c_int) -> c_double,
    pub(super) init_logmath: unsafe extern "C" fn(c_double, c_int, c_int) -> *mut LogMath,
    pub(super) free_logmath: unsafe extern "C" fn(*mut LogMath) -> c_int,
    pub(super) read_ngrams: ReadNgrams,
    pub(super) free_ngrams: unsafe extern "C" fn(*mut Ngrams) -> c_int,
    pub(super) count_ngrams: unsafe extern "C" fn(*mut Ngrams) -> *const u32,
    pub(super) word_of: unsafe extern "C" fn(*mut Ngrams, c_int) -> *const c_char,
    pub(super) score_of: unsafe extern "C" fn(*mut Ngrams, c_int, *const c_int, c_int, *mut c_int) -> c_int,
    pub(super) options: unsafe extern "C" fn() -> *const Options,
    pub(super) init: unsafe extern "C" fn(*mut Config) -> *mut PsDecoder,
    pub(super) free: unsafe extern "C" fn(*mut PsDecoder) -> c_int,
    pub(super) add_word: AddWord,
    pub(super) set_lm_file: unsafe extern "C" fn(*mut PsDecoder, *const c_char, *const c_char) -> c_int,
    pub(super) set_search: Named,
    pub(super) start_utt: unsafe extern "C" fn(*mut PsDecoder) -> c_int,
    pub(super) process_raw: ProcessRaw,
    pub(super) end_utt: unsafe extern "C" fn(*mut PsDecoder) -> c_int,
    pub(super) get_hyp: unsafe extern "C" fn(*mut PsDecoder, *mut c_int) -> *const c_char,
    pub(super) get_prob: unsafe extern "C" fn(*mut PsDecoder) -> c_int,
    pub(super) get_feat: unsafe extern "C" fn(*mut PsDecoder) -> *mut Feat,
    pub(super) get_logmath: unsafe extern "C" fn(*mut PsDecoder) -> *mut LogMath,
}

impl Api {
    /// Finds both libraries and every function.
    pub(super) fn open() -> Result<Self, EngineError> {
        let base = Shared::open(ENGINE, "libsphinxbase.so.3", LIBRARY_PACKAGE)?;
        let sphinx = Shared::open(ENGINE, "libpocketsphinx.so.3", LIBRARY_PACKAGE)?;
        // SAFETY: the types are those of cmd_ln.h, err.h, logmath.h, ngram_model.h, pocketsphinx.h and
        // ps_search.h (int32 is int, FILE and callbacks are pointers); the libraries are kept for ever.
        let api = unsafe {
            let silence: SetCallback = base.function("err_set_callback")?;
            // It would write its log, and what callers say, to the standard error.
            silence(std::ptr::null(), std::ptr::null_mut());
            let no_file: unsafe extern "C" fn(*mut c_void) = base.function("err_set_logfp")?;
            no_file(std::ptr::null_mut());
            Self {
                parse_arguments: base.function("cmd_ln_parse_r")?,
                free_config: base.function("cmd_ln_free_r")?,
                exp: base.function("logmath_exp")?,
                init_logmath: base.function("logmath_init")?,
                free_logmath: base.function("logmath_free")?,
                read_ngrams: base.function("ngram_model_read")?,
                free_ngrams: base.function("ngram_model_free")?,
                count_ngrams: base.function("ngram_model_get_counts")?,
                word_of: base.function("ngram_word")?,
                score_of: base.function("ngram_ng_score")?,
                options: sphinx.function("ps_args")?,
                init: sphinx.function("ps_init")?,
                free: sphinx.function("ps_free")?,
                add_word: sphinx.function("ps_add_word")?,
                set_lm_file: sphinx.function("ps_set_lm_file")?,
                set_search: sphinx.function("ps_set_search")?,
                start_utt: sphinx.function("ps_start_utt")?,
                process_raw: sphinx.function("ps_process_raw")?,
                end_utt: sphinx.function("ps_end_utt")?,
                get_hyp: sphinx.function("ps_get_hyp")?,
                get_prob: sphinx.function("ps_get_prob")?,
                get_feat: sphinx.function("ps_get_feat")?,
                get_logmath: sphinx.function("ps_get_logmath")?,
            }
        };
        std::mem::forget((base, sphinx));
        Ok(api)
    }
}
