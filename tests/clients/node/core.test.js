// The Node client against a server: what an application does with core NATS. The address of the
// server, and of the driver that restarts it, come from the environment.

import assert from "node:assert/strict";
import net from "node:net";
import { after, before, test } from "node:test";
import { connect, createInbox, errors, headers } from "@nats-io/transport-node";

const server = process.env.SERVER_ADDRESS;
const driver = process.env.DRIVER_ADDRESS;
const patience = { timeout: 20_000 };

let nc;
let serial = 0;

before(async () => {
  nc = await connect({ servers: server });
});

after(async () => {
  await nc.close();
});

/** A subject that no other test uses. */
function fresh(word = "node") {
  serial += 1;
  return `${word}.${process.pid}.${serial}`;
}

/** The next `count` messages of a subscription. */
async function take(sub, count) {
  const messages = [];
  if (count === 0) return messages;
  for await (const message of sub) {
    messages.push(message);
    if (messages.length === count) break;
  }
  return messages;
}

/** Asks the driver for something to be done to the server, and waits until it is. */
function ask(word) {
  const [host, port] = driver.split(":");
  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(port), host, () => socket.write(`${word}\n`));
    let answer = "";
    socket.on("data", (data) => (answer += data));
    socket.on("error", reject);
    socket.on("end", () => (answer === "ok\n" ? resolve() : reject(new Error(answer))));
  });
}

test("publish and subscribe", patience, async () => {
  const subject = fresh();
  const sub = nc.subscribe(subject);
  nc.publish(subject, "hello");
  const [message] = await take(sub, 1);
  assert.equal(message.string(), "hello");
  assert.equal(message.subject, subject);
});

test("publish to another connection", patience, async () => {
  const other = await connect({ servers: server });
  const subject = fresh();
  const sub = other.subscribe(subject);
  await other.flush();
  for (let at = 0; at < 1000; at++) nc.publish(subject, `${at}`);
  const messages = await take(sub, 1000);
  assert.deepEqual(messages.map((m) => Number(m.string())), [...Array(1000).keys()]);
  await other.close();
});

test("an empty payload", patience, async () => {
  const subject = fresh();
  const sub = nc.subscribe(subject);
  nc.publish(subject);
  const [message] = await take(sub, 1);
  assert.equal(message.data.length, 0);
});

test("wildcards", patience, async () => {
  const front = fresh();
  const star = nc.subscribe(`${front}.*.c`);
  const all = nc.subscribe(`${front}.>`);
  for (const tail of ["a.c", "b.c", "a.b.c", "x"]) nc.publish(`${front}.${tail}`, tail);
  assert.deepEqual((await take(star, 2)).map((m) => m.string()), ["a.c", "b.c"]);
  assert.deepEqual((await take(all, 4)).map((m) => m.string()), ["a.c", "b.c", "a.b.c", "x"]);
});

test("queue groups share", patience, async () => {
  const subject = fresh();
  const members = [];
  const counts = [0, 0, 0];
  for (let at = 0; at < counts.length; at++) {
    const member = await connect({ servers: server });
    member.subscribe(subject, { queue: "workers", callback: () => (counts[at] += 1) });
    await member.flush();
    members.push(member);
  }
  for (let at = 0; at < 900; at++) nc.publish(subject, "x");
  await nc.flush();
  for (const member of members) await member.flush();
  assert.equal(counts.reduce((a, b) => a + b), 900);
  for (const count of counts) assert.ok(count > 200, `shares of ${counts}`);
  for (const member of members) await member.close();
});

test("request and reply", patience, async () => {
  const subject = fresh();
  const service = await connect({ servers: server });
  service.subscribe(subject, { callback: (_, m) => m.respond(`re: ${m.string()}`) });
  await service.flush();
  for (let at = 0; at < 200; at++) {
    const reply = await nc.request(subject, `${at}`, { timeout: 5000 });
    assert.equal(reply.string(), `re: ${at}`);
  }
  await service.close();
});

test("request without the shared inbox", patience, async () => {
  const subject = fresh();
  nc.subscribe(subject, { callback: (_, m) => m.respond("yes") });
  for (let at = 0; at < 50; at++) {
    const reply = await nc.request(subject, "", { timeout: 5000, noMux: true });
    assert.equal(reply.string(), "yes");
  }
});

test("many requests at once", patience, async () => {
  const subject = fresh();
  nc.subscribe(subject, { callback: (_, m) => m.respond(m.data) });
  const asked = [...Array(500).keys()].map((at) => nc.request(subject, `${at}`, { timeout: 5000 }));
  const replies = await Promise.all(asked);
  assert.deepEqual(replies.map((m) => Number(m.string())), [...Array(500).keys()]);
});

test("a request with many replies", patience, async () => {
  const subject = fresh();
  nc.subscribe(subject, {
    callback: (_, m) => {
      for (let at = 0; at < 5; at++) m.respond(`${at}`);
    },
  });
  const seen = [];
  const options = { strategy: "count", maxMessages: 5, maxWait: 5000 };
  for await (const reply of await nc.requestMany(subject, "", options)) seen.push(reply.string());
  assert.deepEqual(seen, ["0", "1", "2", "3", "4"]);
});

test("a request with many replies, until an empty one", patience, async () => {
  const subject = fresh();
  nc.subscribe(subject, {
    callback: (_, m) => {
      for (let at = 0; at < 3; at++) m.respond(`${at}`);
      m.respond();
    },
  });
  const seen = [];
  const options = { strategy: "sentinel", maxWait: 5000 };
  for await (const reply of await nc.requestMany(subject, "", options)) seen.push(reply.string());
  assert.deepEqual(seen.slice(0, 3), ["0", "1", "2"]);
});

test("no responders", patience, async () => {
  const begin = Date.now();
  await assert.rejects(nc.request(fresh(), "", { timeout: 10_000 }), (error) => {
    const cause = error.isNoResponders ? error : error.cause;
    return cause instanceof errors.NoRespondersError || cause.isNoResponders();
  });
  assert.ok(Date.now() - begin < 5000, "it came by timeout");
});

test("a request that nobody answers times out", patience, async () => {
  const subject = fresh();
  nc.subscribe(subject, { callback: () => {} });
  await assert.rejects(nc.request(subject, "", { timeout: 200 }), errors.TimeoutError);
});

test("headers", patience, async () => {
  const subject = fresh();
  const sub = nc.subscribe(subject);
  const h = headers();
  h.append("a", "b");
  h.append("a", "c");
  h.set("Unicode", "grüße 😀");
  nc.publish(subject, "x", { headers: h });
  const [message] = await take(sub, 1);
  assert.deepEqual(message.headers.values("a"), ["b", "c"]);
  assert.equal(message.headers.get("Unicode"), "grüße 😀");
  assert.equal(message.string(), "x");
});

test("headers in a request and its reply", patience, async () => {
  const subject = fresh();
  nc.subscribe(subject, {
    callback: (_, m) => {
      const h = headers(418, "teapot");
      h.set("echo", m.headers.get("id"));
      m.respond("", { headers: h });
    },
  });
  const h = headers();
  h.set("id", "17");
  const reply = await nc.request(subject, "", { headers: h, timeout: 5000 });
  assert.equal(reply.headers.get("echo"), "17");
  assert.equal(reply.headers.code, 418);
});

test("auto-unsubscribe", patience, async () => {
  const subject = fresh();
  const sub = nc.subscribe(subject, { max: 3 });
  for (let at = 0; at < 10; at++) nc.publish(subject, `${at}`);
  const seen = [];
  for await (const message of sub) seen.push(message.string());
  assert.deepEqual(seen, ["0", "1", "2"]);
});

test("unsubscribe", patience, async () => {
  const subject = fresh();
  let count = 0;
  const sub = nc.subscribe(subject, { callback: () => (count += 1) });
  nc.publish(subject);
  await nc.flush();
  sub.unsubscribe();
  nc.publish(subject);
  await nc.flush();
  assert.equal(count, 1);
});

test("echo off", patience, async () => {
  const quiet = await connect({ servers: server, noEcho: true });
  const subject = fresh();
  let own = 0;
  let other = 0;
  quiet.subscribe(subject, { callback: () => (own += 1) });
  nc.subscribe(subject, { callback: () => (other += 1) });
  await Promise.all([quiet.flush(), nc.flush()]);
  quiet.publish(subject);
  await quiet.flush();
  await nc.flush();
  assert.deepEqual([own, other], [0, 1]);
  await quiet.close();
});

test("a payload as large as the server takes", patience, async () => {
  const subject = fresh();
  const sub = nc.subscribe(subject);
  const payload = new Uint8Array(nc.info.max_payload);
  for (let at = 0; at < payload.length; at++) payload[at] = (at * 31) >> 3;
  nc.publish(subject, payload);
  nc.publish(subject, payload.subarray(1));
  const [full, less] = await take(sub, 2);
  assert.deepEqual(Buffer.compare(full.data, payload), 0);
  assert.deepEqual(Buffer.compare(less.data, payload.subarray(1)), 0);
});

test("a payload one byte larger is an error", patience, async () => {
  const payload = new Uint8Array(nc.info.max_payload + 1);
  assert.throws(() => nc.publish(fresh(), payload));
  await nc.flush();
});

test("drain of a subscription", patience, async () => {
  const subject = fresh();
  const other = await connect({ servers: server });
  let count = 0;
  const sub = other.subscribe(subject, { callback: () => (count += 1) });
  await other.flush();
  for (let at = 0; at < 500; at++) nc.publish(subject, "x");
  await nc.flush();
  await sub.drain();
  assert.equal(count, 500);
  await other.close();
});

test("drain of a connection", patience, async () => {
  const subject = fresh();
  const other = await connect({ servers: server });
  let count = 0;
  other.subscribe(subject, { callback: () => (count += 1) });
  await other.flush();
  for (let at = 0; at < 500; at++) nc.publish(subject, "x");
  await nc.flush();
  await other.drain();
  assert.equal(count, 500);
  assert.ok(other.isClosed());
});

test("flush and round-trip time", patience, async () => {
  await nc.flush();
  assert.ok((await nc.rtt()) >= 0);
});

test("what the server says of itself", patience, () => {
  assert.equal(nc.info.headers, true);
  assert.equal(nc.info.proto, 1);
  assert.ok(nc.info.max_payload > 0 && nc.info.client_id > 0);
  assert.equal(nc.protocol.info.connect_info ?? true, true);
});

test("services are found, as the convention has it", patience, async () => {
  const names = ["PING", "PING.adder", "PING.adder.1"];
  const service = await connect({ servers: server });
  for (const name of names) {
    service.subscribe(`$SRV.${name}`, { callback: (_, m) => m.respond('{"name":"adder"}') });
  }
  await service.flush();
  for (const name of names) {
    const options = { strategy: "count", maxMessages: 1, maxWait: 5000 };
    for await (const reply of await nc.requestMany(`$SRV.${name}`, "", options)) {
      assert.equal(reply.json().name, "adder");
    }
  }
  await service.close();
});

test("an inbox of one's own", patience, async () => {
  const inbox = createInbox("mine");
  const sub = nc.subscribe(inbox);
  const subject = fresh();
  nc.subscribe(subject, { callback: (_, m) => nc.publish(m.reply, "here") });
  nc.publish(subject, "", { reply: inbox });
  const [message] = await take(sub, 1);
  assert.equal(message.string(), "here");
});

test("reconnect after the server's restart", { timeout: 60_000 }, async () => {
  const subject = fresh();
  const options = { servers: server, reconnectTimeWait: 50, maxReconnectAttempts: -1 };
  const staying = await connect(options);
  const sub = staying.subscribe(subject);
  await staying.flush();
  const reconnected = (async () => {
    for await (const status of staying.status()) if (status.type === "reconnect") return;
  })();
  await ask("restart");
  await reconnected;
  staying.publish(subject, "still here");
  const [message] = await take(sub, 1);
  assert.equal(message.string(), "still here");
  await staying.close();
});
