//! Which packets of a stream came already (RFC 3711 §3.3.2).

/// Packets that may be late: 2.5 seconds of sound.
const WIDTH: u64 = 128;

/// The highest index of a stream, and which of those below it came.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Window {
    highest: Option<u64>,
    /// Bit n: `highest - n` came.
    came: u128,
}

impl Window {
    pub(super) fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// Has this one not come, and is it not too old to know?
    pub(super) fn is_new(&self, index: u64) -> bool {
        let Some(highest) = self.highest else { return true };
        match highest.checked_sub(index) {
            None => true,
            Some(behind) => behind < WIDTH && self.came >> behind & 1 == 0,
        }
    }

    /// It came, and is authentic.
    pub(super) fn take(&mut self, index: u64) {
        let highest = self.highest.unwrap_or(index);
        if let Some(ahead) = index.checked_sub(highest) {
            self.came = if ahead < WIDTH { self.came << ahead | 1 } else { 1 };
            self.highest = Some(index);
        } else if highest - index < WIDTH {
            self.came |= 1 << (highest - index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_new_once_in_any_order_within_the_window_and_never_behind_it() {
        let mut window = Window::default();
        for index in [1_000, 1_003, 1_001, 1_002, 873 + 3, 5_000] {
            assert!(window.is_new(index), "{index}");
            window.take(index);
            assert!(!window.is_new(index), "{index}");
        }
        assert!(window.is_new(4_999) && window.is_new(4_873), "late, but not come");
        assert!(!window.is_new(4_872) && !window.is_new(0), "too late to know");
    }
}
