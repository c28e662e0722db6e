//! The seat of a participant: its line, served once in 20 ms by the media thread of the leg that took it.

use crate::line::{Line, News, Order};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use trunkline_media::company::Company;
use trunkline_media::leg::FRAME;

/// Orders that wait for the next tick.
const ORDERS: usize = 64;

/// What the task keeps of a seat.
#[derive(Debug)]
pub(crate) struct Chair {
    orders: SyncSender<Order>,
    /// Ends when the seat is dropped.
    pub news: mpsc::Receiver<News>,
}

impl Chair {
    /// Tells the seat; false: it does not keep up, or is gone.
    pub(crate) fn tell(&self, order: Order) -> bool {
        self.orders.try_send(order).is_ok()
    }
}

/// The company of a leg that is in a room.
#[derive(Debug)]
pub(crate) struct RoomSeat {
    line: Box<Line>,
    orders: Receiver<Order>,
    news: mpsc::Sender<News>,
    near: [i16; FRAME],
    speaks: bool,
}

impl RoomSeat {
    /// The two ends.
    pub(crate) fn new(line: Box<Line>) -> (Self, Chair) {
        let (tell, orders) = sync_channel(ORDERS);
        let (say, news) = mpsc::channel(ORDERS);
        let seat = Self { line, orders, news: say, near: [0; FRAME], speaks: false };
        (seat, Chair { orders: tell, news })
    }
}

impl Drop for RoomSeat {
    fn drop(&mut self) {
        // The answer to whoever ended the call is still owed.
        while let Ok(order) = self.orders.try_recv() {
            if matches!(order, Order::Data(_)) {
                self.line.obey(order);
            }
        }
    }
}

impl Company for RoomSeat {
    fn hear(&mut self, _now: Duration, far: &[i16]) {
        while let Ok(order) = self.orders.try_recv() {
            self.line.obey(order);
        }
        let now = Instant::now();
        self.line.drive(now);
        self.line.speak(now, far);
        self.speaks = match self.near.get_mut(..far.len()) {
            Some(near) => self.line.hear(now, near),
            None => false,
        };
        // What finds no place now is told at the next tick.
        while let Ok(place) = self.news.try_reserve() {
            let Some(news) = self.line.next_news() else { break };
            place.send(news);
        }
    }

    fn speak(&mut self, near: &mut [i16]) -> bool {
        if self.speaks {
            for (to, from) in near.iter_mut().zip(&self.near) {
                *to = *from;
            }
        }
        self.speaks
    }

    fn set_rate(&mut self, rate: u32) {
        self.line.set_rate(rate);
    }
}
