// Keeps the parts of a page that have the attribute data-live up to date: fetches them again and replaces those that
// differ. data-from says from where, if not from the page itself; data-every, after how many milliseconds.
// A part in which the user is typing, has opened a menu or has selected text stays as it is.
import {connected, html} from "./common.js";

const parts = [...document.querySelectorAll("[data-live]")];
const LONGEST = 30000; // milliseconds between two looks while the server does not answer
let failures = 0;
let timer;

function isUsed(part) {
  const selected = getSelection();
  return (part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea"))
    || part.querySelector("details[open]") || (!selected.isCollapsed && part.contains(selected.anchorNode));
}

function replace(part, fresh) {
  if (!fresh) return;
  Object.assign(part.dataset, {...fresh.dataset}); // of those that the fresh part lacks, only data-open matters
  if (!("open" in fresh.dataset)) delete part.dataset.open;
  if (part.innerHTML !== fresh.innerHTML && !isUsed(part)) {
    const focused = part.contains(document.activeElement) && document.activeElement;
    const again = focused && (focused.dataset.do ? `[data-do=${focused.dataset.do}]` : `[href="${CSS.escape(focused.getAttribute("href"))}"]`);
    part.replaceChildren(...document.adoptNode(fresh).childNodes);
    if (again) part.querySelector(again)?.focus();
  }
  part.dispatchEvent(new Event("fresh"));
}

export async function look() {
  clearTimeout(timer);
  try {
    const fresh = await html(parts[0].dataset.from ?? location.href);
    for (const part of parts) replace(part, fresh.getElementById(part.id));
    connected(null);
    failures = 0;
  } catch (problem) {
    connected(problem);
    failures += 1;
  }
  wait();
}

function wait() {
  clearTimeout(timer);
  const every = Number(parts[0].dataset.every ?? 2000);
  timer = setTimeout(() => document.hidden ? wait() : look(), Math.min(every * 2 ** failures, LONGEST));
}
document.addEventListener("visibilitychange", () => document.hidden || look());
wait();
