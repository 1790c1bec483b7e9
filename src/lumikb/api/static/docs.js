// The API reference, drawn from /openapi.json. The inside of a route, and of a schema, is made when it is opened.

const METHODS = ["get", "post", "put", "patch", "delete"];
const el = (id) => document.getElementById(id);
let specification;

/** An element with properties and children; strings become text. */
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

/** Paragraphs of a description; text between backticks is code. */
function prose(text) {
  return text.split(/\n{2,}/).map((paragraph) => make("p", {}, ...spans(paragraph)));
}

function spans(text) {
  return text.split("`").map((part, at) => (at % 2 ? make("code", {}, part) : part));
}

// Schemas

const named = (reference) => reference.split("/").pop();
/** The name of a schema without the modules that generic ones carry. */
const short = (name) => name.replace(/^([A-Za-z]+)_[\w.]*\.(\w+)_$/, "$1 of $2");

function resolve(schema) {
  return schema?.$ref ? resolve(specification.components.schemas[named(schema.$ref)]) : (schema ?? {});
}

/** Alternatives of a schema without null, and whether null is one of them. */
function alternatives(schema) {
  const all = schema.oneOf ?? schema.anyOf ?? (Array.isArray(schema.type) ? schema.type.map((type) => ({ ...schema, type })) : [schema]);
  return { some: all.filter((one) => one.type !== "null"), nullable: all.some((one) => one.type === "null") };
}

/** A schema in a few words, such as "list of string, or null". */
function typeOf(schema) {
  if (!schema || Object.keys(schema).length === 0) return "anything";
  if (schema.$ref) {
    const target = resolve(schema);
    return target.enum ? typeOf(target) : short(named(schema.$ref));
  }
  const { some, nullable } = alternatives(schema);
  if (some.length !== 1 || nullable || some[0] !== schema) {
    const words = some.map(typeOf).join(" or ");
    return nullable ? `${words}, or null` : words;
  }
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return `list of ${typeOf(schema.items)}`;
  if (schema.type === "object" && schema.properties === undefined) {
    const values = schema.additionalProperties;
    return values && Object.keys(values).length ? `object of ${typeOf(values)}` : "object";
  }
  return schema.format === "date-time" ? "time (RFC 3339)" : schema.format === "binary" ? "file" : (schema.type ?? "object");
}

/** The object with fields that lies within a schema, through lists, maps and alternatives; null without one. */
function objectIn(schema) {
  const found = resolve(schema);
  if (found.properties) return found;
  if (found.type === "array") return objectIn(found.items ?? {});
  const inner = (found.oneOf ?? found.anyOf ?? []).map(objectIn).find((one) => one !== null);
  if (inner) return inner;
  const values = found.additionalProperties;
  return values && typeof values === "object" && Object.keys(values).length ? objectIn(values) : null;
}

function bounds(schema) {
  const { minimum, maximum, minLength, maxLength, maxItems } = schema;
  const said = [];
  if (minimum !== undefined) said.push(`at least ${minimum}`);
  if (maximum !== undefined) said.push(`at most ${maximum}`);
  if (minLength !== undefined) said.push(`at least ${minLength} characters`);
  if (maxLength !== undefined) said.push(`at most ${maxLength} characters`);
  if (maxItems !== undefined) said.push(`at most ${maxItems} items`);
  return said;
}

/** One line of a list of fields or parameters. */
function part(name, schema, { required, description, place }) {
  const facts = [typeOf(schema), place, required ? "required" : null, ...bounds(schema)];
  if (schema.default !== undefined && schema.default !== null) facts.push(`default ${JSON.stringify(schema.default)}`);
  const item = make("li", {}, make("span", { className: "name" }, name), make("span", { className: "dim" }, facts.filter(Boolean).join(" · ")));
  const note = description ?? schema.description;
  if (note) item.append(make("span", { className: "note" }, ...spans(note)));
  const inner = objectIn(schema);
  if (inner) item.append(opening(`Fields of ${name}`, () => [fields(inner)]));
  return item;
}

function fields(object) {
  const required = new Set(object.required ?? []);
  const list = make("ul", { className: "parts" });
  for (const [name, schema] of Object.entries(object.properties)) list.append(part(name, schema, { required: required.has(name) }));
  return list;
}

/** A details element whose inside is made when it is first opened. */
function opening(title, inside) {
  const details = make("details", {}, make("summary", {}, title));
  details.addEventListener("toggle", () => details.append(...inside()), { once: true });
  return details;
}

function body(schema, mediaType) {
  const resolved = resolve(schema);
  const parts = [make("p", { className: "dim" }, `${mediaType}: ${typeOf(schema)}`)];
  const object = objectIn(schema);
  const description = (resolved.properties ? resolved : object)?.description;
  if (description) parts.push(...prose(description));
  if (object) parts.push(fields(object));
  return parts;
}

function contents(content = {}) {
  return Object.entries(content).flatMap(([mediaType, { schema }]) => body(schema ?? {}, mediaType));
}

// Routes

function inside(route) {
  const { operation } = route;
  const parts = operation.description ? prose(operation.description) : [];
  if (operation.parameters?.length) {
    const list = make("ul", { className: "parts" });
    for (const { name, schema, required, description, in: place } of operation.parameters) {
      list.append(part(name, schema ?? {}, { required, description, place }));
    }
    parts.push(make("h3", {}, "Parameters"), list);
  }
  if (operation.requestBody) parts.push(make("h3", {}, "Request body"), ...contents(operation.requestBody.content));
  for (const [status, response] of Object.entries(operation.responses ?? {})) {
    const answer = contents(response.content);
    if (status.startsWith("2")) parts.push(make("h3", {}, `Answer ${status}`), ...(answer.length ? answer : [make("p", { className: "dim" }, "No body.")]));
    else parts.push(opening(`Answer ${status}: ${response.description}`, () => answer));
  }
  return make("div", { className: "inside" }, ...parts);
}

function draw(route) {
  const { method, path, operation } = route;
  const summary = make(
    "summary",
    {},
    make("span", { className: "verb" }, method.toUpperCase()),
    make("span", { className: "path" }, path),
    make("span", { className: "gist" }, operation.summary ?? ""),
  );
  const details = make("details", { className: "route", id: route.id }, summary);
  details.addEventListener("toggle", () => details.append(inside(route)), { once: true });
  details.addEventListener("toggle", () => { if (details.open) history.replaceState(null, "", `#${route.id}`); });
  route.element = details;
  route.text = `${method} ${path} ${operation.summary ?? ""} ${operation.description ?? ""}`.toLowerCase();
  return details;
}

function routesOf(paths) {
  return Object.entries(paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({
      method,
      path,
      operation: item[method],
      group: item[method].tags?.[0] ?? "Health",
      id: `${method}${path.replace(/[^\w]+/g, "-")}`,
    })),
  );
}

function drawGroups(routes) {
  const groups = Map.groupBy ? Map.groupBy(routes, (route) => route.group) : grouped(routes);
  return [...groups].map(([name, members]) => {
    const id = `group-${name.toLowerCase().replace(/\W+/g, "-")}`;
    const section = make("section", { className: "group" }, make("h2", { id, tabIndex: -1 }, name), ...members.map(draw));
    section.setAttribute("aria-labelledby", id);
    const entry = make("li", {}, make("a", { href: `#${id}` }, name));
    el("groups").append(entry);
    el("routes").append(section);
    return { section, entry, members };
  });
}

function grouped(routes) {
  const groups = new Map();
  for (const route of routes) groups.set(route.group, [...(groups.get(route.group) ?? []), route]);
  return groups;
}

function filter(groups) {
  const words = el("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const { section, entry, members } of groups) {
    let shown = 0;
    for (const route of members) {
      route.element.hidden = !words.every((word) => route.text.includes(word));
      shown += route.element.hidden ? 0 : 1;
    }
    section.hidden = entry.hidden = shown === 0;
    found += shown;
  }
  el("found").textContent = found === 1 ? "1 route" : `${found} routes`;
}

function openTarget() {
  const target = document.getElementById(location.hash.slice(1));
  if (target?.classList.contains("route")) {
    target.open = true;
    target.scrollIntoView();
  }
}

async function start() {
  try {
    const answer = await fetch("/openapi.json");
    if (!answer.ok) throw new Error(String(answer.status));
    specification = await answer.json();
  } catch {
    el("routes").append(make("p", {}, "The server does not answer. Is it still running? Then reload this page."));
    return;
  }
  const groups = drawGroups(routesOf(specification.paths));
  el("filter").addEventListener("input", () => filter(groups));
  addEventListener("hashchange", openTarget);
  filter(groups);
  openTarget();
}

start();
