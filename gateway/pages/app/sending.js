// What changes something is sent once, whatever the line does: its request_id is made once and
// stored with the body before it is sent, and the same is sent again until there is an answer.

import { call } from "./api.js";
import { kept as read } from "./kept.js";
import { who } from "./session.js";

const PREFIX = "gongji.unanswered.";
const WAITS_SECONDS = [1, 2, 4, 8, 15];

const running = new Map(); // what is under way, by its name: a double click joins it
let tell = () => {};

/** `hear(name, attempt)` is told of every attempt after the first, and of attempt 0 when it is over. */
export function onWaiting(hear) {
  tell = hear;
}

/** A new request_id. */
export function newRequestId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `web-${Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("")}`;
}

/**
 * Sends an action and answers with what the server said; throws the Problem that refused it.
 * `name` says which action it is: while one of that name has no answer, no other is sent.
 */
export function send(name, method, path, body) {
  if (!running.has(name)) {
    running.set(name, sendOne(name, method, path, body).finally(() => running.delete(name)));
  }
  return running.get(name);
}

/** Names of the actions of whoever is signed in that have no answer yet. */
export function unanswered() {
  const names = Object.keys(sessionStorage).filter((key) => key.startsWith(PREFIX));
  return names.map((key) => key.slice(PREFIX.length)).filter(kept);
}

/** Sends an action again that an earlier page left without an answer. */
export function resume(name) {
  const { method, path, body } = kept(name);
  return send(name, method, path, body);
}

async function sendOne(name, method, path, body) {
  const earlier = kept(name);
  if (earlier && !isSame(earlier, path, body)) {
    try {
      return await untilAnswered(name, earlier); // it may have been done: that is the answer
    } catch (refused) {
      if (refused.isUnknown !== false) throw refused;
    }
  }
  const action = kept(name) ?? { who: me(), method, path, body: { request_id: newRequestId(), ...body } };
  sessionStorage.setItem(PREFIX + name, JSON.stringify(action));
  return untilAnswered(name, action);
}

async function untilAnswered(name, { method, path, body }) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const answer = await call(method, path, { body });
      forget(name);
      return answer;
    } catch (error) {
      if (!error.isUnknown) {
        if (error.status !== 401) forget(name); // who signs in again sends it again
        throw error;
      }
      tell(name, attempt);
      await moment(error.retryAfterSeconds || WAITS_SECONDS[Math.min(attempt, WAITS_SECONDS.length) - 1]);
    }
  }
}

function forget(name) {
  sessionStorage.removeItem(PREFIX + name);
  tell(name, 0);
}

/** What whoever is signed in sent under this name and has no answer to; nobody sends for another. */
function kept(name) {
  const action = read(PREFIX + name);
  return action?.who === me() ? action : null;
}

function isSame(action, path, body) {
  const { request_id, ...said } = action.body;
  const { request_id: _, ...now } = body;
  return action.path === path && JSON.stringify(said) === JSON.stringify(now);
}

function me() {
  const { role, subject } = who() ?? {};
  return `${role} ${subject}`;
}

/** Some seconds, or less when the line comes back. */
function moment(seconds) {
  return new Promise((resolve) => {
    setTimeout(resolve, seconds * 1000);
    window.addEventListener("online", resolve, { once: true });
  });
}
