// The side panel: legend, sums, ranking, numbers behind a cell. Builds text nodes only, never HTML from data.

const count = new Intl.NumberFormat("en");
const RANKED = 12;

function element(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") node.className = value; else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

function percent(share) {
  if (share === null || share === undefined) return "–";
  return `${digits(share)}\u00a0%`;
}

function digits(share) { return (share * 100).toFixed(share < 0.0995 ? 1 : 0); }

function interval(numbers) {
  return numbers.low === null ? "–" : `${digits(numbers.low)} to ${digits(numbers.high)}\u00a0%`;
}

function rate(numbers) { return numbers.attempts > 0 ? numbers.failures / numbers.attempts : null; }

function swatch(grade) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("class", "swatch");
  svg.setAttribute("aria-hidden", "true");
  const hexagon = document.createElementNS("http://www.w3.org/2000/svg", "polygon");
  hexagon.setAttribute("points", "10,1 18,5.5 18,14.5 10,19 2,14.5 2,5.5");
  hexagon.setAttribute("fill", grade < 0 ? GREY : CLASS_COLOURS[grade]);
  hexagon.setAttribute("stroke", "#1d253066");
  if (grade < 0) hexagon.setAttribute("stroke-dasharray", "3 2");
  svg.append(hexagon);
  return svg;
}

function className(grade, bounds) {
  if (grade < 0) return "too few attempts to say";
  const text = bound => `${+(bound * 100).toFixed(3)}`;
  if (grade === 0) return `below ${text(bounds[0])} %`;
  if (grade === bounds.length) return `${text(bounds[grade - 1])} % and more`;
  return `${text(bounds[grade - 1])} to ${text(bounds[grade])} %`;
}

function showLegend(cells, data) {
  const order = [...data.bounds.keys(), data.bounds.length].reverse().concat([-1]);
  const rows = order.map(grade => {
    const cellsOfClass = cells.filter(cell => cell.grade === grade).length;
    return element("li", {}, swatch(grade), className(grade, data.bounds),
      element("span", { class: "count" }, `${count.format(cellsOfClass)} cells`));
  });
  document.getElementById("legend").replaceChildren(...rows);
  document.getElementById("rule").textContent =
    `A cell is coloured from ${count.format(data.minimumAttempts)} attempts on. Zoomed out, cells are drawn larger than they are, the worst on top.`;
}

function showSums(cells) {
  let attempts = 0, failures = 0;
  for (const cell of cells) { attempts += cell.shown.attempts; failures += cell.shown.failures; }
  const entry = (value, name) => element("div", {}, element("b", {}, value), element("span", {}, name));
  document.getElementById("sums").replaceChildren(
    entry(count.format(attempts), "attempts"),
    entry(count.format(failures), "out of range"),
    entry(percent(attempts ? failures / attempts : null), `rate, in ${count.format(cells.length)} cells`));
}

function showRanking(cells, picked, pick) {
  const ranked = cells.filter(cell => cell.grade >= 0)
    .sort((one, two) => two.shown.low - one.shown.low || two.shown.attempts - one.shown.attempts)
    .slice(0, RANKED);
  const rows = ranked.map(cell => {
    const button = element("button", { type: "button", "aria-pressed": String(cell === picked) },
      swatch(cell.grade),
      element("span", {}, cell.near ? `near ${cell.near}` : cell.id),
      element("b", {}, percent(rate(cell.shown))),
      element("span", {}),
      element("span", { class: "numbers" }, `${count.format(cell.shown.failures)} of ${count.format(cell.shown.attempts)} · ${count.format(cell.shown.terminals)} terminals`),
      element("span", { class: "numbers" }, `≥ ${percent(cell.shown.low)}`));
    button.addEventListener("click", () => pick(cell, true));
    return element("li", {}, button);
  });
  if (rows.length === 0) rows.push(element("li", { class: "quiet" }, "No cell has enough attempts."));
  document.getElementById("ranking").replaceChildren(...rows);
}

function showDetails(cell, data, letGo) {
  const section = document.getElementById("details");
  section.hidden = !cell;
  if (!cell) { section.replaceChildren(); return; }
  const close = element("button", { type: "button", "aria-label": "Let go of this cell" }, "×");
  close.addEventListener("click", letGo);
  const enough = cell.shown.attempts >= data.minimumAttempts;
  const all = [["all carriers", cell.total]].concat(cell.carriers.map(([index, numbers]) => [carrierName(data, index), numbers]));
  const body = all.map(([name, numbers]) => element("tr", numbers.attempts < data.minimumAttempts ? { class: "thin" } : {},
    element("td", {}, name), element("td", {}, count.format(numbers.failures)), element("td", {}, count.format(numbers.attempts)),
    element("td", {}, percent(rate(numbers))), element("td", {}, interval(numbers)), element("td", {}, weak(numbers))));
  const heads = ["", "failed", "of", "rate", "95\u00a0% interval", "weak signal"];
  section.replaceChildren(
    element("div", { class: "head" },
      element("div", {}, element("h2", {}, cell.near ? `Cell near ${cell.near}` : "Cell"), element("code", {}, cell.id)), close),
    element("p", {}, element("span", { class: "rate" }, percent(rate(cell.shown))), ` out of range`,
      enough ? "" : element("span", { class: "quiet" }, " (too few attempts to colour)")),
    element("p", {}, `${count.format(cell.shown.failures)} of ${count.format(cell.shown.attempts)} attempts, ${interval(cell.shown)}; ${count.format(cell.shown.terminals)} terminals.`),
    element("p", {}, signalText(cell)),
    element("table", {},
      element("thead", {}, element("tr", {}, ...heads.map(head => element("th", { scope: "col" }, head)))),
      element("tbody", {}, ...body)),
    element("p", { class: "quiet" }, `${(cell.latDeg).toFixed(4)}, ${(cell.lonDeg).toFixed(4)}`));
}

function weak(numbers) { return numbers.readings ? percent(numbers.weak / numbers.readings) : "–"; }

function signalText(cell) {
  if (!cell.shown.readings) return "No signal readings.";
  const median = cell.rsrpDbm === null ? "" : `; median RSRP ${cell.rsrpDbm} dBm`;
  return `Weak signal in ${count.format(cell.shown.weak)} of ${count.format(cell.shown.readings)} readings (${weak(cell.shown)})${median}.`;
}

function carrierName(data, index) {
  const [plmn, name] = data.carriers[index];
  if (!plmn) return "unknown carrier";
  return name ? `${name} (${plmn})` : plmn;
}

function showTruths(truths, flyTo) {
  if (truths.length === 0) return;
  document.getElementById("truths").hidden = false;
  document.getElementById("truth-toggle").hidden = false;
  const rows = truths.map(truth => {
    const texts = [element("b", {}, truth.name), element("span", { class: "kind" }, truth.kind.replaceAll("_", " ")),
      element("span", { class: "detail" }, truth.detail)];
    if (!truth.area) return element("li", { class: "placeless" }, ...texts);
    const button = element("button", { type: "button" }, ...texts);
    button.addEventListener("click", () => flyTo(truth));
    return element("li", {}, button);
  });
  document.getElementById("truth-list").replaceChildren(...rows);
}
