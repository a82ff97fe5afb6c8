// Do two photos show one person?

import { postPhotos } from "./api.js";
import { announce, describeHand, h, percent, showError, svg } from "./dom.js";
import { handChoices } from "./identify.js";
import { photoInput } from "./photo-input.js";

const HEIGHT = 230, LEFT = 10, RIGHT = 10, TOP = 34, BOTTOM = 34;

function drawDistributions(answer) {
  // On a phone the drawing is narrower rather than smaller, so that its text can be read.
  const WIDTH = innerWidth < 520 ? 340 : 620;
  const { edges, genuine, impostor } = answer.distributions;
  const low = Math.min(edges[0], answer.similarity) - 0.02, high = Math.max(edges[edges.length - 1], answer.similarity) + 0.02;
  const x = (value) => LEFT + ((value - low) / (high - low)) * (WIDTH - LEFT - RIGHT);
  const top = Math.max(...genuine, ...impostor, 1e-9);
  const floor = HEIGHT - BOTTOM;
  const y = (share) => floor - (share / top) * (floor - TOP);
  const area = (shares, name) => {
    const steps = shares.map((share, place) => `L${x(edges[place]).toFixed(1)} ${y(share).toFixed(1)}L${x(edges[place + 1]).toFixed(1)} ${y(share).toFixed(1)}`);
    return svg("path", { class: name, d: `M${x(edges[0]).toFixed(1)} ${floor}${steps.join("")}L${x(edges[edges.length - 1]).toFixed(1)} ${floor}Z` });
  };
  const at = x(answer.similarity);
  const side = at > WIDTH / 2 ? "end" : "start";
  const ticks = [];
  for (let value = Math.ceil(low * 5) / 5; value <= high; value += 0.2) ticks.push(svg("text", { x: x(value), y: HEIGHT - 14, "text-anchor": "middle" }, value.toFixed(1).replace("-0.0", "0.0").replace("-", "−")));
  const label = `Similarity of this pair ${answer.similarity.toFixed(2)}, threshold ${answer.threshold.toFixed(2)}, over the scores of one person and of two people.`;
  return svg("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label },
    area(impostor, "impostor"), area(genuine, "genuine"), svg("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: floor, y2: floor }),
    svg("line", { class: "threshold", x1: x(answer.threshold), x2: x(answer.threshold), y1: TOP, y2: floor }),
    svg("line", { class: "pair", x1: at, x2: at, y1: TOP - 8, y2: floor }), svg("circle", { class: "pair-dot", cx: at, cy: TOP - 8, r: 5 }),
    svg("text", { class: "pair-text", x: at + (side === "end" ? -10 : 10), y: TOP - 4, "text-anchor": side }, `this pair ${answer.similarity.toFixed(2).replace("-", "−")}`),
    ticks);
}

// What is hardly likelier than its opposite is not said as if it were sure.
function decide(answer) {
  const isSure = Math.abs(answer.probability - 0.5) > 0.4;
  if (answer.same) return isSure ? "The same person" : "Rather the same person";
  return isSure ? "Two different people" : "Rather two different people";
}

function showComparison(answer) {
  if (answer.problem) return h("div", { class: "card error", role: "alert" }, h("p", {}, `No answer: ${answer.problem}.`));
  const hands = answer.hands.map(describeHand).filter(Boolean).join(" and ");
  const verdict = h("div", { class: `verdict ${answer.same ? "yes" : "no"}` }, h("strong", {}, decide(answer)),
    h("span", { class: "quiet" }, `${percent(answer.probability)} probable that it is one person${hands ? ` · ${hands}` : ""}`));
  const key = h("p", { class: "key" }, h("span", {}, h("i", { class: "genuine" }), "scores of one person"), h("span", {}, h("i", { class: "impostor" }), "scores of two people"),
    h("span", {}, h("i", { class: "dash" }), "threshold: both errors equal"));
  return h("div", { class: "card stack" }, verdict, h("h3", {}, "Where this pair lies"), drawDistributions(answer), key,
    answer.remarks.map((text) => h("p", { class: "remark" }, text)),
    h("p", { class: "note" }, `Similarity is the cosine of the two vectors. Compared: ${answer.pairing}; scores and threshold from ${answer.origin}. The probability takes one person and two people as equally likely beforehand.`));
}

export function setUp(panel) {
  const empty = h("div", { class: "card empty" }, h("h2", {}, "Give two photos"), h("p", {}, "Back or palm, of one hand or of two."));
  const out = h("div", { class: "stack" }, empty);
  let number = 0;
  const run = async () => {
    const mine = ++number;
    const photos = inputs.flatMap((input) => input.photos);
    if (photos.length < 2) { out.replaceChildren(empty); return; }
    out.classList.add("busy");
    const fields = {};
    ["first", "second"].forEach((name, place) => { fields[`${name}_view`] = choices[place].view.choice.value; fields[`${name}_side`] = choices[place].side.choice.value; });
    try {
      const answer = await postPhotos("compare", photos, fields);
      if (mine !== number) return;
      out.replaceChildren(showComparison(answer));
      announce(answer.problem || decide(answer));
    } catch (error) {
      if (mine === number) showError(out, error);
    } finally {
      if (mine === number) out.classList.remove("busy");
    }
  };
  const inputs = ["First photo", "Second photo"].map((title) => photoInput({ title, onchange: run }));
  const choices = [handChoices(), handChoices()];
  for (const { view, side } of choices) for (const { choice } of [view, side]) choice.addEventListener("change", run);
  const options = h("details", {}, h("summary", {}, "Options"), ...["First photo", "Second photo"].map((title, place) => h("div", { class: "stack" }, h("h3", {}, title), h("div", { class: "halves" }, choices[place].view.label, choices[place].side.label))));
  panel.append(h("div", { class: "two" }, h("div", { class: "card stack" }, h("h2", {}, "Do both show one person?"), h("div", { class: "halves" }, inputs.map((input) => input.element)), options), out));
  return { inputs, refresh: run };
}
