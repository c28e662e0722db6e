"""A telephone of its own, so that the gateway is not measured by itself: SIP and PCMU over two UDP sockets,
with the time of every packet as it comes in. What a listener's jitter buffer would add is not in its figures."""

import ctypes
import itertools
import random
import select
import socket
import struct
import time

FRAME = 160
SILENCE = b"\xff" * FRAME
# Louder than this (of 32,768) is a caller's voice, as in `agent/examples/voice_to_voice.rs` …
LOUD = 200
# … and sound of the far party, which sends digital silence when it says nothing.
SOUND = 60


def decode(byte):
    """One sample of G.711 µ-law."""
    byte = ~byte & 0xFF
    size = (((byte & 0x0F) << 3) + 0x84) << ((byte >> 4) & 7)
    return 0x84 - size if byte & 0x80 else size - 0x84


LINEAR = [decode(byte) for byte in range(256)]
IS_LOUD = bytes(abs(sample) > LOUD for sample in LINEAR)
IS_SOUND = bytes(abs(sample) > SOUND for sample in LINEAR)


def encode(sample):
    """One sample to µ-law."""
    sign, size = (0x80, -sample) if sample < 0 else (0, sample)
    size = min(size, 32_635) + 0x84
    exponent = max(size.bit_length() - 8, 0)
    return ~(sign | exponent << 4 | (size >> (exponent + 3)) & 0x0F) & 0xFF


class Flite:
    """A caller's voice, at 8,000 Hz."""

    class Wave(ctypes.Structure):
        _fields_ = [("type", ctypes.c_char_p), ("sample_rate", ctypes.c_int), ("num_samples", ctypes.c_int),
                    ("num_channels", ctypes.c_int), ("samples", ctypes.POINTER(ctypes.c_short))]

    def __init__(self, voice):
        mode = ctypes.RTLD_GLOBAL
        self.flite = ctypes.CDLL("libflite.so.1", mode=mode)
        for name in ("usenglish", "cmulex"):
            ctypes.CDLL(f"libflite_{name}.so.1", mode=mode)
        library = ctypes.CDLL(f"libflite_cmu_us_{voice}.so.1", mode=mode)
        self.flite.flite_init()
        register = getattr(library, f"register_cmu_us_{voice}")
        register.restype = ctypes.c_void_p
        register.argtypes = [ctypes.c_char_p]
        self.voice = register(None)
        self.flite.flite_text_to_wave.restype = ctypes.POINTER(self.Wave)
        self.flite.flite_text_to_wave.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
        self.flite.cst_wave_resample.argtypes = [ctypes.POINTER(self.Wave), ctypes.c_int]
        self.flite.delete_wave.argtypes = [ctypes.POINTER(self.Wave)]

    def frames(self, text):
        """µ-law frames of 20 ms."""
        wave = self.flite.flite_text_to_wave(text.encode(), self.voice)
        if wave.contents.sample_rate != 8000:
            self.flite.cst_wave_resample(wave, 8000)
        sound = bytes(encode(sample) for sample in wave.contents.samples[:wave.contents.num_samples])
        self.flite.delete_wave(wave)
        return [sound[at:at + FRAME].ljust(FRAME, b"\xff") for at in range(0, len(sound), FRAME)]


def is_loud(payload, table=IS_LOUD):
    return any(payload.translate(table))


class Call:
    """One call, up when it is made."""

    def __init__(self, port):
        self.sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sip.connect(("127.0.0.1", port))
        self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtp.bind(("127.0.0.1", 0))
        self.here, self.port = self.sip.getsockname()[1], port
        self.id = f"{random.getrandbits(64):016x}"
        self.sequence, self.ssrc = 0, random.getrandbits(32)
        sdp = (f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
               f"m=audio {self.rtp.getsockname()[1]} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n")
        self.to = f"<sip:agent@127.0.0.1:{port}>"
        self.send("INVITE", 1, sdp)
        answer = self.final()
        self.answered = time.monotonic()
        if not answer.startswith("SIP/2.0 200"):
            raise RuntimeError(answer.split("\r\n", 1)[0])
        self.to = next(line.split(":", 1)[1].strip() for line in answer.split("\r\n") if line.startswith("To:"))
        media = next(line for line in answer.split("\r\n") if line.startswith("m=audio"))
        self.far = ("127.0.0.1", int(media.split()[1]))
        self.send("ACK", 1)
        self.due = time.monotonic()

    def send(self, method, number, body=""):
        typed = "Content-Type: application/sdp\r\n" if body else ""
        self.sip.send((f"{method} sip:agent@127.0.0.1:{self.port} SIP/2.0\r\n"
                       f"Via: SIP/2.0/UDP 127.0.0.1:{self.here};branch=z9hG4bK{self.id}{method}{number}\r\n"
                       f"Max-Forwards: 70\r\nFrom: <sip:bench@127.0.0.1>;tag={self.id}\r\nTo: {self.to}\r\n"
                       f"Call-ID: {self.id}\r\nCSeq: {number} {method}\r\n"
                       f"Contact: <sip:bench@127.0.0.1:{self.here}>\r\n{typed}"
                       f"Content-Length: {len(body)}\r\n\r\n{body}").encode())

    def final(self):
        self.sip.settimeout(5)
        while True:
            answer = self.sip.recv(65_535).decode()
            if answer.startswith("SIP/2.0 ") and not answer.startswith("SIP/2.0 1"):
                return answer

    def step(self, frame=SILENCE):
        """Sends 20 ms and listens for as long; when the first sound of them came in, if one did."""
        self.rtp.sendto(struct.pack(">BBHII", 0x80, 0, self.sequence & 0xFFFF, self.sequence * FRAME,
                                    self.ssrc) + frame, self.far)
        self.sequence += 1
        self.due += 0.02
        first = None
        while (left := self.due - time.monotonic()) > 0:
            if not select.select([self.rtp], [], [], left)[0]:
                break
            packet = self.rtp.recv(2048)
            came = time.monotonic()
            if len(packet) > 12 and packet[1] & 0x7F == 0 and is_loud(packet[12:], IS_SOUND):
                first = first or came
        return first

    def first_sound(self, within=3.0):
        """Seconds from the 200 to the first sound; `None`: there was none."""
        for _ in range(int(within * 50)):
            came = self.step()
            if came:
                return came - self.answered
        return None

    def listen(self, quiet=1.0, longest=30.0):
        """Until the far party has been quiet for so long."""
        silent = 0
        for _ in range(int(longest * 50)):
            silent = 0 if self.step() else silent + 1
            if silent >= quiet * 50:
                return

    def ask(self, frames, within=5.0):
        """Says it; seconds from its last sound to the first of the answer."""
        last = max(at for at, frame in enumerate(frames) if is_loud(frame))
        ended = None
        for at, frame in zip(range(last + int(within * 50)), itertools.chain(frames, itertools.repeat(SILENCE))):
            if at == last:
                # A telephone sends a frame when its last sample was spoken.
                ended = time.monotonic()
            came = self.step(frame)
            if came and ended:
                return came - ended
        return None

    def hang_up(self):
        self.send("BYE", 2)
        self.final()
        self.sip.close()
        self.rtp.close()
