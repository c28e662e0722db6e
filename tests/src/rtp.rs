//! A telephone's sound without the telephone: G.711 µ-law every 20 ms, and what came back.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const FRAME: usize = 160;
const PACKET: Duration = Duration::from_millis(20);

/// One end of a media stream that talks until it is stopped.
#[derive(Debug)]
pub struct Voice {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Heard>,
}

/// What came in, until the voice was stopped.
#[derive(Debug, Default)]
pub struct Heard {
    /// Packets that were sent.
    pub sent: u64,
    /// Packets that came.
    pub received: u64,
    /// Gaps of the sequence numbers.
    pub lost: u64,
    /// The sound of what came, 8 kHz, in the order of arrival.
    pub sound: Vec<i16>,
}

/// A socket for sound on loopback; its address goes into the SDP.
#[must_use]
pub fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_nonblocking(true).expect("nonblocking");
    socket
}

/// The port of a socket.
#[must_use]
pub fn port(socket: &UdpSocket) -> u16 {
    socket.local_addr().expect("bound").port()
}

impl Voice {
    /// Sings this tone (0 Hz: silence) to `to` from now on.
    #[must_use]
    pub fn sing(socket: UdpSocket, to: SocketAddr, hertz: f64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || sing(&socket, to, hertz, &told));
        Self { stop, thread }
    }

    /// Falls silent.
    #[must_use]
    pub fn stop(self) -> Heard {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the voice")
    }
}

fn sing(socket: &UdpSocket, to: SocketAddr, hertz: f64, stop: &AtomicBool) -> Heard {
    let (mut heard, mut next, mut last) = (Heard::default(), Instant::now(), None);
    let ssrc = u32::from(port(socket)).to_be_bytes();
    while !stop.load(Ordering::Relaxed) {
        let _ = socket.send_to(&packet(heard.sent, ssrc, hertz), to);
        heard.sent += 1;
        listen(socket, &mut heard, &mut last);
        next += PACKET;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    listen(socket, &mut heard, &mut last);
    heard
}

/// The `n`th packet of a tone.
#[must_use]
pub fn packet(n: u64, ssrc: [u8; 4], hertz: f64) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend((n as u16).to_be_bytes());
    packet.extend((n as u32).wrapping_mul(FRAME as u32).to_be_bytes());
    packet.extend(ssrc);
    packet.extend((0..FRAME).map(|i| {
        let t = (n * FRAME as u64 + i as u64) as f64 / 8000.0;
        encode((9000.0 * (2.0 * std::f64::consts::PI * hertz * t).sin()) as i16)
    }));
    packet
}

fn listen(socket: &UdpSocket, heard: &mut Heard, last: &mut Option<u16>) {
    let mut buffer = [0; 2048];
    while let Ok(n) = socket.recv(&mut buffer) {
        if n < 12 || buffer[1] & 0x7f != 0 {
            continue;
        }
        let sequence = u16::from_be_bytes([buffer[2], buffer[3]]);
        // A packet that came late fills the gap that was counted for it.
        match last.map(|l| sequence.wrapping_sub(l)) {
            Some(ahead) if ahead > 0x8000 => heard.lost = heard.lost.saturating_sub(1),
            Some(0) => {}
            ahead => {
                heard.lost += u64::from(ahead.map_or(0, |a| a - 1));
                *last = Some(sequence);
            }
        }
        heard.received += 1;
        heard.sound.extend(buffer[12..n].iter().map(|b| decode(*b)));
    }
}

/// ITU-T G.711 µ-law.
fn encode(sample: i16) -> u8 {
    let magnitude = (i32::from(sample).abs() + 132).min(32_767);
    let segment = (0..8).rev().find(|s| magnitude >> (s + 7) != 0).unwrap_or(0);
    let code = (segment << 4) | ((magnitude >> (segment + 3)) & 0x0f);
    !(code as u8 | if sample < 0 { 0x80 } else { 0 })
}

fn decode(byte: u8) -> i16 {
    let code = i32::from(!byte);
    let magnitude = ((((code & 0x0f) << 3) + 132) << ((code >> 4) & 7)) - 132;
    (if code & 0x80 == 0 { magnitude } else { -magnitude }) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_comes_back_nearly_as_it_was() {
        for sample in (-32_000..32_000).step_by(97) {
            let error = (i32::from(decode(encode(sample))) - i32::from(sample)).abs();
            assert!(error <= i32::from(sample).abs() / 16 + 8, "{sample}: {error}");
        }
    }
}
