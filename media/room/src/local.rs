//! Rooms in this process, as those see them who join: who is in which, and the events.

use crate::mixing::RoomNumber;
use crate::thread::{Command, spawn};
use crate::{Participant, ParticipantId, Room, RoomError, RoomEvent, Wake};
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use trunkline_media::port::AudioPort;

/// Commands that wait for the thread, which takes them each 20 ms.
const COMMANDS: usize = 2_048;
/// Events that wait for whoever drains them.
const EVENTS: usize = 8_192;

/// Rooms in this process: one thread, a 20 ms tick, one decode a participant, mix-minus. Dropping it ends them.
pub struct LocalRooms {
    most: usize,
    register: Mutex<Register>,
    events: SyncSender<RoomEvent>,
    wake: Wake,
    commands: Option<SyncSender<Command>>,
    thread: Option<JoinHandle<()>>,
}

/// Events of all local rooms; bounded.
#[derive(Debug)]
pub struct Events {
    queue: Receiver<RoomEvent>,
}

/// Who is where.
#[derive(Debug, Default)]
struct Register {
    rooms: HashMap<String, Members>,
    whereabouts: HashMap<ParticipantId, String>,
    next: RoomNumber,
}

#[derive(Debug)]
struct Members {
    number: RoomNumber,
    who: Vec<(ParticipantId, String)>,
}

impl std::fmt::Debug for LocalRooms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalRooms").field("most", &self.most).finish_non_exhaustive()
    }
}

impl Events {
    /// The next one.
    pub fn try_next(&mut self) -> Option<RoomEvent> {
        self.queue.try_recv().ok()
    }
}

impl LocalRooms {
    /// Starts the thread. A room takes at most `most` participants.
    ///
    /// # Errors
    /// [`RoomError::Thread`].
    pub fn start(most: usize, wake: Wake) -> Result<(Self, Events), RoomError> {
        let (commands, waiting) = sync_channel(COMMANDS);
        let (events, queue) = sync_channel(EVENTS);
        let thread = spawn(waiting).map_err(RoomError::Thread)?;
        let rooms = Self {
            most,
            register: Mutex::default(),
            events,
            wake,
            commands: Some(commands),
            thread: Some(thread),
        };
        Ok((rooms, Events { queue }))
    }

    fn register(&self) -> MutexGuard<'_, Register> {
        self.register.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands events over while the register is held, so that they tell things in the order in which they were.
    /// One that finds no room is lost: whoever does not drain the queue has stopped listening.
    fn tell(&self, events: impl IntoIterator<Item = RoomEvent>) {
        for event in events {
            let _ = self.events.try_send(event);
        }
    }
}

impl Room for LocalRooms {
    fn join(&self, room: &str, who: Participant, port: AudioPort) -> Result<(), RoomError> {
        let mut register = self.register();
        let others = register.rooms.get(room).map_or(0, |members| members.who.len());
        if others >= self.most {
            return Err(RoomError::Full { room: room.to_owned(), most: self.most });
        }
        let next = register.next;
        let number = register.rooms.get(room).map_or(next, |members| members.number);
        let commands = self.commands.as_ref().ok_or(RoomError::Busy)?;
        commands.try_send(Command::Join { room: number, who: who.id, port }).map_err(|_| RoomError::Busy)?;
        register.enter(room, number, &who);
        let identity = who.identity;
        self.tell([RoomEvent::Joined { room: room.to_owned(), who: who.id, identity, others }]);
        drop(register);
        (self.wake)();
        Ok(())
    }

    fn leave(&self, who: ParticipantId) {
        let mut register = self.register();
        let Some((room, identity, others)) = register.remove(who) else { return };
        let closed = (others == 0).then(|| RoomEvent::Closed { room: room.clone() });
        self.tell(std::iter::once(RoomEvent::Left { room, who, identity, others }).chain(closed));
        drop(register);
        if let Some(commands) = &self.commands {
            // This one must not be lost, so it waits for room: at most until the thread's next tick.
            let _ = commands.send(Command::Leave { who });
        }
        (self.wake)();
    }

    fn dtmf(&self, who: ParticipantId, digit: char) {
        let register = self.register();
        let Some(room) = register.whereabouts.get(&who) else { return };
        let Some(members) = register.rooms.get(room) else { return };
        let others = members.who.iter().map(|(id, _)| *id).filter(|id| *id != who);
        self.tell(others.map(|to| RoomEvent::Dtmf { room: room.clone(), from: who, to, digit }));
        drop(register);
        (self.wake)();
    }

    fn counts(&self) -> (usize, usize) {
        let register = self.register();
        (register.rooms.len(), register.whereabouts.len())
    }
}

impl Drop for LocalRooms {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Register {
    fn enter(&mut self, room: &str, number: RoomNumber, who: &Participant) {
        if number == self.next {
            self.next += 1;
        }
        let members =
            self.rooms.entry(room.to_owned()).or_insert_with(|| Members { number, who: Vec::new() });
        members.who.push((who.id, who.identity.clone()));
        self.whereabouts.insert(who.id, room.to_owned());
    }

    /// The room, the name there, and how many are left in it.
    fn remove(&mut self, who: ParticipantId) -> Option<(String, String, usize)> {
        let room = self.whereabouts.remove(&who)?;
        let members = self.rooms.get_mut(&room)?;
        let at = members.who.iter().position(|(id, _)| *id == who)?;
        let (_, identity) = members.who.remove(at);
        let others = members.who.len();
        if others == 0 {
            self.rooms.remove(&room);
        }
        Some((room, identity, others))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use trunkline_media::port::{LegPort, audio_port};

    fn rooms(most: usize) -> (LocalRooms, Events) {
        LocalRooms::start(most, Arc::new(|| ())).unwrap()
    }

    fn join(rooms: &LocalRooms, room: &str, id: u64) -> Result<LegPort, RoomError> {
        let (port, leg) = audio_port(8_000, 10);
        let who = Participant {
            id: ParticipantId(id),
            identity: format!("sip_{id}"),
            name: String::new(),
            attributes: Vec::new(),
        };
        rooms.join(room, who, port).map(|()| leg)
    }

    fn all(events: &mut Events) -> Vec<RoomEvent> {
        std::iter::from_fn(|| events.try_next()).collect()
    }

    #[test]
    fn coming_and_going_is_told_in_order_and_the_last_one_closes_the_room() {
        let (rooms, mut events) = rooms(10);
        let _first = join(&rooms, "a", 1).unwrap();
        let _second = join(&rooms, "a", 2).unwrap();
        assert_eq!(rooms.counts(), (1, 2));
        rooms.leave(ParticipantId(1));
        rooms.leave(ParticipantId(2));
        rooms.leave(ParticipantId(2));
        let room = || "a".to_owned();
        let (one, two) = (ParticipantId(1), ParticipantId(2));
        assert_eq!(
            all(&mut events),
            [
                RoomEvent::Joined { room: room(), who: one, identity: "sip_1".to_owned(), others: 0 },
                RoomEvent::Joined { room: room(), who: two, identity: "sip_2".to_owned(), others: 1 },
                RoomEvent::Left { room: room(), who: one, identity: "sip_1".to_owned(), others: 1 },
                RoomEvent::Left { room: room(), who: two, identity: "sip_2".to_owned(), others: 0 },
                RoomEvent::Closed { room: room() },
            ]
        );
        assert_eq!(rooms.counts(), (0, 0));
    }

    #[test]
    fn a_full_room_takes_nobody_and_another_room_does() {
        let (rooms, _events) = rooms(2);
        let _legs = (join(&rooms, "a", 1).unwrap(), join(&rooms, "a", 2).unwrap());
        assert!(matches!(join(&rooms, "a", 3), Err(RoomError::Full { most: 2, .. })));
        assert!(join(&rooms, "b", 3).is_ok());
        rooms.leave(ParticipantId(1));
        assert!(join(&rooms, "a", 4).is_ok());
    }

    #[test]
    fn a_key_is_told_to_each_of_the_others() {
        let (rooms, mut events) = rooms(10);
        let _legs: Vec<_> = (1..=3).map(|id| join(&rooms, "a", id).unwrap()).collect();
        all(&mut events);
        rooms.dtmf(ParticipantId(2), '7');
        let told: Vec<_> = all(&mut events)
            .into_iter()
            .map(|event| match event {
                RoomEvent::Dtmf { from, to, digit, .. } => (from.0, to.0, digit),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(told, [(2, 1, '7'), (2, 3, '7')]);
    }

    #[test]
    fn two_legs_in_a_room_hear_each_other() {
        let (rooms, _events) = rooms(10);
        let mut first = join(&rooms, "a", 1).unwrap();
        let mut second = join(&rooms, "a", 2).unwrap();
        let mut heard = [0; 160];
        while !heard.contains(&1_000) {
            let _ = first.heard.push_entire_slice(&[1_000; 160]);
            let _ = second.spoken.pop_partial_slice(&mut heard);
            std::thread::yield_now();
        }
        assert!(first.spoken.pop().map_or(0, |sample| sample) == 0);
    }
}
