// Submits the files that are chosen or dropped, two at a time, and shows the progress of each.
import {element, root, t, token} from "./common.js";

const form = document.getElementById("drop");
const list = document.getElementById("uploads");
const AT_A_TIME = 2;
const waiting = [];
let running = 0;

// An XMLHttpRequest, because fetch does not report the progress of an upload.
function send(file, row) {
  return new Promise(resolve => {
    const request = new XMLHttpRequest();
    const body = new FormData();
    for (const [name, value] of new FormData(form)) if (name !== "file" && value) body.append(name, value);
    body.append("file", file);
    request.open("POST", `${root}/api/v1/jobs`);
    if (token) request.setRequestHeader("X-CSRF-Token", token);
    request.upload.onprogress = event => { row.bar.value = event.loaded / event.total; };
    request.onerror = () => { fail(row, t("no_connection")); resolve(); };
    request.onload = () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch { /* not JSON: the status says enough */ }
      if (request.status < 300) done(row, answer.job);
      else fail(row, answer.detail || String(request.status));
      resolve();
    };
    row.cancel.onclick = () => { request.abort(); row.item.remove(); resolve(); };
    request.send(body);
  });
}

function done(row, job) {
  row.item.replaceChildren(element("a", {href: `${root}/jobs/${encodeURIComponent(job)}`}, row.name), element("span", {class: "soft"}, t("submitted")));
}

function fail(row, why) {
  row.item.classList.add("failed");
  row.item.replaceChildren(element("b", {}, row.name), element("span", {}, why));
}

function add(file) {
  const bar = element("progress", {max: 1, value: 0, "aria-label": file.name});
  const cancel = element("button", {type: "button"}, t("cancel"));
  const item = element("li", {}, element("span", {}, file.name), bar, cancel);
  const row = {name: file.name, item, bar, cancel};
  list.prepend(item);
  const limit = Number(form.dataset.limit);
  if (file.size > limit) return fail(row, t("file_too_large", {limit: Math.round(limit / 2 ** 20)}));
  waiting.push([file, row]);
  next();
}

async function next() {
  if (running >= AT_A_TIME || !waiting.length) return;
  running += 1;
  await send(...waiting.shift());
  running -= 1;
  next();
}

const chosen = document.getElementById("files");
function take() { [...chosen.files].forEach(add); chosen.value = ""; }
chosen.addEventListener("change", take);
take(); // files that were chosen before this script was here
form.addEventListener("submit", event => event.preventDefault());
for (const kind of ["dragover", "dragleave", "drop"]) addEventListener(kind, event => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  form.classList.toggle("over", kind === "dragover");
  if (kind === "drop") [...event.dataTransfer.files].forEach(add);
});
