"""The page of `muonscope watch` in a browser, headless: it changes while a run trains, and says when that has ended.

Usage: watch_page.py PROGRAM CHROMIUM      in an empty folder
"""
import json
import os
import re
import signal
import subprocess
import sys

from browser import LIMIT_S, Browser

PROGRAM, CHROMIUM = sys.argv[1:3]


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
    browser = Browser(CHROMIUM, os.path.abspath("profile"))
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
        assert not browser.faults(address), json.dumps(browser.faults(address))[:1000]
    finally:
        browser.close()
        if trainer.poll() is None:
            trainer.kill()
    assert watch.wait(LIMIT_S) == 0
    print(f"page: {n_charts} charts, live at steps {first} and {second}, ended at {last}")


main()
