// HTTP: JSON in and out, problems (RFC 9457) as exceptions that name the fields.

import { token } from './identity.js';

const BY_PROXY = new Set([502, 504]);

/** The server has answered, with a refusal. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail ?? `The server answers ${status}.`);
    this.status = status;
    this.code = problem.code ?? '';
    /** [{ pointer: "/price", detail: "must be …" }] */
    this.fields = problem.errors ?? [];
    this.body = problem;
  }
}

/** Nobody knows whether the request was carried out: no answer came, or one that leaves it open. */
export const isOpen = (error) => error instanceof Unreachable || error.status >= 500;

/** No answer came; whether the request arrived is unknown. */
export class Unreachable extends Error {
  constructor() {
    super('The server cannot be reached.');
  }
}

/** The body as JSON; nothing when it is none. */
const read = (response) =>
  response.json().catch((error) => {
    if (error.name === 'AbortError') throw error;
    return undefined;
  });

/** Sends a request; the response, unless it is a refusal. */
async function send(method, path, { body, headers = {}, signal } = {}) {
  const all = { ...headers };
  if (body !== undefined) all['Content-Type'] = 'application/json';
  if (token()) all.Authorization = `Bearer ${token()}`;
  const options = { method, headers: all, body: body && JSON.stringify(body), signal, cache: 'no-store' };
  const response = await fetch(path, options).catch((error) => {
    throw error.name === 'AbortError' ? error : new Unreachable();
  });
  if (response.ok) return response;
  const problem = (await read(response)) ?? {};
  // A proxy in front answers for a server that is not there.
  if (BY_PROXY.has(response.status) || (response.status === 503 && !problem.type && !problem.status))
    throw new Unreachable();
  throw new Refused(response.status, problem);
}

/** Sends a request; the answer is `{ status, body }`. */
export async function call(method, path, options) {
  const response = await send(method, path, options);
  const body = await read(response);
  // The connection broke within the answer.
  if (body === undefined) throw new Unreachable();
  return { status: response.status, body };
}

/** GET of what has no end: the response. */
export const openStream = (path, options) => send('GET', path, options);

export const get = async (path, options) => (await call('GET', path, options)).body;

/** The address of a socket; with a bearer token it carries a ticket, good for one socket. */
export async function socketAddress(path, parameters = {}) {
  const url = new URL(path, location.href);
  url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  for (const [name, value] of Object.entries(parameters)) if (value) url.searchParams.set(name, value);
  if (token()) url.searchParams.set('ticket', (await call('POST', '/api/ws-ticket')).body.ticket);
  return url.href;
}

/** Pause before a request that did not arrive is sent again. */
const RETRY_MS = 1000;

/** GET until there is an answer; `stopped()` ends the waiting, and gives nothing. */
export async function getPatiently(path, stopped) {
  while (!stopped()) {
    try {
      return await get(path);
    } catch (error) {
      if (!isOpen(error)) throw error;
      await new Promise((done) => setTimeout(done, RETRY_MS));
    }
  }
  return undefined;
}
