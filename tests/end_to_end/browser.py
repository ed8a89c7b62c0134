"""Headless Chromium, driven through a pipe (--remote-debugging-pipe): messages of its DevTools protocol, each ended by a zero byte."""
import json
import os
import select
import subprocess
import time

LIMIT_S = 240


class Browser:
    def __init__(self, chromium, profile):
        read, self.to_write = os.pipe()
        self.from_read, write = os.pipe()
        command = [chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                   "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]

        def give_pipes():  # Chromium reads descriptor 3 and writes descriptor 4
            for end, descriptor in ((os.dup(read), 3), (os.dup(write), 4)):
                os.dup2(end, descriptor)

        self.process = subprocess.Popen(command, preexec_fn=give_pipes, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(read)
        os.close(write)
        self.bytes, self.number, self.events, self.session = b"", 0, [], None

    def read(self):
        """The next message."""
        limit = time.monotonic() + LIMIT_S
        while b"\0" not in self.bytes:
            assert select.select([self.from_read], [], [], max(0, limit - time.monotonic()))[0], "the browser says nothing"
            more = os.read(self.from_read, 1 << 16)
            assert more, "the browser has ended"
            self.bytes += more
        message, self.bytes = self.bytes.split(b"\0", 1)
        return json.loads(message)

    def do(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def open(self, address):
        self.session = None
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Page", "Network"):
            self.do(f"{domain}.enable")
        self.do("Page.navigate", url=address)

    def wait_for(self, script, is_good=bool):
        """The value of a script once it is good."""
        limit = time.monotonic() + LIMIT_S
        while True:
            value = self.value(script)
            if value is not None and is_good(value):
                return value
            assert time.monotonic() < limit, f"{script} stays {value!r}: {json.dumps(self.faults())[:1000]}"
            time.sleep(0.1)

    def value(self, script):
        result = self.do("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, (script, result["exceptionDetails"])
        return result["result"].get("value")

    def click(self, selector):
        """A click on the middle of an element, as a user makes it."""
        x, y = self.value(f"""(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: "center", behavior: "instant"}});
            const b = e.getBoundingClientRect(); return [b.left + b.width / 2, b.top + b.height / 2]; }})()""")
        for kind in ("mousePressed", "mouseReleased"):
            self.do("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def key(self, name):
        code = {"ArrowLeft": 37, "ArrowRight": 39, "ArrowDown": 40, "End": 35, "Home": 36, "Tab": 9, " ": 32}[name]
        for kind in ("rawKeyDown", "keyUp"):
            self.do("Input.dispatchKeyEvent", type=kind, key=name, windowsVirtualKeyCode=code)

    def faults(self, own="file:"):
        """What the page wrote to the console, its errors, and what it asked of others than `own`."""
        asked = [e for e in self.events if e["method"] == "Network.requestWillBeSent" and not e["params"]["request"]["url"].startswith((own, "data:", "about:"))]
        return asked + [e for e in self.events if e["method"] in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")]

    def close(self):
        self.process.terminate()
        self.process.wait(LIMIT_S)
