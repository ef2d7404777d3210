#!/usr/bin/env python3
"""Real clients before the front door: each against each scenario, many at a time. 0: every cell is as it must be.

Our programs come from --binaries, the clients from --installed (scripts/compat.sh makes it). --table FILE also runs
each client directly against the same faulty simulator, which is not judged, and writes both down.
"""

import argparse
import shutil
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from cell import not_applicable, run_cell, stopping
from clients import all_clients
from scenarios import SCENARIOS
from table import write_table

AT_ONCE = 14  # most cells wait; each has a simulator, a quota_service and a client


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", type=Path, required=True)
    parser.add_argument("--installed", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="emptied first; what each cell printed stays there")
    parser.add_argument("--table", type=Path)
    parser.add_argument("--only", default="", help="cells whose CLIENT/SCENARIO contains this")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    shutil.rmtree(arguments.work, ignore_errors=True)
    clients = all_clients(arguments.installed.resolve())
    columns = [False, True] if arguments.table else [False]
    # The longest first.
    scenarios = sorted(SCENARIOS, key=lambda scenario: -scenario.waited[0])
    began = time.monotonic()
    outcomes, broken = {}, 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        cells = {}
        for scenario in scenarios:
            for client in clients:
                name = f"{client.name}/{scenario.name}"
                if arguments.only not in name or not_applicable(client, scenario):
                    continue
                for direct in columns:
                    folder = arguments.work.resolve() / ("direct" if direct else "door") / name
                    run = pool.submit(run_cell, client, scenario, arguments.binaries.resolve(), folder, direct)
                    cells[run] = (client.name, scenario.name, direct)
        for run in as_completed(cells):
            client_name, scenario_name, direct = cells[run]
            outcome = outcomes[cells[run]] = run.result()
            if direct:
                continue
            broken += bool(outcome.broken)
            waited = f"{outcome.waited:.1f} s" if outcome.waited is not None else "-"
            verdict = "; ".join([*outcome.broken, outcome.complaint]) if outcome.broken else "ok"
            print(
                f"{client_name + '/' + scenario_name:40} waited {waited:>7} of {outcome.took:5.1f} s  {verdict}",
                flush=True,
            )
    if arguments.table and not stopping.is_set():
        write_table(arguments.table, clients, outcomes)
    judged = sum(not direct for _, _, direct in outcomes)
    print(f"{time.monotonic() - began:.0f} s; what the cells printed is in {arguments.work}")
    print(f"{judged - broken} passed, {broken} failed")
    return 1 if broken or not judged or stopping.is_set() else 0


if __name__ == "__main__":
    sys.exit(main())
