"""Calls in LiveKit rooms: the gateway's own cost, with livekit-server on the same machine."""

import os
import shutil
import subprocess
import tempfile
import time
import urllib.request

from machine import CallsFailed, Gateway, cpu, free_port, resident, tally

KEY, SECRET = "bench", "a-secret-of-thirty-two-characters"


class Server:
    """livekit-server, without Redis: TRUNKLINE_LIVEKIT_SERVER, or on the path."""

    def __enter__(self):
        binary = os.environ.get("TRUNKLINE_LIVEKIT_SERVER") or shutil.which("livekit-server")
        if not binary:
            raise RuntimeError("no livekit-server here (tests/run installs it)")
        self.port, media = free_port(), free_port()
        self.folder = tempfile.mkdtemp(prefix="livekit-bench-")
        config = os.path.join(self.folder, "livekit.yaml")
        with open(config, "w") as file:
            file.write(f"port: {self.port}\nbind_addresses: [127.0.0.1]\nkeys: {{ {KEY}: {SECRET} }}\n"
                       f"rtc: {{ udp_port: {media}, tcp_port: {media + 1}, node_ip: 127.0.0.1, use_external_ip: false, "
                       "enable_loopback_candidate: true }\nlogging: { level: error }\n")
        self.process = subprocess.Popen([binary, "--config", config], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=1).read()
                return self
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Rooms(Gateway):
    """A gateway whose callers meet in a LiveKit room for each number called."""

    def __init__(self, program, server, codec, rule="--room-for-each-number"):
        self.more = (f"ws_url: ws://127.0.0.1:{server.port}\napi_key: {KEY}\napi_secret: {SECRET}\n"
                     # What is measured shares the machine with livekit-server and the callers.
                     f"max_cpu_utilization: 1\nrooms:\n  room_codec: {codec}\n  answer: when_joined\n"
                     "codecs: {\"G722/8000\": false, \"opus/48000\": false}\n")
        super().__init__(program, (rule, "bench"))

    def load_to(self, user, *words):
        command = [self.program, "--config", self.config, "load", f"sip:{user}@127.0.0.1:{self.port}", "--json"]
        return subprocess.Popen(command + [str(word) for word in words], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)


def in_rooms(program, short):
    """Two callers a room, G.711 as it is and Opus; then short calls with a room join each."""
    rows = []
    rooms, seconds = (10, 12) if short else (20, 20)
    targets = {"pcmu": ("0.30 %", "0.18 %", "G.711 untranscoded"), "opus": ("0.75 %", "0.45 %", "Opus")}
    with Server() as server:
        for codec, (must, aim, name) in targets.items():
            with Rooms(program, server, codec) as gateway:
                idle = resident(gateway.pid)
                loads = [gateway.load_to(4_000 + n, "--calls", 2, "--rate", 2, "--hold", seconds + 14, "--media")
                         for n in range(rooms)]
                time.sleep(8)
                before = cpu(gateway.pid)
                time.sleep(seconds)
                share = (cpu(gateway.pid) - before) / seconds / (2 * rooms) * 100
                memory = (resident(gateway.pid) - idle) / (2 * rooms)
                for load in loads:
                    tally(load, f"calls in rooms, {codec}")
                rows.append((f"a call in a room of two, {name}", must, aim, f"{share:.2f} %",
                             f"of a core, both ways, {2 * rooms} calls up for {seconds} s; livekit-server and the callers share this machine"))
                rows.append((f"memory a call in a room, {name}", "600 kB", "350 kB", f"{memory:.0f} kB",
                             f"resident, above the idle program, {2 * rooms} calls up"))
        with Rooms(program, server, "auto", "--room-for-each-caller") as gateway:
            calls = 50 if short else 200
            tally(gateway.load_to(5_000, "--calls", 5, "--rate", 5, "--hold", 0.5), "to warm up")
            before = cpu(gateway.pid)
            seen = tally(gateway.load_to(5_001, "--calls", calls, "--rate", 10, "--hold", 0.5), "short calls with a room")
            each = (cpu(gateway.pid) - before) / calls * 1e3
            rows.append(("a short call with its room join", "12 ms", "5 ms", f"{each:.1f} ms", f"CPU, {calls} calls at 10/s"))
            rows.append(("INVITE to 200 with a room join, p50 / p99", "20 / 60 ms", "12 / 30 ms",
                         f"{seen['set_up_ms']['p50']:.0f} / {seen['set_up_ms']['p99']:.0f} ms", f"{calls} calls at 10/s"))
        with Rooms(program, server, "auto") as gateway:
            tally(gateway.load_to(5_000, "--calls", 5, "--rate", 5, "--hold", 0.5), "to warm up")
            loads = [gateway.load_to(6_000 + n, "--calls", 10, "--rate", 1_000, "--hold", 8, "--media")
                     for n in range(10)]
            seen = [tally(load, "a burst of calls into rooms") for load in loads]
            setup = sorted(one["set_up_ms"]["p50"] for one in seen)
            slowest = max(one["set_up_ms"]["p99"] for one in seen)
            each = sum(one["packets"]["received"] for one in seen) / 100 / 8
            rows.append(("100 calls at once, ten to a room: INVITE to 200, p50", "1 s", "0.5 s",
                         f"{setup[5] / 1e3:.2f} s", f"slowest {slowest / 1e3:.2f} s; {each:.0f} packets a second to each telephone"))
            left = gateway.left_after(40)
            if left:
                raise CallsFailed(f"40 s after calls in rooms there is still {left}")
    return rows
