// Who uses the page. Without authentication a user is whoever the request names: a UUID, kept in this browser.
// A server that asks for proof gets a bearer token, kept until the tab is closed.

const USER = 'fillstream.user';
const TOKEN = 'fillstream.token';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const listeners = new Set();

export const isUuid = (text) => UUID.test(text);

/** A random UUID; `crypto.randomUUID` exists on secure origins only. */
export function newUuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** The subject of a JWT; the server verifies, the page only needs to know whose orders to show. */
function subject(token) {
  try {
    const claims = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    return JSON.parse(atob(claims)).sub;
  } catch {
    return undefined;
  }
}

export const token = () => sessionStorage.getItem(TOKEN) ?? '';

export function user() {
  const proven = token() && subject(token());
  if (proven) return proven;
  let kept = localStorage.getItem(USER);
  if (!kept || !isUuid(kept)) {
    kept = newUuid();
    localStorage.setItem(USER, kept);
  }
  return kept;
}

/** Becomes another user. */
export function become(userId, bearer) {
  localStorage.setItem(USER, userId);
  if (bearer) sessionStorage.setItem(TOKEN, bearer);
  else sessionStorage.removeItem(TOKEN);
  listeners.forEach((tell) => tell());
}

export const onChange = (tell) => listeners.add(tell);
