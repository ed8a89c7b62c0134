"""`muonscope watch`: what it answers and to whom, news while a run trains, many readers and bad ones, its end.

Nothing depends on timing: each wait is for an event, with a limit that only a fault reaches.

Usage: watch.py PROGRAM      in an empty folder
"""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading

PROGRAM = sys.argv[1]
LIMIT_S = 120
N_READERS = 50


class Watch:
    """The program, and the lines that it has printed."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([PROGRAM, "watch", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines = []
        self.port = int(re.fullmatch(r"http://127\.0\.0\.1:(\d+)/ shows \S+; Ctrl-C ends\n", self.wait_for("http"))[1])
        assert self.wait_for("from another").startswith(f"from another machine: ssh -L {self.port}:127.0.0.1:{self.port} ")

    def wait_for(self, begin):
        """The next line that begins so."""
        while True:
            line = self.process.stdout.readline()
            assert line, f"it ended without '{begin}': {self.lines} {self.process.stderr.read()}"
            self.lines.append(line)
            if line.startswith(begin):
                return line

    def end(self):
        """Its exit status, what it printed last, and its errors."""
        out, err = self.process.communicate(timeout=LIMIT_S)
        return self.process.returncode, out, err


def train(*arguments):
    return subprocess.Popen([PROGRAM, "train", "--threads", "1", *arguments], stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def ask(port, path="/", method="GET", host=None, headers=()):
    """Status, headers and body; hosts: the values of as many Host headers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    connection.putrequest(method, path, skip_host=True)
    for value in [f"127.0.0.1:{port}"] if host is None else host:
        connection.putheader("Host", value)
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers, body


def data(port):
    status, headers, body = ask(port, "/data.json")
    assert status == 200 and headers["Content-Type"] == "application/json", (status, body[:200])
    return json.loads(body)


def listening_addresses(pid):
    """Of the sockets of a process, as /proc has them: (address, port)."""
    inodes = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            inodes.update(re.findall(r"^socket:\[(\d+)\]$", os.readlink(f"/proc/{pid}/fd/{name}")))
        except FileNotFoundError:
            pass
    found = []
    for table in ("tcp", "tcp6"):
        for line in open(f"/proc/{pid}/net/{table}").readlines()[1:]:
            words = line.split()
            if words[9] in inodes and words[3] == "0A":
                address, port = words[1].split(":")
                found.append((address, int(port, 16)))
    return found


def check_answers(port):
    status, headers, page = ask(port)
    assert status == 200 and b'EventSource("events")' in page, status
    assert headers["Cache-Control"] == "no-store" and headers["X-Content-Type-Options"] == "nosniff", headers
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-") and "unsafe" not in policy, policy
    assert "frame-ancestors 'none'" in policy and "connect-src 'self'" in policy, policy
    assert "Access-Control-Allow-Origin" not in headers, headers
    head = ask(port, method="HEAD")
    assert head[0] == 200 and head[2] == b"" and head[1]["Content-Length"] == str(len(page)), head
    for host in (f"localhost:{port}", f"LocalHost:{port}", f"[::1]:{port}"):
        assert ask(port, host=[host])[0] == 200, host
    other = f"127.0.0.1:{port}"
    for host in ("example.com", f"example.com:{port}", f"localhost.example.com:{port}", f"127.0.0.1:{port + 1}", "127.0.0.1",
                 f"127.0.0.1:{port}x", f"127.0.0.2:{port}", ""):
        for path in ("/", "/data.json", "/events", "/other"):
            assert ask(port, path, host=[host])[0] == 403, (host, path)
    assert ask(port, host=[other, "example.com"])[0] == 403 and ask(port, host=["example.com", other])[0] == 403
    assert ask(port, host=[])[0] in (400, 403)
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        status, headers, _ = ask(port, "/data.json", method, headers=[("Content-Length", "0")])
        assert status == 405 and headers["Allow"] == "GET, HEAD", (method, status)
    for path in ("/other", "/../etc/passwd", "/data.json/", "/config.yaml"):
        assert ask(port, path)[0] == 404, path


class Reader(threading.Thread):
    """Reads events to the end, and then the data."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.numbers, self.has_news, self.last, self.fault = port, [], threading.Semaphore(0), None, None
        self.start()

    def run(self):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
            connection.request("GET", "/events")
            answer = connection.getresponse()
            assert answer.status == 200 and answer.headers["Content-Type"] == "text/event-stream", answer.status
            event = "message"
            for line in iter(answer.readline, b""):
                name, _, value = line.decode().strip().partition(": ")
                event = value if name == "event" else event
                if name == "data" and event == "end":
                    self.last = data(self.port)["facts"]
                elif name == "data":
                    self.numbers.append(int(value))
                    self.has_news.release()
        except Exception as error:  # told by the thread that waits
            self.fault = repr(error)
        self.has_news.release()

    def wait_for_news(self):
        assert self.has_news.acquire(timeout=LIMIT_S) and self.fault is None and self.is_alive(), f"no news: {self.fault}"


def bad_readers(port):
    """Connections that ask and never read, send nothing, send half a request, or are gone at once."""
    kept = []
    for text in [b"GET /data.json HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % port * 40, b"", b"GET / HT",
                 b"GET /events HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % port]:
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.connect(("127.0.0.1", port))
        connection.sendall(text)
        kept.append(connection)
    gone = socket.create_connection(("127.0.0.1", port))
    gone.sendall(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % port)
    gone.recv(100)
    gone.close()
    return kept


def last_step(run):
    return max(json.loads(line)["step"] for line in open(f"{run}/metrics.jsonl"))


def live():
    """A run that begins, trains while many read, and is stopped."""
    watch = Watch("run/", "--port", "0")
    watch.wait_for("waiting for run to begin")
    assert listening_addresses(watch.process.pid) == [("0100007F", watch.port)], listening_addresses(watch.process.pid)
    check_answers(watch.port)
    assert ask(watch.port, "/data.json")[0] == 503
    trainer = train("--preset", "micro", "--steps", "1000000", "--run", "run")
    watch.wait_for("run trains")
    kept = bad_readers(watch.port)
    readers = [Reader(watch.port) for _ in range(N_READERS)]
    steps = []
    while len(set(steps)) < 3:
        for reader in readers:
            reader.wait_for_news()
        steps.append(data(watch.port)["facts"]["step"])
    assert steps == sorted(steps), steps
    assert trainer.poll() is None
    peak_kib = int(re.search(r"VmHWM:\s+(\d+) kB", open(f"/proc/{watch.process.pid}/status").read())[1])
    trainer.send_signal(signal.SIGTERM)
    trainer.wait(LIMIT_S)
    for reader in readers:
        reader.join(LIMIT_S)
        assert reader.fault is None and reader.last, reader.fault
        assert reader.numbers == sorted(set(reader.numbers)), reader.numbers
        assert reader.last["step"] == last_step("run"), reader.last
    status, out, err = watch.end()
    assert status == 0 and out == f"run has ended: step {last_step('run')} of 1000000\n", (status, out, err)
    for connection in kept:
        connection.close()
    print(f"live: {N_READERS} readers, steps {steps}, ended at {last_step('run')}, {peak_kib} KiB")


def resumed():
    """A run that was stopped is waited for, and may go on while it is watched."""
    watch = Watch("run", "--port", "0")
    watch.wait_for("waiting for run to go on")
    assert data(watch.port)["facts"]["step"] == last_step("run")
    reader = Reader(watch.port)
    reader.wait_for_news()
    n_steps = last_step("run") + 3
    assert train("--resume", "run", "--steps", str(n_steps)).wait(LIMIT_S) == 0
    reader.join(LIMIT_S)
    assert reader.last["step"] == n_steps == reader.last["steps"], reader.last
    status, out, err = watch.end()
    assert status == 0 and out.endswith(f"run has ended: step {n_steps} of {n_steps}\n"), (status, out, err)
    refuse(1, f"run run has ended, with step {n_steps} of {n_steps}: muonscope report run", "run")


def stopped():
    """Signals, with readers that hold on."""
    for number, name in ((signal.SIGINT, "SIGINT"), (signal.SIGTERM, "SIGTERM")):
        watch = Watch("none", "--port", "0")
        kept = bad_readers(watch.port)
        watch.process.send_signal(number)
        status, _, err = watch.end()
        assert status == 128 + number and err == f"muonscope: {name}: watch was stopped\n", (status, err)
        for connection in kept:
            connection.close()
    assert not os.path.exists("none"), "it made a folder"


def refuse(status, message, *arguments):
    done = subprocess.run([PROGRAM, "watch", *arguments], capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == status and done.stderr.startswith("muonscope: ") and message in done.stderr, (
        arguments, done.returncode, done.stderr)
    assert done.stderr.count("\n") == 1, done.stderr


def refused():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        refuse(1, f"port {port} of 127.0.0.1 is in use by another program: take another with --port N, or any that is free "
               "with --port 0", "none", "--port", str(port))
    refuse(2, "--port 65536: 0 to 65535", "none", "--port", "65536")
    refuse(2, "--port", "none", "--port=-1")
    os.mkdir("letters")
    open("letters/a.txt", "w").close()
    refuse(1, "letters is not a run folder", "letters")
    refuse(1, "letters/a.txt is no folder", "letters/a.txt")
    open("letters/study.yaml", "w").close()
    refuse(1, "letters is a study", "letters")


live()
resumed()
stopped()
refused()
