"""The page of `muonscope watch` in a browser, headless: it changes while a run trains, and says when that has ended.

Chromium is driven through a pipe (--remote-debugging-pipe): messages of its DevTools protocol, each ended by a zero byte.

Usage: watch_page.py PROGRAM CHROMIUM      in an empty folder
"""
import json
import os
import re
import select
import signal
import subprocess
import sys
import time

PROGRAM, CHROMIUM = sys.argv[1:3]
LIMIT_S = 240


class Browser:
    def __init__(self, profile):
        to_read, self.to_write = os.pipe()
        self.from_read, to_write = os.pipe()
        command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                   "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]

        def give_pipes():  # Chromium reads descriptor 3 and writes descriptor 4
            read, write = os.dup(to_read), os.dup(to_write)
            os.dup2(read, 3)
            os.dup2(write, 4)

        self.process = subprocess.Popen(command, preexec_fn=give_pipes, close_fds=False, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
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
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Page"):
            self.do(f"{domain}.enable")
        self.do("Page.navigate", url=address)

    def value(self, script):
        result = self.do("Runtime.evaluate", expression=script, returnByValue=True)
        return result["result"].get("value")

    def wait_for(self, script, is_good):
        """The value of a script once it is good."""
        limit = time.monotonic() + LIMIT_S
        while True:
            value = self.value(script)
            if value is not None and is_good(value):
                return value
            assert time.monotonic() < limit, f"{script} stays {value!r}"
            time.sleep(0.1)

    def faults(self):
        """What the page wrote to the console, and its errors."""
        return [e for e in self.events if e["method"] in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")]

    def close(self):
        self.process.terminate()
        self.process.wait(LIMIT_S)


def step_of(text):
    found = re.search(r"live, step (\d+)", text)
    return int(found[1]) if found else -1


def main():
    watch = subprocess.Popen([PROGRAM, "watch", "run", "--port", "0"], stdout=subprocess.PIPE, text=True)
    address = re.match(r"(http://127\.0\.0\.1:\d+/) ", watch.stdout.readline())[1]
    trainer = subprocess.Popen([PROGRAM, "train", "--preset", "micro", "--threads", "1", "--steps", "1000000", "--run", "run"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not watch.stdout.readline().startswith("run trains"):
        pass
    browser = Browser(os.path.abspath("profile"))
    try:
        browser.open(address)
        live = 'document.getElementById("live")?.textContent'
        first = step_of(browser.wait_for(live, lambda text: step_of(text) > 0))
        n_charts = browser.wait_for('document.querySelectorAll("canvas").length', lambda n: n > 0)
        second = step_of(browser.wait_for(live, lambda text: step_of(text) > first))
        step_of(browser.wait_for(live, lambda text: step_of(text) > second))
        assert browser.value("document.title") == "run: muonscope report", browser.value("document.title")
        trainer.send_signal(signal.SIGTERM)
        trainer.wait(LIMIT_S)
        browser.wait_for(live, lambda text: text == "ended")
        last = max(json.loads(line)["step"] for line in open("run/metrics.jsonl"))
        browser.wait_for('document.body.innerText', lambda text: str(last) in text.replace(",", "").replace("\u202f", ""))
        assert not browser.faults(), json.dumps(browser.faults())[:1000]
    finally:
        browser.close()
        if trainer.poll() is None:
            trainer.kill()
    assert watch.wait(LIMIT_S) == 0
    print(f"page: {n_charts} charts, live at steps {first} and {second}, ended at {last}")


main()
