// Lets the JavaScript SDK sign the calls on standard input (../calls.py) and writes the bytes that it would have sent, one JSON
// object a line, as ../go does. The far end is a server of its own that keeps what came and answers 500; an https endpoint gets no
// TLS here: the SDK signs otherwise for it all the same.
import http from "node:http";
import https from "node:https";
import net from "node:net";
import readline from "node:readline";
import { Readable } from "node:stream";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import * as eks from "@aws-sdk/client-eks";
import * as emr from "@aws-sdk/client-emr-containers";
import * as logs from "@aws-sdk/client-cloudwatch-logs";
import * as s3 from "@aws-sdk/client-s3";
import * as sts from "@aws-sdk/client-sts";

const SERVICES = {
  eks: [eks, eks.EKSClient],
  "emr-containers": [emr, emr.EMRContainersClient],
  logs: [logs, logs.CloudWatchLogsClient],
  s3: [s3, s3.S3Client],
  sts: [sts, sts.STSClient],
};

// Bytes and times, which JSON has no form for; everything else is as the SDK wants it.
function native(value) {
  if (Array.isArray(value)) return value.map(native);
  if (value === null || typeof value !== "object") return value;
  if (value.$bytes !== undefined) return Buffer.from(value.$bytes, "base64");
  if (value.$fill) return Buffer.alloc(value.$fill[1], value.$fill[0]);
  if (value.$time !== undefined) return new Date(value.$time * 1000);
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, native(member)]));
}

// Keeps one request and ends the connection with an answer once all of it is there.
let taken;
const far = net.createServer((socket) => {
  let bytes = Buffer.alloc(0), continued = false;
  socket.on("error", () => {});
  socket.on("data", (data) => {
    bytes = Buffer.concat([bytes, data]);
    const end = bytes.indexOf("\r\n\r\n");
    if (end < 0) return;
    const head = bytes.subarray(0, end).toString("latin1").toLowerCase();
    if (!continued && head.includes("\r\nexpect: 100-continue")) {
      continued = true;
      socket.write("HTTP/1.1 100 Continue\r\n\r\n");
    }
    const length = /\r\ncontent-length: (\d+)/.exec(head);
    const whole = /\r\ntransfer-encoding: chunked/.test(head) ? bytes.subarray(-5).toString("latin1") === "0\r\n\r\n"
      : bytes.length >= end + 4 + (length ? Number(length[1]) : 0);
    if (!whole) return;
    taken = bytes;
    socket.end("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  });
});

function handler(port) {
  const createConnection = () => net.connect(port, "127.0.0.1");
  const httpAgent = new http.Agent(), httpsAgent = new https.Agent();
  httpAgent.createConnection = httpsAgent.createConnection = createConnection;
  return new NodeHttpHandler({ httpAgent, httpsAgent });
}

async function vector(call, requestHandler) {
  const { mode } = call, [module, Client] = SERVICES[call.service];
  const client = new Client({
    region: "us-east-1", endpoint: mode.endpoint, maxAttempts: 1, requestHandler, forcePathStyle: !mode.virtual,
    credentials: { accessKeyId: mode.key_id, secretAccessKey: mode.secret, sessionToken: mode.token || undefined },
    requestChecksumCalculation: mode.checksum === "when_required" ? "WHEN_REQUIRED" : "WHEN_SUPPORTED",
    ...(mode.unsigned ? { applyChecksum: false } : {}),
  });
  const params = native(call.params);
  // Every third body is a stream: those go out framed, with the checksum behind them.
  if (params.Body && call.id % 3 === 0 && !mode.presign) {
    params.ContentLength = params.Body.length;
    const pieces = [];
    for (let at = 0; at < params.Body.length; at += 65536) pieces.push(params.Body.subarray(at, at + 65536));
    params.Body = Readable.from(pieces, { objectMode: false });
  }
  const command = new module[call.operation + "Command"](params);
  taken = undefined;
  if (mode.presign && call.service === "s3") {
    const url = new URL(await getSignedUrl(client, command, { expiresIn: mode.presign }));
    const method = { GetObject: "GET", HeadObject: "HEAD", PutObject: "PUT", UploadPart: "PUT" }[call.operation];
    return Buffer.from(`${method} ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\n\r\n`, "latin1");
  }
  let told;
  try {
    await client.send(command);
  } catch (error) {
    told = error;
  }
  if (!taken) throw told;
  return taken;
}

far.listen(0, "127.0.0.1", async () => {
  const requestHandler = handler(far.address().port);
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const call = JSON.parse(line);
    let row;
    try {
      row = { id: call.id, raw: (await vector(call, requestHandler)).toString("base64") };
    } catch (error) {
      row = { id: call.id, refused: String(error) };
    }
    process.stdout.write(JSON.stringify(row) + "\n");
  }
  far.close();
  process.exit(0);
});
