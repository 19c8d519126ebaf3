// Draws the view: land, cells, truths, towns. Owns the colours; decides nothing about numbers.

// Light to dark, so that the order survives colour blindness and grey print; blue to red over yellow.
const CLASS_COLOURS = ["#74add1", "#fee08b", "#fdae61", "#e6550d", "#7f0000"];
const GREY = "#b9c0c8";
// Zoomed out, a cell is smaller than a pixel and would vanish: it is drawn at least this big.
const MIN_RADIUS_PX = 2.6;

const canvas = document.getElementById("map");
const pen = canvas.getContext("2d");

function outlinePath(cell, grow) {
  pen.beginPath();
  for (let i = 0; i < cell.outline.length; i += 2) {
    const x = screenX(cell.x + (cell.outline[i] - cell.x) * grow);
    const y = screenY(cell.y + (cell.outline[i + 1] - cell.y) * grow);
    if (i === 0) pen.moveTo(x, y); else pen.lineTo(x, y);
  }
  pen.closePath();
}

function growth(cell) {
  return Math.max(1, MIN_RADIUS_PX / (cell.radius * view.scale));
}

function drawLand(rings) {
  pen.fillStyle = "#f7f7f3";
  pen.strokeStyle = "#a9b3be";
  pen.lineWidth = 1;
  pen.lineJoin = "round";
  pen.beginPath();
  for (const ring of rings) {
    if (!onScreen(ring.west, ring.north, ring.east, ring.south)) continue;
    for (let i = 0; i < ring.points.length; i += 2) {
      const x = screenX(ring.points[i]), y = screenY(ring.points[i + 1]);
      if (i === 0) pen.moveTo(x, y); else pen.lineTo(x, y);
    }
    pen.closePath();
  }
  pen.fill("evenodd");
  pen.stroke();
}

function onScreen(west, north, east, south) {
  return screenX(east) >= 0 && screenX(west) <= view.width && screenY(south) >= 0 && screenY(north) <= view.height;
}

// Cells come worst last, so that where they overlap zoomed out the worst stays visible. Returns how many were drawn.
function drawCells(cells) {
  let drawn = 0;
  for (const cell of cells) {
    const reach = Math.max(cell.radius, MIN_RADIUS_PX / view.scale);
    if (!onScreen(cell.x - reach, cell.y - reach, cell.x + reach, cell.y + reach)) continue;
    const grow = growth(cell);
    outlinePath(cell, grow);
    pen.fillStyle = cell.grade < 0 ? GREY : CLASS_COLOURS[cell.grade];
    pen.globalAlpha = cell.grade < 0 ? 0.55 : 0.9;
    pen.fill();
    if (cell.radius * view.scale > 5) {
      pen.globalAlpha = 1;
      pen.strokeStyle = cell.grade < 0 ? "#8f99a5" : "#1d253066";
      pen.setLineDash(cell.grade < 0 ? [3, 3] : []);
      pen.lineWidth = 1;
      pen.stroke();
      pen.setLineDash([]);
    }
    drawn += 1;
  }
  pen.globalAlpha = 1;
  return drawn;
}

function drawPicked(cell) {
  outlinePath(cell, Math.max(growth(cell), 7 / (cell.radius * view.scale)));
  pen.lineWidth = 5;
  pen.strokeStyle = "#fff";
  pen.stroke();
  pen.lineWidth = 2.5;
  pen.strokeStyle = "#0b5fa5";
  pen.stroke();
}

function drawTruths(truths) {
  for (const truth of truths) {
    if (!truth.area) continue;
    const x = screenX(truth.area.x), y = screenY(truth.area.y);
    const radius = Math.max(9, truth.area.radiusM / metresPerPixel(truth.area.y));
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.setLineDash([6, 4]);
    pen.lineWidth = 4;
    pen.strokeStyle = "#ffffffcc";
    pen.stroke();
    pen.lineWidth = 2;
    pen.strokeStyle = "#5b2a86";
    pen.stroke();
    pen.setLineDash([]);
    label(truth.name, x, y - radius - 5, "600 12px system-ui, sans-serif", "#5b2a86");
  }
}

function label(text, x, y, font, colour) {
  pen.font = font;
  pen.textAlign = "center";
  pen.lineWidth = 3.5;
  pen.lineJoin = "round";
  pen.strokeStyle = "#ffffffd9";
  pen.strokeText(text, x, y);
  pen.fillStyle = colour;
  pen.fillText(text, x, y);
}

// Names towns, the largest first, where there is room for the name.
function drawPlaces(places) {
  const taken = [];
  const limit = 26;
  for (const place of places) {
    if (taken.length >= limit) return;
    const x = screenX(place.x), y = screenY(place.y);
    if (x < 0 || y < 0 || x > view.width || y > view.height) continue;
    pen.font = "12px system-ui, sans-serif";
    const half = pen.measureText(place.name).width / 2 + 8;
    const box = [x - half, y - 22, x + half, y + 6];
    if (taken.some(other => box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3])) continue;
    taken.push(box);
    pen.beginPath();
    pen.arc(x, y, 1.6, 0, 2 * Math.PI);
    pen.fillStyle = "#2a3440";
    pen.fill();
    label(place.name, x, y - 6, pen.font, "#2a3440");
  }
}

function drawCrosshair() {
  const x = view.width / 2, y = view.height / 2;
  pen.beginPath();
  pen.moveTo(x - 8, y); pen.lineTo(x + 8, y); pen.moveTo(x, y - 8); pen.lineTo(x, y + 8);
  pen.lineWidth = 1.5;
  pen.strokeStyle = "#0b5fa5";
  pen.stroke();
}

// A bar of a round length, at most 110 pixels long.
function drawScale() {
  const metres = metresPerPixel(view.y) * 110;
  const power = 10 ** Math.floor(Math.log10(metres));
  const length = [5, 2, 1].map(step => step * power).find(step => step <= metres);
  const bar = document.querySelector("#scale span");
  bar.style.width = `${Math.round(length / metresPerPixel(view.y))}px`;
  bar.textContent = length >= 1000 ? `${length / 1000} km` : `${length} m`;
}
