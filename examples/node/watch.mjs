#!/usr/bin/env node
// Places a swap order and shows its life; resumes by token when the connection is lost.
//
//   node watch.mjs [TOKEN_IN TOKEN_OUT AMOUNT]      default: SOL USDC 10
//
// Node 22 or later, no dependencies. FILLSTREAM_SERVER is the address of a server without authentication.
// The exit code tells the outcome.

const CONFIRMED = 0;
const FAILED = 1;
const UNTOLD = 2; // the server refused, is gone, or asks an operator

const PATIENCE_MS = 30_000; // without the server, before this client gives up
const PAUSE_MS = 300; // between two tries

const server = (process.env.FILLSTREAM_SERVER ?? "http://127.0.0.1:3000").replace(/\/$/, "");
const [tokenIn = "SOL", tokenOut = "USDC", amount = "10"] = process.argv.slice(2);

const colours = { routing: 36, building: 34, submitted: 35, retrying: 33, confirmed: 32, failed: 31 };
const coloured = process.stdout.isTTY && !process.env.NO_COLOR;
const paint = (code, text) => (coloured && code ? `\x1b[${code}m${text}\x1b[0m` : text);
const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

class Untold extends Error {}

if (typeof WebSocket !== "function") {
  console.error("Node.js 22 or later is needed: this one has no WebSocket. Nothing was placed.");
  process.exit(UNTOLD);
}

/** Calls `attempt` until it gives something, for as long as the patience lasts. */
async function persist(attempt) {
  let deadline = Date.now() + PATIENCE_MS;
  const heard = () => (deadline = Date.now() + PATIENCE_MS);
  while (Date.now() < deadline) {
    const result = await attempt(heard);
    if (result !== undefined) return result;
    await pause();
  }
  throw new Untold(`${server} does not answer`);
}

/** Places the order. The key makes it one order, however often the request has to be repeated. */
function place() {
  const key = crypto.randomUUID();
  return persist(async () => {
    try {
      const answer = await fetch(`${server}/api/orders/execute`, {
        method: "POST",
        headers: { "Content-Type": "application/json", "Idempotency-Key": key },
        body: JSON.stringify({ tokenIn, tokenOut, amount }),
      });
      const body = await answer.json();
      if (answer.status === 201) return body;
      if (answer.status >= 500) return undefined;
      const fields = (body.errors ?? []).map((error) => `${error.pointer}: ${error.detail}`);
      throw new Untold([body.detail ?? body.title, ...fields].join("\n  "));
    } catch (error) {
      if (error instanceof Untold) throw error;
      return undefined; // no connection, or it broke before the answer
    }
  });
}

/** What this client knows of the order, over all its connections. */
class Order {
  token; // where to resume
  seq = 0; // the last position shown
  index = 0;

  /** Takes a message in; the outcome when it is the last one. */
  take(message) {
    if (message.token) this.token = message.token;
    switch (message.type) {
      case "connection":
      case "subscribed":
        return undefined;
      case "backfill":
        return message.logs.map((entry) => this.show(entry)).at(-1);
      case "reset": // the token was of another stream: all of it follows anew
        [this.seq, this.index] = [0, 0];
        return this.note(message);
      case "fell_behind":
      case "caught_up":
      case "status":
      case "shutdown":
      case "error":
        return this.note(message);
      default: // a step; the one that repeats the backfill's last entry says so
        if (message.replayed) return undefined;
        if (message.prev_seq !== this.seq || message.prev_index !== this.index) {
          throw new Untold(`a gap: ${message.seq}.${message.index} does not follow ${this.seq}.${this.index}`);
        }
        return this.show(message);
    }
  }

  show(entry) {
    [this.seq, this.index] = [entry.seq, entry.index];
    const place = `${entry.seq}.${entry.index}`.padStart(9);
    const bar = "▪".repeat(entry.progress / 10).padEnd(10, "·");
    const kind = paint(colours[entry.type], `${bar} ${entry.type.padEnd(10)}`);
    console.log(`${place}  ${entry.timestamp}  ${kind} ${entry.message}`);
    if (entry.type === "confirmed") return CONFIRMED;
    if (entry.type === "failed") return FAILED;
    return entry.needsReview ? UNTOLD : undefined;
  }

  note(message) {
    console.error(paint(2, `${message.type}: ${message.message ?? message.reason ?? ""}`));
    return undefined;
  }
}

/** One connection: its outcome, or nothing when it was lost. */
function listen(url, order, heard) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(order.token ? `${url}?after=${order.token}` : url);
    socket.onmessage = ({ data }) => {
      heard();
      try {
        const outcome = order.take(JSON.parse(data));
        if (outcome === undefined) return;
        resolve(outcome);
      } catch (error) {
        reject(error);
      }
      socket.close();
    };
    socket.onerror = socket.onclose = () => resolve(undefined);
  });
}

try {
  const { orderId, wsUrl } = await place();
  console.log(`order ${orderId}`);
  const order = new Order();
  process.exitCode = await persist(async (heard) => {
    const outcome = await listen(wsUrl, order, heard);
    if (outcome === undefined) console.error(paint(2, "connection lost, resuming"));
    return outcome;
  });
} catch (error) {
  if (!(error instanceof Untold)) throw error;
  console.error(paint(31, error.message));
  process.exitCode = UNTOLD;
}
