"""upstream_simulator and, before it, quota_service: real processes on free ports of the loopback interface."""

import json
import re
import subprocess
import time
import urllib.request

START_SECONDS = 20
STOP_SECONDS = 10


class Process:
    """A child whose output goes to files in `folder`, and which is ended by its pid."""

    def __init__(self, name, command, folder, variables=None):
        self.output = folder / f"{name}.out"
        self.errors = folder / f"{name}.err"
        with self.output.open("wb") as output, self.errors.open("wb") as errors:
            self.child = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                cwd=folder,
                env=variables,
            )

    def await_match(self, pattern):
        """The first match in what it has printed."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            match = re.search(pattern, self.output.read_text() + self.errors.read_text())
            if match:
                return match
            if self.child.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"{self.child.args[0]} did not start: {self.errors.read_text()[-400:]}")

    def stop(self):
        self.child.terminate()
        try:
            self.child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


class Stand:
    """A simulator, and the front door unless `direct`. `base_url` is what a client is given."""

    def __init__(self, binaries, folder, direct):
        self.processes = []
        try:
            simulator = self._start("simulator", [binaries / "upstream_simulator"], folder)
            urls = json.loads(simulator.await_match(r"\{.*\}").group())
            self.control = urls["control"]
            self.base_url = urls["url"]
            if not direct:
                free = "127.0.0.1:0"
                command = [binaries / "quota_service", "--upstream-url", self.base_url]
                command += ["--grpc", free, "--http", free, "--metrics", free]
                variables = {"OPENAI_API_KEY": "sk-upstream", "XDG_STATE_HOME": str(folder / "state")}
                door = self._start("quota_service", command, folder, variables)
                self.base_url = f"http://{door.await_match(r'listening: .*http ([0-9.:]+)').group(1)}/v1"
        except Exception:
            self.stop()
            raise

    def _start(self, name, command, folder, variables=None):
        self.processes.append(Process(name, command, folder, variables))
        return self.processes[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for process in reversed(self.processes):
            process.stop()

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.control + path, data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    def requests(self):
        """The simulator's records of generation requests, oldest first."""
        return self.call("GET", "/requests")["requests"]
