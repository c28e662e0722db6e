//! What the bus asks before it claims a call for us: is there room, and is this call ours?

use crate::load::Load;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use trunkline_config::Config;
use trunkline_psrpc::Gate;

/// Which calls are ours, and whether there is room for more: asked by the bus, kept by the calls.
#[derive(Debug)]
pub struct CallGate {
    calls: Mutex<HashSet<String>>,
    most: usize,
    load: Load,
}

impl CallGate {
    pub fn new(config: &Config, load: Load) -> Arc<Self> {
        Arc::new(Self { calls: Mutex::default(), most: config.limits.calls, load })
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call began.
    pub fn enter(&self, call: &str) {
        self.held().insert(call.to_owned());
    }

    /// It is over.
    pub fn leave(&self, call: &str) {
        self.held().remove(call);
    }
}

impl Gate for CallGate {
    fn takes_calls(&self) -> bool {
        !self.load.is_full() && self.held().len() < self.most
    }

    fn owns(&self, call: &str) -> bool {
        self.held().contains(call)
    }
}
