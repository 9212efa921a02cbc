// Server-sent events over fetch: EventSource cannot say who is asking. A stream that breaks is taken
// up after the last event that came, so nothing is missed and nothing comes twice.

import { Problem, fetched } from "./api.js";

const AGAIN_SECONDS = [1, 2, 5, 10];

/** Hears every event's data until `signal` aborts; throws the Problem that ended it for good. */
export async function listen(path, lastId, signal, hear) {
  let last = String(lastId);
  let failures = 0;
  while (!signal.aborted) {
    try {
      const headers = { accept: "text/event-stream", "last-event-id": last };
      const response = await fetched("GET", path, { headers, signal, endless: true });
      failures = 0;
      for await (const event of eventsOf(response.body)) {
        if (event.name === "problem") throw new Problem(event.data.status, event.data);
        if (event.id) last = event.id;
        hear(event.data);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem && !error.isUnknown) throw error;
      failures += 1;
    }
    await pause(AGAIN_SECONDS[Math.min(failures, AGAIN_SECONDS.length - 1)], signal);
  }
}

async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const event = eventOf(block);
      if (event.data) yield event;
    }
  }
}

function eventOf(block) {
  const event = { id: "", name: "", data: null };
  for (const line of block.split("\n")) {
    if (line.startsWith("id: ")) event.id = line.slice(4);
    if (line.startsWith("event: ")) event.name = line.slice(7);
    if (line.startsWith("data: ")) event.data = JSON.parse(line.slice(6));
  }
  return event;
}

function pause(seconds, signal) {
  return new Promise((resolve) => {
    setTimeout(resolve, seconds * 1000);
    signal.addEventListener("abort", resolve, { once: true });
  });
}
