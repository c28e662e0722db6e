//! Call recording: a stereo WAV file, left the far party, right the near one.
//!
//! A media thread must not wait for a disk. So a leg writes both directions into a ring, a [`Tape`], and one
//! thread of its own empties all rings into their files. A disk that stalls for longer than the ring holds
//! loses sound of the recording, never of the call, and the leg's owner is told.

use crate::event::LegId;
use hound::{SampleFormat, WavSpec, WavWriter};
use rtrb::{Consumer, Producer, RingBuffer};
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// What a ring holds.
const SECONDS: usize = 2;
/// How often rings are emptied.
const ROUND: Duration = Duration::from_millis(100);
/// Recordings that may begin between two rounds.
const WAITING: usize = 1_024;
/// Rounds between two headers that tell the length so far, so that `kill -9` leaves a file that plays.
const ROUNDS_A_HEADER: u32 = 20;

/// Told that a recording could not be written, and why.
pub type Failed = Box<dyn Fn(LegId, String) + Send>;

/// The thread that writes. Dropping it ends all recordings and waits until their files are whole.
#[derive(Debug)]
pub struct Recorder {
    door: Option<RecorderDoor>,
    thread: Option<JoinHandle<()>>,
}

/// Where recordings begin; one for each media thread. The writer ends when all are gone.
#[derive(Debug, Clone)]
pub struct RecorderDoor {
    jobs: SyncSender<Job>,
}

/// The leg's end of a recording. Dropping it ends the recording.
#[derive(Debug)]
pub struct Tape {
    ring: Producer<i16>,
    /// Of the file, whatever the leg's codec becomes.
    rate: u32,
}

#[derive(Debug)]
struct Job {
    leg: LegId,
    path: PathBuf,
    rate: u32,
    ring: Consumer<i16>,
}

struct Recording {
    leg: LegId,
    ring: Consumer<i16>,
    file: WavWriter<BufWriter<File>>,
}

impl Recorder {
    /// Starts the thread.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start(failed: Failed) -> io::Result<Self> {
        let (jobs, waiting) = sync_channel(WAITING);
        let thread = std::thread::Builder::new()
            .name("trunkline-tape".to_owned())
            .spawn(move || Writer { waiting, recordings: Vec::new(), failed }.run())?;
        Ok(Self { door: Some(RecorderDoor { jobs }), thread: Some(thread) })
    }

    /// A door for a media thread.
    #[must_use]
    pub fn door(&self) -> Option<RecorderDoor> {
        self.door.clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.door = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl RecorderDoor {
    /// Begins a recording at `rate`. `None`: too many begin at once.
    #[must_use]
    pub fn tape(&self, leg: LegId, path: PathBuf, rate: u32) -> Option<Tape> {
        let (ring, emptied) = RingBuffer::new(rate as usize * 2 * SECONDS);
        self.jobs.try_send(Job { leg, path, rate, ring: emptied }).ok()?;
        Some(Tape { ring, rate })
    }
}

impl Tape {
    /// Samples a second of the file.
    #[must_use]
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Both directions of 20 ms, of one length. What does not fit is lost.
    pub fn write(&mut self, far: &[i16], near: &[i16]) {
        let samples = far.len().min(near.len()) * 2;
        if let Ok(chunk) = self.ring.write_chunk_uninit(samples) {
            chunk.fill_from_iter(far.iter().zip(near).flat_map(|(far, near)| [*far, *near]));
        }
    }
}

struct Writer {
    waiting: Receiver<Job>,
    recordings: Vec<Recording>,
    failed: Failed,
}

impl Writer {
    fn run(mut self) {
        let mut round = 0u32;
        loop {
            let open = if self.recordings.is_empty() {
                // Nothing to write: no reason to wake.
                self.waiting.recv().map(|job| self.begin(job)).is_ok()
            } else {
                match self.waiting.recv_timeout(ROUND) {
                    Ok(job) => {
                        self.begin(job);
                        continue;
                    }
                    Err(RecvTimeoutError::Timeout) => true,
                    Err(RecvTimeoutError::Disconnected) => false,
                }
            };
            round = round.wrapping_add(1);
            self.empty(round.is_multiple_of(ROUNDS_A_HEADER), !open);
            if !open {
                return;
            }
        }
    }

    fn begin(&mut self, job: Job) {
        let spec = WavSpec {
            channels: 2,
            sample_rate: job.rate,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let folder = job.path.parent().map_or(Ok(()), std::fs::create_dir_all);
        let file = folder.map_err(hound::Error::IoError).and_then(|()| WavWriter::create(&job.path, spec));
        match file {
            Ok(file) => self.recordings.push(Recording { leg: job.leg, ring: job.ring, file }),
            Err(error) => (self.failed)(job.leg, error.to_string()),
        }
    }

    /// Empties all rings; those whose leg is gone (or all, when it is `over`) are closed.
    fn empty(&mut self, header: bool, over: bool) {
        let mut at = 0;
        while let Some(recording) = self.recordings.get_mut(at) {
            // Asked before the ring is emptied: what was written before the leg let go is then in the file.
            let ended = over || recording.ring.is_abandoned();
            let written = recording.empty(header && !ended);
            if ended || written.is_err() {
                let Recording { leg, file, .. } = self.recordings.swap_remove(at);
                if let Err(error) = written.and(file.finalize()) {
                    (self.failed)(leg, error.to_string());
                }
            } else {
                at += 1;
            }
        }
    }
}

impl Recording {
    fn empty(&mut self, header: bool) -> Result<(), hound::Error> {
        if let Ok(chunk) = self.ring.read_chunk(self.ring.slots()) {
            for sample in chunk {
                self.file.write_sample(sample)?;
            }
        }
        if header { self.file.flush() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn both_sides_are_in_the_file_when_the_recorder_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/call.wav");
        let recorder = Recorder::start(Box::new(|_, error| panic!("{error}"))).unwrap();
        let mut tape = recorder.door().unwrap().tape(LegId(1), path.clone(), 8_000).unwrap();
        tape.write(&[1; 160], &[2; 160]);
        tape.write(&[3; 160], &[4; 160]);
        drop(tape);
        drop(recorder);
        let mut reader = hound::WavReader::open(path).unwrap();
        assert_eq!((reader.spec().channels, reader.spec().sample_rate), (2, 8_000));
        let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
        assert_eq!(samples.len(), 640);
        assert_eq!((&samples[..2], &samples[638..]), (&[1, 2][..], &[3, 4][..]));
    }

    #[test]
    fn a_file_that_cannot_be_made_is_told() {
        let (told, hears) = mpsc::channel();
        let failed: Failed = Box::new(move |leg, error| told.send((leg, error)).unwrap());
        let recorder = Recorder::start(failed).unwrap();
        let path = PathBuf::from("/proc/no/such/place.wav");
        let _tape = recorder.door().unwrap().tape(LegId(3), path, 8_000).unwrap();
        assert_eq!(hears.recv().unwrap().0, LegId(3));
    }
}
