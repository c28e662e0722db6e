//! How busy the processor is: livekit/sip's rule that a machine with too little idle time takes no new calls.
//!
//! One thread reads the kernel's counters every two seconds; whoever asks reads one number.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(2);

/// Whether the processors have too much to do. Cheap to clone and to ask.
#[derive(Debug, Clone)]
pub struct Load {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Thousandths.
    most: u32,
    over: AtomicBool,
}

impl Load {
    /// Nothing is measured, and nothing is too much.
    #[cfg(test)]
    pub fn none() -> Self {
        Self::of(1.0)
    }

    fn of(most: f32) -> Self {
        let most = (most * 1_000.0) as u32;
        Self { inner: Arc::new(Inner { most, over: AtomicBool::new(false) }) }
    }

    /// Measures from now on; `most` is `max_cpu_utilization`. Two measurements in a row have to be above it: one
    /// burst of set-ups is no load.
    pub fn watch(most: f32) -> std::io::Result<Self> {
        let load = Self::of(most);
        let watched = Arc::downgrade(&load.inner);
        std::thread::Builder::new().name("trunkline-load".to_owned()).spawn(move || {
            let (mut before, mut was_over) = (times(), false);
            loop {
                std::thread::sleep(EVERY);
                let Some(inner) = watched.upgrade() else { return };
                let now = times();
                if let (Some((busy, all)), Some((busy_before, all_before))) = (now, before) {
                    let span = all.saturating_sub(all_before).max(1);
                    let used = (busy.saturating_sub(busy_before) * 1_000 / span) as u32;
                    let over = used > inner.most;
                    inner.over.store(over && was_over, Ordering::Relaxed);
                    was_over = over;
                }
                before = now;
            }
        })?;
        Ok(load)
    }

    /// Is it too much for a new call?
    pub fn is_full(&self) -> bool {
        self.inner.over.load(Ordering::Relaxed)
    }
}

/// Busy and whole ticks of all processors since the boot.
fn times() -> Option<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    let first = text.lines().next()?;
    let ticks: Vec<u64> = first.split_whitespace().skip(1).filter_map(|t| t.parse().ok()).collect();
    let all: u64 = ticks.iter().take(8).sum();
    // Idle, and idle while a disk is waited for.
    let idle: u64 = ticks.iter().skip(3).take(2).sum();
    Some((all - idle, all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_counters_are_read() {
        let (busy, all) = times().unwrap();
        assert!(busy > 0 && busy < all);
    }

    #[test]
    fn nothing_measured_is_no_load() {
        assert!(!Load::none().is_full());
    }
}
