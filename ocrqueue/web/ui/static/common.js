// What every page uses: requests to the API, texts, elements. No framework, no build.
const read = id => JSON.parse(document.getElementById(id).textContent);
const table = read("texts");
const token = document.querySelector("meta[name=change-token]").content;

// A text of the page's language, with its parts in place: t(name, {done: 3, total: 8}).
export const t = (name, parts = {}) => table[name].replace(/\{(\w+)\}/g, (_, part) => parts[part]);

// An element with attributes and children. Text becomes a text node, so it is never markup.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== false && value != null) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

// A problem of the API, with the project's error code.
export class Problem extends Error {
  constructor(status, body) { super(body.detail || String(status)); this.status = status; this.code = body.code; }
}

// The JSON answer of the API. Throws Problem; a missing session leads to the log-in.
export async function api(path, options = {}) {
  const headers = {Accept: "application/json", ...(token && {"X-CSRF-Token": token}), ...options.headers};
  const answer = await fetch(`/api/v1/${path}`, {...options, headers});
  if (answer.status === 401) location.assign(`/login?to=${encodeURIComponent(location.pathname)}`);
  const body = answer.status === 204 ? null : await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(answer.status, body);
  return body;
}

// Says in the header whether the server answers; called by everything that talks to it.
export function connected(problem) {
  const shown = document.getElementById("connection");
  const text = problem ? (problem instanceof Problem ? problem.message : t("no_connection")) : "";
  if (shown.textContent !== text) shown.textContent = text;
}

export const change = token;
