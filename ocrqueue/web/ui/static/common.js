// What every page uses: requests to the API, texts, elements. No framework, no build.
const meta = name => document.querySelector(`meta[name=${name}]`).content;
const table = JSON.parse(document.getElementById("texts").textContent);

export const root = meta("root"); // path below which a proxy shows the service
export const token = meta("change-token"); // which changes need, where people log in

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

// A problem of the server, in words for people.
export class Problem extends Error {
  constructor(status, code, detail) { super(table[`error_${code}`] || detail || String(status)); }
}

const logIn = () => location.assign(`${root}/login?to=${encodeURIComponent(location.pathname + location.search)}`);

// The JSON answer of the API. Throws Problem; a missing session leads to the log-in.
export async function api(path, options = {}) {
  const headers = {Accept: "application/json", ...(token && {"X-CSRF-Token": token}), ...options.headers};
  const answer = await fetch(`${root}/api/v1/${path}`, {...options, headers});
  if (answer.status === 401) logIn();
  const body = answer.status === 204 ? {} : await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(answer.status, body.code, body.detail);
  return body;
}

// A page of the web UI, or a part of one, as a document. Throws Problem; a missing session leads to the log-in.
export async function html(path, options = {}) {
  const answer = await fetch(path, {...options, headers: {Accept: "text/html"}});
  if (answer.redirected) logIn();
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!answer.ok) throw new Problem(answer.status, null, fresh.getElementById("error")?.textContent);
  return fresh;
}

// An open menu closes with Escape, and when something else is pointed at.
const menus = () => document.querySelectorAll("details.menu[open]");
document.addEventListener("pointerdown", event => { for (const menu of menus()) if (!menu.contains(event.target)) menu.open = false; });
document.addEventListener("keydown", event => {
  if (event.key === "Escape") for (const menu of menus()) { menu.open = false; menu.querySelector("summary").focus(); }
});

// Says whether the server answers; called by everything that looks for news.
export function connected(problem) {
  const shown = document.getElementById("connection");
  const text = problem ? (problem instanceof Problem ? problem.message : t("no_connection")) : "";
  if (shown.textContent !== text) shown.textContent = text;
}
