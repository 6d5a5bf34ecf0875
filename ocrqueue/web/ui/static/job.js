// The job page: pages as they are read, lines highlighted in image and text, zoom, tabs, search, and the commands.
import {api, connected, element, t} from "./common.js";

const article = document.querySelector("article.job");
const job = article.dataset.job;
const viewer = document.getElementById("viewer");
const cells = document.getElementById("cells");
let number = Number(article.dataset.page) || null;
let tab = "text";
let zoom = 1;

// -- the page that is shown ------------------------------------------------------------------------------------------
async function show(wanted, {push = true, line = null} = {}) {
  try {
    const answer = await fetch(`/jobs/${job}/pages/${wanted}`, {headers: {Accept: "text/html"}});
    if (!answer.ok) throw new Error(answer.status);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    viewer.replaceChildren(...document.adoptNode(fresh.body).childNodes);
    number = wanted;
    if (push) history.pushState({page: wanted}, "", `?page=${wanted}`);
    for (const old of cells.querySelectorAll("[aria-current]")) old.removeAttribute("aria-current");
    cell(wanted)?.setAttribute("aria-current", "page");
    select(tab);
    if (line !== null) mark(line, true);
    connected(null);
  } catch (problem) { connected(problem); }
}

const cell = page => cells.querySelector(`[data-number="${page}"]`);

document.addEventListener("click", event => {
  const link = event.target.closest("a[href^='?page=']");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  show(Number(new URLSearchParams(link.getAttribute("href")).get("page")));
});
addEventListener("popstate", () => {
  const page = Number(new URLSearchParams(location.search).get("page"));
  if (page) show(page, {push: false});
});

// -- lines -----------------------------------------------------------------------------------------------------------
function mark(line, scroll) {
  for (const old of viewer.querySelectorAll(".marked")) old.classList.remove("marked");
  if (line === null) return;
  for (const one of viewer.querySelectorAll(`[data-line="${line}"]`)) {
    one.classList.add("marked");
    if (scroll) one.scrollIntoView({block: "nearest", inline: "nearest"});
  }
}
viewer.addEventListener("pointerover", event => mark(event.target.closest("[data-line]")?.dataset.line ?? null, false));
viewer.addEventListener("click", event => {
  const line = event.target.closest("[data-line]");
  if (line) mark(line.dataset.line, true);
});

function nextDoubt() {
  const low = [...viewer.querySelectorAll("#tab-text .low")];
  if (!low.length) return;
  const now = low.findIndex(one => one.classList.contains("marked"));
  select("text");
  mark(low[(now + 1) % low.length].dataset.line, true);
}

// -- zoom, tabs, copy ------------------------------------------------------------------------------------------------
function resize(step) {
  const canvas = document.getElementById("canvas");
  const paper = document.getElementById("paper");
  if (!paper) return;
  const x = (canvas.scrollLeft + canvas.clientWidth / 2) / canvas.scrollWidth;
  const y = (canvas.scrollTop + canvas.clientHeight / 2) / canvas.scrollHeight;
  zoom = step === 0 ? 1 : Math.min(8, Math.max(.5, zoom * (step > 0 ? 1.25 : .8)));
  paper.style.width = `${100 * zoom}%`;
  canvas.scrollLeft = x * canvas.scrollWidth - canvas.clientWidth / 2;
  canvas.scrollTop = y * canvas.scrollHeight - canvas.clientHeight / 2;
}

async function select(name) {
  tab = name;
  for (const button of viewer.querySelectorAll("[role=tab]")) button.setAttribute("aria-selected", button.dataset.tab === name);
  for (const panel of viewer.querySelectorAll("[role=tabpanel]")) panel.hidden = panel.id !== `tab-${name}`;
  const json = document.getElementById("tab-json");
  if (name === "json" && json && !json.textContent) {
    try { json.textContent = JSON.stringify(await api(`jobs/${job}/pages/${number}`), null, 2); } catch (problem) { json.textContent = problem.message; }
  }
  if (zoom !== 1) { zoom /= 1.25; resize(1); }
}

async function copy(button) {
  const panel = viewer.querySelector("[role=tabpanel]:not([hidden])");
  await navigator.clipboard.writeText(panel.innerText);
  const before = button.textContent;
  button.textContent = t("copied");
  setTimeout(() => { button.textContent = before; }, 1500);
}

viewer.addEventListener("click", event => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.tab) select(button.dataset.tab);
  else if (button.dataset.zoom) resize(Number(button.dataset.zoom));
  else if ("doubt" in button.dataset) nextDoubt();
  else if ("copy" in button.dataset) copy(button);
});

// dragging moves the page image
viewer.addEventListener("pointerdown", event => {
  const canvas = event.target.closest("#canvas");
  if (!canvas || event.button || event.pointerType === "touch") return;
  event.preventDefault();
  canvas.focus();
  const move = moved => canvas.scrollBy(-moved.movementX, -moved.movementY);
  const stop = () => { removeEventListener("pointermove", move); removeEventListener("pointerup", stop); };
  addEventListener("pointermove", move);
  addEventListener("pointerup", stop);
});

const KEYS = {"+": () => resize(1), "-": () => resize(-1), 0: () => resize(0), n: nextDoubt,
  ArrowLeft: () => document.getElementById("previous")?.click(), ArrowRight: () => document.getElementById("next")?.click()};
addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
  if (event.key.startsWith("Arrow") && event.target.id === "canvas" && zoom > 1) return; // the arrows scroll the image
  if (KEYS[event.key]) { event.preventDefault(); KEYS[event.key](); }
});

// -- search ----------------------------------------------------------------------------------------------------------
const search = document.getElementById("search");
const hits = document.getElementById("hits");
async function find(words) {
  if (!words.trim()) return hits.replaceChildren();
  try {
    const {items, more} = await api(`jobs/${job}/search?q=${encodeURIComponent(words)}`);
    const rows = items.map(hit => element("li", {}, element("a", {href: `?page=${hit.page}`, onclick: event => {
      event.preventDefault();
      event.stopPropagation();
      show(hit.page, {line: hit.line});
    }}, element("b", {}, String(hit.page)), ` ${hit.text}`)));
    hits.replaceChildren(element("p", {class: "soft"}, t(more ? "hits_more" : "hits", {count: items.length})), element("ul", {}, ...rows));
  } catch (problem) { hits.replaceChildren(element("p", {class: "bad-text"}, problem.message)); }
}
let due;
search.addEventListener("input", () => { clearTimeout(due); due = setTimeout(() => find(search.words.value), 250); });
search.addEventListener("submit", event => { event.preventDefault(); clearTimeout(due); find(search.words.value); });

// -- commands --------------------------------------------------------------------------------------------------------
const COMMANDS = {retry: ["POST", "/retry"], cancel: ["POST", "/cancel"], drop: ["DELETE", ""]};
article.addEventListener("click", async event => {
  const name = event.target.closest("[data-do]")?.dataset.do;
  if (!name || (name === "drop" && !confirm(t("drop_sure")))) return;
  const shown = document.getElementById("problem");
  const [method, path] = COMMANDS[name];
  try {
    await api(`jobs/${job}${path}`, {method});
    shown.hidden = true;
    if (name === "drop") location.assign("/");
    else follow();
  } catch (problem) { shown.textContent = problem.message; shown.hidden = false; }
});

// -- pages as they are read ------------------------------------------------------------------------------------------
let source;
function follow() {
  source?.close();
  source = new EventSource(`/api/v1/jobs/${job}/events`);
  source.addEventListener("page", event => {
    const page = JSON.parse(event.data);
    const one = cell(page.page);
    if (one) { one.className = `cell ${page.state}`; one.title = `${page.page}: ${t(`page_${page.state}`)}`; }
    if (page.page === number || (number === null && page.state === "ok")) show(page.page, {push: false});
  });
  source.addEventListener("end", () => source.close());
  source.onerror = () => connected(new Error("events"));
  source.onopen = () => connected(null);
}
if (document.querySelector("[data-do=cancel]")) follow();
