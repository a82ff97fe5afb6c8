// Building elements. Text is always set as text: what a server or a person wrote never becomes markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const h = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);
export const svg = (name, attributes = {}, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

export function announce(text) {
  document.getElementById("live").textContent = text;
}

export function percent(value) {
  if (value === 0) return "0 %";
  if (value > 0 && value < 0.001) return "<0.1 %";
  if (value < 1 && value > 0.999) return ">99.9 %";
  return `${(100 * value).toFixed(value < 0.0995 || (value > 0.9905 && value < 1) ? 1 : 0)} %`;
}

export function describeHand(hand) {
  const view = { dorsal: "back", palmar: "palm" }[hand.view];
  if (!view && !hand.side) return "";
  const whose = hand.side ? `a ${hand.side} hand` : "a hand";
  return view ? `${view} of ${whose}` : whose;
}

export function select(label, options, attributes = {}) {
  const choice = h("select", attributes, options.map(([value, text]) => h("option", { value }, text)));
  return { label: h("label", { class: "field" }, label, choice), choice };
}

export function showError(place, error) {
  const rows = (error.errors || []).map((row) => h("p", { class: "note" }, `${row.at}: ${row.message}`));
  place.replaceChildren(h("div", { class: "card error", role: "alert" }, h("p", {}, error.message), rows));
}

// Opens a dialog and returns what its form was closed with: "" where it was cancelled.
export function ask(content, buttons) {
  return new Promise((resolve) => {
    const cancel = h("button", { type: "submit", value: "", formnovalidate: true }, "Cancel");
    const form = h("form", { method: "dialog", class: "stack" }, content, h("div", { class: "row" }, buttons, cancel));
    const dialog = h("dialog", { "aria-label": form.querySelector("h2")?.textContent }, form);
    dialog.addEventListener("close", () => { dialog.remove(); resolve(dialog.returnValue); });
    document.body.append(dialog);
    dialog.showModal();
  });
}
