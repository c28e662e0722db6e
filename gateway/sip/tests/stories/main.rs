//! Two endpoints in memory on a virtual clock: what becomes of calls when the network is as it is.

mod calls;
mod pair;
mod timers;
