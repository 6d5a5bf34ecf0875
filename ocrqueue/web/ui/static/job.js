// The job page: pages as they are read, lines highlighted in image and text, zoom, tabs, search, and the commands.
import {api, connected, element, html, root, t} from "./common.js";
import {look} from "./live.js";
import {choose, finish, nextIn, paint} from "./strip.js";

const article = document.querySelector("article.job");
const job = article.dataset.job;
const head = document.getElementById("job-head");
const viewer = document.getElementById("viewer");
let number = Number(article.dataset.page) || null;
let tab = "text";
let zoom = 1;

// -- the page that is shown ------------------------------------------------------------------------------------------
let asking = null; // the request for the page that is wanted last

async function show(wanted, {push = true, line = null} = {}) {
  asking?.abort();
  const mine = asking = new AbortController();
  try {
    const fresh = await html(`${root}/jobs/${job}/pages/${wanted}`, {signal: mine.signal});
    const focused = viewer.contains(document.activeElement) && document.activeElement.id;
    viewer.replaceChildren(...document.adoptNode(fresh.body).childNodes);
    if (focused) document.getElementById(focused)?.focus({preventScroll: true});
    number = wanted;
    page = null;
    if (push) history.pushState({page: wanted}, "", `?page=${wanted}`);
    choose(wanted);
    document.getElementById("said").textContent = t("page_number", {number: wanted});
    select(tab);
    if (line !== null) mark(line, true);
    connected(null);
  } catch (problem) { if (problem.name !== "AbortError") connected(problem); }
}

document.addEventListener("click", event => {
  const link = event.target.closest("a[href^='?page=']");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  show(Number(new URLSearchParams(link.getAttribute("href")).get("page")), {line: link.dataset.line ?? null});
});
viewer.addEventListener("submit", event => {
  event.preventDefault();
  const wanted = Number(event.target.page.value);
  if (wanted) show(wanted);
});
addEventListener("popstate", () => {
  const wanted = Number(new URLSearchParams(location.search).get("page"));
  if (wanted) show(wanted, {push: false});
});
viewer.addEventListener("error", event => { // the image of a page cannot be made
  if (!event.target.matches("#paper img")) return;
  document.getElementById("paper").hidden = true;
  document.getElementById("no-image").hidden = false;
}, true);

// -- lines -----------------------------------------------------------------------------------------------------------
function mark(line, scroll) {
  for (const old of viewer.querySelectorAll(".marked, .here")) old.classList.remove("marked", "here");
  if (line === null) return;
  for (const one of viewer.querySelectorAll(`[data-line="${line}"]`)) {
    one.classList.add("marked");
    if (scroll) one.scrollIntoView({block: "nearest", inline: "nearest"});
  }
}
viewer.addEventListener("pointerover", event => {
  const line = event.target.closest("[data-line]");
  if (line) mark(line.dataset.line, false);
});
viewer.addEventListener("click", event => {
  const line = event.target.closest("[data-line]");
  if (line && getSelection().isCollapsed) mark(line.dataset.line, true);
});

// Marks the next word that may be wrong, in image and text; after the last one, the first.
function nextDoubt() {
  const low = [...viewer.querySelectorAll("#tab-text .low")];
  if (!low.length) return nextPoor();
  const word = low[(low.findIndex(one => one.classList.contains("here")) + 1) % low.length];
  select("text");
  mark(word.closest(".line").dataset.line, false);
  for (const one of viewer.querySelectorAll(`[data-doubt="${word.dataset.doubt}"]`)) {
    one.classList.add("here");
    one.scrollIntoView({block: "nearest", inline: "nearest"});
  }
  document.getElementById("said").textContent = `${word.textContent}: ${word.title}`;
}

function nextPoor() {
  const found = nextIn("p", number);
  if (found && found !== number) show(found);
}

// -- zoom ------------------------------------------------------------------------------------------------------------
function resize(step, at = null) {
  const canvas = document.getElementById("canvas");
  const paper = document.getElementById("paper");
  if (!paper) return;
  const frame = canvas.getBoundingClientRect(); // the point that stays where it is
  const [left, top] = at ? [at.clientX - frame.left, at.clientY - frame.top] : [canvas.clientWidth / 2, canvas.clientHeight / 2];
  const x = (canvas.scrollLeft + left) / canvas.scrollWidth;
  const y = (canvas.scrollTop + top) / canvas.scrollHeight;
  zoom = step === 0 ? 1 : Math.min(8, Math.max(.5, zoom * (step > 0 ? 1.25 : .8)));
  paper.style.width = `${100 * zoom}%`;
  paper.querySelector("img").sizes = `${Math.round(paper.clientWidth)}px`; // a larger image, if that is sharper
  canvas.scrollLeft = x * canvas.scrollWidth - left;
  canvas.scrollTop = y * canvas.scrollHeight - top;
}
viewer.addEventListener("wheel", event => {
  if (!event.ctrlKey || !event.target.closest("#canvas")) return;
  event.preventDefault();
  resize(event.deltaY < 0 ? 1 : -1, event);
}, {passive: false});

// dragging moves the page image
viewer.addEventListener("pointerdown", event => {
  const canvas = event.target.closest("#canvas");
  if (!canvas || event.button || event.pointerType === "touch") return;
  event.preventDefault();
  canvas.focus({preventScroll: true});
  const move = moved => canvas.scrollBy(-moved.movementX, -moved.movementY);
  const stop = () => { removeEventListener("pointermove", move); removeEventListener("pointerup", stop); };
  addEventListener("pointermove", move);
  addEventListener("pointerup", stop);
});

// -- tabs and copying ------------------------------------------------------------------------------------------------
let page = null; // the page that is shown, as the API gives it

async function select(name) {
  tab = name;
  for (const button of viewer.querySelectorAll("[role=tab]")) {
    button.setAttribute("aria-selected", button.dataset.tab === name);
    button.tabIndex = button.dataset.tab === name ? 0 : -1;
  }
  for (const panel of viewer.querySelectorAll("[role=tabpanel]")) panel.hidden = panel.id !== `tab-${name}`;
  if (zoom !== 1) { zoom /= 1.25; resize(1); }
  const shown = document.getElementById("tab-json");
  if (name === "json" && shown && !shown.textContent) {
    try { shown.textContent = await content("json"); } catch (problem) { shown.textContent = problem.message; }
  }
}
viewer.addEventListener("keydown", event => {
  if (event.target.role !== "tab" || !event.key.match(/^Arrow(Left|Right)$/)) return;
  const all = [...viewer.querySelectorAll("[role=tab]")];
  const to = all.at((all.indexOf(event.target) + (event.key === "ArrowRight" ? 1 : -1)) % all.length);
  event.stopPropagation();
  select(to.dataset.tab);
  to.focus();
});

async function content(name) {
  page ??= api(`jobs/${job}/pages/${number}`);
  const found = await page;
  return name === "json" ? JSON.stringify(found, null, 2) : found[name];
}

async function copy(button) {
  const text = await content(tab);
  if (navigator.clipboard) await navigator.clipboard.writeText(text);
  else { // a page that came without TLS from another machine
    const field = element("textarea", {class: "sr"});
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
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
  else if ("copy" in button.dataset) copy(button).catch(connected);
});

const KEYS = {"+": () => resize(1), "-": () => resize(-1), 0: () => resize(0), n: nextDoubt, p: nextPoor, "/": () => search.words.focus(),
  ArrowLeft: () => document.getElementById("previous")?.click(), ArrowRight: () => document.getElementById("next")?.click()};
addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
  if (event.key.startsWith("Arrow") && event.target.id === "canvas" && zoom > 1) return; // the arrows scroll the image
  if (KEYS[event.key]) { event.preventDefault(); KEYS[event.key](); }
});

// -- search ----------------------------------------------------------------------------------------------------------
const search = document.getElementById("search");
const hits = document.getElementById("hits");

// The text with the words in it marked.
function* marked(text, words) {
  let from = 0;
  for (const found of text.matchAll(new RegExp(words.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "gi"))) {
    yield text.slice(from, found.index);
    yield element("mark", {}, found[0]);
    from = found.index + found[0].length;
  }
  yield text.slice(from);
}

async function find(words) {
  if (!words.trim()) return hits.replaceChildren();
  try {
    const {items, more} = await api(`jobs/${job}/search?q=${encodeURIComponent(words)}`);
    if (words !== search.words.value) return;
    const rows = items.map(hit => element("li", {}, element("a", {href: `?page=${hit.page}`, "data-line": hit.line},
      element("b", {}, String(hit.page)), element("span", {}, ...marked(hit.text, words)))));
    const count = items.length ? t(more ? "hits_more" : "hits", {count: items.length}) : t("no_hits");
    hits.replaceChildren(element("p", {class: "soft"}, count), element("ul", {}, ...rows));
  } catch (problem) { hits.replaceChildren(element("p", {class: "bad-text"}, problem.message)); }
}
let due;
search.addEventListener("input", () => { clearTimeout(due); due = setTimeout(() => find(search.words.value), 250); });
search.addEventListener("submit", event => { event.preventDefault(); clearTimeout(due); find(search.words.value); });

// -- commands --------------------------------------------------------------------------------------------------------
const COMMANDS = {retry: ["POST", "/retry"], cancel: ["POST", "/cancel"], drop: ["DELETE", ""]};
article.addEventListener("click", async event => {
  const button = event.target.closest("[data-do]");
  const name = button?.dataset.do;
  if (!name || (name === "drop" && !confirm(t("drop_sure")))) return;
  const shown = document.getElementById("problem");
  const [method, path] = COMMANDS[name];
  button.disabled = true;
  try {
    await api(`jobs/${job}${path}`, {method});
    shown.hidden = true;
    if (name === "drop") return location.assign(`${root}/`);
    look();
  } catch (problem) { shown.textContent = problem.message; shown.hidden = false; }
  button.disabled = false;
});

// -- pages as they are read ------------------------------------------------------------------------------------------
const AGAIN = 3000; // milliseconds until a stream that the server has refused is asked for again
let source = null;
let seen = ""; // the id of the last event

function follow() {
  if (source || document.hidden || !("open" in head.dataset)) return;
  source = new EventSource(`${root}/api/v1/jobs/${job}/events?after=${encodeURIComponent(seen || head.dataset.seen)}`);
  source.addEventListener("page", event => {
    const {page: read, state, quality} = JSON.parse(event.data);
    seen = event.lastEventId;
    const isBelow = limit => state === "ok" && quality != null && quality < Number(head.dataset[limit]);
    finish(read, isBelow("poor") ? "p" : isBelow("fair") ? "d" : {ok: "k", failed: "f", cancelled: "x"}[state]);
    if (read === number || (number === null && state === "ok")) show(read, {push: false});
  });
  source.addEventListener("job", look);
  source.addEventListener("end", event => { seen = event.lastEventId; stop(); look(); });
  source.onerror = () => { if (source?.readyState === EventSource.CLOSED) { stop(); setTimeout(follow, AGAIN); } };
}

function stop() { source?.close(); source = null; }

// A browser has six connections to a server: windows that nobody sees must not hold one each.
document.addEventListener("visibilitychange", () => document.hidden ? stop() : follow());

head.addEventListener("fresh", () => { paint(); follow(); });

paint();
choose(number);
follow();
