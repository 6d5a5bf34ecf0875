// The strip: a cell for each page, coloured by its state; one of them can be reached with Tab, the others with arrows.
// Pointing at a cell shows a small image of its page: one at a time, and only after a moment.
import {element, root, t} from "./common.js";

const NAMES = {k: "ok", d: "fair", p: "poor", c: "claimed", ".": "open", f: "failed", x: "cancelled"};
const MOMENT = 200; // milliseconds of pointing after which the image is fetched
const head = document.getElementById("job-head");
const cells = document.getElementById("cells");
const preview = document.getElementById("preview");
const job = document.querySelector("article.job").dataset.job;
const cellOf = new Map(); // by the number of the page
let numbers = null; // as ranges, for which cells were made
let round = null;

export const hasFinished = letter => "kdpfx".includes(letter);

function colour(cell, letter) {
  if (cell.dataset.state === letter) return;
  cell.dataset.state = letter;
  cell.className = `cell ${letter === "." ? "" : letter}`;
  cell.setAttribute("aria-label", `${t("page_number", {number: cell.dataset.number})}: ${t(`page_${NAMES[letter]}`)}`);
}

// The numbers of ranges such as "1-57,60".
function* expand(ranges) {
  for (const part of ranges.split(",")) {
    const [first, last = first] = part.split("-").map(Number);
    for (let number = first; number <= last; number += 1) yield number;
  }
}

function make() {
  numbers = head.dataset.numbers;
  cellOf.clear();
  for (const number of numbers ? expand(numbers) : []) {
    cellOf.set(number, element("a", {href: `?page=${number}`, tabindex: -1, "data-number": number}));
  }
  cells.replaceChildren(...cellOf.values());
  cells.classList.toggle("dense", cellOf.size > 400);
  document.getElementById("strip").hidden = !cellOf.size;
}

// Shows the states that the head of the page has. A page that has finished goes on only in another round.
export function paint() {
  const before = round;
  round = head.dataset.round;
  if (numbers !== head.dataset.numbers) make();
  let at = 0;
  for (const cell of cellOf.values()) {
    const letter = head.dataset.letters[at++];
    if (before !== round || !hasFinished(cell.dataset.state ?? ".") || hasFinished(letter)) colour(cell, letter);
  }
}

// Shows that a page has finished.
export function finish(number, letter) {
  const cell = cellOf.get(number);
  if (cell) colour(cell, letter);
}

// Marks the cell of the page that is shown.
export function choose(number) {
  for (const old of cells.querySelectorAll("[aria-current], [tabindex='0']")) { old.removeAttribute("aria-current"); old.tabIndex = -1; }
  const cell = cellOf.get(number) ?? cells.firstElementChild;
  if (!cell) return;
  cell.tabIndex = 0;
  if (Number(cell.dataset.number) !== number) return;
  cell.setAttribute("aria-current", "page");
  const [top, height] = [cell.offsetTop - cells.offsetTop, cell.offsetHeight];
  if (top < cells.scrollTop || top + height > cells.scrollTop + cells.clientHeight) cells.scrollTop = top - cells.clientHeight / 2;
}

// The number of the next page in a state, after a page; the first one if there is none.
export function nextIn(letter, number) {
  const found = [...cellOf].filter(([, cell]) => cell.dataset.state === letter).map(([one]) => one);
  return found.find(one => one > number) ?? found[0];
}

// -- keys ------------------------------------------------------------------------------------------------------------
function inRow() { // cells in a row
  const first = cells.firstElementChild;
  let count = 0;
  for (let cell = first; cell && cell.offsetTop === first.offsetTop; cell = cell.nextElementSibling) count += 1;
  return count;
}

cells.addEventListener("keydown", event => {
  const all = [...cells.children];
  const at = all.indexOf(event.target);
  const to = {ArrowLeft: () => at - 1, ArrowRight: () => at + 1, ArrowUp: () => at - inRow(), ArrowDown: () => at + inRow(),
    Home: () => 0, End: () => all.length - 1}[event.key]?.();
  if (to === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  all[to]?.focus();
});

// -- the small image -------------------------------------------------------------------------------------------------
let due;
function hide() { clearTimeout(due); preview.hidden = true; preview.replaceChildren(); }

function show(cell) {
  hide();
  preview.replaceChildren(cell.getAttribute("aria-label"));
  preview.hidden = false;
  const [box, frame] = [cell.getBoundingClientRect(), preview.offsetParent.getBoundingClientRect()];
  preview.style.left = `${Math.max(0, Math.min(box.left - frame.left - 80, frame.width - 190))}px`;
  preview.style.top = `${box.bottom - frame.top + 6}px`;
  if ("kdpf".includes(cell.dataset.state)) due = setTimeout(() => {
    const image = element("img", {alt: "", src: `${root}/api/v1/jobs/${job}/pages/${cell.dataset.number}/image?width=160`});
    image.onload = () => { if (!preview.hidden) preview.prepend(image); };
  }, MOMENT);
}
const pointed = event => { const cell = event.target.closest(".cell"); if (cell) show(cell); };
cells.addEventListener("pointerover", event => event.pointerType === "touch" || pointed(event));
cells.addEventListener("focusin", event => event.target.matches(":focus-visible") && pointed(event));
for (const kind of ["pointerleave", "focusout", "click", "scroll"]) cells.addEventListener(kind, hide);
