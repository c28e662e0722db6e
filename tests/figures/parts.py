"""The parts that have a figure of their own: the parser beside rsipstack's, and instruction counts."""

import os
import re
import shutil

from machine import ROOT, run

PEER = os.path.join(ROOT, "tests/peer/rsipstack/Cargo.toml")
UNITS = {"ns": 1e-3, "µs": 1.0, "us": 1.0, "ms": 1e3}


def parse(_program, short):
    """An INVITE of 1.1 kB framed and six headers typed, by both in one run."""
    out = run(["cargo", "bench", "-q", "--locked", "--manifest-path", PEER, "--bench", "parse", "--", "six_headers_typed",
               "--sample-count", "50" if short else "200"])
    us = medians(out)
    ours, theirs = us["trunkline"], us["rsipstack"]
    return [("INVITE of 1.1 kB, six headers typed", "0.9 us", "0.5 us", f"{ours:.2f} us",
             "median, framed and Via, From, To, Contact, CSeq, Call-ID with their URIs read"),
            ("  rsipstack beside it", "3x slower", "", f"{theirs / ours:.1f}x slower", f"{theirs:.2f} us, the same run")]


def medians(table):
    """Names and medians in microseconds out of divan's table."""
    found = {}
    for line in table.splitlines():
        match = re.match(r"[\s│├╰─]*(\w+)\s+[\d.]+ \S+\s+│ [\d.]+ \S+\s+│ ([\d.]+) (ns|µs|us|ms)", line)
        if match:
            found[match[1]] = float(match[2]) * UNITS[match[3]]
    return found


def instructions(_program, _short):
    """Counted by callgrind: the same on a busy machine and an idle one."""
    if not shutil.which("valgrind"):
        raise RuntimeError("valgrind is not installed")
    rows = []
    for what, package, bench, name in (
        ("instructions: an INVITE, six headers typed", "trunkline-sip", "parse", "invite_framed_and_six_headers_typed"),
        ("instructions: 20 ms of a leg, G.711", "trunkline-media", "leg", "pcmu_without_company"),
    ):
        binary = built(package, bench)
        # The difference of two runs: what begins and ends a bench is in both.
        few, many = (counted(binary, name, size) for size in (1_000, 11_000))
        rows.append((what, "", "", f"{(many - few) / 10_000:.0f}", f"callgrind on the bench {name}, sockets left out"))
    return rows


def built(package, bench):
    out = run(["cargo", "bench", "--locked", "--no-run", "-p", package, "--bench", bench, "--message-format=json"],
              cwd=ROOT)
    return re.findall(r'"executable":"([^"]+)"', out)[-1]


def counted(binary, name, size):
    """Instructions of one sample of so many iterations."""
    out = run(["sh", "-c", 'exec valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1', "-", binary,
               "--bench", name, "--sample-count", "1", "--sample-size", str(size)])
    return int(re.search(r"Collected : (\d+)", out)[1])
