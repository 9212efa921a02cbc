// Who is signed in: OpenID Connect, authorization code with PKCE, as a public client.
// Tokens live in sessionStorage: they end with the tab, and no other tab sees them.

import { kept as stored } from "./kept.js";

const TOKENS = "gongji.tokens";
const ASKED = "gongji.asked";

let told; // what the gateway and the issuer say of themselves

/** The access token; "" when nobody is signed in. */
export function token() {
  return stored(TOKENS)?.access_token ?? "";
}

/** Who is signed in: {role, subject, name}; null when nobody is. */
export function who() {
  const tokens = stored(TOKENS);
  if (!tokens) return null;
  const claims = { ...claimsOf(tokens.access_token), ...claimsOf(tokens.id_token) };
  const role = String(claims.gongji_role ?? claims.role ?? "").toLowerCase().replace(/^role_/, "");
  return { role, subject: claims.gongji_subject ?? claims.sub ?? "", name: claims.name ?? "" };
}

/** Whether this installation says where people sign in. */
export async function hasIssuer() {
  return Boolean((await config()).issuer);
}

/** Leaves for the issuer's page; `back` is the address (#/...) to return to. */
export async function signIn(back) {
  const { client_id, scope, authorization_endpoint } = await config();
  const verifier = random();
  const asked = { verifier, state: random(), nonce: random(), back };
  sessionStorage.setItem(ASKED, JSON.stringify(asked));
  const address = new URL(authorization_endpoint);
  const query = {
    response_type: "code",
    client_id,
    scope: scope ?? "openid",
    redirect_uri: own(),
    state: asked.state,
    nonce: asked.nonce,
    code_challenge: base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))),
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(query)) address.searchParams.set(name, value);
  location.assign(address);
}

/** Takes the issuer's answer out of the address, if there is one; throws when it is not ours. */
export async function returned() {
  const answer = new URLSearchParams(location.search);
  if (!answer.has("state")) return;
  const asked = stored(ASKED);
  sessionStorage.removeItem(ASKED);
  history.replaceState(null, "", `${own()}${asked?.back || "#/"}`);
  const { issuer } = await config();
  const isOurs = asked && answer.get("state") === asked.state && (answer.get("iss") ?? issuer) === issuer;
  if (!isOurs || !answer.has("code")) throw new Error(answer.get("error") ?? "state");
  const tokens = await asking({
    grant_type: "authorization_code",
    code: answer.get("code"),
    redirect_uri: own(),
    code_verifier: asked.verifier,
  });
  if (tokens.id_token && claimsOf(tokens.id_token).nonce !== asked.nonce) throw new Error("nonce");
  keep(tokens);
}

/** Keeps a token that was given by hand, where there is no issuer. */
export function keepToken(access_token) {
  keep({ access_token });
}

let renewing; // one renewal at a time

/** Renews the session; whether it could. */
export function renewed() {
  renewing ??= renew().finally(() => {
    renewing = undefined;
  });
  return renewing;
}

/** Forgets who was signed in, and all that was kept for them. */
export function signOut() {
  sessionStorage.clear();
  location.replace(own());
}

async function renew() {
  const tokens = stored(TOKENS);
  if (!tokens?.refresh_token) return false;
  try {
    keep({ ...tokens, ...(await asking({ grant_type: "refresh_token", refresh_token: tokens.refresh_token })) });
    return true;
  } catch {
    return false;
  }
}

async function asking(form) {
  const { client_id, token_endpoint } = await config();
  const response = await fetch(token_endpoint, {
    method: "POST",
    body: new URLSearchParams({ client_id, ...form }),
  });
  const said = await response.json();
  if (!response.ok) throw new Error(said.error ?? String(response.status));
  return said;
}

async function config() {
  if (told) return told;
  const here = await (await fetch("/session-config")).json();
  if (!here.issuer) return here;
  const issuers = await (await fetch(`${here.issuer}/.well-known/openid-configuration`)).json();
  told = { ...issuers, ...here };
  return told;
}

function keep(tokens) {
  sessionStorage.setItem(TOKENS, JSON.stringify(tokens));
}

function claimsOf(jwt) {
  try {
    const bytes = atob(jwt.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (one) => one.charCodeAt(0))));
  } catch {
    return {};
  }
}

function own() {
  return `${location.origin}${location.pathname}`;
}

function random() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)).buffer);
}

function base64url(buffer) {
  const text = btoa(String.fromCharCode(...new Uint8Array(buffer)));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
