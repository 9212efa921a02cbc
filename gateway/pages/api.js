// Shows openapi.json: every call, what it takes and what it answers.
//
// Rule: nothing of the interface is written here, and everything that is shown is put in as text.

import { h } from "./app/dom.js";

const api = await (await fetch("openapi.json")).json();
const schemas = api.components.schemas;
const main = document.getElementById("main");

/** The name of the schema that is referred to, or undefined. */
function referred(schema) {
  const whole = schema.$ref ?? schema.allOf?.[0]?.$ref;
  return whole?.split("/").pop();
}

/** What a value is, in a few words; a link where it is a message. */
function kindOf(schema) {
  const name = referred(schema);
  if (name) return h("a", { href: `#${name}` }, name);
  if (schema.type === "array") return h("span", {}, "list of ", kindOf(schema.items));
  if (schema.enum) return h("span", {}, schema.enum.join(", "));
  const limits = ["format", "pattern", "minLength", "maxLength", "minimum", "maximum"]
    .filter((key) => key in schema)
    .map((key) => `${key} ${schema[key]}`);
  return h("span", {}, [schema.type, ...limits].join(", "));
}

/** A table of fields: name, kind, what it means. */
function table(caption, rows) {
  const head = ["name", "kind", "meaning"].map((text) => h("th", { scope: "col" }, text));
  const body = rows.map(([name, schema, required]) =>
    h("tr", {},
      h("td", {}, h("code", {}, name), required ? " *" : ""),
      h("td", {}, h("code", {}, kindOf(schema))),
      h("td", {}, schema.description ?? "")));
  return h("table", {},
    h("caption", {}, caption),
    h("thead", {}, h("tr", {}, ...head)),
    h("tbody", {}, ...body));
}

/** The fields of a message. */
function fieldsOf(name) {
  const schema = schemas[name];
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {})
    .map(([field, told]) => [field, told, required.has(field)]);
}

/** What a body or an answer is made of. */
function content(caption, told) {
  return Object.entries(told ?? {}).map(([mediaType, { schema = {} }]) => {
    const name = referred(schema);
    return name
      ? table(`${caption}: ${mediaType}, ${name}`, fieldsOf(name))
      : h("p", {}, `${caption}: ${mediaType}`);
  });
}

/** One call. */
function operation(verb, path, told) {
  const parameters = told.parameters.map(({ name, in: place, required, schema }) =>
    [`${name} (${place})`, schema, required]);
  const problems = Object.keys(told.responses).filter((status) => status !== "200");
  return h("details", { id: told.operationId },
    h("summary", {},
      h("span", { class: "verb" }, verb.toUpperCase()), h("code", {}, path),
      h("small", {}, told.summary)),
    h("p", {}, told.description),
    ...(parameters.length ? [table("parameters", parameters)] : []),
    ...content("body", told.requestBody?.content),
    ...content("200", told.responses[200].content),
    h("p", {}, "Problems (application/problem+json, ",
      h("a", { href: "#Problem" }, "Problem"), `): ${problems.join(", ")}`));
}

/** One message. */
function message(name) {
  return h("details", { id: name },
    h("summary", {}, h("code", {}, name), h("small", {}, schemas[name].description ?? "")),
    table(name, fieldsOf(name)));
}

/** Leave what has all the words; whole sections where none are given. */
function find(words) {
  let shown = 0;
  for (const one of main.querySelectorAll("details")) {
    const text = one.textContent.toLowerCase();
    one.hidden = !words.every((word) => text.includes(word));
    shown += one.hidden ? 0 : 1;
  }
  document.getElementById("count").textContent = words.length ? `${shown}` : "";
}

/** Open what the address names. */
function openNamed() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (named instanceof HTMLDetailsElement) {
    named.hidden = false;
    named.open = true;
    named.scrollIntoView();
  }
}

const calls = Object.entries(api.paths).flatMap(([path, verbs]) =>
  Object.entries(verbs).map(([verb, told]) => [told.tags[0], operation(verb, path, told)]));
for (const service of new Set(calls.map(([tag]) => tag))) {
  main.append(h("h2", {}, service));
  main.append(...calls.filter(([tag]) => tag === service).map(([, element]) => element));
}
main.append(h("h2", {}, "Messages"), ...Object.keys(schemas).sort().map(message));
document.getElementById("about").textContent = `(OpenAPI ${api.openapi}, ${calls.length})`;

const field = document.getElementById("find");
field.addEventListener("input", () => {
  find(field.value.toLowerCase().split(/\s+/).filter(Boolean));
});
window.addEventListener("hashchange", openNamed);
openNamed();
