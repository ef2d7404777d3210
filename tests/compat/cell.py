"""One client in one scenario."""

import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field

from clients import KEY
from scenarios import ANSWER
from stand import Stand

AT_MOST_SECONDS = 240  # of one client in one cell
LOOK_SECONDS = 0.05
stopping = threading.Event()  # set: every cell ends what it has started


@dataclass
class Outcome:
    exit_code: int | None = None  # None: it had to be ended
    answer: str = ""
    requests: int = 0
    refusals: int = 0
    waited: float | None = (
        None  # s from the first request that failed to the one that was answered last; None: none was
    )
    took: float = 0.0  # s, from start to end of the client
    complaint: str = ""  # the last line of its standard error
    broken: list = field(default_factory=list)  # what is not as it must be

    @property
    def survived(self):
        return self.exit_code == 0 and self.answer == ANSWER


def not_applicable(client, scenario):
    """Why this cell says nothing, or ''."""
    if scenario.streams_only and not client.streams:
        return "no stream, so it meets a plain 429"
    return ""


def usual_variables(client, home):
    path = f"{client.node.parent}:/usr/bin:/bin"
    return {
        "PATH": path,
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
        "OPENAI_API_KEY": KEY,
    }


def run_client(client, stand, scenario, folder, outcome):
    home = folder / "home"
    work = home / "work"  # an empty workspace
    for made in (work, home / "tmp"):
        made.mkdir(parents=True)
    start = client.start(stand.base_url, home)
    for path, text in start.files.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text)
    began = time.monotonic()
    with (folder / "client.out").open("wb") as output, (folder / "client.err").open("wb") as errors:
        # A group of its own: what the client started ends with it.
        child = subprocess.Popen(
            [str(part) for part in start.command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            cwd=work,
            env=usual_variables(client, home) | start.variables,
            start_new_session=True,
        )
    mending = scenario.lasts
    try:
        while child.poll() is None and time.monotonic() < began + AT_MOST_SECONDS and not stopping.is_set():
            if mending and seconds_since_first(stand) >= mending:
                stand.call("DELETE", "/faults")
                mending = 0
            time.sleep(LOOK_SECONDS)
    finally:
        outcome.took = time.monotonic() - began
        outcome.exit_code = child.poll()
        end_group(child)
    outcome.answer = client.answer((folder / "client.out").read_text(errors="replace"))
    lines = [line.strip() for line in (folder / "client.err").read_text(errors="replace").splitlines() if line.strip()]
    outcome.complaint = lines[-1] if lines else ""


def end_group(child):
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.wait()


def seconds_since_first(stand):
    """Since the first request reached the upstream; 0 before."""
    records = stand.requests()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - records[0]["boot_ns"] / 1e9 if records else 0


def judge(outcome, scenario):
    def expect(holds, what):
        if not holds:
            outcome.broken.append(what)

    expect(outcome.exit_code == 0, f"exit code {outcome.exit_code}")
    expect(outcome.answer == ANSWER, f"answer {outcome.answer[:80]!r}")
    expect(outcome.requests == scenario.requests, f"{outcome.requests} requests, not {scenario.requests}")
    expect(outcome.refusals == scenario.refusals, f"{outcome.refusals} refusals, not {scenario.refusals}")
    least, most = scenario.waited
    waited = outcome.waited
    expect(waited is not None and least <= waited <= most, f"waited {waited} s, not {least} to {most}")


def count(outcome, records):
    """From the simulator's records, oldest first."""
    outcome.requests = len(records)
    outcome.refusals = sum(not record["admitted"] for record in records)
    good = [record["completed"] and record["admitted"] and not record["fault"] for record in records]
    answered = [record["boot_ns"] for record, is_good in zip(records, good) if is_good]
    failed = [record["boot_ns"] for record, is_good in zip(records, good) if not is_good]
    if answered:
        outcome.waited = (answered[-1] - failed[0]) / 1e9 if failed else 0


def run_cell(client, scenario, binaries, folder, direct):
    """What came of it. That the cell could not be run stands in `broken` as well."""
    outcome = Outcome()
    if stopping.is_set():
        outcome.broken.append("stopped")
        return outcome
    try:
        folder.mkdir(parents=True)
        with Stand(binaries, folder, direct) as stand:
            stand.call("PUT", "/script", scenario.script(client))
            if scenario.fault:
                stand.call("POST", "/faults", scenario.fault)
            run_client(client, stand, scenario, folder, outcome)
            count(outcome, stand.requests())
    except Exception as error:  # one cell's misfortune is not that of the others
        outcome.broken.append(f"the cell could not be run: {error!r}")
    else:
        judge(outcome, scenario)
    return outcome
