// Enrol photos of a person; the review says what it thinks of each.

import { listPeople, postPhotos, state } from "./api.js";
import { announce, describeHand, h, percent, select, showError } from "./dom.js";
import { handChoices } from "./identify.js";
import { photoInput } from "./photo-input.js";

function showEnrolment(done) {
  const many = (count) => `${count} ${count === 1 ? "photo" : "photos"}`;
  const title = done.accepted.length ? (done.is_new ? `${done.name} is enrolled` : `${done.name}: ${many(done.accepted.length)} added`) : "Nothing was enrolled";
  const accepted = done.accepted.map((row) => h("li", { class: "ok" }, h("span", { class: "mark", "aria-label": "enrolled" }, "✓"),
    h("div", {}, h("strong", {}, row.photo), h("span", { class: "quiet" }, `  ${describeHand(row.hand) || "hand not known"} · quality ${percent(row.quality)}`)), row.remarks.map((text) => h("p", { class: "remark" }, text))));
  const refused = done.refused.map((row) => h("li", { class: "bad" }, h("span", { class: "mark", "aria-label": "refused" }, "✗"), h("strong", {}, row.photo), h("p", { class: "note" }, row.reason)));
  return h("div", { class: "card stack" }, h("div", { class: `verdict ${done.accepted.length ? "yes" : "no"}` }, h("strong", {}, title),
    h("span", { class: "quiet" }, `${many(done.accepted.length)} enrolled, ${done.refused.length} refused`)), h("ul", { class: "results" }, accepted, refused));
}

export function setUp(panel, onenrolled) {
  const empty = h("div", { class: "card empty" }, h("h2", {}, "One photo is enough"), h("p", {}, "More are better: back and palm of both hands, sharp and in good light. What the review says of each appears here."));
  const out = h("div", { class: "stack" }, empty);
  const known = h("datalist", { id: "known-names" });
  const name = h("input", { type: "text", required: true, maxlength: 200, autocomplete: "off", list: "known-names", id: "enrol-name" });
  name.addEventListener("input", async () => {
    const found = await listPeople(name.value, 0, 8).catch(() => ({ people: [] }));
    known.replaceChildren(...found.people.map((person) => h("option", { value: person.name })));
  });
  const { view, side } = handChoices();
  const review = select("Review", [["", "the collection's"], ["standard", "standard"], ["strict", "strict"], ["off", "off"]]);
  const send = h("button", { type: "submit", class: "main" }, "Enrol");
  const input = photoInput({ title: "Photos of one person", several: true });
  const form = h("form", { class: "card stack", novalidate: true }, h("h2", {}, "Enrol somebody"), h("label", { class: "field" }, "Name", name, known), input.element,
    h("details", {}, h("summary", {}, "Options"), h("div", { class: "options" }, view.label, side.label, review.label)), h("div", { class: "row" }, send),
    h("p", { class: "note", id: "kept" }));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!name.value.trim()) { showError(out, { message: "Whose hand is it? Give a name." }); name.focus(); return; }
    if (!input.photos.length) { showError(out, { message: "Give at least one photo." }); return; }
    send.disabled = true;
    out.classList.add("busy");
    try {
      const done = await postPhotos("people", input.photos, { name: name.value, view: view.choice.value, side: side.choice.value, review: review.choice.value });
      out.replaceChildren(showEnrolment(done));
      announce(`${done.accepted.length} enrolled, ${done.refused.length} refused`);
      if (done.accepted.length) { input.clear(); onenrolled(); }
    } catch (error) {
      showError(out, error);
    } finally {
      send.disabled = false;
      out.classList.remove("busy");
    }
  });
  panel.append(h("div", { class: "two" }, form, out));
  return {
    inputs: [input],
    refresh() {
      form.querySelector("#kept").textContent = state.collection.keeps_photos
        ? "This collection keeps the photos together with the vectors."
        : "This collection keeps vectors only, no photos.";
    },
  };
}
