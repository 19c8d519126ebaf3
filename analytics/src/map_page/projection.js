// Web Mercator and the view on it. World coordinates are 0 to 1 for half a turn either side of longitude 0;
// data comes in whole steps of 1e-5 degree, longitude first.
const FINE = 1e5, COARSE = 1e3, EARTH_CIRCUMFERENCE_M = 40075016.7, MAX_LAT = 85;

function worldX(lonDeg) { return lonDeg / 360 + 0.5; }
function worldY(latDeg) {
  const lat = Math.max(-MAX_LAT, Math.min(MAX_LAT, latDeg)) * Math.PI / 180;
  return 0.5 - Math.log(Math.tan(Math.PI / 4 + lat / 2)) / (2 * Math.PI);
}
function latOf(y) { return Math.atan(Math.sinh((0.5 - y) * 2 * Math.PI)) * 180 / Math.PI; }

// The part of the world on screen: its middle, and pixels a world width takes.
const view = { x: 0.5, y: 0.5, scale: 1000, width: 1, height: 1 };
const MAX_SCALE = 4e7;
let minScale = 200;

function screenX(x) { return (x - view.x) * view.scale + view.width / 2; }
function screenY(y) { return (y - view.y) * view.scale + view.height / 2; }
function fromScreen(px, py) {
  return [(px - view.width / 2) / view.scale + view.x, (py - view.height / 2) / view.scale + view.y];
}
function metresPerPixel(y) {
  return EARTH_CIRCUMFERENCE_M * Math.cos(latOf(y) * Math.PI / 180) / view.scale;
}

// Zooms by a factor, keeping what is under (px, py) in place.
function zoomAt(factor, px, py) {
  const [x, y] = fromScreen(px, py);
  view.scale = Math.max(minScale, Math.min(MAX_SCALE, view.scale * factor));
  view.x = x - (px - view.width / 2) / view.scale;
  view.y = y - (py - view.height / 2) / view.scale;
}

// Shows a rectangle of world coordinates with some room around it.
function fit(west, north, east, south) {
  view.x = (west + east) / 2;
  view.y = (north + south) / 2;
  const room = 0.88;
  const width = Math.max(east - west, 2e-5), height = Math.max(south - north, 2e-5);
  view.scale = Math.min(MAX_SCALE, room * Math.min(view.width / width, view.height / height));
}
