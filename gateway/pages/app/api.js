// Calls of the gateway: JSON there and back, problems as they are said, uploads that tell how far.

import { learnClock } from "./dates.js";
import { renewed, token } from "./session.js";

const SECONDS = 40;

/** A refusal: problem+json as it came. */
export class Problem extends Error {
  constructor(status, said, retryAfter) {
    super(said.detail || said.title || String(status));
    this.status = status;
    this.reason = said.reason ?? "";
    this.title = said.title ?? "";
    this.detail = said.detail ?? "";
    this.detailEn = said.detail_en ?? "";
    this.fields = said.fields ?? [];
    this.retryAfterSeconds = said.retry_after_seconds ?? Number(retryAfter ?? 0);
  }

  /** Whether it is not known what became of the call: the same must be sent again. */
  get isUnknown() {
    const again = this.reason === "CONCURRENT_CHANGE" || this.status === 408 || this.status === 429;
    return again || (this.status >= 500 && this.status !== 501);
  }
}

/** No answer came: offline, broken off, or too late. */
export class Lost extends Error {
  get isUnknown() {
    return true;
  }
}

/** Calls and answers the JSON object; `query` may have lists; throws Problem or Lost. */
export async function call(method, path, { query, body, signal } = {}) {
  const response = await fetched(method, path, { query, body, signal });
  return response.json();
}

export const get = (path, query, signal) => call("GET", path, { query, signal });

/** All of a list, page by page, at most `most` elements. */
export async function all(path, query, list, most = 1000) {
  const found = [];
  let page_token = "";
  do {
    const page = await get(path, { ...query, page_size: 200, page_token });
    found.push(...page[list]);
    page_token = page.next_page_token;
  } while (page_token && found.length < most);
  return found;
}

/** The response itself, for what is no JSON: documents, tables, streams. */
export async function fetched(method, path, { query, body, signal, headers = {}, endless } = {}) {
  const send = () =>
    reached(addressOf(path, query), {
      method,
      signal: withTimeout(signal, endless),
      headers: { ...headers, ...authorized(), ...(body ? { "content-type": "application/json" } : {}) },
      body: body && JSON.stringify(body),
      cache: "no-store",
    });
  let response = await send();
  if (response.status === 401 && (await renewed())) response = await send();
  if (!response.ok) throw await problemOf(response);
  return response;
}

/** Uploads a file; `told(done)` hears parts of 1. */
export async function upload(path, query, file, told, signal) {
  if (!token()) await renewed();
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch does not tell how far an upload is
    request.open("POST", addressOf(path, query));
    for (const [name, value] of Object.entries(authorized())) request.setRequestHeader(name, value);
    request.setRequestHeader("content-type", file.type);
    request.upload.onprogress = (event) => event.lengthComputable && told(event.loaded / event.total);
    request.onload = () => {
      const said = parsed(request.responseText);
      if (request.status === 200) resolve(said);
      else reject(new Problem(request.status, said, request.getResponseHeader("retry-after")));
    };
    request.onerror = request.onabort = () => reject(new Lost());
    signal?.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

async function reached(address, options) {
  try {
    const response = await fetch(address, options);
    learnClock(response.headers.get("date"));
    return response;
  } catch (gone) {
    if (gone.name === "AbortError") throw gone; // the page was left
    throw new Lost(gone.message);
  }
}

function withTimeout(signal, endless) {
  if (endless) return signal;
  const late = AbortSignal.timeout(SECONDS * 1000);
  return signal ? AbortSignal.any([signal, late]) : late;
}

async function problemOf(response) {
  return new Problem(response.status, parsed(await response.text()), response.headers.get("retry-after"));
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

function authorized() {
  return token() ? { authorization: `Bearer ${token()}` } : {};
}

function addressOf(path, query = {}) {
  const said = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value].flat()) if (one !== undefined && one !== "") said.append(name, one);
  }
  const text = String(said);
  return text ? `${path}?${text}` : path;
}
