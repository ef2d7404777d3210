"""What goes wrong upstream, and what must be seen where the front door stands between."""

from dataclasses import dataclass

ANSWER = "The holdfast holds."


@dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    # Generation requests that the upstream must see, and how many of them are refused at its gate, by limit or fault.
    requests: int
    refusals: int = 0
    # Seconds from the first request that failed to the one that was answered last: at least, which is exact, and at
    # most, which leaves room for a busy machine.
    waited: tuple[float, float] = (0, 0)
    # A bucket of four requests that others have emptied when the first one comes; filled again in so many seconds.
    spent_bucket: float = 0
    fault: dict | None = None
    # The fault strikes every request until so many seconds after the first one.
    lasts: float = 0
    tool_turn: bool = False
    # A fault of streams: what a plain request would meet is another scenario's.
    streams_only: bool = False

    def script(self, client):
        """What the simulator is to answer this client."""
        pace = {"event_delay_ms": 5, "last_event_delay_ms": client.last_event_delay_ms}
        answers = []
        if self.tool_turn:
            name, arguments = client.tool
            answers.append({"when": {"step": 0}, "tool_calls": [{"name": name, "arguments": arguments}], **pace})
        script = {"answers": answers, "default": {"text": ANSWER, **pace}}
        if self.spent_bucket:
            script["limits"] = {"requests": {"limit": 4, "per": self.spent_bucket}}
            script["used_at_next_request"] = {"requests": 4}
        return script


NAMED_SECONDS = 4

SCENARIOS = [
    Scenario("normal", "nothing goes wrong", requests=1),
    Scenario("wait-15", "a bucket with room in 15 s", requests=2, refusals=1, waited=(14.9, 20), spent_bucket=60),
    Scenario("wait-75", "a bucket with room in 75 s", requests=2, refusals=1, waited=(74.9, 80), spent_bucket=300),
    Scenario(
        "429-words",
        "429 without headers",
        requests=2,
        refusals=1,
        waited=(4, 9),
        fault={"fault": "429_no_headers", "seconds": NAMED_SECONDS},
    ),
    # Who names 4 s and refuses again when they have passed is believed less each time (docs/charge.md).
    Scenario(
        "429-for-20",
        "429 for 20 s",
        requests=5,
        refusals=4,
        waited=(20, 40),
        lasts=20,
        fault={"fault": "429", "seconds": NAMED_SECONDS, "count": 1000},
    ),
    Scenario(
        "failed",
        "`response.failed` at the start",
        requests=2,
        refusals=1,
        waited=(4, 9),
        streams_only=True,
        fault={"fault": "stream_429", "seconds": NAMED_SECONDS},
    ),
    Scenario(
        "error-event",
        "`event: error` at the start",
        requests=2,
        refusals=1,
        waited=(4, 9),
        streams_only=True,
        fault={"fault": "stream_error", "seconds": NAMED_SECONDS},
    ),
    Scenario("cut", "cut before output", requests=2, waited=(0, 5), fault={"fault": "cut", "after_events": 1}),
    Scenario("503", "503 three times", requests=4, waited=(0, 15), fault={"fault": "503", "count": 3}),
    Scenario(
        "tool",
        "a tool's turn, refused on its second request",
        requests=3,
        refusals=1,
        waited=(4, 9),
        tool_turn=True,
        fault={"fault": "429", "seconds": NAMED_SECONDS, "when": {"step": 1}},
    ),
]
