"""A real Chromium, driven over the WebDriver protocol with nothing but the standard library."""

import json
import pathlib
import shutil
import subprocess
import tempfile
import time
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver, section 12.1


class Browser:
    """One window. Needs Debian's packages chromium and chromium-driver."""

    def __init__(self) -> None:
        self._profile = tempfile.mkdtemp(prefix="ledgerstone-browser-")
        self._driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._base = f"http://127.0.0.1:{self._port()}"
        options = {
            "binary": shutil.which("chromium"),
            "args": [
                "--headless",
                "--no-sandbox",  # tests may run as root
                "--disable-gpu",
                "--disable-dev-shm-usage",  # containers have little of it
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-first-run",
                f"--user-data-dir={self._profile}",
            ],
        }
        capabilities = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        self._session = self._call("POST", "/session", capabilities)["sessionId"]

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._call("DELETE", f"/session/{self._session}")
        finally:
            self._driver.terminate()
            self._driver.wait()
            self._driver.stdout.close()
            shutil.rmtree(self._profile, ignore_errors=True)

    def open(self, page: pathlib.Path) -> None:
        self._in_session("POST", "/url", {"url": page.resolve().as_uri()})

    def type(self, selector: str, text: str) -> None:
        """Types into a field; into that of a file, its path."""
        found = self._in_session("POST", "/element", {"using": "css selector", "value": selector})
        self._in_session("POST", f"/element/{found[ELEMENT]}/value", {"text": text})

    def run(self, script: str) -> object:
        """What `script` returns."""
        return self._in_session("POST", "/execute/sync", {"script": script, "args": []})

    def wait_for(self, script: str, seconds: float) -> object:
        """Waits until `script` returns something that counts as true, and returns it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := self.run(script):
                return found
            time.sleep(0.05)
        raise TimeoutError(f"not within {seconds} s: {script}")

    def picture(self) -> str:
        """The window as a PNG, in base64."""
        return self._in_session("GET", "/screenshot")

    def _port(self) -> int:
        for line in self._driver.stdout:
            if "started successfully on port" in line:
                return int(line.rstrip(".\n").split()[-1])
        raise RuntimeError("chromedriver did not start")

    def _in_session(self, method: str, path: str, body: object = None) -> object:
        return self._call(method, f"/session/{self._session}{path}", body)

    def _call(self, method: str, path: str, body: object = None) -> object:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()) from None
