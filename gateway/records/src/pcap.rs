//! A call as Wireshark reads it.

use crate::{Cdr, Entry, RecordsError};
use std::path::Path;

/// The signalling of a timeline as a pcap file for Wireshark; with the recording (stereo WAV, 8 or 16
/// kHz) its audio as RTP (PCMU) of both directions.
///
/// # Errors
/// [`RecordsError::Io`] when the recording cannot be read.
#[allow(clippy::todo, unused_variables)]
pub fn pcap(timeline: &[Entry], cdr: &Cdr, recording: Option<&Path>) -> Result<Vec<u8>, RecordsError> {
    todo!()
}
