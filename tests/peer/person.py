"""A participant of a LiveKit room, by LiveKit's own Python SDK (libwebrtc): a stranger to the gateway.

usage: person.py URL TOKEN

Commands on standard input, one a line; everything that happens is a line of JSON on standard output.
  tone HERTZ          speaks a tone from now on (0: silence)
  say FILE            speaks a WAV file (16 bit, mono) once
  mute / unmute       its own track
  key DIGIT           sends a DTMF key into the room
  heard               {"event":"heard","by":{identity:{"peak_hz":..,"rms":..,"seconds":..,"quiet_windows":..}}}
  forget              forgets what was heard
  record FILE         writes what it hears of everybody from now on, mixed, when it leaves (48,000 Hz mono)
  attributes          {"event":"attributes","of":{identity:{..}},"kind":{identity:n},"name":{..}}
  stats               what the receivers count, a track each
  rpc IDENTITY METHOD PAYLOAD
  leave
Events: connected, joined, left, subscribed, unsubscribed, key, attributes_changed, muted, unmuted, disconnected, text.
"""
import asyncio
import json
import sys
import wave

import numpy
from livekit import rtc

RATE = 48000


def tell(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


class Voice:
    """20 ms after 20 ms of a tone, a file, or silence."""

    def __init__(self):
        self.source = rtc.AudioSource(RATE, 1, queue_size_ms=100)
        self.hertz = 0.0
        self.phase = 0
        self.queue = numpy.zeros(0, dtype=numpy.int16)

    def next(self):
        n = RATE // 50
        if len(self.queue) >= n:
            frame, self.queue = self.queue[:n], self.queue[n:]
            return frame
        if self.hertz <= 0:
            return numpy.zeros(n, dtype=numpy.int16)
        t = (numpy.arange(n) + self.phase) / RATE
        self.phase += n
        return (8000 * numpy.sin(2 * numpy.pi * self.hertz * t)).astype(numpy.int16)

    async def run(self):
        while True:
            frame = self.next()
            await self.source.capture_frame(rtc.AudioFrame(frame.tobytes(), RATE, 1, len(frame)))


class Ear:
    """What came of one participant."""

    def __init__(self):
        self.pieces = []

    def report(self):
        sound = numpy.concatenate(self.pieces) if self.pieces else numpy.zeros(0, dtype=numpy.int16)
        if not len(sound):
            return {"peak_hz": 0.0, "rms": 0.0, "seconds": 0.0, "quiet_windows": 0}
        wave_ = sound.astype(numpy.float64)
        tail = wave_[-min(len(wave_), RATE * 2):]
        spectrum = numpy.abs(numpy.fft.rfft(tail * numpy.hanning(len(tail))))
        peak = float(numpy.argmax(spectrum) * RATE / len(tail)) if spectrum.any() else 0.0
        # Windows of 50 ms, once sound has begun, that have less than a quarter of the usual level.
        windows = numpy.sqrt((wave_[: len(wave_) // 2400 * 2400].reshape(-1, 2400) ** 2).mean(axis=1))
        loud = numpy.nonzero(windows > 300)[0]
        quiet = 0
        if len(loud):
            inside = windows[loud[0]: loud[-1] + 1]
            quiet = int((inside < 0.25 * numpy.median(inside)).sum())
        return {"peak_hz": peak, "rms": float(numpy.sqrt((tail ** 2).mean())),
                "seconds": len(sound) / RATE, "quiet_windows": quiet}


class Person:
    def __init__(self):
        self.room = rtc.Room()
        self.voice = Voice()
        self.ears = {}
        self.tasks = []
        self.track = None
        self.publication = None
        self.recording = None

    def listen(self):
        room = self.room

        @room.on("participant_connected")
        def _(p):
            tell("joined", identity=p.identity, kind=int(p.kind), attributes=dict(p.attributes), name=p.name)

        @room.on("participant_disconnected")
        def _(p):
            tell("left", identity=p.identity, reason=int(p.disconnect_reason or 0))

        @room.on("track_subscribed")
        def _(track, publication, p):
            tell("subscribed", identity=p.identity, mime=publication.mime_type, name=publication.name,
                 source=int(publication.source), sid=publication.sid)
            if track.kind == rtc.TrackKind.KIND_AUDIO:
                self.tasks.append(asyncio.ensure_future(self.hear(track, p.identity)))

        @room.on("track_unsubscribed")
        def _(track, publication, p):
            tell("unsubscribed", identity=p.identity, sid=publication.sid)

        @room.on("sip_dtmf_received")
        def _(dtmf):
            tell("key", digit=dtmf.digit, code=dtmf.code,
                 identity=dtmf.participant.identity if dtmf.participant else "")

        @room.on("participant_attributes_changed")
        def _(changed, p):
            tell("attributes_changed", identity=p.identity, changed=dict(changed))

        @room.on("track_muted")
        def _(p, publication):
            tell("muted", identity=p.identity)

        @room.on("track_unmuted")
        def _(p, publication):
            tell("unmuted", identity=p.identity)

        @room.on("disconnected")
        def _(reason):
            tell("disconnected", reason=int(reason) if reason is not None else 0)

    async def hear(self, track, identity):
        """Listens to one track. One that gives no frame is told with the packets that came, so that a silence is
        the gateway's or the SDK's and nobody has to guess."""
        self.ears.setdefault(identity, Ear())
        try:
            while await self.listen_to(track, identity) == "deaf":
                tell("deaf", identity=identity, received=await self.received(track))
        except Exception as e:  # A task that fails is otherwise a silence that nobody explains.
            tell("deaf", identity=identity, why=repr(e))

    async def listen_to(self, track, identity):
        stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1)
        frames = stream.__aiter__()
        first = True
        while True:
            try:
                event = await asyncio.wait_for(frames.__anext__(), timeout=3 if first else None)
            except StopAsyncIteration:
                return "over"
            except asyncio.TimeoutError:
                await stream.aclose()
                return "deaf"
            first = False
            ear = self.ears.setdefault(identity, Ear())
            ear.pieces.append(numpy.frombuffer(event.frame.data, dtype=numpy.int16).copy())
            if len(ear.pieces) > 12000:
                ear.pieces = ear.pieces[-6000:]

    async def received(self, track):
        for s in await track.get_stats():
            if s.HasField("inbound_rtp"):
                return s.inbound_rtp.received.packets_received
        return 0

    async def connect(self, url, token):
        self.listen()
        await self.room.connect(url, token, rtc.RoomOptions(auto_subscribe=True))
        tell("connected", identity=self.room.local_participant.identity, room=self.room.name,
             others=[p.identity for p in self.room.remote_participants.values()])
        self.track = rtc.LocalAudioTrack.create_audio_track("voice", self.voice.source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        # Somebody's track that comes while our own is negotiated is never played out by this SDK (1.2.0): its packets
        # are counted, no frame of it comes. So our negotiation gets time for itself, before and after.
        await asyncio.sleep(0.3)
        self.publication = await self.room.local_participant.publish_track(self.track, options)
        self.tasks.append(asyncio.ensure_future(self.voice.run()))
        await asyncio.sleep(0.7)
        tell("published", sid=self.publication.sid)

    async def obey(self, line):
        word, _, rest = line.partition(" ")
        if word == "tone":
            self.voice.hertz = float(rest)
        elif word == "say":
            with wave.open(rest, "rb") as f:
                sound = numpy.frombuffer(f.readframes(f.getnframes()), dtype="<i2")
                wanted = int(len(sound) * RATE / f.getframerate())
            at = numpy.arange(wanted) * len(sound) / wanted
            self.voice.queue = numpy.interp(at, numpy.arange(len(sound)), sound).astype(numpy.int16)
        elif word == "mute":
            self.track.mute()
        elif word == "unmute":
            self.track.unmute()
        elif word == "key":
            code = "0123456789*#ABCD".index(rest.upper())
            await self.room.local_participant.publish_dtmf(code=code, digit=rest)
        elif word == "heard":
            tell("heard", by={who: ear.report() for who, ear in self.ears.items()})
        elif word == "forget":
            self.ears = {}
        elif word == "record":
            self.recording = rest
        elif word == "attributes":
            people = self.room.remote_participants.values()
            tell("attributes", of={p.identity: dict(p.attributes) for p in people},
                 kind={p.identity: int(p.kind) for p in people}, name={p.identity: p.name for p in people})
        elif word == "stats":
            found = {}
            for p in self.room.remote_participants.values():
                for publication in p.track_publications.values():
                    if publication.track is not None:
                        for s in await publication.track.get_stats():
                            if s.HasField("inbound_rtp"):
                                r = s.inbound_rtp
                                found[p.identity] = {"received": r.received.packets_received,
                                                     "lost": r.received.packets_lost,
                                                     "concealed": r.inbound.concealed_samples}
            tell("stats", of=found)
        elif word == "rpc":
            who, method, payload = rest.split(" ", 2)
            try:
                answer = await self.room.local_participant.perform_rpc(
                    destination_identity=who, method=method, payload=payload, response_timeout=10.0)
                tell("rpc", answer=answer)
            except rtc.RpcError as e:
                tell("rpc", error=e.message, code=e.code)
        else:
            tell("unknown", command=word)

    def keep(self):
        if not self.recording:
            return
        tracks = [numpy.concatenate(e.pieces).astype(numpy.int32) for e in self.ears.values() if e.pieces]
        longest = max((len(t) for t in tracks), default=0)
        mixed = numpy.zeros(longest, dtype=numpy.int32)
        for t in tracks:
            mixed[: len(t)] += t
        with wave.open(self.recording, "wb") as f:
            f.setnchannels(1)
            f.setsampwidth(2)
            f.setframerate(RATE)
            f.writeframes(numpy.clip(mixed, -32768, 32767).astype("<i2").tobytes())


async def main():
    person = Person()
    try:
        await person.connect(sys.argv[1], sys.argv[2])
    except rtc.ConnectError as e:
        tell("failed", why=str(e))
        return
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while True:
        line = (await reader.readline()).decode().rstrip("\n")
        if not line or line == "leave":
            break
        try:
            await person.obey(line)
        except Exception as e:  # The test is told, not the terminal.
            tell("fault", command=line, why=repr(e))
    person.keep()
    for task in person.tasks:
        task.cancel()
    await person.room.disconnect()
    tell("gone")


asyncio.run(main())
