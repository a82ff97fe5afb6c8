// A run's test part: choose a photo, see whose photos of the other view are nearest.

import { getJson, loadImage } from "./api.js";
import { announce, describeHand, h, select, showError } from "./dom.js";

const picture = (row) => `/v1/explorer/photos/${row}/picture`;
const other = { dorsal: "palms", palmar: "backs" };

export function setUp(panel) {
  const out = h("div", { class: "stack" });
  let part = null, person = null, photo = null, number = 0;

  async function search() {
    const mine = ++number;
    try {
      const found = await getJson(`/v1/explorer/photos/${photo.choice.value}?top=10`);
      if (mine !== number) return;
      const hand = describeHand(found);
      const text = found.rank ? `Found at rank ${found.rank} of ${found.num_ranked}` : "This person has no photo of the other view";
      const query = h("figure", {}, h("div", { class: "shot" }, loadImage(picture(found.photo), `query: ${hand}, person ${found.name}`)), h("figcaption", {}, `query: ${hand}, person ${found.name}`));
      const verdict = h("div", { class: `verdict ${found.rank === 1 ? "yes" : "no"}` }, h("strong", {}, text), h("span", { class: "quiet" }, `Nearest ${other[found.view]}, one of each person. The right one is framed in green.`));
      const grid = h("div", { class: "grid" }, found.neighbours.map((near) => h("figure", { class: near.right ? "right" : "" },
        h("div", { class: "shot" }, loadImage(picture(near.photo), `rank ${near.rank}: person ${near.name}${near.right ? ", the right one" : ""}`)),
        h("figcaption", {}, `${near.rank}. person ${near.name}, ${near.similarity.toFixed(2).replace("-", "−")}${near.right ? " ✓" : ""}`))));
      out.replaceChildren(h("div", { class: "card query" }, query, verdict), h("div", { class: "card" }, grid));
      announce(text);
    } catch (error) {
      if (mine === number) showError(out, error);
    }
  }
  function listPhotos(chosen) {
    const rows = part.people.find((row) => row.name === person.choice.value).photos;
    photo.choice.replaceChildren(...rows.map((row, place) => h("option", { value: row }, `photo ${place + 1} of ${rows.length}`)));
    photo.choice.value = String(chosen ?? rows[0]);
    search();
  }
  function random() {
    const someone = part.people[Math.floor(Math.random() * part.people.length)];
    person.choice.value = someone.name;
    listPhotos(someone.photos[Math.floor(Math.random() * someone.photos.length)]);
  }
  async function load() {
    try {
      part = await getJson("/v1/explorer");
    } catch (error) {
      if (error.status === 404) panel.replaceChildren(h("div", { class: "card empty" }, h("h2", {}, "No run to look into"), h("p", {}, "Start the server with a run that was evaluated: handnet serve G --explore RUN")));
      else showError(panel, error);
      return;
    }
    const fact = (value, text) => h("div", { class: "fact" }, h("b", {}, value.toLocaleString("en")), h("span", { class: "quiet" }, text));
    person = select("Person", part.people.map((row) => [row.name, row.name]));
    photo = select("Photo", []);
    person.choice.addEventListener("change", () => listPhotos());
    photo.choice.addEventListener("change", search);
    panel.replaceChildren(h("div", { class: "stack" },
      h("div", { class: "facts" }, fact(part.num_people, "test people"), fact(part.num_dorsal, "backs"), fact(part.num_palmar, "palms"), fact(part.num_dorsal + part.num_palmar, "photos in all")),
      h("div", { class: "card row" }, h("div", { class: "options grow" }, person.label, photo.label), h("button", { type: "button", class: "main", onclick: random }, "Random query")), out));
    listPhotos();
  }
  return { inputs: [], refresh() { if (part === null) load(); } };
}
