// Everybody who is enrolled: look, rename, remove.

import { face, listPeople, loadImage, picturePath, removePerson, removePhoto, renamePerson, showPerson, state } from "./api.js";
import { announce, ask, describeHand, h, percent, showError } from "./dom.js";

const PAGE = 50;

export function setUp(panel, onchanged) {
  const search = h("input", { type: "search", placeholder: "Search by name", "aria-label": "Search by name" });
  const list = h("ul", { class: "people" });
  const count = h("p", { class: "quiet" });
  const trouble = h("div");
  const more = h("button", { type: "button", hidden: true }, "Show more");
  let shown = 0, number = 0;

  async function attempt(work) {
    try { await work(); trouble.replaceChildren(); } catch (error) { showError(trouble, error); }
  }
  async function rename(person) {
    const input = h("input", { type: "text", required: true, maxlength: 200, value: person.name, name: "name" });
    const content = [h("h2", {}, `Rename ${person.name}`), h("label", { class: "field" }, "New name", input)];
    if (!(await ask(content, h("button", { class: "main", value: "yes" }, "Rename")))) return;
    await attempt(async () => { await renamePerson(person.id, input.value); announce(`Renamed to ${input.value}`); onchanged(); });
  }
  async function remove(person) {
    const content = [h("h2", {}, `Remove ${person.name}?`), h("p", {}, `${person.num_photos} enrolled ${person.num_photos === 1 ? "photo" : "photos"} of ${person.name} will be deleted from the files. This cannot be undone.`)];
    if (!(await ask(content, h("button", { class: "main danger", value: "yes" }, "Remove for good")))) return;
    await attempt(async () => { await removePerson(person.id); announce(`${person.name} was removed`); onchanged(); });
  }
  async function open(person, place, button) {
    if (button.getAttribute("aria-expanded") === "true") { button.setAttribute("aria-expanded", "false"); place.replaceChildren(); return; }
    await attempt(async () => {
      const found = await showPerson(person.id);
      button.setAttribute("aria-expanded", "true");
      place.replaceChildren(...found.photos.map((photo) => {
        const hand = describeHand(photo.hand) || "hand not known";
        const shot = photo.has_picture ? loadImage(picturePath(person.id, photo.id), `${hand}, ${person.name}`) : h("span", {}, "not kept");
        const drop = found.photos.length > 1 ? h("button", { type: "button", class: "small danger", onclick: async () => {
          if (await ask([h("h2", {}, "Remove this photo?"), h("p", {}, `This photo (${hand}) of ${person.name} will be deleted from the files.`)], h("button", { class: "main danger", value: "yes" }, "Remove the photo"))) await attempt(async () => { await removePhoto(person.id, photo.id); onchanged(); });
        } }, "Remove") : null;
        return h("figure", {}, h("div", { class: "shot" }, shot), h("figcaption", {}, `${hand}, quality ${percent(photo.quality)}`), drop);
      }));
    });
  }
  function line(person) {
    const place = h("div", { class: "photos" });
    const photos = h("button", { type: "button", class: "small", "aria-expanded": "false", "aria-label": `Photos of ${person.name}` }, "Photos");
    photos.addEventListener("click", () => open(person, place, photos));
    const item = h("li", {}, face(person.id, "", person.name),
      h("div", {}, h("div", { class: "name" }, person.name), h("div", { class: "quiet" }, `${person.num_photos} ${person.num_photos === 1 ? "photo" : "photos"} · since ${person.created.slice(0, 10)}`)),
      h("div", { class: "row actions" }, photos, h("button", { type: "button", class: "small", "aria-label": `Rename ${person.name}`, onclick: () => rename(person) }, "Rename"),
        h("button", { type: "button", class: "small danger", "aria-label": `Remove ${person.name}`, onclick: () => remove(person) }, "Remove")), place);
    if (state.collection.keeps_photos) showPerson(person.id).then((found) => { if (found.photos.length) item.firstChild.replaceWith(face(person.id, found.photos[0].id, person.name)); }, () => {});
    return item;
  }
  async function load(offset) {
    const mine = ++number;
    await attempt(async () => {
      const found = await listPeople(search.value.trim(), offset, PAGE);
      if (mine !== number) return;
      if (!offset) list.replaceChildren();
      list.append(...found.people.map(line));
      shown = offset + found.people.length;
      more.hidden = shown >= found.total;
      count.textContent = found.total === 1 ? "1 person" : `${found.total.toLocaleString("en")} people`;
      if (!found.total) list.replaceChildren(h("li", { class: "empty" }, search.value ? "Nobody has such a name." : "Nobody is enrolled yet. Enrol somebody first."));
    });
  }
  let timer = 0;
  search.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(() => load(0), 200); });
  more.addEventListener("click", () => load(shown));
  panel.append(h("div", { class: "card stack" }, h("div", { class: "row spread" }, h("h2", {}, "People"), count), search, trouble, list, more));
  return { inputs: [], refresh: () => load(0) };
}
