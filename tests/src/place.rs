//! An address that is there and then is not.

use std::process::Command;

/// An address on loopback that can vanish: what is sent there then comes to nothing. Wants root.
pub struct Place {
    pub(crate) ip: &'static str,
}

impl Place {
    /// `None`: this machine does not allow it.
    #[must_use]
    pub fn new(ip: &'static str) -> Option<Self> {
        let mut place = Self { ip };
        place.come_back();
        let found = Command::new("ip").args(["address", "show", "dev", "lo"]).output().ok()?;
        String::from_utf8_lossy(&found.stdout).contains(ip).then_some(place)
    }

    fn ip(&self, arguments: &[&str]) {
        let _ = Command::new("ip").args(arguments).arg(self.ip).args(["dev", "lo"]).output();
    }

    /// Nothing comes from there and goes there any more.
    pub fn vanish(&mut self) {
        // Once it is no address of ours, nothing of it leaves the machine all the same.
        let _ = Command::new("ip").args(["route", "add", "blackhole", self.ip]).output();
        self.ip(&["address", "del"]);
    }

    /// It is there.
    pub fn come_back(&mut self) {
        self.ip(&["address", "add"]);
        let _ = Command::new("ip").args(["route", "del", "blackhole", self.ip]).output();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.ip(&["address", "del"]);
        let _ = Command::new("ip").args(["route", "del", "blackhole", self.ip]).output();
    }
}
