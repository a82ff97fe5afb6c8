"use strict";
// Draws the charts of the page from the numbers next to them, enlarges photos, and unfolds everything for printing.
// Every text is set as text: nothing that a data set says can become markup.
(() => {
  const NS = "http://www.w3.org/2000/svg";
  const make = (tag, attributes, parent, text) => {
    const node = document.createElementNS(NS, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    if (text !== undefined) node.textContent = text;
    if (parent) parent.appendChild(node);
    return node;
  };
  const element = (tag, className, parent, text) => {
    const node = document.createElement(tag);
    node.className = className;
    if (text !== undefined) node.textContent = text;
    if (parent) parent.appendChild(node);
    return node;
  };
  const show = (value) => (Math.abs(value) >= 100 ? value.toFixed(0) : Number(value.toPrecision(3)).toString());

  // The share of normal scores below z (Abramowitz and Stegun 26.2.17, to 1e-7).
  const phi = (z) => {
    const t = 1 / (1 + 0.2316419 * Math.abs(z));
    const tail = 0.39894228 * Math.exp((-z * z) / 2) * t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
    return z > 0 ? 1 - tail : tail;
  };
  // What a place on an axis is called; on an axis of normal deviates, its per cent.
  const tell = (axis, value) => show(axis.deviate ? 100 * phi(value) : value);

  // Round numbers between two ends; powers of ten, 2 and 5 times these on a logarithmic axis; the axis's own where it has some.
  function listTicks(axis, count) {
    const ticks = [], own = (axis.ticks || []).filter((tick) => tick >= axis.min && tick <= axis.max);
    if (own.length > 1) return own;
    if (axis.log) {
      for (let power = Math.floor(Math.log10(axis.min)); power <= Math.log10(axis.max); power++)
        for (const factor of [1, 2, 5]) ticks.push(factor * 10 ** power);
      const inside = ticks.filter((tick) => tick >= axis.min * 0.999 && tick <= axis.max * 1.001);
      return inside.length > count + 2 ? inside.filter((tick) => Math.abs(Math.log10(tick) % 1) < 1e-9) : inside;
    }
    const rough = (axis.max - axis.min) / count, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
    for (let i = Math.ceil(axis.min / step - 1e-9); i * step <= axis.max + 1e-9 * step; i++) ticks.push(Number((i * step).toPrecision(12)));
    return ticks;
  }

  function scale(axis, from, to) {
    const map = axis.log ? Math.log10 : (value) => value, low = map(axis.min), high = map(axis.max);
    const place = (value) => from + ((map(value) - low) / (high - low)) * (to - from);
    place.back = (pixel) => {
      const value = low + ((pixel - from) / (to - from)) * (high - low);
      return axis.log ? 10 ** value : value;
    };
    return place;
  }

  function valueAt(series, x) {
    const xs = series.x;
    if (!xs.length || x < xs[0] || x > xs[xs.length - 1]) return null;
    let high = xs.findIndex((value) => value >= x);
    if (high === 0 || xs[high] === x) return [series.y[high], high];
    if (series.step) return [series.y[high - 1], high - 1];
    const share = (x - xs[high - 1]) / (xs[high] - xs[high - 1]);
    return [series.y[high - 1] + share * (series.y[high] - series.y[high - 1]), share < 0.5 ? high - 1 : high];
  }

  let number = 0;
  function draw(figure, source) {
    const chart = JSON.parse(source.textContent);
    const box = element("div", "chart-box", null);
    figure.insertBefore(box, source);
    const legend = element("div", "legend", box);
    for (const series of chart.series) element("span", "key " + series.colour + (series.dash ? " dash" : ""), legend, series.name);
    const reset = element("button", "reset", legend, "whole plot");
    reset.type = "button";
    const holder = element("div", "holder", box), tip = element("div", "tip", holder);
    let view = null;
    const clip = "clip" + number++;

    function redraw() {
      for (const old of holder.querySelectorAll("svg")) old.remove();
      tip.style.display = "none";
      reset.style.visibility = view ? "visible" : "hidden";
      const width = holder.clientWidth || 480, rows = chart.rows || [];
      const height = rows.length ? 66 + 38 * rows.length : Math.round(Math.min(chart.bare ? 480 : 340, width * (chart.bare ? 0.95 : 0.68)));
      const x = { ...chart.x, ...(view || {}).x }, y = { ...chart.y, ...(view || {}).y };
      const left = rows.length ? 10 : chart.bare ? 4 : 44, right = width - 16, top = chart.marks.length ? 34 : 8, bottom = height - (chart.bare ? 4 : 40);
      const px = scale(x, left, right), py = scale(y, bottom, top);
      const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": figure.querySelector("figcaption").textContent });
      holder.appendChild(svg);
      const room = rows.length ? 6 : 0;
      make("rect", { x: left - room, y: top, width: right - left + 2 * room, height: bottom - top }, make("clipPath", { id: clip }, svg));
      if (!chart.bare) {
        for (const tick of listTicks(x, Math.max(3, Math.floor(width / 80)))) {
          make("line", { x1: px(tick), x2: px(tick), y1: top, y2: bottom, class: "grid" }, svg);
          make("text", { x: px(tick), y: bottom + 16, class: "tick", "text-anchor": "middle" }, svg, tell(x, tick));
        }
        for (const tick of rows.length ? [] : listTicks(y, 5)) {
          make("line", { x1: left, x2: right, y1: py(tick), y2: py(tick), class: "grid" }, svg);
          make("text", { x: left - 6, y: py(tick) + 4, class: "tick", "text-anchor": "end" }, svg, tell(y, tick));
        }
        make("text", { x: (left + right) / 2, y: height - 4, class: "axis", "text-anchor": "middle" }, svg, chart.x.label);
        make("text", { transform: `translate(11 ${(top + bottom) / 2}) rotate(-90)`, class: "axis", "text-anchor": "middle" }, svg, chart.y.label);
      }
      const inside = make("g", { "clip-path": `url(#${clip})` }, svg);
      for (const series of chart.series) {
        const points = series.x.map((value, i) => [px(value), py(series.y[i])]);
        if (series.points) {
          points.forEach(([cx, cy], i) => {
            if (series.low && rows.length) make("line", { x1: px(series.low[i]), x2: px(series.high[i]), y1: cy, y2: cy, class: "bar across " + series.colour }, inside);
            else if (series.low) make("line", { x1: cx, x2: cx, y1: py(series.low[i]), y2: py(series.high[i]), class: "bar " + series.colour }, inside);
            if (series.tick) return void make("line", { x1: cx, x2: cx, y1: cy - 6, y2: cy + 6, class: "line " + series.colour }, inside);
            if (series.ends) {
              const [ex, ey] = [px(series.ends[i][0]), py(series.ends[i][1])];
              make("line", { x1: cx, y1: cy, x2: ex, y2: ey, class: "bar " + series.colour }, inside);
              make("circle", { cx: ex, cy: ey, r: 3.5, class: "ring " + series.colour }, inside);
            }
            make("circle", { cx, cy, r: 4, class: "dot " + series.colour }, inside);
          });
          continue;
        }
        if (series.low) {
          const band = [...series.x.map((value, i) => [px(value), py(series.low[i])]), ...series.x.map((value, i) => [px(value), py(series.high[i])]).reverse()];
          make("polygon", { points: band.join(" "), class: "band " + series.colour }, inside);
        }
        const line = series.step ? points.flatMap(([a, b], i) => (i ? [[a, points[i - 1][1]], [a, b]] : [[a, b]])) : points;
        if (series.fill && line.length) make("polygon", { points: [[line[0][0], py(0)], ...line, [line[line.length - 1][0], py(0)]].join(" "), class: "band " + series.colour }, inside);
        make("polyline", { points: line.join(" "), class: "line " + series.colour + (series.dash ? " dash" : "") }, inside);
      }
      const marks = chart.marks.filter((mark) => mark.x >= x.min && mark.x <= x.max).sort((a, b) => a.x - b.x);
      marks.forEach((mark, i) => {
        // The label of the first of several lines stands left of it, so that no line crosses it.
        const at = px(mark.x), end = at > right - 120 || (i < marks.length - 1 && at > left + 120), row = 13 * (i % 2);
        make("line", { x1: at, x2: at, y1: 4 + row, y2: bottom, class: "mark" }, svg);
        make("text", { x: at + (end ? -5 : 5), y: 13 + row, class: "tick", "text-anchor": end ? "end" : "start" }, svg, rows.length ? mark.label : `${mark.label} ${mark.x.toFixed(3)}`);
      });
      // The name of a row stands above its bar: next to it there is no room on a phone.
      rows.forEach((name, i) => make("text", { x: left, y: py(i) - 10, class: "row" }, svg, name));
      const cross = make("line", { y1: top, y2: bottom, class: "cross", visibility: "hidden" }, svg);
      const brush = make("rect", { class: "brush", y: top, height: bottom - top, width: 0 }, svg);
      const place = (event) => {
        const frame = svg.getBoundingClientRect();
        return [((event.clientX - frame.left) * width) / frame.width, ((event.clientY - frame.top) * height) / frame.height];
      };
      const point = (lines, atX, atY) => {
        tip.replaceChildren(...lines.map((line) => element("div", "", null, line)));
        tip.style.display = lines.length ? "block" : "none";
        tip.style.left = Math.max(0, Math.min(atX + 14, width - tip.offsetWidth - 4)) + "px";
        tip.style.top = Math.max(0, Math.min(atY + 12, height - tip.offsetHeight - 4)) + "px";
      };
      let start = null;
      svg.addEventListener("pointerdown", (event) => { start = place(event); });
      svg.addEventListener("pointermove", (event) => {
        const [atX, atY] = place(event);
        if (start && event.buttons) {
          brush.setAttribute("x", Math.max(left, Math.min(start[0], atX)));
          brush.setAttribute("width", Math.abs(Math.min(right, Math.max(left, atX)) - start[0]));
          return;
        }
        if (chart.bare || chart.series.some((series) => series.points)) {
          let best = null, distance = 24;
          for (const series of chart.series.filter((one) => one.points)) series.x.forEach((value, i) => {
            for (const [bx, by] of [[value, series.y[i]], ...(series.ends ? [series.ends[i]] : [])]) {
              const away = Math.hypot(px(bx) - atX, py(by) - atY);
              if (away < distance) { distance = away; best = [series, i]; }
            }
          });
          if (!best) return point([], 0, 0);
          const [series, i] = best;
          return point(series.labels ? [series.labels[i], series.name] : [`${chart.x.label} ${show(series.x[i])}`,
            `${chart.y.label} ${show(series.y[i])}` + (series.low ? ` [${show(series.low[i])}–${show(series.high[i])}]` : "")], atX, atY);
        }
        if (atX < left || atX > right) return point([], 0, 0);
        let value = px.back(atX);
        if (Number.isInteger(chart.x.min) && chart.x.min === 1) value = Math.round(value);
        cross.setAttribute("x1", px(value)); cross.setAttribute("x2", px(value)); cross.setAttribute("visibility", "visible");
        point([`${chart.x.label} ${tell(x, value)}`, ...chart.series.flatMap((series) => {
          const found = valueAt(series, value);
          if (!found) return [];
          const interval = series.low ? ` [${show(series.low[found[1]])}–${show(series.high[found[1]])}]` : "";
          return [`${series.name}: ${tell(y, found[0])}${interval}`];
        })], atX, atY);
      });
      svg.addEventListener("pointerup", (event) => {
        const end = place(event);
        if (start && Math.abs(end[0] - start[0]) > 12) {
          const ends = [start[0], end[0]].map((at) => px.back(Math.max(left, Math.min(right, at)))).sort((a, b) => a - b);
          view = { x: { min: ends[0], max: ends[1] } };
          if (chart.bare) {
            const rows = [start[1], end[1]].map((at) => py.back(Math.max(top, Math.min(bottom, at)))).sort((a, b) => a - b);
            if (rows[1] > rows[0]) view.y = { min: rows[0], max: rows[1] };
          }
          redraw();
        }
        start = null;
      });
      svg.addEventListener("pointerleave", () => { start = null; point([], 0, 0); cross.setAttribute("visibility", "hidden"); brush.setAttribute("width", 0); });
    }
    reset.addEventListener("click", () => { view = null; redraw(); });
    figure.classList.add("drawn");
    let last = 0;
    new ResizeObserver(() => { if (holder.clientWidth !== last) { last = holder.clientWidth; if (last) redraw(); } }).observe(holder);
  }
  document.querySelectorAll("figure.plot").forEach((figure) => { figure.querySelectorAll("script.chart").forEach((source) => draw(figure, source)); });

  // For a person, who is the most similar to them: photos and shares from the numbers inside.
  function browse(box, source) {
    const closest = JSON.parse(source.textContent);
    const label = element("label", "", box, "Person "), select = element("select", "", label), place = element("span", "place", box);
    const row = element("div", "cards", box);
    closest.people.forEach((person, i) => { element("option", "", select, person.name).value = i; });
    const index = new Map(closest.people.map((person, i) => [person.name, i]));
    const picture = (number, alt, parent) => {
      const source = closest.photos[number];
      if (!source) return element("div", "gone", parent, "photo not available");
      const image = element("img", "", parent);
      image.src = source;
      image.alt = alt;
      return image;
    };
    const card = (kind, words, name, number) => {
      const node = element("div", "card " + kind, row);
      const shown = picture(number, `${words}, ${name}`, node), text = element("div", "", node);
      element("b", "", text, words);
      element("div", "name", text, name);
      return [shown, text];
    };
    const draw = () => {
      const person = closest.people[select.value];
      row.replaceChildren();
      place.textContent = person.place === 1 ? `own palm first of ${person.of} people` : `own palm in place ${person.place} of ${person.of} people`;
      card("query", "back", person.name, person.photo);
      const most = Math.max(1e-9, ...person.shown.flatMap((other) => other.shares.map((share) => Math.abs(share[1]))));
      person.shown.forEach((other, i) => {
        const [shown, text] = card(i ? "wrong" : "right", (i ? `${i}. ` : "own ") + other.similarity.toFixed(3).replace("-", "\u2212"), other.name, other.photo);
        for (const [name, value] of other.shares) {
          const share = element("div", "by", text);
          element("span", "", share, name);
          element("span", "", share, (value < 0 ? "\u2212" : "+") + Math.abs(value).toFixed(3));
          const bar = element("i", "share " + (value < 0 ? "bad" : "good"), share);
          bar.style.setProperty("--share", `${(100 * Math.abs(value)) / most}%`);
        }
        if (!i || !index.has(other.name)) return;
        const go = () => { select.value = index.get(other.name); draw(); };
        shown.tabIndex = 0;
        shown.className += " go";
        shown.title = "go to this person";
        shown.addEventListener("click", go);
        shown.addEventListener("keydown", (event) => { if (event.key === "Enter") go(); });
      });
    };
    select.value = closest.first;
    select.addEventListener("change", draw);
    draw();
  }
  document.querySelectorAll(".browser script.closest").forEach((source) => browse(source.parentNode, source));

  // Photos: a click or Enter enlarges, another closes.
  const dialog = document.querySelector("dialog.photo");
  if (dialog) {
    const open = (image) => {
      dialog.querySelector("img").src = image.src;
      dialog.querySelector("p").textContent = image.alt;
      dialog.showModal();
    };
    document.querySelectorAll(".thumb img").forEach((image) => {
      image.tabIndex = 0;
      image.addEventListener("click", () => open(image));
      image.addEventListener("keydown", (event) => { if (event.key === "Enter") open(image); });
    });
    dialog.addEventListener("click", () => dialog.close());
  }

  // A link into a folded part unfolds it; so does printing, all of them.
  const unfold = () => { const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1)); if (target) { const fold = target.closest("details"); if (fold) fold.open = true; target.scrollIntoView(); } };
  addEventListener("hashchange", unfold);
  unfold();
  let folded = [];
  addEventListener("beforeprint", () => { folded = [...document.querySelectorAll("details:not([open])")]; folded.forEach((fold) => { fold.open = true; }); });
  addEventListener("afterprint", () => folded.forEach((fold) => { fold.open = false; }));
})();
