//! The journal's files: appended to, turned over at 64 MB, pruned by age and size, read by place.

use crate::{Entry, RecordsError};
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A file is turned over above this.
pub(crate) const SEGMENT: u64 = 64 << 20;
/// All files together; the oldest go first.
const JOURNAL: u64 = 2 << 30;
/// And what is older than this.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Where lines of a call are: file number, offset, length in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Extent(pub u32, pub u64, pub u32);

impl Extent {
    /// Adds it to a call's, as one with the last if it follows it.
    pub(crate) fn join(self, extents: &mut Vec<Self>) {
        if let Some(Self(number, offset, length)) = extents.last_mut()
            && *number == self.0
            && *offset + u64::from(*length) == self.1
            && let Some(both) = length.checked_add(self.2)
        {
            *length = both;
        } else {
            extents.push(self);
        }
    }
}

/// Makes a folder and its parents that only the owner may enter.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

pub(crate) fn path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:08}.jsonl"))
}

/// Numbers of the files there are, oldest first.
pub(crate) fn numbers(folder: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let name = file?.file_name();
        if let Some(number) = name.to_str().and_then(|name| name.strip_suffix(".jsonl")?.parse().ok()) {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The file that is written to. Made at the first write, so that a process without calls leaves none.
#[derive(Debug)]
pub(crate) struct Segment {
    folder: PathBuf,
    pub(crate) number: u32,
    file: Option<File>,
    /// Bytes in it.
    pub(crate) length: u64,
}

impl Segment {
    /// After the last file that is there: what an earlier process left half-written is not gone on with.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let last = numbers(folder)?.last().copied().unwrap_or(0);
        Ok(Self { folder: folder.into(), number: last.saturating_add(1), file: None, length: 0 })
    }

    /// All or nothing, as far as the disk lets it.
    pub(crate) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(
                OpenOptions::new()
                    .append(true)
                    .create(true)
                    .mode(0o600)
                    .open(path(&self.folder, self.number))?,
            ),
        };
        if let Err(error) = file.write_all(lines) {
            let _ = file.set_len(self.length);
            return Err(error);
        }
        self.length += lines.len() as u64;
        Ok(())
    }

    /// The next file, and the oldest away. What cannot be removed stays.
    pub(crate) fn turn(&mut self) {
        self.number = self.number.saturating_add(1);
        self.file = None;
        self.length = 0;
        let _ = self.prune(SystemTime::now(), JOURNAL);
    }

    fn prune(&self, now: SystemTime, most: u64) -> io::Result<()> {
        let mut left = most;
        for number in numbers(&self.folder)?.into_iter().rev() {
            let path = path(&self.folder, number);
            let about = std::fs::metadata(&path)?;
            let old = about.modified().is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age > KEPT));
            if old || about.len() > left {
                left = 0;
                std::fs::remove_file(&path)?;
            } else {
                left -= about.len();
            }
        }
        Ok(())
    }
}

/// A line, as far as a timeline wants it.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    call: std::borrow::Cow<'a, str>,
    entry: Option<Entry>,
}

/// The entries of a call. Places that were pruned, or that a full disk left empty, give none.
pub(crate) fn entries(folder: &Path, call: &str, extents: &[Extent]) -> Result<Vec<Entry>, RecordsError> {
    let mut entries = Vec::new();
    let mut open: Option<(u32, File)> = None;
    let mut bytes = Vec::new();
    for Extent(number, offset, length) in extents {
        let path = path(folder, *number);
        if open.as_ref().is_none_or(|(number_open, _)| number_open != number) {
            open = match File::open(&path) {
                Ok(file) => Some((*number, file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(RecordsError::io(&path)(error)),
            };
        }
        let Some((_, file)) = &mut open else { continue };
        bytes.clear();
        file.seek(SeekFrom::Start(*offset)).map_err(RecordsError::io(&path))?;
        file.take(u64::from(*length)).read_to_end(&mut bytes).map_err(RecordsError::io(&path))?;
        let lines = bytes
            .split(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice::<Line<'_>>(line).ok());
        entries.extend(lines.filter(|line| line.call == call).filter_map(|line| line.entry));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_files_go_when_the_journal_is_full_or_they_are_old() {
        let folder = tempfile::tempdir().unwrap();
        let mut segment = Segment::open(folder.path()).unwrap();
        for _ in 0..4 {
            segment.write(&[b'x'; 100]).unwrap();
            segment.turn();
        }
        assert_eq!(numbers(folder.path()).unwrap(), [1, 2, 3, 4]);
        segment.prune(SystemTime::now(), 250).unwrap();
        assert_eq!(numbers(folder.path()).unwrap(), [3, 4]);
        segment.prune(SystemTime::now() + KEPT * 2, 1000).unwrap();
        assert!(numbers(folder.path()).unwrap().is_empty());
    }

    #[test]
    fn lines_that_follow_each_other_are_one_place() {
        let mut extents = vec![];
        for extent in [Extent(1, 0, 10), Extent(1, 10, 5), Extent(1, 20, 5), Extent(2, 25, 5)] {
            extent.join(&mut extents);
        }
        assert_eq!(extents, [Extent(1, 0, 15), Extent(1, 20, 5), Extent(2, 25, 5)]);
    }
}
