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

/** Sends a request; the answer is `{ status, body }`. */
export async function call(method, path, { body, headers = {}, signal } = {}) {
  const all = { ...headers };
  if (body !== undefined) all['Content-Type'] = 'application/json';
  if (token()) all.Authorization = `Bearer ${token()}`;
  let response;
  let answer;
  try {
    response = await fetch(path, {
      method,
      headers: all,
      body: body && JSON.stringify(body),
      signal,
      cache: 'no-store',
    });
    answer = await response.json().catch((error) => {
      if (error.name === 'AbortError') throw error;
      return {};
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Unreachable();
  }
  // A proxy in front answers for a server that is not there.
  if (BY_PROXY.has(response.status) || (response.status === 503 && !answer.type && !answer.status))
    throw new Unreachable();
  if (!response.ok) throw new Refused(response.status, answer);
  return { status: response.status, body: answer };
}

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
