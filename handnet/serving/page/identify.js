// Whose hand is it?

import { face, postPhotos } from "./api.js";
import { announce, describeHand, h, percent, select, showError } from "./dom.js";
import { photoInput } from "./photo-input.js";

const VIEWS = [["", "as it looks"], ["dorsal", "back"], ["palmar", "palm"]];
const SIDES = [["", "as it looks"], ["left", "left"], ["right", "right"]];

export const handChoices = () => ({ view: select("Seen from", VIEWS), side: select("Hand", SIDES) });

function bar(probability, threshold) {
  const inner = h("i");
  inner.style.width = `${100 * probability}%`;
  const mark = threshold === null ? null : h("b");
  if (mark) mark.style.left = `calc(${100 * Math.min(threshold, 0.995)}% - 1px)`;
  return h("div", { class: "bar", "aria-hidden": "true" }, inner, mark);
}

export function showAnswer(answer, several) {
  if (answer.problem) return h("div", { class: "card error" }, h("p", {}, `${answer.photo}: this photo cannot be used: ${answer.problem}`));
  const best = answer.matches[0];
  const chance = answer.name ? best.probability : answer.nobody;
  const hand = describeHand(answer.hand);
  // Without a threshold nothing was decided: the photo may well show somebody enrolled.
  const title = answer.name || (answer.threshold || !answer.num_people ? "Nobody enrolled" : "No name can be given");
  const verdict = h("div", { class: `verdict ${answer.name ? "yes" : "no"}` },
    several ? h("span", { class: "quiet" }, answer.photo) : null,
    h("strong", {}, title),
    h("span", { class: "quiet" }, `${answer.name ? percent(chance) : `nobody enrolled: ${percent(chance)}`} probable${hand ? ` · ${hand}` : ""} · ${answer.num_compared} of ${answer.num_people} people compared`));
  const threshold = answer.threshold ? answer.threshold.probability : null;
  const rows = answer.matches.map((match) => h("li", { class: match.accepted ? "named" : "" },
    h("span", { class: "place" }, String(match.rank)), face(match.person, match.picture, match.name),
    h("div", {}, h("div", { class: "name", title: match.name }, match.name), bar(match.probability, threshold)),
    h("span", { class: "number" }, percent(match.probability))));
  const nobody = h("li", { class: "nobody" }, h("span"), h("span", { class: "face", "aria-hidden": "true" }, "?"),
    h("div", {}, h("div", { class: "name" }, "Nobody enrolled"), bar(answer.nobody, null)), h("span", { class: "number" }, percent(answer.nobody)));
  const key = answer.threshold
    ? h("p", { class: "key" }, h("span", {}, h("i", { class: "tick" }), `from ${percent(threshold)} on somebody is named`), h("span", {}, `of strangers about ${percent(answer.threshold.predicted)} are (95 % interval ${percent(answer.threshold.interval[0])} to ${percent(answer.threshold.interval[1])})`))
    : h("p", { class: "key" }, "There is no threshold for this photo, so nobody is named.");
  const origin = answer.threshold ? h("details", {}, h("summary", {}, "Where the threshold comes from"), h("div", { class: "stack" }, h("p", { class: "note" }, answer.threshold.text), h("p", { class: "note" }, `Probabilities take it that a hand belongs to somebody enrolled with ${percent(answer.prior)}. Compared: ${best ? best.pairing : ""}.`))) : null;
  return h("div", { class: "card stack" }, verdict, key, h("ol", { class: "ranks" }, rows, nobody), answer.remarks.map((text) => h("p", { class: "remark" }, text)), origin);
}

export function setUp(panel) {
  const empty = h("div", { class: "card empty" }, h("h2", {}, "The answer appears here"), h("p", {}, "Ten most likely people, and how likely it is that it is nobody enrolled."));
  const out = h("div", { class: "stack", "aria-busy": "false" }, empty);
  const { view, side } = handChoices();
  const rate = select("Strangers named", [["", "lowest possible"], ["0.01", "1 %"], ["0.05", "5 %"], ["0.1", "10 %"], ["0.3", "30 %"]]);
  const bound = select("That rate is", [["estimate", "the best estimate"], ["upper", "an upper bound"]]);
  let number = 0;
  const run = async () => {
    const mine = ++number;
    if (!input.photos.length) { out.replaceChildren(empty); return; }
    out.classList.add("busy");
    try {
      const found = await postPhotos("identify", input.photos, { view: view.choice.value, side: side.choice.value, fpir: rate.choice.value, fpir_bound: bound.choice.value, top: 10 });
      if (mine !== number) return;
      out.replaceChildren(...found.answers.map((answer) => showAnswer(answer, found.answers.length > 1)));
      announce(found.answers.map((answer) => answer.problem || answer.name || "Nobody enrolled").join("; "));
    } catch (error) {
      if (mine === number) showError(out, error);
    } finally {
      if (mine === number) out.classList.remove("busy");
    }
  };
  const input = photoInput({ title: "A photo of a hand", examples: true, onchange: run });
  for (const { choice } of [view, side, rate, bound]) choice.addEventListener("change", run);
  const options = h("details", {}, h("summary", {}, "Options"), h("div", { class: "options" }, view.label, side.label, rate.label, bound.label));
  panel.append(h("div", { class: "two" }, h("div", { class: "card stack" }, h("h2", {}, "Whose hand is it?"), input.element, options), out));
  return { inputs: [input], refresh: run };
}
