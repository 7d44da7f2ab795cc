"""Runs scripted requests against a Kubernetes API server and notes every exchange, volatile values replaced (README.md).

Used by replay.py. Standard library only.
"""
import base64, http.client, json, re, shutil, socket, ssl, sys, tempfile, threading, time, urllib.parse

import protobuf

KEEP_REQUEST = ("Accept", "Content-Type", "User-Agent", "Kubectl-Command", "Upgrade", "Sec-Websocket-Protocol",
                "X-Stream-Protocol-Version", "Impersonate-User", "Impersonate-Group")
KEEP_ANSWER = ("Content-Type", "Warning", "Allow", "Retry-After", "Www-Authenticate", "Upgrade",
               "Sec-Websocket-Protocol", "X-Stream-Protocol-Version", "Accept-Patch")
BIG = 24000


class Server:
    """The server under observation and the credentials used when the client shows none."""

    def __init__(self, url, token=None, cert=None, key=None):
        u = urllib.parse.urlsplit(url)
        self.tls, self.host, self.port, self.token = u.scheme == "https", u.hostname, u.port or 443, token
        self.ctx = None
        if self.tls:
            self.ctx = ssl.create_default_context()
            self.ctx.check_hostname, self.ctx.verify_mode = False, ssl.CERT_NONE
            self.bare = ssl.create_default_context()
            self.bare.check_hostname, self.bare.verify_mode = False, ssl.CERT_NONE
            if cert:
                self.ctx.load_cert_chain(cert, key)

    def open(self, timeout=180, bare=False):
        if self.tls:
            return http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=self.bare if bare else self.ctx)
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)

    def socket(self):
        s = socket.create_connection((self.host, self.port), timeout=120)
        return self.ctx.wrap_socket(s, server_hostname=self.host) if self.tls else s

    def call(self, method, path, query=None, body=None, headers=None, ctype=None, anonymous=False, stream=None):
        """-> record. stream=(seconds, events): read a watch or a log for so long or so many lines."""
        h = {"Accept": "application/json", "User-Agent": "capture"}
        if self.token and not anonymous:
            h["Authorization"] = "Bearer " + self.token
        raw = None
        if body is not None:
            raw = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else json.dumps(body).encode()
            h["Content-Type"] = ctype or "application/json"
        h.update(headers or {})
        h = {k: v for k, v in h.items() if v is not None}
        url = path + ("?" + (query if isinstance(query, str) else urllib.parse.urlencode(query)) if query else "")
        # The admin's certificate is not shown where the step has credentials of its own, or none on purpose.
        c = self.open(bare=anonymous or "Authorization" in h)
        try:
            c.request(method, url, raw, h)
            r = c.getresponse()
            rec = request_record(method, url, h, raw)
            if stream:
                rec["answer"] = {"status": r.status, "headers": keep(r.getheaders(), KEEP_ANSWER)}
                data, end, n, ended = b"", time.time() + stream[0], 0, False
                while time.time() < end and (not stream[1] or n < stream[1]):
                    c.sock.settimeout(max(0.05, end - time.time()))
                    try:
                        line = r.readline()
                    except (socket.timeout, OSError):
                        break
                    if not line:
                        ended = True
                        break
                    data, n = data + line, n + 1
                put_body(rec["answer"], data, r.getheader("Content-Type") or "", lines=True)
                rec["answer"]["ended"] = "server" if ended else "client"
            else:
                data = r.read()
                rec["answer"] = {"status": r.status, "headers": keep(r.getheaders(), KEEP_ANSWER)}
                put_body(rec["answer"], data, r.getheader("Content-Type") or "")
            return rec
        finally:
            c.close()


def keep(pairs, names):
    d = {}
    for k, v in pairs:
        k = "-".join(p.capitalize() for p in k.split("-"))
        if k in names:
            d[k] = d[k] + "\n" + v if k in d else v
    return d


def request_record(method, url, headers, raw):
    u = urllib.parse.urlsplit(url)
    rec = {"method": method, "path": u.path}
    if u.query:
        q = urllib.parse.parse_qsl(u.query, keep_blank_values=True)
        rec["query"] = [list(p) for p in q] if len({k for k, _ in q}) < len(q) else dict(q)
    rec["headers"] = keep(headers.items() if isinstance(headers, dict) else headers, KEEP_REQUEST)
    if raw:
        put_body(rec, raw, rec["headers"].get("Content-Type", ""))
    return rec


def put_body(rec, data, ctype, lines=False):
    if not data:
        return
    if "protobuf" in ctype:   # a request's bytes are kept: they are test vectors for a decoder
        rec["bodyProtobuf" if "method" in rec else "protobufBytes"] = base64.b64encode(data).decode() if "method" in rec else len(data)
        return
    try:
        text = data.decode()
    except UnicodeDecodeError:
        rec["bodyBytes"] = len(data)
        return
    if "json" in ctype or text[:1] in "{[":
        try:
            rec["body"] = json.loads(text)
            if lines:
                rec["events"] = [rec.pop("body")]
            return
        except ValueError:
            try:
                rec["events"] = [json.loads(l) for l in text.splitlines() if l.strip()]
                return
            except ValueError:
                pass
    rec["text"] = text


# ---------------------------------------------------------------- normalising
UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
JWT = re.compile(r"\beyJ[\w-]+\.eyJ[\w-]+\.[\w-]+")
AGE_COLUMNS = ("Age", "Last Seen", "First Seen", "Duration", "AGE", "DURATION")
SUBST = [
    (re.compile(r"(-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]*-----END CERTIFICATE-----\s*)+"), "{pem}"),
    (re.compile(r"kube-api-access-[a-z0-9]{5}\b"), "kube-api-access-{rand5}"),
    (re.compile(re.escape(tempfile.gettempdir()) + r"/(LIVE|MERGED)-\d+"), r"{TMP}/\1"),
    (re.compile(re.escape(tempfile.gettempdir()) + r"/kc(?:ap|ache)-[a-z0-9_]+"), "{TMP}"),
    (re.compile(r"\bE\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ "), "E{klog} "),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \+0000"), "{date}"),
    (re.compile(r"default-scheduler-[\w.-]+"), "default-scheduler-{host}"),
    (re.compile(r"\b(10\.96\.\d{1,3}|127\.\d{1,3}\.2[45]\d)\.\d{1,3}\b(?!/)"), "{clusterIP}"),
    (re.compile(r"(127\.\d+\.0\.1|localhost):\d{4,5}"), "127.0.0.1:{port}"),
    (re.compile(r"(?<=\.)[0-9a-f]{16}\b"), "{hex16}"),
    (re.compile(r"(?<=resourceVersion=)\d+"), "{rv}"),
    (re.compile(r"(?<=resourceVersion: )\"?\d+\"?"), "{rv}"),
    (re.compile(r"(?<=resource version: )\d+( \(\d+\))?"), "{rv}"),
    (re.compile(r"(?<=in record \()\d+(?=\))"), "{rv}"),
    (re.compile(r"(?<=precondition \()\d+(?=\))"), "{rv}"),
    (re.compile(r'(resourceVersion\\?": ?\\?")\d+'), r"\1{rv}"),
    (re.compile(r"(too old resource version: )\d+ \(\d+\)"), r"\1{rv} ({rv})"),
    (re.compile(r"(current: )\d+"), r"\1{rv}"),
    (re.compile(r"(?<=timestamp\\\":)\d+"), "{epoch}"),
]


def b64json(s):
    return json.loads(base64.urlsafe_b64decode(s + "=" * (-len(s) % 4)))


class Normal:
    """One for each case: the same volatile value gets the same placeholder in all of its steps."""

    def __init__(self, secrets=(), subst=()):
        self.ids, self.rvs, self.gens, self.secrets, self.subst = {}, {}, {}, [s for s in secrets if s], list(subst)
        self.jwts = {}

    def text(self, s):
        for x in self.secrets:
            s = s.replace(x, "{token}")
        for x, y in self.subst:
            s = s.replace(x, y)
        for full, short in self.gens.items():
            s = s.replace(full, short)
        s = JWT.sub(lambda m: self.jwt(m.group()), s)
        s = UUID.sub(lambda m: self.ids.setdefault(m.group(), "{uid:%d}" % (len(self.ids) + 1)), s)
        s = TIME.sub(lambda m: "{microtime}" if m.group(1) else "{time}", s)
        for rx, rep in SUBST:
            s = rx.sub(rep, s)
        return s

    def jwt(self, token):
        return self.jwts.setdefault(token, "{jwt:%d}" % (len(self.jwts) + 1))

    def learn(self, o):
        """generateName: the random end becomes {gen:N}, wherever the name is seen later."""
        if isinstance(o, dict):
            m = o.get("metadata")
            if isinstance(m, dict) and m.get("generateName") and m.get("name", "").startswith(m["generateName"]):
                n = m["name"]
                if n not in self.gens:
                    self.gens[n] = m["generateName"] + "{gen:%d}" % (len(self.gens) + 1)
            for v in o.values():
                self.learn(v)
        elif isinstance(o, list):
            for v in o:
                self.learn(v)

    def version(self, uid, rv):
        seen = self.rvs.setdefault(uid, [])
        if rv not in seen:
            seen.append(rv)
        return "{rv:%d}" % (seen.index(rv) + 1)

    def walk(self, o, managed=False):
        if isinstance(o, dict):
            if o.get("kind") == "Table" and "columnDefinitions" in o:
                return self.table(o, managed)
            d = {}
            for k, v in o.items():
                if k == "managedFields" and not managed:
                    continue
                if k == "metadata" and isinstance(v, dict) and "resourceVersion" in v:
                    v = dict(v)
                    rv = str(v["resourceVersion"])
                    v["resourceVersion"] = self.version(v["uid"], rv) if "uid" in v else ("{rv}" if rv not in ("", "0") else rv)
                    if v.get("continue"):
                        v["continue"] = "{continue}"
                elif k == "resourceVersion" and isinstance(v, str) and v.isdigit() and v != "0":
                    v = "{rv}"
                elif k == "continue" and isinstance(v, str) and len(v) > 20:
                    v = "{continue}"
                elif k == "nodePort" and isinstance(v, int):
                    v = "{nodePort}"
                elif k in ("exp", "iat", "nbf", "warnafter") and isinstance(v, int):
                    v = "{epoch}"
                elif k in ("nextRun", "remainingItemCount"):
                    pass
                d[self.text(k)] = self.walk(v, managed)
            return d
        if isinstance(o, list):
            return [self.walk(v, managed) for v in o]
        return self.text(o) if isinstance(o, str) else o

    def table(self, o, managed):
        ages = [i for i, c in enumerate(o.get("columnDefinitions") or []) if c.get("name") in AGE_COLUMNS]
        o = json.loads(json.dumps(o))
        for c in o.get("columnDefinitions") or []:
            c["description"] = (c.get("description") or "")[:12]
        for r in o.get("rows") or []:
            for i in ages or ([] if o.get("columnDefinitions") else [j for j, c in enumerate(r["cells"]) if re.match(r"^(\d+[smhdy])+$", str(c))]):
                if re.match(r"^(\d+[a-z]+)+$", str(r["cells"][i])):
                    r["cells"][i] = "{age}"
                else:
                    r["cells"][i] = re.sub(r"^(\d+[smhd])+(?= \()|(?<=over )(\d+[smhd])+", "{age}", str(r["cells"][i]))
            if "object" in r and r["object"]:
                ob = r["object"]
                keepm = {k: v for k, v in (ob.get("metadata") or {}).items() if k in ("name", "namespace", "uid", "resourceVersion")}
                r["object"] = {k: v for k, v in ob.items() if k in ("kind", "apiVersion")}
                r["object"]["metadata"] = self.walk({"metadata": keepm})["metadata"]
        kind = o.pop("kind")
        o = self.walk(o, managed)
        return {"kind": kind, **o}

    def kubectl_text(self, s):
        """Columns of ages in what kubectl prints."""
        s = self.text(s)
        out, head = [], ""
        for line in s.split("\n"):
            line = re.sub(r"(?<=\s)((\d+[smhd]){1,2})(?=\s*$|\s+<none>|\s+\()", "{age}", line)
            line = re.sub(r"^(\d+[smhd]){1,2}(?= )", "{age}", line)
            line = re.sub(r"^(\s+\w+\s+\S+\s+)(\d+[smhd]+)(?=\s)", r"\1{age}", line)
            line = re.sub(r"(\w{3}, )?\d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", "{date}", line)
            line = re.sub(r"(?<=\()(x\d+ over )?(\d+[smhd])+(?=\))", r"\1{age}", line)
            out.append(line)
        return re.sub(r"(?<=\S) {2,}", "  ", "\n".join(out))


def clip(rec, big=BIG):
    """Discovery and OpenAPI documents are noted, not kept."""
    for part in (rec, rec.get("answer") or {}):
        b = part.get("body", part.get("text"))
        if b is not None and len(json.dumps(b)) > big:
            part.pop("body", None), part.pop("text", None)
            part["bodyLeftOut"] = {"bytes": len(json.dumps(b)), "kind": b.get("kind") if isinstance(b, dict) else "text"}
    return rec


def finish(rec, norm, managed=False, big=BIG):
    rec = clip(rec, big)
    rec.pop("t", None), rec.pop("n", None)
    if "bodyProtobuf" in rec:
        rec["bodyDecoded"] = protobuf.decode(base64.b64decode(rec["bodyProtobuf"]))
    jwts = set(JWT.findall(json.dumps(rec.get("answer", {}).get("body", ""))))
    norm.learn(rec.get("answer", {}).get("body"))
    for e in rec.get("answer", {}).get("events") or []:
        norm.learn(e)
    claims = {norm.jwt(j): {"header": b64json(j.split(".")[0]), "claims": b64json(j.split(".")[1])} for j in sorted(jwts)}
    a = rec.pop("answer", None)
    rec = norm.walk(rec, managed)
    if a is not None:
        rec["answer"] = norm.walk(a, managed)
        if claims:
            for c in claims.values():
                c["header"]["kid"] = "{kid}"
            rec["answer"]["tokens"] = norm.walk(claims)
    if isinstance(rec.get("headers", {}).get("Authorization"), str):
        rec["headers"]["Authorization"] = "{token}"
    return rec


# ---------------------------------------------------------------- running a case
TIMES = re.compile(r"(?<=timeoutSeconds=)\d+|(?<=^--timeout=)\d+(?=s$)")


def has_times(case):
    """Whether what it shows depends on how long its steps take."""
    return any("sleep" in s or "background" in s or "stream" in s or "timeout" in s or TIMES.search(str(s.get("query"))) or
               any(TIMES.search(str(word)) for word in s.get("kubectl", [])) for s in case["steps"])


class Run:
    """slower: the case's own times are so many times as long, for a machine that is busier than the one of the recordings."""

    def __init__(self, case, server, kubectl=None, slower=1):
        self.case, self.server, self.kubectl, self.slower = case, server, kubectl, slower
        self.vars, self.threads, self.steps = {"NS": "c-" + case["name"].replace(".", "-")}, {}, []
        self.work = tempfile.mkdtemp(prefix="kcap-")
        self.norm = Normal([server.token], [(self.work, "{WORK}")])

    def fill(self, o):
        if isinstance(o, str):
            m = re.fullmatch(r"\{\{(\w+)\}\}", o)
            if m and m.group(1) in self.vars:
                return self.vars[m.group(1)]
            return re.sub(r"\{\{(\w+)\}\}", lambda m: str(self.vars.get(m.group(1), m.group(0))), o)
        if isinstance(o, list):
            return [self.fill(v) for v in o]
        if isinstance(o, dict):
            return {self.fill(k): self.fill(v) for k, v in o.items()}
        return o

    @staticmethod
    def dig(o, path):
        for p in path.split("/"):
            if p == "":
                continue
            try:
                o = o[int(p)] if isinstance(o, list) else o[p.replace("~1", "/")]
            except (KeyError, IndexError, TypeError, ValueError):
                return None
        return o

    def longer(self, text):
        return TIMES.sub(lambda m: str(int(m.group()) * self.slower), text) if isinstance(text, str) else text

    def http(self, s):
        big, stream = s.get("big", BIG), s.get("stream")
        rec = self.server.call(s["method"], s["path"], self.longer(s.get("query")), s.get("body"), s.get("headers"), s.get("type"),
                               s.get("anonymous", False), stream and [stream[0] * self.slower, stream[1]])
        if self.slower > 1 and "timeoutSeconds" in rec.get("query", {}):
            rec["query"]["timeoutSeconds"] = str(int(rec["query"]["timeoutSeconds"]) // self.slower)
        rec["_big"] = big
        return rec

    def ask(self, s):
        if "kubectl" not in s:
            return self.http(s)
        times = {"timeout": s["timeout"] * self.slower} if "timeout" in s else {}
        return self.kubectl.run({**s, **times, "kubectl": [self.longer(word) for word in s["kubectl"]]}, self.work)

    def do(self, s):
        if "sleep" in s:
            return time.sleep(s["sleep"] * self.slower)
        if "until" in s:
            return self.until(self.fill(s["until"]))
        if "compact" in s:
            return self.outgrow()
        if "pause" in s:
            return
        if "join" in s:
            t, box = self.threads.pop(s["join"])
            t.join()
            self.steps.append((box["step"], box.get("result")))
            return
        f = self.fill({k: v for k, v in s.items() if k != "save"})
        if "background" in s:
            box = {"step": f}

            def go():
                box["result"] = self.ask(f)
            t = threading.Thread(target=go)
            t.start()
            self.threads[s["background"]] = (t, box)
            return time.sleep(s.get("settle", 0.5) * self.slower)
        r = self.ask(f)
        for name, path in (s.get("save") or {}).items():
            self.vars[name] = self.dig(r.get("answer", {}).get("body"), path)
        if not s.get("quiet"):
            self.steps.append((f, r))

    def outgrow(self):
        """The recorded server was told to forget its history; an embedded one does so of itself after some 16 MiB of changes."""
        path, text = "/api/v1/namespaces/%s/configmaps" % self.vars["NS"], "x" * 900_000
        self.server.call("POST", path, body={"metadata": {"name": "big"}})
        for i in range(24):
            self.server.call("PATCH", path + "/big", body={"data": {"n": "%d%s" % (i, text)}}, ctype="application/merge-patch+json")
        self.server.call("DELETE", path + "/big")

    def until(self, u):
        end = time.time() + u.get("seconds", 120)
        while time.time() < end:
            a = self.server.call("GET", u["path"], u.get("query"))["answer"]
            v = self.dig(a.get("body"), u["at"]) if "at" in u else a["status"]
            if (v == u["is"]) if "is" in u else v not in (None, [], ""):
                return
            time.sleep(0.1)
        sys.stderr.write("%s: gave up waiting for %s\n" % (self.case["name"], json.dumps(u)))

    def clean(self):
        """An earlier run's namespace may still be there, held by pods that no kubelet lets go."""
        p, end = "/api/v1/namespaces/" + self.vars["NS"], time.time() + 120
        while self.case["ns"] and self.server.call("GET", p)["answer"]["status"] == 200 and time.time() < end:
            self.server.call("DELETE", p + "/pods", body={"gracePeriodSeconds": 0})
            self.server.call("DELETE", p)
            time.sleep(0.5)

    def go(self):
        try:
            return self.steps_taken()
        finally:
            shutil.rmtree(self.work, ignore_errors=True)

    def steps_taken(self):
        self.clean()
        for s in self.case["steps"]:
            self.do(s)
        managed = self.case.get("managedFields", False)
        res = []
        # ids of answers are learnt in order, so that generated names are known before they are printed
        for s, r in self.steps:
            if r is None:
                continue
            if "kubectl" in s:
                reqs = [finish(q, self.norm, managed) for q in r["requests"]]
                e = {"kubectl": self.norm.walk(s["kubectl"]), "exit": r["exit"]}
                for k in ("stdin", "files", "env", "faults", "note", "background"):
                    if s.get(k):
                        e[k] = self.norm.walk(s[k])
                if s.get("cold"):
                    e["cold"] = True
                for k in ("stdout", "stderr"):
                    t = r[k]
                    for j in JWT.findall(t):
                        e.setdefault("tokens", {})[self.norm.jwt(j)] = self.norm.walk({"claims": b64json(j.split(".")[1])})
                    if "-o" in s["kubectl"] and any(x in s["kubectl"] for x in ("yaml", "json")):
                        t = re.sub(r'(resourceVersion"?: )"?\d*"?', r"\1{rv}", t)
                    t = self.norm.kubectl_text(t)
                    if t:
                        e[k] = (t if len(t) < 12000 else t[:600] + "… cut").split("\n") if "\n" in t.strip("\n") else t.strip("\n")
                e["requests"] = reqs
            else:
                big = r.pop("_big", BIG)
                e = finish(r, self.norm, managed, big)
                if s.get("note"):
                    e = {"note": s["note"], **e}
            res.append(e)
        return {"name": self.case["name"], "what": self.case.get("what", ""), "needs": self.case.get("needs", []), "steps": res}
