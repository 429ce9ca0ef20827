// Shows the documents: /openapi.json, /asyncapi.json and /schemas, as they are.

const VIEWS = { http: showHttp, channels: showChannels, events: showEvents };
/** Schemas inside schemas that are shown; what lies deeper is named. */
const DEEPEST = 6;

const main = document.getElementById("document");
const find = document.getElementById("find");

/** An element with a class and children: texts and elements. */
function element(tag, name, ...children) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.append(...children.filter((child) => child !== undefined && child !== null && child !== ""));
  return made;
}

/** Text with `code` in it. */
function words(text) {
  return (text ?? "").split("`").map((part, at) => (at % 2 ? element("code", "", part) : part));
}

function told(text) {
  return element("p", "about", ...words(text));
}

async function read(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

function resolve(root, schema) {
  if (!schema?.$ref) return schema;
  const path = schema.$ref.replace(/^#\//, "").split("/");
  return path.reduce((value, part) => value?.[part.replace(/~1/g, "/").replace(/~0/g, "~")], root);
}

/** What a value is, in a few words. */
function kind(schema) {
  if (schema === true || !schema) return "anything";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const choice = schema.oneOf ?? schema.anyOf;
  if (choice && !schema.properties) return choice.map(kind).join(" | ");
  if (schema.allOf && !schema.properties) return kind(schema.allOf[0]);
  const type = [schema.type ?? "object"].flat().join(" | ");
  if (type.startsWith("array")) return `list of ${kind(schema.items)}`;
  const limits = ["minimum", "maximum", "maxItems"].filter((name) => schema[name]).map((name) => `${name} ${schema[name]}`);
  const format = schema.format && !/^u?int/.test(schema.format) ? [schema.format] : [];
  return [type, ...format, schema.pattern && `/${schema.pattern}/`, ...limits].filter(Boolean).join(", ");
}

/** The fields of an object, and of those in it. */
function fields(root, given, depth = 0, seen = []) {
  // Beside a reference there may be fields of its own.
  if (given?.$ref && given.properties) return fields(root, { ...given, $ref: undefined, allOf: [{ $ref: given.$ref }] }, depth, seen);
  const schema = resolve(root, given);
  if (!schema || depth > DEEPEST || seen.includes(schema)) return "";
  const next = [...seen, schema];
  if (schema.type === "array") return fields(root, schema.items, depth, next);
  const parts = [...(schema.allOf ?? []), ...(schema.oneOf ?? schema.anyOf ?? [])];
  const below = parts.map((part) => fields(root, part, depth, next)).filter((part) => part !== "");
  const required = new Set(schema.required);
  const rows = Object.entries(schema.properties ?? {}).map(([name, field]) =>
    element(
      "li",
      "",
      element("code", "", name),
      element("span", "kind", ` ${kind(field)}`),
      required.has(name) ? "" : element("span", "kind optional", " optional"),
      field.description ? element("span", "kind", ": ", ...words(field.description)) : "",
      fields(root, field, depth + 1, next),
    ),
  );
  if (!rows.length && !below.length) return "";
  return element("div", "", rows.length ? element("ul", "fields", ...rows) : "", ...below);
}

function shape(root, schema) {
  const listed = fields(root, schema);
  return listed === "" ? element("p", "kind", kind(schema)) : listed;
}

/** A part that opens; what is in it is made when it does. */
function part(head, make) {
  const made = element("details", "", element("summary", "", ...head));
  made.dataset.text = made.textContent.toLowerCase();
  made.addEventListener("toggle", () => made.childElementCount === 1 && made.append(...make()), { once: true });
  return made;
}

function answer(root, [status, response]) {
  const refused = status >= "400";
  const head = [element("span", refused ? "status refused" : "status", status), response.description];
  return part(head, () =>
    Object.entries(response.content ?? {}).flatMap(([type, { schema }]) => {
      const codes = schema.allOf?.[1]?.properties?.code?.enum;
      return [element("h3", "", type), codes ? element("p", "", ...codes.map((code) => element("code", "", `${code} `))) : shape(root, schema)];
    }).concat(Object.entries(response.headers ?? {}).map(([name, header]) => told(`\`${name}\`: ${header.description}`))),
  );
}

function operation(root, path, method, one) {
  const head = [element("span", "verb", method.toUpperCase()), element("code", "", path), element("span", "about", one.summary)];
  return part(head, () => {
    const body = one.requestBody?.content["application/json"];
    const parameters = one.parameters.map((parameter) =>
      element("li", "", element("code", "", parameter.name), element("span", "kind", ` ${parameter.in}, ${kind(parameter.schema)}: ${parameter.description}`)),
    );
    return [
      told(one.description),
      parameters.length ? element("h3", "", "Parameters") : "",
      parameters.length ? element("ul", "fields", ...parameters) : "",
      body ? element("h3", "", one.requestBody.required ? "Body" : "Body, if any") : "",
      body ? shape(root, body.schema) : "",
      body ? element("pre", "", JSON.stringify(body.example, null, 2)) : "",
      element("h3", "", "Answers"),
      ...Object.entries(one.responses).map((response) => answer(root, response)),
    ].filter((child) => child !== "");
  });
}

async function showHttp() {
  const root = await read("/openapi.json");
  const all = Object.entries(root.paths).flatMap(([path, item]) => Object.entries(item).map(([method, one]) => ({ path, method, one })));
  const [about] = root.info.description.split("\n\n");
  return [
    told(about),
    ...root.tags.flatMap(({ name, description }) => {
      const own = all.filter(({ one }) => one.tags[0] === name);
      if (!own.length) return [];
      return [element("section", "", element("h2", "", name), told(description), ...own.map(({ path, method, one }) => operation(root, path, method, one)))];
    }),
  ];
}

function message(root, { $ref }) {
  const one = resolve(root, resolve(root, { $ref }));
  return part([element("code", "", one.name), element("span", "about", ...words(one.summary))], () => [shape(root, one.payload)]);
}

function channel(root, [id, one]) {
  const head = [element("code", "", one.address), element("span", "about", one.title)];
  return part(head, () => {
    const own = Object.values(root.operations).filter((operation) => operation.channel.$ref === `#/channels/${id}`);
    const query = Object.entries(one.bindings?.ws?.query?.properties ?? {}).map(([name, field]) => told(`\`?${name}=\` ${field.description}`));
    const parameters = Object.entries(one.parameters ?? {}).map(([name, parameter]) => told(`\`{${name}}\` ${parameter.description}`));
    const closes = (one["x-close-codes"] ?? []).map(({ code, why }) => told(`\`${code}\` ${why}`));
    const lists = own.flatMap(({ action, messages, reply }) => [
      element("h3", "", action === "send" ? "The server says" : "The server listens to"),
      ...messages.map((reference) => message(root, reference)),
      ...(reply ? [element("h3", "", "It replies"), ...reply.messages.map((reference) => message(root, reference))] : []),
    ]);
    return [told(one.description), ...parameters, ...query, ...lists, ...(closes.length ? [element("h3", "", "Close codes"), ...closes] : [])];
  });
}

async function showChannels() {
  const root = await read("/asyncapi.json");
  const all = Object.entries(root.channels).filter(([, one]) => one.address);
  const on = (server) => all.filter(([, one]) => one.servers[0].$ref === `#/servers/${server}`);
  return [
    element("section", "", element("h2", "", "Sockets"), told(root.servers.sockets.host), ...on("sockets").map((one) => channel(root, one))),
    element("section", "", element("h2", "", "Subjects"), told(root.servers.stream.host), ...on("stream").map((one) => channel(root, one))),
  ];
}

async function showEvents() {
  const { schemas } = await read("/schemas");
  const shown = await Promise.all(schemas.map(async ({ type, version, schema }) => ({ type, version, schema, root: await read(schema) })));
  return shown.map(({ type, version, schema, root }) => {
    const file = element("a", "", schema);
    file.href = schema;
    return part([element("code", "", `${type} v${version}`), element("span", "about", ...words(root.description))], () => [file, shape(root, root)]);
  });
}

/** Shows what is looked for, and the headings above it. */
function filter() {
  const wanted = find.value.trim().toLowerCase();
  for (const one of main.querySelectorAll("main > details, section > details")) one.hidden = !one.dataset.text.includes(wanted);
  for (const section of main.querySelectorAll("section")) section.hidden = !section.querySelector(":scope > details:not([hidden])");
}

async function show() {
  const name = location.hash.slice(1) in VIEWS ? location.hash.slice(1) : "http";
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  try {
    main.replaceChildren(...(await VIEWS[name]()));
  } catch (error) {
    main.replaceChildren(told(`The document cannot be read: ${error.message}`));
  }
  filter();
}

addEventListener("hashchange", show);
find.addEventListener("input", filter);
show();
