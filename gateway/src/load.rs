//! How busy the processors are: livekit/sip's rule that a node with too little idle time takes no new calls.
//!
//! One thread reads the kernel's counters every two seconds; whoever asks reads one number.

mod processors;

use processors::Processors;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

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
    /// Thousandths, as last measured.
    used: AtomicU32,
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
        Self { inner: Arc::new(Inner { most, used: AtomicU32::new(0), over: AtomicBool::new(false) }) }
    }

    /// Measures from now on; `most` is `max_cpu_utilization`, `wanted` LIVEKIT_CPU_REQUEST. Two measurements in a
    /// row have to be above it: one burst of set-ups is no load.
    pub fn watch(most: f32, wanted: Option<f64>) -> std::io::Result<Self> {
        let load = Self::of(most);
        let watched = Arc::downgrade(&load.inner);
        std::thread::Builder::new().name("trunkline-load".to_owned()).spawn(move || {
            let (processors, began) = (Processors::found(wanted), Instant::now());
            tracing::info!(?processors, "the load of the processors is measured");
            let (mut before, mut was_over) = (processors.read(began), false);
            loop {
                std::thread::sleep(EVERY);
                let Some(inner) = watched.upgrade() else { return };
                let now = processors.read(began);
                if let (Some(now), Some(before)) = (now, before)
                    && now.had > before.had
                {
                    let share = (now.used - before.used) / (now.had - before.had);
                    let used = (share.max(0.0) * 1_000.0) as u32;
                    inner.used.store(used, Ordering::Relaxed);
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

    /// The share of the processors that was used as last measured: 1 is all of them.
    pub fn share(&self) -> f64 {
        f64::from(self.inner.used.load(Ordering::Relaxed)) / 1_000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_measured_is_no_load() {
        assert!(!Load::none().is_full());
        assert_eq!(Load::none().share(), 0.0);
    }
}
