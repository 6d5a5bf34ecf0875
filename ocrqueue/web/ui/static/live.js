// Keeps the parts of a page up to date that have the attribute data-live: fetches the page again and replaces the parts
// that differ. A part in which the user is typing or has selected text stays as it is.
import {connected} from "./common.js";

const PAUSE = 2000; // milliseconds between two looks
const LONGEST = 30000; // while the server does not answer
let pause = PAUSE;

function isUsed(part) {
  const selected = getSelection();
  return part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")
    || (!selected.isCollapsed && part.contains(selected.anchorNode));
}

function replace(part, fresh) {
  if (!fresh || part.innerHTML === fresh.innerHTML || isUsed(part)) return;
  const link = part.contains(document.activeElement) && document.activeElement.getAttribute("href");
  part.replaceChildren(...document.adoptNode(fresh).childNodes);
  if (link) part.querySelector(`[href="${CSS.escape(link)}"]`)?.focus();
}

async function look() {
  try {
    const answer = await fetch(location.href, {headers: {Accept: "text/html"}});
    if (answer.redirected) return location.assign(answer.url);
    if (!answer.ok) throw new Error(answer.status);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live]")) replace(part, fresh.getElementById(part.id));
    connected(null);
    pause = PAUSE;
  } catch (problem) {
    connected(problem);
    pause = Math.min(2 * pause, LONGEST);
  }
}

async function watch() {
  if (!document.hidden) await look();
  setTimeout(watch, pause);
}
document.addEventListener("visibilitychange", () => document.hidden || look());
setTimeout(watch, PAUSE);
