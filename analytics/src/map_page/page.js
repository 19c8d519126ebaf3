// Ties the page together: reads the data, keeps what is chosen, answers the mouse and the keyboard.

const data = JSON.parse(document.getElementById("data").textContent);
const cells = data.cells.map(readCell);
const rings = data.borders.map(readRing);
const places = data.places.map(([name, lon, lat, terminals]) =>
  ({ name, x: worldX(lon / FINE), y: worldY(lat / FINE), terminals })).sort((one, two) => two.terminals - one.terminals);
const truths = data.truths.map(truth => ({ ...truth, area: truth.area &&
  { x: worldX(truth.area[0] / FINE), y: worldY(truth.area[1] / FINE), radiusM: truth.area[2] } }));
let carrier = -1, picked = null, ordered = [], waiting = false;

function readCounts([attempts, failures, low, high, terminals, readings, weak]) {
  return { attempts, failures, low, high, terminals, readings, weak };
}

function readCell([id, lon, lat, steps, total, rsrpDbm, carriers]) {
  const cell = { id, lonDeg: lon / FINE, latDeg: lat / FINE, total: readCounts(total), rsrpDbm, outline: [], radius: 0, near: "" };
  cell.x = worldX(cell.lonDeg);
  cell.y = worldY(cell.latDeg);
  for (let i = 0; i < steps.length; i += 2) {
    const x = worldX((lon + steps[i]) / FINE), y = worldY((lat + steps[i + 1]) / FINE);
    cell.outline.push(x, y);
    cell.radius = Math.max(cell.radius, Math.hypot(x - cell.x, y - cell.y));
  }
  cell.carriers = carriers.map(([index, ...counts]) => [index, readCounts(counts)]);
  return cell;
}

function readRing(steps) {
  const ring = { points: [], west: Infinity, north: Infinity, east: -Infinity, south: -Infinity };
  let lon = 0, lat = 0;
  for (let i = 0; i < steps.length; i += 2) {
    lon += steps[i];
    lat += steps[i + 1];
    const x = worldX(lon / COARSE), y = worldY(lat / COARSE);
    ring.points.push(x, y);
    ring.west = Math.min(ring.west, x); ring.east = Math.max(ring.east, x);
    ring.north = Math.min(ring.north, y); ring.south = Math.max(ring.south, y);
  }
  return ring;
}

const NOTHING = { attempts: 0, failures: 0, low: null, high: null, terminals: 0, readings: 0, weak: 0 };

// The class of a cell under the filter; -1 without enough attempts, whatever its rate.
function gradeOf(numbers) {
  if (numbers.attempts < data.minimumAttempts || numbers.attempts === 0) return -1;
  const share = numbers.failures / numbers.attempts;
  const above = data.bounds.findIndex(bound => share < bound);
  return above < 0 ? data.bounds.length : above;
}

function nearestPlace(cell) {
  let best = null, least = Infinity;
  for (const place of places) {
    const distance = Math.hypot(place.x - cell.x, place.y - cell.y);
    if (distance < least) { least = distance; best = place; }
  }
  return best ? best.name : "";
}

function applyFilter() {
  for (const cell of cells) {
    const found = carrier < 0 ? [0, cell.total] : cell.carriers.find(([index]) => index === carrier);
    cell.shown = found ? found[1] : NOTHING;
    cell.grade = gradeOf(cell.shown);
  }
  const seen = cells.filter(cell => carrier < 0 || cell.shown.attempts > 0 || cell.shown.readings > 0);
  ordered = seen.sort((one, two) => one.grade - two.grade);
  document.body.dataset.coloured = String(ordered.filter(cell => cell.grade >= 0).length);
  showSums(ordered);
  showLegend(ordered, data);
  choose(picked, false);
}

function choose(cell, fly) {
  picked = cell;
  if (cell && fly) flyTo(cell.x, cell.y, 45 / cell.radius);
  if (cell && !ordered.includes(cell)) picked = null;
  showRanking([...ordered], picked, choose);
  showDetails(picked, data, () => choose(null, false));
  if (picked) document.getElementById("details").scrollIntoView({ block: "nearest" });
  history.replaceState(null, "", picked ? `#${picked.id}` : "#");
  redraw();
}

function flyTo(x, y, scale) {
  view.x = x;
  view.y = y;
  view.scale = Math.max(minScale, Math.min(MAX_SCALE, scale));
  redraw();
}

function flyToTruth(truth) {
  const metres = Math.max(truth.area.radiusM, 500) * 6;
  flyTo(truth.area.x, truth.area.y, view.scale * metresPerPixel(truth.area.y) * Math.min(view.width, view.height) / metres);
}

// Shows the cells but for a share left out at each side: a far island must not shrink the mainland at first.
function showCells(leftOut, room) {
  if (cells.length === 0) return;
  const range = axis => {
    const sorted = cells.map(cell => cell[axis]).sort((one, two) => one - two);
    const skipped = Math.floor(leftOut * (sorted.length - 1));
    const [low, high] = [sorted[skipped], sorted[sorted.length - 1 - skipped]];
    const more = (high - low) * room;
    return [Math.max(sorted[0], low - more), Math.min(sorted[sorted.length - 1], high + more)];
  };
  const [west, east] = range("x"), [north, south] = range("y");
  fit(west, north, east, south);
  redraw();
}

function showAll() {
  showCells(0, 0);
  minScale = view.scale / 2;
}

function redraw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(draw);
}

function draw() {
  waiting = false;
  const dots = window.devicePixelRatio || 1;
  pen.setTransform(dots, 0, 0, dots, 0, 0);
  pen.clearRect(0, 0, view.width, view.height);
  drawLand(rings);
  document.body.dataset.cells = String(drawCells(ordered));
  drawPlaces(places);
  if (truths.length && document.getElementById("show-truths").checked) drawTruths(truths);
  if (picked) drawPicked(picked);
  if (canvas.matches(":focus-visible")) drawCrosshair();
  drawScale();
}

// The cell under a point of the screen: the nearest centre within reach, and of those drawn on top the worst.
function cellAt(px, py) {
  const [x, y] = fromScreen(px, py);
  let best = null, least = Infinity;
  for (const cell of ordered) {
    const reach = Math.max(cell.radius, 5 / view.scale);
    const distance = Math.hypot(cell.x - x, cell.y - y);
    if (distance <= reach && distance <= least) { best = cell; least = distance; }
  }
  return best;
}

function hover(cell, px, py) {
  canvas.classList.toggle("on-cell", Boolean(cell));
  const hint = document.getElementById("hint");
  hint.hidden = !cell;
  if (!cell) return;
  hint.textContent = cell.grade < 0
    ? `${count.format(cell.shown.failures)} of ${count.format(cell.shown.attempts)} attempts: too few to say`
    : `${percent(rate(cell.shown))} out of range · ${count.format(cell.shown.failures)} of ${count.format(cell.shown.attempts)} attempts`;
  const left = px > view.width - 300;
  hint.style.left = left ? "auto" : `${px + 14}px`;
  hint.style.right = left ? `${view.width - px + 14}px` : "auto";
  hint.style.top = `${Math.min(py + 14, view.height - 40)}px`;
}

// Pointers: one drags, two pinch, a short press picks.
const pointers = new Map();
let moved = 0;
canvas.addEventListener("pointerdown", event => {
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
  if (pointers.size === 1) moved = 0;
});
canvas.addEventListener("pointermove", event => {
  const at = [event.offsetX, event.offsetY], before = pointers.get(event.pointerId);
  if (!before) { hover(cellAt(...at), ...at); return; }
  const other = [...pointers].find(([id]) => id !== event.pointerId);
  if (other) {
    const distance = point => Math.hypot(point[0] - other[1][0], point[1] - other[1][1]);
    zoomAt(distance(at) / Math.max(1, distance(before)), other[1][0], other[1][1]);
    moved = Infinity;
  } else {
    view.x -= (at[0] - before[0]) / view.scale;
    view.y -= (at[1] - before[1]) / view.scale;
    moved += Math.hypot(at[0] - before[0], at[1] - before[1]);
  }
  pointers.set(event.pointerId, at);
  canvas.classList.add("grabbed");
  hover(null);
  redraw();
});
for (const ending of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(ending, event => {
    pointers.delete(event.pointerId);
    canvas.classList.remove("grabbed");
    if (ending === "pointerup" && moved < 5) choose(cellAt(event.offsetX, event.offsetY), false);
  });
}
canvas.addEventListener("pointerleave", () => hover(null));
canvas.addEventListener("wheel", event => {
  event.preventDefault();
  zoomAt(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.0015)), event.offsetX, event.offsetY);
  redraw();
}, { passive: false });
canvas.addEventListener("dblclick", event => { zoomAt(2, event.offsetX, event.offsetY); redraw(); });

const STEP_PX = 80, ZOOM_STEP = 1.5;
const keys = {
  ArrowLeft: () => { view.x -= STEP_PX / view.scale; }, ArrowRight: () => { view.x += STEP_PX / view.scale; },
  ArrowUp: () => { view.y -= STEP_PX / view.scale; }, ArrowDown: () => { view.y += STEP_PX / view.scale; },
  "+": zoomIn, "=": zoomIn, "-": zoomOut, "0": showAll,
  Enter: () => choose(cellAt(view.width / 2, view.height / 2), false), Escape: () => choose(null, false),
};
function zoomIn() { zoomAt(ZOOM_STEP, view.width / 2, view.height / 2); redraw(); }
function zoomOut() { zoomAt(1 / ZOOM_STEP, view.width / 2, view.height / 2); redraw(); }
canvas.addEventListener("keydown", event => {
  const action = keys[event.key];
  if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  action();
  redraw();
});
canvas.addEventListener("focus", redraw);
canvas.addEventListener("blur", redraw);
document.getElementById("zoom-in").addEventListener("click", zoomIn);
document.getElementById("zoom-out").addEventListener("click", zoomOut);
document.getElementById("zoom-fit").addEventListener("click", showAll);
document.getElementById("show-truths").addEventListener("change", redraw);

function resize() {
  const box = canvas.getBoundingClientRect(), dots = window.devicePixelRatio || 1;
  const first = view.width === 1;
  view.width = box.width;
  view.height = box.height;
  canvas.width = Math.round(box.width * dots);
  canvas.height = Math.round(box.height * dots);
  if (first) {
    showAll();
    showCells(0.06, 0.25);
  }
  redraw();
}

function start() {
  document.getElementById("title").textContent = data.title;
  document.getElementById("subtitle").textContent = `${data.subtitle} · ${data.days[0]} to ${data.days[1]}`;
  document.getElementById("credits").textContent =
    [`Made ${data.generatedAt} by Notspot`, "Borders: Natural Earth, public domain", ...data.credits].join(". ") + ".";
  for (const cell of cells) cell.near = nearestPlace(cell);
  const select = document.getElementById("carrier");
  select.append(new Option("All carriers", "-1"), ...data.carriers.map((_, index) => new Option(carrierName(data, index), String(index))));
  select.addEventListener("change", () => { carrier = Number(select.value); applyFilter(); });
  showTruths(truths, flyToTruth);
  new ResizeObserver(resize).observe(canvas);
  resize();
  const linked = cells.find(cell => `#${cell.id}` === location.hash);
  applyFilter();
  if (linked) choose(linked, true);
  document.body.dataset.loaded = String(cells.length);
}
start();
