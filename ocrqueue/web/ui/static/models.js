// The models page: frees the models in the memory of all worker children.
import {api, t} from "./common.js";

const button = document.getElementById("unload");
const shown = document.getElementById("unloaded");

button.addEventListener("click", async () => {
  button.disabled = true;
  try {
    const {children} = await api("models/unload", {method: "POST"});
    const freed = children.filter(child => child.outcome !== "busy").length;
    shown.textContent = t("unloaded", {freed, busy: children.length - freed});
  } catch (problem) { shown.textContent = problem.message; }
  shown.hidden = false;
  button.disabled = false;
});
