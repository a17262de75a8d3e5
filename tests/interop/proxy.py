"""Stands where a server's name points to, writes down which transactions come, and misbehaves on demand."""

import hashlib
import http.client
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Proxy:
    """TLS in front, plain HTTP behind. X-Matrix does not sign who answers, so nobody notices.

    `mode` is "pass", "hold" (a transaction is taken in, not passed on and not answered), "mute" (it is passed on, but
    the answer gets lost) or "cut" (nothing is passed on or answered, and nothing written down).
    """

    def __init__(self, port, behind, certificate, key):
        self.behind = behind
        self.mode = "pass"
        self.transactions = []
        self.came = threading.Condition()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                proxy.handle(self)

            do_GET = do_PUT = do_POST = do_OPTIONS = handle_any

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        # The handshake is made by the thread of the connection, so that a slow one holds up nobody.
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def handle(self, request):
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        mode = "pass"
        if self.mode == "cut":
            request.close_connection = True
            return
        if request.command == "PUT" and "/send/" in request.path:
            with self.came:
                mode = self.mode
                self.transactions.append((request.path, hashlib.sha256(body).hexdigest(), body, mode))
                self.came.notify_all()
        if mode == "hold":
            request.close_connection = True
            request.rfile.read(1)  # until the other side is gone
            return
        try:
            status, headers, answer = self.forward(request, body)
        except OSError:
            status, headers, answer = 502, {}, b"{}"
        if mode == "mute":
            request.close_connection = True
            return
        request.send_response(status)
        for name in ("Content-Type", "Location"):
            if name in headers:
                request.send_header(name, headers[name])
        request.send_header("Content-Length", str(len(answer)))
        try:
            request.end_headers()
            request.wfile.write(answer)
        except OSError:
            # Who asked was killed.
            request.close_connection = True

    def forward(self, request, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.behind, timeout=120)
        try:
            headers = {name: value for name, value in request.headers.items() if name.lower() != "connection"}
            connection.request(request.command, request.path, body or None, headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def wait(self, what, condition, patience=120):
        """Waits until `condition` holds for the transactions so far."""
        with self.came:
            if not self.came.wait_for(lambda: condition(self.transactions), patience):
                raise AssertionError(f"it never comes: {what}")

    def close(self):
        self.server.shutdown()
        self.server.server_close()
