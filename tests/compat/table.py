"""docs/compat.md: what each client came to, through the front door and directly."""

from cell import not_applicable
from scenarios import SCENARIOS

HEAD = """# Real clients, with the front door and without

Written by `scripts/compat.sh --write`, from one run of it. Stock clients, pinned by lockfile in `tests/compat/clients`, each in a home of its
own and where no other machine can be reached, against `upstream_simulator`: once through a quota_service without any configuration,
once directly. Every cell has processes of its own. `scripts/test.sh --compat`, which CI runs, repeats the column "front door" and fails unless in each cell the client's
exit code is 0, its answer is the upstream's word for word, the upstream saw as many requests and refused as many of them as it must, and the answered
request came when it must: not before the limit had room, and soon after. "Directly" is told, not judged.

`codex 2504` is `@openai/codex` as it was when the incident was reported, `codex 2505` as it was after it was mended, `codex rust` its successor: with the provider that it has built in, which asks for a WebSocket first, and
with a provider of its configuration.
The SDKs are used as their manuals say (`tests/compat/sdk`), with streams and with whole answers. opencode is given a title, which saves
the request that asks for one.

| what the upstream does | precisely |
|---|---|
| a bucket with room in 15 s, 75 s | a real limit on requests, emptied by others; a refusal names in headers and words what is left of the wait |
| 429 without headers | once; "Please try again in 4s." stands in the text alone |
| 429 for 20 s | every request, until 20 s after the first; each names 4 s. The front door believes that less each time (docs/charge.md), and waits longer |
| `response.failed`, `event: error` at the start | once, after the first event of a 200 stream, as a rate limit with 4 s; on chat a chunk with an error, and the same under `event: error` |
| cut before output | once, a TCP reset after the first event; of a whole answer in the middle of it |
| 503 three times | without Retry-After |
| a tool's turn, refused on its second request | the model asks for a tool, the client runs it, and the request with its result meets a 429 that names 4 s |

"waited" is the time from the first request that failed to the one that was answered; "requests" are those that the upstream saw.
"""


def plural(count, noun):
    return f"{count} {noun}{'' if count == 1 else 's'}"


def cell_text(outcome):
    requests = plural(outcome.requests, "request")
    if outcome.survived:
        return f"ok, waited {outcome.waited:.1f} s, {requests}" if outcome.waited else f"ok, {requests}"
    what = "no answer" if not outcome.answer else "a wrong answer"
    if outcome.exit_code is None:
        return f"**{what}**, still running after {outcome.took:.0f} s, {requests}"
    return f"**{what}**, exit code {outcome.exit_code} after {outcome.took:.1f} s, {requests}"


def summary_row(client, outcomes):
    cells = [client.title, client.version()]
    for direct in (False, True):
        mine = [outcomes[key] for key in outcomes if key[0] == client.name and key[2] == direct]
        cells.append(f"{sum(outcome.survived for outcome in mine)} of {len(mine)}")
    return cells


def table(head, rows):
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]]) + "\n"


def client_rows(client, outcomes):
    for scenario in SCENARIOS:
        reason = not_applicable(client, scenario)
        if reason:
            yield [scenario.title, f"n/a: {reason}", "n/a"]
        else:
            yield [
                scenario.title,
                *(cell_text(outcomes[client.name, scenario.name, direct]) for direct in (False, True)),
            ]


def write_table(path, clients, outcomes):
    """`outcomes`: by (client's name, scenario's name, directly)."""
    parts = [
        HEAD,
        "## Who survives\n",
        table(["client", "version", "front door", "directly"], [summary_row(client, outcomes) for client in clients]),
    ]
    for client in clients:
        parts += [
            f"## {client.title}, {client.version()}\n",
            table(["the upstream", "front door", "directly"], list(client_rows(client, outcomes))),
        ]
    path.write_text("\n".join(parts))
