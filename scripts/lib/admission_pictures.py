"""Draws the pictures of docs/admission.md from the CSV files that `policies --csv` writes.

usage: admission_pictures.py SOLE.csv WEIGHTS.csv CHANGE.csv FOLDER

Standard library only. The same files give the same pictures, byte for byte.
"""

import csv
import math
import pathlib
import sys
from collections import defaultdict
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 960, 380
PANEL = {"width": 370, "height": 260, "top": 62}

# Readable on white and on black.
COLOURS = {
    "codex": "#d1495b",
    "sdk": "#e07b39",
    "gateway": "#b8860b",
    "retry-after": "#8e6bbf",
    "fifo": "#4a90c2",
    "holdfast": "#2f9e5b",
}
TITLES = {
    "codex": "5 retries (Codex)",
    "sdk": "2 retries (SDKs)",
    "gateway": "gateway that rejects",
    "retry-after": "retry-after without end",
    "fifo": "first in, first out",
    "holdfast": "Holdfast",
}
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600 }
.note { font-size: 12px }
.axis { stroke: #6e7781; stroke-width: 1; fill: none }
.grid { stroke: #6e7781; stroke-opacity: .25; stroke-width: 1; fill: none }
.ideal { stroke: #6e7781; stroke-dasharray: 5 4; stroke-width: 1.5; fill: none }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }
"""


def number(value):
    return f"{value:.1f}".rstrip("0").rstrip(".")


class Panel:
    """Axes with marks; `x` and `y` map values to pixels."""

    def __init__(self, left, title, x_marks, y_marks, log_x=False, x_label="", y_label=""):
        self.left, self.log_x = left, log_x
        self.x_range = (x_marks[0][0], x_marks[-1][0])
        self.y_range = (y_marks[0][0], y_marks[-1][0])
        top, bottom = PANEL["top"], PANEL["top"] + PANEL["height"]
        right = left + PANEL["width"]
        self.parts = [f'<text class="title" x="{left}" y="{top - 34}">{escape(title)}</text>']
        if y_label:
            self.parts.append(f'<text class="note" x="{left}" y="{top - 12}">{escape(y_label)}</text>')
        for value, text in y_marks:
            y = number(self.y(value))
            self.parts.append(f'<path class="grid" d="M{left} {y}H{right}"/>')
            self.parts.append(f'<text class="note" x="{left - 6}" y="{number(self.y(value) + 4)}" text-anchor="end">{text}</text>')
        for value, text in x_marks:
            x = number(self.x(value))
            self.parts.append(f'<path class="grid" d="M{x} {top}V{bottom}"/>')
            self.parts.append(f'<text class="note" x="{x}" y="{bottom + 17}" text-anchor="middle">{text}</text>')
        self.parts.append(f'<path class="axis" d="M{left} {top}V{bottom}H{right}"/>')
        self.parts.append(f'<text class="note" x="{left + PANEL["width"] / 2}" y="{bottom + 38}" text-anchor="middle">{escape(x_label)}</text>')

    def x(self, value):
        low, high = self.x_range
        if self.log_x:
            value, low, high = (math.log(max(v, low)) for v in (value, low, high))
        return self.left + PANEL["width"] * (min(value, high) - low) / (high - low)

    def y(self, value):
        low, high = self.y_range
        return PANEL["top"] + PANEL["height"] * (1 - (min(max(value, low), high) - low) / (high - low))

    def line(self, points, colour=None, css=None):
        path = "L".join(f"{number(self.x(x))} {number(self.y(y))}" for x, y in points)
        look = f'class="{css}"' if css else f'fill="none" stroke="{colour}" stroke-width="2"'
        self.parts.append(f'<path {look} d="M{path}"/>')

    def dots(self, points, colour):
        path = "".join(f"M{number(self.x(x))} {number(self.y(y))}h.01" for x, y in points)
        self.parts.append(f'<path stroke="{colour}" stroke-opacity=".7" stroke-width="4" stroke-linecap="round" d="{path}"/>')

    def label(self, x, y, text, colour, anchor="start"):
        self.parts.append(
            f'<circle cx="{number(x)}" cy="{number(y - 4)}" r="4" fill="{colour}"/>'
            f'<text class="note" x="{number(x + 9)}" y="{number(y)}" text-anchor="{anchor}">{escape(text)}</text>')


def write(path, description, panels):
    body = "\n".join(part for panel in panels for part in panel.parts)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(description)}">\n<style>{STYLE}</style>\n{body}\n</svg>\n')


def read(path):
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for key in ("submitted", "sent", "characters", "cap", "weight"):
            row[key] = float(row[key])
        row["charge"] = max(row["cap"], row["characters"] // 4 + 2)
        row["wait"] = row["sent"] - row["submitted"]
        row["done"] = row["outcome"] == "done"
    return rows


def by(rows, key):
    groups = defaultdict(list)
    for row in rows:
        groups[row[key]].append(row)
    return groups


def draw_waits(rows, path):
    served = Panel(52, "Turns that were served within a wait", [(1, "1 s"), (10, "10 s"), (60, "1 min"), (600, "10 min"), (1800, "30 min")],
                   [(q / 100, f"{q} %") for q in range(0, 101, 20)], log_x=True, x_label="wait", y_label="of all turns of 4 h")
    policies = by(rows, "policy")
    for policy, colour in COLOURS.items():
        calls = policies[policy]
        waits = sorted(row["wait"] for row in calls if row["done"])
        steps = [math.exp(math.log(1800) * i / 120) for i in range(121)]
        place, points = 0, []
        for step in steps:
            while place < len(waits) and waits[place] <= step:
                place += 1
            points.append((step, place / len(calls)))
        served.line(points, colour)
    for place, (policy, colour) in enumerate(COLOURS.items()):
        served.label(166, PANEL["top"] + 47 + 16 * place, TITLES[policy], colour)

    marks = [(value, f"{value} s" if value < 60 else f"{value // 60} min") for value in (0, 300, 600, 900, 1200, 1500, 1800)]
    told = Panel(540, "What was announced, and what became of it", marks, marks, x_label="announced when the turn came",
                 y_label="waited; each dot a turn under Holdfast")
    told.line([(0, 0), (1800, 1800)], css="ideal")
    waits = [row for row in policies["holdfast"] if row["done"] and row["announced"] and row["wait"] > 10]
    every = max(1, len(waits) // 500)
    told.dots([(float(row["announced"]), row["wait"]) for row in waits[::every]], COLOURS["holdfast"])
    write(path, "How long turns wait under six policies, and announced waits against real ones", [served, told])


def draw_shares(sole, weights, path):
    hours = [(h, f"{h} h") for h in range(0, 5)]
    tenants = Panel(52, "Tenants of weights 1, 2 and 5", hours, [(m, f"{m} M") for m in range(0, 36, 5)], x_label="time",
                    y_label="tokens served under Holdfast; dashed: what is due")
    groups = by([row for row in weights if row["done"]], "tenant")
    all_tokens = sum(row["charge"] for row in weights if row["done"])
    all_weights = sum(calls[0]["weight"] for calls in groups.values())
    colours = (COLOURS["fifo"], COLOURS["retry-after"], COLOURS["holdfast"])
    for (_, calls), colour in zip(sorted(groups.items()), colours):
        weight = calls[0]["weight"]
        calls.sort(key=lambda row: row["sent"])
        total, points = 0, [(0, 0)]
        for row in calls:
            total += row["charge"]
            if row["sent"] / 3600 - points[-1][0] > 0.04:
                points.append((row["sent"] / 3600, total / 1e6))
        tenants.line([(0, 0), (4, all_tokens * weight / all_weights / 1e6)], css="ideal")
        tenants.line(points, colour)
        tenants.label(66, PANEL["top"] + 16 + 17 * colours.index(colour), f"weight {weight:.0f}", colour)

    sessions = Panel(540, "Sessions of one tenant, the least served first", [(n, str(n)) for n in (1, 10, 20, 30, 40)],
                     [(q, f"{q} ×") for q in range(0, 8)], x_label="session", y_label="tokens of tasks, of an equal share")
    policies = by(sole, "policy")
    names = {row["session"] for row in sole if row["session"].startswith("session")}
    for place, policy in enumerate(("retry-after", "fifo", "holdfast")):
        tokens = dict.fromkeys(names, 0)
        for row in policies[policy]:
            if row["done"] and row["session"] in tokens:
                tokens[row["session"]] += row["charge"]
        mean = sum(tokens.values()) / len(tokens)
        served = sorted(value / mean for value in tokens.values())
        sessions.line([(n + 1, value) for n, value in enumerate(served)], COLOURS[policy])
        sessions.label(560, PANEL["top"] + 16 + 17 * place, TITLES[policy], COLOURS[policy])
    write(path, "Shares of tenants over time, and of sessions under three policies", [tenants, sessions])


def draw_use(rows, path):
    step = 180  # seconds
    marks = [(m, f"{m} min") for m in range(0, 181, 60)]
    panels = []
    for left, scenario, title in ((52, "limit-change", "The limit is halved for an hour; headers tell"),
                                  (540, "limit-change-silent", "The same where refusals alone tell")):
        panel = Panel(left, title, marks, [(k, f"{k} k") for k in range(0, 251, 50)], x_label="time",
                      y_label="tokens admitted a minute under Holdfast; dashed: the limit")
        sums = defaultdict(float)
        for row in rows:
            if row["done"] and row["scenario"] == scenario:
                sums[int(row["sent"] // step)] += row["charge"]
        points = []
        for slot in range(0, 10800 // step):
            rate = sums[slot] / step * 60 / 1000
            points += [(slot * step / 60, rate), ((slot + 1) * step / 60, rate)]
        panel.line([(0, 200), (60, 200), (60, 100), (120, 100), (120, 200), (180, 200)], css="ideal")
        panel.line(points, COLOURS["holdfast"])
        panels.append(panel)
    write(path, "Tokens admitted a minute while the limit changes", panels)


def main():
    sole, weights, change, folder = sys.argv[1:]
    folder = pathlib.Path(folder)
    sole = read(sole)
    draw_waits(sole, folder / "admission-waits.svg")
    draw_shares(sole, read(weights), folder / "admission-shares.svg")
    draw_use(read(change), folder / "admission-use.svg")


if __name__ == "__main__":
    main()
