"""Compares the front door with nginx and Portkey's gateway, and measures its streams: scripts/bench_frontdoor.sh.

Everything listens on 127.0.0.1, runs on this machine, and is ended by its process id. Each round measures every server
once, one after the other, so that what else the machine does falls on all of them; a table gives the medians.
"""

import argparse
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def await_port(port, process):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if process.poll() is not None:
            sys.exit(f"{process.args[0]} ended at once with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit(f"{process.args[0]} does not listen on {port}")


def family(pid):
    """The process and its children."""
    pids = [pid]
    for children in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            pids += family(int(child))
    return pids


def cpu_seconds(pid):
    total = 0
    for one in family(pid):
        fields = pathlib.Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def resident_bytes(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) * 1024


class Stand:
    """The servers, for as long as they are needed."""

    def __init__(self, args, folder):
        self.args = args
        self.folder = pathlib.Path(folder)
        self.running = []

    def start(self, command, port, **options):
        log = open(self.folder / f"{pathlib.Path(command[0]).name}-{port}.log", "wb")
        process = subprocess.Popen(command, stdout=log, stderr=log, **options)
        self.running.append(process)
        await_port(port, process)
        return process

    def nginx(self, name, **ports):
        text = (HERE / "nginx" / f"{name}.conf").read_text().replace("@DIR@", str(self.folder))
        for key, port in ports.items():
            text = text.replace(f"@{key.upper()}@", str(port))
        path = self.folder / f"{name}.conf"
        path.write_text(text)
        return self.start(["nginx", "-c", str(path)], ports[name])

    def holdfast(self, upstream, extra="", limits="[{tokens_per_minute: 1000000000000, requests_per_minute: 1000000000}]"):
        port = free_port()
        path = self.folder / f"quota-{port}.yaml"
        path.write_text(
            f"""listen: {{grpc: "127.0.0.1:0", http: "127.0.0.1:{port}", metrics: "127.0.0.1:0"}}
upstreams:
  - {{name: up, base_url: "http://127.0.0.1:{upstream}/v1", profile: openai, dialect: responses, limits: {limits}}}
models: [{{name: gpt-4o, upstreams: [up]}}]
data: {{dir: "{self.folder}/data-{port}"}}
{extra}"""
        )
        process = self.start([self.args.quota_service, "--config", str(path)], port)
        return process, port

    def portkey(self):
        port = free_port()
        server = pathlib.Path(self.args.portkey) / "node_modules/@portkey-ai/gateway/build/start-server.js"
        process = self.start(["node", str(server), f"--port={port}", "--headless"], port)
        return process, port

    def close(self):
        for process in reversed(self.running):
            process.terminate()
        for process in reversed(self.running):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wrk(stand, port, upstream, body, connections, seconds):
    environment = dict(os.environ, BENCH_BODY=str(body), BENCH_HOST=f"http://127.0.0.1:{upstream}/v1")
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(HERE / "post.lua"),
               f"http://127.0.0.1:{port}/v1/chat/completions"]
    out = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    found = re.search(r"RESULT requests=(\d+) us=(\d+) p50=(\d+) p99=(\d+) errors=(\d+)", out)
    requests, us, p50, p99, errors = (int(value) for value in found.groups())
    if errors:
        sys.exit(f"{errors} of {requests} requests to port {port} failed:\n{out}")
    return {"rate": requests / us * 1e6, "requests": requests, "p50": p50, "p99": p99}


def compare(stand):
    args = stand.args
    upstream = free_port()
    stand.nginx("upstream", upstream=upstream)
    proxy = free_port()
    servers = {"nginx": (stand.nginx("proxy", upstream=upstream, proxy=proxy), proxy)}
    servers["holdfast"] = stand.holdfast(upstream)
    if args.portkey:
        servers["portkey"] = stand.portkey()
    small = stand.folder / "small.json"
    small.write_text('{"model":"gpt-4o","messages":[{"role":"user","content":"Hello, who are you?"}]}')
    large = stand.folder / "large.json"
    large.write_text('{"model":"gpt-4o","messages":[{"role":"user","content":"%s"}]}' % ("some words. " * 10923)[:131000])
    print("| prompt | connections | server | requests/s | × nginx | CPU a request, µs | × nginx | p50, ms | p99, ms | × nginx |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for label, body, counts in (("83 B", small, args.connections), ("128 KiB", large, args.connections_large)):
        for connections in counts:
            results = {name: [] for name in servers}
            alone = []
            for name, (process, port) in servers.items():
                wrk(stand, port, upstream, body, connections, 1)
            for _ in range(args.rounds):
                for name, (process, port) in servers.items():
                    before = cpu_seconds(process.pid)
                    result = wrk(stand, port, upstream, body, connections, args.seconds)
                    result["cpu"] = (cpu_seconds(process.pid) - before) / result["requests"] * 1e6
                    results[name].append(result)
                alone.append(libcurl(stand, upstream, body, connections))
            medians = {name: {key: statistics.median(one[key] for one in all) for key in ("rate", "cpu", "p50", "p99")}
                       for name, all in results.items()}
            base = medians["nginx"]
            for name, one in medians.items():
                print(f"| {label} | {connections} | {name} | {one['rate']:.0f} | {one['rate'] / base['rate']:.2f} | "
                      f"{one['cpu']:.1f} | {one['cpu'] / base['cpu']:.2f} | {one['p50'] / 1000:.2f} | "
                      f"{one['p99'] / 1000:.2f} | {one['p99'] / base['p99']:.2f} |", flush=True)
            if all(alone):
                rate, cpu = (statistics.median(one[key] for one in alone) for key in ("rate", "cpu_us"))
                print(f"| {label} | {connections} | libcurl alone | {rate:.0f} | {rate / base['rate']:.2f} | {cpu:.1f} | "
                      f"{cpu / base['cpu']:.2f} | | | |", flush=True)


def libcurl(stand, upstream, body, connections):
    """libcurl by itself as a client of the same upstream."""
    if not stand.args.curl_bench:
        return None
    out = subprocess.run(
        [stand.args.curl_bench, "--url", f"http://127.0.0.1:{upstream}/v1/chat/completions", "--body", str(body),
         "--connections", str(connections), "--seconds", str(stand.args.seconds)],
        capture_output=True, text=True, check=True).stdout
    result = parse(out)
    if result["errors"]:
        sys.exit(f"libcurl alone: {out}")
    return result


def streams(stand):
    print("\n| streams | events/s of each | events/s | added p50, µs | added p99, µs | direct p99, µs | CPU an event, µs |")
    print("|---|---|---|---|---|---|---|")
    for count, rate in ((1, 20), (100, 20), (1000, 10)):
        rows = []
        for _ in range(stand.args.rounds):
            upstream = free_port()
            bench = [stand.args.stream_bench, "--upstream", str(upstream), "--streams", str(count), "--rate", str(rate),
                     "--seconds", str(stand.args.seconds)]
            direct = parse(subprocess.run(bench + ["--target", str(upstream)], capture_output=True, text=True, check=True).stdout)
            process, port = stand.holdfast(upstream)
            before = cpu_seconds(process.pid)
            through = parse(subprocess.run(bench + ["--target", str(port)], capture_output=True, text=True, check=True).stdout)
            cpu = (cpu_seconds(process.pid) - before) / through["events"] * 1e6
            rows.append((through["rate"], through["p50"] - direct["p50"], through["p99"] - direct["p99"], direct["p99"], cpu))
        median = [statistics.median(row[i] for row in rows) for i in range(5)]
        print(f"| {count} | {rate} | {median[0]:.0f} | {median[1]:.0f} | {median[2]:.0f} | {median[3]:.0f} | {median[4]:.1f} |",
              flush=True)


def flood(stand):
    print("\n| streams, as fast as they go | events/s | CPU an event, µs |")
    print("|---|---|---|")
    for count in (1, 100):
        upstream = free_port()
        process, port = stand.holdfast(upstream)
        before = cpu_seconds(process.pid)
        result = parse(subprocess.run(
            [stand.args.stream_bench, "--upstream", str(upstream), "--streams", str(count), "--rate", "0", "--seconds",
             str(stand.args.seconds), "--target", str(port)], capture_output=True, text=True, check=True).stdout)
        cpu = (cpu_seconds(process.pid) - before) / result["events"] * 1e6
        print(f"| {count} | {result['rate']:.0f} | {cpu:.1f} |", flush=True)


def waiting(stand):
    args = stand.args
    print("\n| waiting streams | body | resident, MB | a stream beside its body, KB | CPU of a core | keep-alives | dropped |")
    print("|---|---|---|---|---|---|---|")
    for kilobytes in (1, 64):
        upstream = free_port()
        process, port = stand.holdfast(upstream, "frontdoor: {max_wait: 1000h}", "[{tokens_per_minute: 200000}]")
        idle = resident_bytes(process.pid)
        bench = subprocess.Popen(
            [args.stream_bench, "--upstream", str(upstream), "--target", str(port), "--streams", str(args.waiting),
             "--wait", "--body", str(kilobytes), "--seconds", str(args.waiting_seconds)],
            stdout=subprocess.PIPE, text=True)
        stand.running.append(bench)
        line = bench.stdout.readline()
        assert line.startswith("OPEN"), line
        time.sleep(15)
        before, begun = cpu_seconds(process.pid), time.monotonic()
        time.sleep(args.waiting_seconds - 20)
        share = (cpu_seconds(process.pid) - before) / (time.monotonic() - begun)
        resident = resident_bytes(process.pid)
        result = parse(bench.stdout.read())
        each = (resident - idle) / args.waiting - kilobytes * 1024
        print(f"| {args.waiting} | {kilobytes} KiB | {resident / 1e6:.0f} | {each / 1000:.1f} | {share * 100:.1f} % | "
              f"{result['keepalives']:.0f} | {result['dropped']:.0f} |", flush=True)
        process.terminate()
        process.wait(60)


def parse(out):
    return {key: float(value) for key, value in re.findall(r"(\w+)=([0-9.]+)", out)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quota-service", required=True)
    parser.add_argument("--stream-bench", required=True)
    parser.add_argument("--portkey", default="", help="where npm has installed it; empty: left out")
    parser.add_argument("--curl-bench", default="", help="libcurl as a client by itself; empty: left out")
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, nargs="*", default=[1, 16, 64, 256])
    parser.add_argument("--connections-large", type=int, nargs="*", default=[64])
    parser.add_argument("--waiting", type=int, default=9000)
    parser.add_argument("--waiting-seconds", type=int, default=60)
    parser.add_argument("--only", choices=["compare", "streams", "flood", "waiting"], nargs="*",
                        default=["compare", "streams", "flood", "waiting"])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        # nginx's worker is another user.
        os.chmod(folder, 0o755)
        for part in args.only:
            stand = Stand(args, folder)
            try:
                globals()[part](stand)
            finally:
                stand.close()


if __name__ == "__main__":
    main()
