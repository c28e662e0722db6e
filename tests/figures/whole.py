"""Whole calls through the program, over real sockets."""

import os
import shutil
import subprocess
import time

from machine import CallsFailed, Gateway, cpu, free_port, percentile, resident, tally
from telephone import Call, Flite

ANNOUNCED = {"agent": ("--agent",), "room": ("--room", "bench")}
SAYS = ["what are your opening hours", "where are you", "tell me a joke", "what time is it",
        "I would like to make an appointment", "goodbye"]


def short_call(program, short):
    """CPU of INVITE to BYE, and how many a second there may be."""
    rows = []
    calls = 5_000 if short else 20_000
    for name, must, aim in (("agent", "160 us", "100 us"), ("room", "", "")):
        with Gateway(program, ANNOUNCED[name]) as gateway:
            # What happens once, and what lingers of earlier calls, is there before it counts.
            tally(gateway.load("--rate", 500, "--calls", 1_000), "short calls, to warm up")
            before = cpu(gateway.pid)
            seen = tally(gateway.load("--rate", 1_000, "--calls", calls), "short calls")
            time.sleep(1)  # what is written behind
            each = (cpu(gateway.pid) - before) / calls * 1e6
            rows.append((f"a short call, to the {name}", must, aim, f"{each:.0f} us",
                         f"CPU of the program a call; trunk, rule, SDP, ports, timeline and CDR; {calls} calls "
                         f"at {calls / seen['took_s']:.0f}/s"))
            if name == "agent":
                most, us, why = most_a_second(gateway, short)
                rows.append(("short calls a second", "~6,000", "", f"{most:.0f}",
                             f"{us:.0f} us of CPU a call then; generator and program share this machine; {why}"))
                left = gateway.left_after(36)
                if left:
                    raise CallsFailed(f"36 s after short calls there is still {left}")
    return rows + floor(calls)


def most_a_second(gateway, short):
    """The highest rate that was kept up without a failure, what a call cost then, and what ended the search."""
    best, us = 0.0, float("nan")
    for rate in range(1_000, 10_001, 1_000):
        calls = rate * (2 if short else 5)
        before = cpu(gateway.pid)
        try:
            seen = tally(gateway.load("--rate", rate, "--calls", calls, "--at-a-time", 4_000), f"at {rate}/s")
        except CallsFailed as failure:
            return best, us, str(failure)
        got = seen["placed"] / seen["took_s"]
        if got > best:
            time.sleep(1)  # what is written behind
            best, us = got, (cpu(gateway.pid) - before) / calls * 1e6
        if got < rate * 0.9:
            return best, us, f"asked for {rate}/s"
    return best, us, "no limit found up to 10,000"


def floor(calls):
    """SIPp as the called party, under the same generator: no dialplan, no ports, no records."""
    if not shutil.which("sipp"):
        return []
    port = free_port()
    sipp = subprocess.Popen(["sipp", "-sn", "uas", "-i", "127.0.0.1", "-p", str(port), "-nostdin"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
        program = os.environ["TRUNKLINE_BENCH_PROGRAM"]
        load = subprocess.Popen([program, "--config-body", "{}", "load", f"sip:a@127.0.0.1:{port}", "--json", "--rate",
                                 "1000", "--calls", str(calls)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True)
        before = cpu(sipp.pid)
        tally(load, "short calls to SIPp")
        each = (cpu(sipp.pid) - before) / calls * 1e6
        return [("  SIPp beside it", "", "", f"{each:.0f} us",
                 "`sipp -sn uas`, a floor: fixed answers, no dialplan, ports, records or agent")]
    finally:
        sipp.kill()
        sipp.wait()


def agent_calls(program, short):
    """CPU and memory of calls that are up."""
    # Not longer: an agent hangs up on a caller who never says a word.
    calls, hold, rate = (300, 30, 50) if short else (1_000, 30, 100)
    with Gateway(program) as gateway:
        tally(gateway.load("--media", "--hold", 1, "--calls", 20, "--rate", 20), "agent calls, to warm up")
        time.sleep(1)
        empty = resident(gateway.pid)
        load = gateway.load("--media", "--hold", hold, "--calls", calls, "--rate", rate)
        time.sleep(calls / rate + 5)
        up = gateway.verb("status")["counts"]["calls"]
        begun, before = time.monotonic(), cpu(gateway.pid)
        time.sleep(10)
        spent, took = cpu(gateway.pid) - before, time.monotonic() - begun
        full = resident(gateway.pid)
        seen = tally(load, "agent calls")
        left = gateway.left_after(40)
        if left:
            raise CallsFailed(f"40 s after agent calls there is still {left}")
    packets = seen["packets"]
    return [("a G.711 call to the agent", "0.10 %", "0.06 %", f"{spent / took / up * 100:.3f} %",
             f"of a core, {up} calls up, gate on, callers silent, 50 packets a second each way; "
             f"{packets['loss_percent']:.3f} % lost"),
            ("memory a call", "150 kB", "80 kB", f"{(full - empty) / up:.0f} kB",
             f"resident memory with {up} agent calls up, less that of the program without; {empty / 1024:.0f} MB")]


def set_up(program, short):
    """INVITE to 200 at 100 calls a second."""
    calls = 1_000 if short else 3_000
    with Gateway(program) as gateway:
        tally(gateway.load("--rate", 100, "--calls", 100), "set-up, to warm up")
        seen = tally(gateway.load("--rate", 100, "--calls", calls), "set-up")
    at = seen["set_up_ms"]
    return [("INVITE to 200, p99", "5 ms", "2 ms", f"{at['p99']:.2f} ms",
             f"p50 {at['p50']:.2f} ms; {calls} calls at 100/s, the generator's clock")]


def greeting(program, short):
    """From the 200 to the first packet with sound in it."""
    waits = []
    with Gateway(program) as gateway:
        for _ in range(10 if short else 30):
            call = Call(gateway.port)
            wait = call.first_sound()
            call.hang_up()
            if wait is None:
                raise CallsFailed("an agent did not greet")
            waits.append(wait * 1000)
    return [("200 to the greeting's first sample", "60 ms", "25 ms", f"{percentile(waits, 50):.0f} ms",
             f"p50 of {len(waits)} calls, at most {max(waits):.0f} ms; arrival of the first RTP packet with sound, "
             "before a phone's jitter buffer")]


def answer(program, short):
    """From the caller's last sound to the first of the answer."""
    says = SAYS[:4] if short else SAYS
    waits, asked, told = [], 0, []
    with Gateway(program) as gateway:
        for name in ("slt",) if short else ("slt", "rms", "awb"):
            voice = Flite(name)
            call = Call(gateway.port)
            call.listen()
            for text in says:
                asked += 1
                wait = call.ask(voice.frames(text))
                if wait is not None:
                    waits.append(wait)
                call.listen()
                if text == "goodbye":
                    break
            else:
                call.hang_up()
            told += latencies(gateway, call.id)
    if not waits:
        raise CallsFailed("no question was answered")
    return [("end of speech to the agent's first sample", "0.8 s", "0.5 s", f"{percentile(waits, 50):.2f} s",
             f"p50 of {len(waits)} answers to {asked} questions by flite's voices, p90 "
             f"{percentile(waits, 90):.2f} s, on the wire; {told[0] if told else 'the timeline says nothing'}")]


def latencies(gateway, sip_call_id):
    """What the call's own timeline says of it."""
    timeline = gateway.verb("calls", "show", sip_call_id)["timeline"]
    said = [entry["why"] for entry in timeline if entry.get("what") == "latency"]
    return [f"the timeline says: {why}" for why in said]
