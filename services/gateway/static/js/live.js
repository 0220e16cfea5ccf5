// One event stream per browser: the tab that holds the lock listens to the gateway, the others listen to that tab.
import { get } from "./api.js";

const KINDS = ["recommendation", "decision", "comment", "order", "exception", "changed", "reset", "heartbeat"];
const QUIET_SECONDS_MAX = 45; // three missed heartbeats of 15 s
const POLL_SECONDS = 10;
const handlers = new Map();
const channel = "BroadcastChannel" in window ? new BroadcastChannel("countersign-live") : null;

/** `clockSkewMs` + this machine's clock = the gateway's clock; an undo window is measured on the gateway's. */
export let clockSkewMs = 0;
export function learnClock(serverNow) {
  if (serverNow) clockSkewMs = Date.parse(serverNow) - Date.now();
}

export function on(kind, run) {
  handlers.set(kind, [...(handlers.get(kind) ?? []), run]);
}
function emit(kind, data) {
  for (const run of handlers.get(kind) ?? []) run(data);
}
function publish(kind, data) {
  channel?.postMessage({ kind, data });
  emit(kind, data);
}

let lastSign = Date.now();
let state = "connecting";
function become(next) {
  if (next === state) return;
  const before = state;
  state = next;
  emit("state", { state, before });
}

function sign() {
  lastSign = Date.now();
  become("live");
}

let source = null;
let lastId = "";
let retryMs = 2000;
function connect() {
  source?.close();
  source = new EventSource(lastId ? `/v1/stream?after=${encodeURIComponent(lastId)}` : "/v1/stream");
  source.onopen = () => { retryMs = 2000; channel?.postMessage({ kind: "heartbeat", data: {} }); sign(); };
  source.onerror = () => {
    become("paused");
    channel?.postMessage({ kind: "paused", data: {} });
    if (source.readyState !== EventSource.CLOSED) return; // the browser is already reconnecting, with its Last-Event-ID
    setTimeout(connect, retryMs);
    retryMs = Math.min(retryMs * 2, 30_000);
  };
  // The gateway is going down: come back with our own place in the stream.
  source.addEventListener("closing", () => { source.close(); become("paused"); channel?.postMessage({ kind: "paused", data: {} }); setTimeout(connect, retryMs); });
  for (const kind of KINDS) {
    source.addEventListener(kind, (event) => {
      if (Number(event.lastEventId) > 0) lastId = event.lastEventId;
      const data = event.data ? JSON.parse(event.data) : {};
      if (kind === "heartbeat") learnClock(data.now);
      sign();
      publish(kind, data);
    });
  }
}

/** While the stream is down, ask for the status now and then, so that the numbers on screen are at most ten seconds old. */
async function watch() {
  if (Date.now() - lastSign > QUIET_SECONDS_MAX * 1000) become("paused");
  if (state === "live") return;
  try {
    const status = await get("/v1/status");
    learnClock(status.now);
    emit("polled", status);
    if (state === "offline") become("paused");
  } catch (problem) {
    if (problem.isUnreachable) become("offline");
  }
}

export function start() {
  if (channel) {
    channel.onmessage = ({ data: { kind, data } }) => {
      if (kind === "paused") return become("paused");
      if (data.now) learnClock(data.now);
      sign();
      return emit(kind, data);
    };
  }
  if (navigator.locks && channel) navigator.locks.request("countersign-live", () => { connect(); return new Promise(() => {}); });
  else connect();
  // A second tab hears nothing until the first event; the heartbeat comes within 15 s, so it waits that long as "connecting".
  setInterval(watch, POLL_SECONDS * 1000);
}
