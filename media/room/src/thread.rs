//! The clock of the rooms: one thread, 20 ms a tick, asleep while there is no room.

use crate::ParticipantId;
use crate::mixing::{MixRoom, RoomNumber};
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use trunkline_media::port::AudioPort;

const TICK: Duration = Duration::from_millis(20);
/// A thread that was held up for longer skips what is beyond it.
const MOST_BEHIND: Duration = Duration::from_millis(60);

#[derive(Debug)]
pub(crate) enum Command {
    Join { room: RoomNumber, who: ParticipantId, port: AudioPort },
    Leave { who: ParticipantId },
}

/// Starts it; it ends when nobody can send commands any more.
pub(crate) fn spawn(commands: Receiver<Command>) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("trunkline-rooms".to_owned()).spawn(move || run(&commands))
}

#[derive(Default)]
struct Rooms {
    rooms: HashMap<RoomNumber, MixRoom>,
    whereabouts: HashMap<ParticipantId, RoomNumber>,
}

fn run(commands: &Receiver<Command>) {
    let mut rooms = Rooms::default();
    let mut deadline = Instant::now();
    loop {
        if rooms.rooms.is_empty() {
            let Ok(command) = commands.recv() else { return };
            rooms.obey(command);
            deadline = Instant::now();
        }
        loop {
            match commands.try_recv() {
                Ok(command) => rooms.obey(command),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
        for room in rooms.rooms.values_mut() {
            room.tick();
        }
        deadline += TICK;
        let now = Instant::now();
        if let Some(early) = deadline.checked_duration_since(now) {
            std::thread::sleep(early);
        } else if now - deadline > MOST_BEHIND {
            deadline = now;
        }
    }
}

impl Rooms {
    fn obey(&mut self, command: Command) {
        match command {
            Command::Join { room, who, port } => {
                self.whereabouts.insert(who, room);
                self.rooms.entry(room).or_default().join(who, port);
            }
            Command::Leave { who } => {
                let Some(number) = self.whereabouts.remove(&who) else { return };
                let Some(room) = self.rooms.get_mut(&number) else { return };
                room.leave(who);
                if room.is_empty() {
                    self.rooms.remove(&number);
                }
            }
        }
    }
}
