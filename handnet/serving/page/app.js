// The page's frame: tabs, collection, light and dark.

import { getCollections, state } from "./api.js";
import { h, showError } from "./dom.js";
import { takePasted } from "./photo-input.js";
import * as enrol from "./enrol.js";
import * as explorer from "./explorer.js";
import * as identify from "./identify.js";
import * as people from "./people.js";
import * as verify from "./verify.js";

const THEME = "handnet-theme";
const tabs = [...document.querySelectorAll('[role="tab"]')];
const panel = (name) => document.getElementById(name);

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
}
const kept = localStorage.getItem(THEME);
if (kept) setTheme(kept);
document.getElementById("theme").addEventListener("click", () => {
  const isDark = document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const theme = isDark ? "light" : "dark";
  setTheme(theme);
  localStorage.setItem(THEME, theme);
});

async function readCollections() {
  const collections = await getCollections();
  const choice = document.getElementById("collection");
  const name = state.collection?.name ?? collections[0].name;
  state.collection = collections.find((row) => row.name === name) ?? collections[0];
  choice.replaceChildren(...collections.map((row) => h("option", { value: row.name }, row.name)));
  choice.value = state.collection.name;
  document.getElementById("collection-choice").hidden = collections.length < 2;
  const count = state.collection.num_people;
  document.getElementById("subtitle").textContent = count === 0 ? "Nobody is enrolled yet" : count === 1 ? "1 person enrolled" : `${count.toLocaleString("en")} people enrolled`;
}

async function changed() {
  await readCollections();
  views.people.refresh();
}

const views = {};

function choose(tab, focus) {
  for (const other of tabs) {
    const isChosen = other === tab;
    other.setAttribute("aria-selected", String(isChosen));
    other.tabIndex = isChosen ? 0 : -1;
    panel(other.getAttribute("aria-controls")).hidden = !isChosen;
  }
  if (focus) tab.focus();
  const name = tab.getAttribute("aria-controls");
  history.replaceState(null, "", `#${name}`);
  if (["people", "explorer", "enrol"].includes(name)) views[name].refresh();
}

tabs.forEach((tab, place) => {
  tab.addEventListener("click", () => choose(tab, false));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const next = step ? (place + step + tabs.length) % tabs.length : { Home: 0, End: tabs.length - 1 }[event.key];
    if (next !== undefined) { event.preventDefault(); choose(tabs[next], true); }
  });
});

document.getElementById("collection").addEventListener("change", async (event) => {
  state.collection = { name: event.target.value };
  await readCollections();
  for (const name of ["identify", "verify", "enrol", "people"]) views[name].refresh();
});

// A photo dropped outside its place must not replace the page.
for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => event.preventDefault());

try {
  await readCollections();
  views.identify = identify.setUp(panel("identify"));
  views.verify = verify.setUp(panel("verify"));
  views.enrol = enrol.setUp(panel("enrol"), changed);
  views.people = people.setUp(panel("people"), changed);
  views.explorer = explorer.setUp(panel("explorer"));
  takePasted(Object.values(views).flatMap((view) => view.inputs));
  const wanted = tabs.find((tab) => `#${tab.getAttribute("aria-controls")}` === location.hash);
  choose(wanted ?? tabs[0], false);
  document.documentElement.dataset.ready = "yes";
} catch (error) {
  showError(document.getElementById("main"), error);
}
