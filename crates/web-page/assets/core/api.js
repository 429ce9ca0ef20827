// HTTP: JSON in and out, problems (RFC 9457) as exceptions that name the fields.

import { token } from './identity.js';

/** The server has answered, with a refusal. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail ?? `The server answers ${status}.`);
    this.status = status;
    this.code = problem.code ?? '';
    /** [{ pointer: "/price", detail: "must be …" }] */
    this.fields = problem.errors ?? [];
  }
}

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
    response = await fetch(path, { method, headers: all, body: body && JSON.stringify(body), signal, cache: 'no-store' });
    answer = await response.json().catch((error) => {
      if (error.name === 'AbortError') throw error;
      return {};
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Unreachable();
  }
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
