# SPDX-License-Identifier: Apache-2.0
"""A web server that does as it is told: it counts what it sends, and misbehaves where a test wants it to."""
import email.utils
import hashlib
import http.server
import os
import socket
import threading
import time

CHUNK = 16384


def is_established(connection):
    """The kernel's word: a client that has gone may not have been noticed yet."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == 1


class Fault:
    """What happens to a path's next `times` answers. A kind is one of Handler's fault_ methods."""

    def __init__(self, kind, value=None, times=1):
        self.kind, self.value, self.times = kind, value, times


class Server(http.server.ThreadingHTTPServer):
    """root: what it serves. validators: says ETag and Last-Modified. ranges: knows them. delay: seconds a chunk."""
    daemon_threads = True

    def __init__(self, root, validators=True, ranges=True, delay=0):
        super().__init__(("127.0.0.1", 0), Handler)
        self.root, self.validators, self.ranges, self.delay = root, validators, ranges, delay
        self.lock = threading.Lock()
        self.faults, self.log = {}, []
        self.connections, self.most_open = set(), 0
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/"

    def fault(self, path, kind, value=None, times=1):
        self.faults.setdefault(path, []).append(Fault(kind, value, times))

    def take_fault(self, path):
        with self.lock:
            queue = self.faults.get(path) or self.faults.get("*") or []
            if not queue:
                return None
            fault = queue[0]
            fault.times -= 1
            if not fault.times:
                queue.pop(0)
            return fault

    def requests(self, part=""):
        """[(path, status, bytes of the body that were sent, the Range asked for)]"""
        with self.lock:
            return [entry for entry in self.log if part in entry[0]]

    def sent(self, part=""):
        return sum(entry[2] for entry in self.requests(part))

    def forget(self):
        with self.lock:
            self.log.clear()
            self.faults.clear()
            self.most_open = 0

    def handle_error(self, request, client_address):
        pass  # a client that goes away is what this is about


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        # Little of what was sent is on its way when the client goes.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        with self.server.lock:
            self.server.connections.add(self.connection)
            alive = sum(map(is_established, self.server.connections))
            self.server.most_open = max(self.server.most_open, alive)

    def finish(self):
        try:
            super().finish()
        finally:
            with self.server.lock:
                self.server.connections.discard(self.connection)

    def log_message(self, *_):
        pass

    def note(self, status, sent):
        with self.server.lock:
            self.server.log.append((self.path, status, sent, self.headers.get("Range")))

    def answer(self, status, headers=(), body=b"", length=None, stop_after=None, hang=False):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        body = memoryview(body)[:stop_after]
        sent = 0
        try:
            while sent < len(body):
                sent += self.connection.send(body[sent:sent + CHUNK])
                if self.server.delay:
                    time.sleep(self.server.delay)
            if hang:
                time.sleep(hang)
        except OSError:
            self.close_connection = True
        self.note(status, sent)
        if stop_after is not None:
            self.close_connection = True

    # ---------------------------------------------------------------------- faults

    def fault_status(self, fault, _):
        headers = [("Retry-After", "1")] if fault.value == 429 else []
        self.answer(fault.value, headers, b"no")

    def fault_cut(self, fault, content):
        self.serve(content, stop_after=fault.value)

    def fault_stall(self, fault, content):
        self.serve(content, stop_after=fault.value, hang=5)

    def fault_drip(self, fault, content):
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        try:
            for i in range(fault.value):
                self.connection.send(content[i:i + 1])
                time.sleep(0.2)
        except OSError:
            pass
        self.close_connection = True

    def fault_content(self, fault, _):
        self.serve(fault.value)

    def fault_redirect(self, fault, _):
        self.answer(302, [("Location", fault.value)])

    def fault_slam(self, _fault, _content):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    # ---------------------------------------------------------------------- answers

    def serve(self, content, stop_after=None, hang=False):
        etag = '"' + hashlib.sha256(content).hexdigest()[:16] + '"'
        modified = email.utils.formatdate(1700000000, usegmt=True)
        headers = [("ETag", etag), ("Last-Modified", modified)] if self.server.validators else []
        if self.server.validators and self.headers.get("If-None-Match") == etag:
            self.answer(304, headers)
            return
        asked = self.headers.get("Range")
        if asked and self.server.ranges and self.headers.get("If-Range", etag) in (etag, modified):
            first = int(asked.removeprefix("bytes=").split("-")[0])
            headers.append(("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}"))
            self.answer(206, headers, content[first:], stop_after=stop_after, hang=hang)
            return
        self.answer(200, headers, content, stop_after=stop_after, hang=hang)

    def do_GET(self):
        fault = self.server.take_fault(self.path)
        path = os.path.normpath(self.server.root + self.path)
        content = None
        if path.startswith(self.server.root) and os.path.isfile(path):
            with open(path, "rb") as f:
                content = f.read()
        if fault:
            getattr(self, "fault_" + fault.kind)(fault, content)
        elif content is None:
            self.answer(404, body=b"not here")
        else:
            self.serve(content)
