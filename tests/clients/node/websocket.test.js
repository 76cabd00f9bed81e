// The WebSocket transport of the Node client, plain and through TLS, with compression and without.
// The constructor is that of the ws package, since Node has one of its own only from 22 on.

import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";
import { createInbox, headers, wsconnect } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import WebSocket from "ws";

const patience = { timeout: 20_000 };
const ca = process.env.CA_FILE ? fs.readFileSync(process.env.CA_FILE) : undefined;

/** wsconnect() with what `ws` is to be told; the sockets that it made go into `sockets`. */
function connectBy(url, perMessageDeflate, sockets, options = {}) {
  return wsconnect({
    servers: url,
    wsFactory: (src) => {
      const socket = new WebSocket(src, { ca, perMessageDeflate, rejectUnauthorized: !!ca });
      sockets.push(socket);
      return Promise.resolve({ socket, encrypted: src.startsWith("wss:") });
    },
    ...options,
  });
}

async function take(sub, count) {
  const messages = [];
  for await (const message of sub) {
    messages.push(message);
    if (messages.length === count) break;
  }
  return messages;
}

for (const [name, url] of [["ws", process.env.WS_ADDRESS], ["wss", process.env.WSS_ADDRESS]]) {
  for (const compress of [false, true]) {
    const title = `websocket: ${name}, ${compress ? "compressed" : "as it is"}`;

    test(`${title}: messages to and from a client of text`, patience, async () => {
      const sockets = [];
      const web = await connectBy(url, compress, sockets);
      const text = await connect({ servers: name === "ws" ? process.env.SERVER_ADDRESS
        : process.env.TLS_SERVER_ADDRESS });
      assert.equal(sockets[0].extensions.includes("permessage-deflate"), compress);
      const subject = createInbox();
      const here = web.subscribe(subject);
      const there = text.subscribe(subject);
      await web.flush();
      await text.flush();
      const sizes = [0, 1, 125, 126, 5_000, 70_000, 1_000_000];
      const payloads = sizes.map((size) => new Uint8Array(size).map((_, at) => at * 7));
      for (const payload of payloads) web.publish(subject, payload);
      const h = headers();
      h.set("Key", "value");
      text.publish(subject, "headed", { headers: h });
      await web.flush();
      for (const sub of [here, there]) {
        const messages = await take(sub, sizes.length + 1);
        const bodies = messages.filter((m) => !m.headers).map((m) => Buffer.from(m.data));
        payloads.forEach((p, at) => assert.ok(bodies[at].equals(Buffer.from(p)), `size ${p.length}`));
        assert.equal(messages.find((m) => m.headers).headers.get("Key"), "value");
      }
      await web.close();
      await text.close();
    });

    test(`${title}: requests, and none who answers`, patience, async () => {
      const web = await connectBy(url, compress, []);
      const subject = createInbox();
      web.subscribe(subject, { callback: (_, message) => message.respond(message.data) });
      const answers = await Promise.all(Array.from({ length: 500 }, (_, at) =>
        web.request(subject, `${at}`, { timeout: 10_000 })));
      answers.forEach((answer, at) => assert.equal(answer.string(), `${at}`));
      await assert.rejects(web.request(createInbox(), "", { timeout: 10_000 }));
      await web.close();
    });
  }
}

test("websocket: the native constructor", { ...patience, skip: !globalThis.WebSocket &&
  "this Node has no WebSocket" }, async () => {
  const web = await wsconnect({ servers: process.env.WS_ADDRESS });
  const subject = createInbox();
  const sub = web.subscribe(subject);
  for (let at = 0; at < 1000; at++) web.publish(subject, `${at}`);
  const messages = await take(sub, 1000);
  messages.forEach((message, at) => assert.equal(message.string(), `${at}`));
  await web.drain();
});

test("websocket: a close is answered, and the server found again", patience,
  async () => {
    const sockets = [];
    const web = await connectBy(process.env.WS_ADDRESS, false, sockets,
      { reconnectTimeWait: 50, maxReconnectAttempts: -1 });
    const found = (async () => {
      for await (const status of web.status()) if (status.type === "reconnect") return;
    })();
    const closed = new Promise((resolve) => sockets[0].on("close", (code, reason) =>
      resolve([code, reason.toString()])));
    sockets[0].close(4000, "as a test");
    assert.deepEqual(await closed, [4000, "as a test"]);  // The server has answered in kind.
    await found;
    await web.flush();
    assert.equal(sockets.length, 2);
    await web.close();
  });
