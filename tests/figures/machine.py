"""The machine, the program that is measured on it, and the table at the end."""

import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TICKS = os.sysconf("SC_CLK_TCK")


class CallsFailed(Exception):
    """Calls that should have been fine were not."""


def described():
    """Model, cores, kernel and what else goes on, at the start."""
    model = "unknown processor"
    with open("/proc/cpuinfo") as lines:
        for line in lines:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return (f"{model}, {os.cpu_count()} cores, {memory:.1f} GB, {platform.system()} {platform.release()}; "
            f"load average at the start {load}")


def program():
    """Path of the release build, built if need be."""
    named = os.environ.get("TRUNKLINE_BIN")
    if named:
        return named
    run(["cargo", "build", "--release", "--locked", "-q", "-p", "trunkline"], cwd=ROOT)
    return os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")), "release/trunkline")


def run(command, **more):
    """Output of a command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:4])} …: {(done.stderr or done.stdout)[-2000:]}")
    return done.stdout


def cpu(pid):
    """Seconds of CPU, user and system, that a process has had."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident(pid):
    """Resident memory in kB."""
    with open(f"/proc/{pid}/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Gateway:
    """A trunkline with ports and state of its own, one trunk and one rule."""

    def __init__(self, program, rule=("--agent",)):
        self.program = program
        self.folder = tempfile.mkdtemp(prefix="trunkline-bench-")
        self.port = free_port()
        self.config = os.path.join(self.folder, "trunkline.yaml")
        with open(self.config, "w") as file:
            # The limits of strangers are out of the way; the rest is as users have it, the log included.
            file.write(f"sip_port: {self.port}\nlisten_ip: 127.0.0.1\nrtp_port: 20000-29999\n"
                       f"state_dir: {self.folder}/state\n"
                       "limits:\n  calls: 5000\n  calls_per_second: 100000\n"
                       "  source_packets_per_second: 1000000\n" + getattr(self, "more", ""))
        self.log = open(os.path.join(self.folder, "log.txt"), "w")
        self.process = subprocess.Popen([program, "--config", self.config], stdout=self.log, stderr=self.log,
                                        stdin=subprocess.DEVNULL)
        self.pid = self.process.pid
        end = time.monotonic() + 20
        while True:
            try:
                self.verb("status")
                break
            except RuntimeError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise
                time.sleep(0.05)
        trunk = self.verb("trunk", "add", "--name", "bench", "--allow-address", "127.0.0.0/8")
        self.verb("rule", "add", "--trunk", trunk["id"], *rule)
        # Greeting and ears are made at the start, on threads beside the signalling.
        time.sleep(2)

    def verb(self, *words):
        return json.loads(run([self.program, "--config", self.config, *words, "--json"]))

    def load(self, *words):
        """A running call generator against it."""
        command = [self.program, "--config", self.config, "load", f"sip:agent@127.0.0.1:{self.port}", "--json"]
        return subprocess.Popen(command + [str(word) for word in words], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def left(self):
        """What is still there, of all that `status` counts."""
        counts = self.verb("status")["counts"]
        return {name: number for name, number in counts.items() if number}

    def left_after(self, seconds):
        """What is still there when so many seconds have passed, or nothing as soon as it is nothing."""
        end = time.monotonic() + seconds
        while (left := self.left()) and time.monotonic() < end:
            time.sleep(0.5)
        return left

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for stop in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
            self.process.send_signal(stop)
            try:
                self.process.wait(5)
                break
            except subprocess.TimeoutExpired:
                pass
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def tally(generator, what):
    """What a call generator saw; raises when a call failed."""
    out, err = generator.communicate()
    try:
        seen = json.loads(out)
    except ValueError:
        raise CallsFailed(f"{what}: the generator said {(err or out)[-500:]}") from None
    if seen["failures"] or seen["answered"] != seen["placed"]:
        raise CallsFailed(f"{what}: {seen['answered']} of {seen['placed']} answered, failures {seen['failures']}")
    return seen


def percentile(values, share):
    """Nearest rank; NaN of nothing."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)] if ordered else float("nan")


def table(place, rows):
    """One table for people."""
    head = [("what", "must", "aim", "measured", "how")]
    widths = [max(len(row[at]) for row in head + rows) for at in range(4)]
    lines = [place, ""]
    for row in head + rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths)] + [row[4]]
        lines.append("  ".join(cells).rstrip())
        if row is head[0]:
            lines.append("-" * (sum(widths) + 8 + 40))
    return "\n".join(lines)
