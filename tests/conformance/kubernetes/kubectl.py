"""kubectl as a step of a case: the real program, against a proxy of ours that notes its requests, adds the admin's certificate and
plays the faults of the step (a status, another Accept header, a document instead of the server's). Standard library only."""
import contextlib, http.client, http.server, json, os, shutil, socket, subprocess, sys, tempfile, threading, time

import capture


class Proxy(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, server):
        super().__init__(("127.0.0.1", 0), Handler)
        self.up, self.log, self.lock, self.faults = server, [], threading.Lock(), []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.server_address[1]

    def add(self, rec):
        with self.lock:
            rec["n"] = len(self.log)
            self.log.append(rec)

    def take(self):
        with self.lock:
            log, self.log = self.log, []
        return log


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *a):
        pass

    def body(self):
        if (self.headers.get("Transfer-Encoding") or "").lower() == "chunked":
            raw = b""
            while True:
                size = int(self.rfile.readline().split(b";")[0] or b"0", 16)
                raw += self.rfile.read(size)
                self.rfile.readline()
                if not size:
                    return raw
        n = int(self.headers.get("Content-Length") or 0)
        return self.rfile.read(n) if n else b""

    def handle_one(self):
        raw = self.body()
        srv = self.server
        rec = capture.request_record(self.command, self.path, self.headers.items(), raw)
        rec["t"] = round(time.time(), 3)
        h = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "transfer-encoding", "content-length", "accept-encoding", "connection")}
        if srv.up.token and "authorization" not in {k.lower() for k in h}:
            h["Authorization"] = "Bearer " + srv.up.token
        for fault in srv.faults:   # (path prefix, status) or (path prefix, "Accept", value)
            if rec["path"].startswith(fault[0]):
                if fault[1] == "Body":   # answer this document instead
                    data = json.dumps(fault[2]).encode()
                    rec["answer"] = {"status": 200, "fault": True}
                    srv.add(rec)
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                    return
                if isinstance(fault[1], int):
                    rec["answer"] = {"status": fault[1], "fault": True}
                    srv.add(rec)
                    self.send_response(fault[1])
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                h = {k: v for k, v in h.items() if k.lower() != fault[1].lower()}
                h[fault[1]] = fault[2]
                rec["fault"] = list(fault)
        if "upgrade" in (self.headers.get("Connection") or "").lower():
            return self.tunnel(h, raw, rec)
        h = {k: v for k, v in h.items() if k.lower() != "upgrade" and not k.lower().startswith("sec-websocket")}
        c = srv.up.open(timeout=600, bare="authorization" in {k.lower() for k in h})
        try:
            c.request(self.command, self.path, raw or None, h)
            r = c.getresponse()
            a = rec["answer"] = {"status": r.status, "headers": capture.keep(r.getheaders(), capture.KEEP_ANSWER)}
            streaming = r.getheader("Content-Length") is None and self.command != "HEAD" and r.status not in (204, 304)
            self.send_response(r.status)
            for k, v in r.getheaders():
                if k.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                    self.send_header(k, v)
            if streaming:
                srv.add(rec)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                data = b""
                try:
                    while True:
                        b = r.read1(65536)
                        if not b:
                            break
                        if len(data) < 1 << 20:
                            data += b
                            with srv.lock:
                                a.pop("body", None), a.pop("events", None), a.pop("text", None)
                                capture.put_body(a, data, a["headers"].get("Content-Type", ""), lines="watch" in str(rec.get("query")))
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(b), b))
                        self.wfile.flush()
                    self.wfile.write(b"0\r\n\r\n")
                except (OSError, http.client.HTTPException):
                    self.close_connection = True
                return
            data = r.read()
            capture.put_body(a, data, a["headers"].get("Content-Type", ""))
            srv.add(rec)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        finally:
            c.close()

    def tunnel(self, h, raw, rec):
        """An upgrade (exec, attach, port-forward): the handshake is noted, then bytes go both ways until one side is done."""
        self.close_connection = True
        up = self.server.up.socket()
        h["Connection"], h["Host"] = "Upgrade", "%s:%d" % (self.server.up.host, self.server.up.port)
        up.sendall(("%s %s HTTP/1.1\r\n" % (self.command, self.path) + "".join("%s: %s\r\n" % p for p in h.items()) + "\r\n").encode() + raw)
        head = b""
        while b"\r\n\r\n" not in head:
            more = up.recv(4096)
            if not more:
                break
            head += more
        rec["answer"] = {"status": int((head.split(b"\r\n")[0].decode(errors="replace").split() + ["0", "0"])[1])}
        self.server.add(rec)
        self.connection.sendall(head)

        def pump(x, y):
            with contextlib.suppress(OSError):
                while data := x.recv(65536):
                    y.sendall(data)
            for z in (x, y):
                with contextlib.suppress(OSError):
                    z.shutdown(socket.SHUT_RDWR)
        self.connection.settimeout(None), up.settimeout(None)
        threading.Thread(target=pump, args=(self.connection, up), daemon=True).start()
        pump(up, self.connection)
        up.close()

    def do_any(self):
        try:
            self.handle_one()
        except (OSError, http.client.HTTPException) as e:
            self.close_connection = True
            if not isinstance(e, (BrokenPipeError, ConnectionResetError)):
                sys.stderr.write("proxy: %s %s: %r\n" % (self.command, self.path, e))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_any


class Kubectl:
    """One for a case at a time: two proxies, as a command in the background has one of its own, and a discovery cache, so that cases
    show only their own requests. A cache belongs to its server's address, which is the proxy's."""

    def __init__(self, program, server):
        self.program, self.cold = program, 0
        self.proxies = [Proxy(server), Proxy(server)]
        self.cache = tempfile.mkdtemp(prefix="kcache-")
        for proxy in self.proxies:
            subprocess.run([program, "--server", proxy.url, "--cache-dir", self.cache, "api-resources"], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=True)

    def close(self):
        for proxy in self.proxies:
            proxy.shutdown()
            proxy.server_close()
        shutil.rmtree(self.cache, ignore_errors=True)

    def run(self, step, work):
        slot = 1 if "background" in step else 0
        proxy, conf = self.proxies[slot], os.path.join(work, "kubeconfig%d" % slot)
        with open(conf, "w") as f:
            json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "t",
                       "clusters": [{"name": "t", "cluster": {"server": proxy.url}}], "users": [{"name": "t", "user": step.get("user", {})}],
                       "contexts": [{"name": "t", "context": {"cluster": "t", "user": "t"}}]}, f)
        for name, text in (step.get("files") or {}).items():
            with open(os.path.join(work, name), "w") as f:
                f.write(text if isinstance(text, str) else json.dumps(text))
        cache = self.cache
        if step.get("cold"):
            self.cold += 1
            cache = os.path.join(work, "cold%d" % self.cold)
        env = {"PATH": os.environ.get("PATH", ""), "HOME": work, "KUBECONFIG": conf, "TZ": "UTC", **step.get("env", {})}
        proxy.take()
        proxy.faults = [tuple(f) for f in step.get("faults", [])]
        process = subprocess.Popen([self.program, "--cache-dir", cache] + step["kubectl"], env=env, cwd=work, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        stop = step.get("timeout")
        try:
            out, err = process.communicate((step.get("stdin") or "").encode(), timeout=stop or 180)
        except subprocess.TimeoutExpired:
            process.terminate()
            out, err = process.communicate()
        proxy.faults = []
        return {"exit": "stopped" if stop and process.returncode < 0 else process.returncode, "stdout": out.decode(errors="replace"),
                "stderr": err.decode(errors="replace"), "requests": proxy.take()}

