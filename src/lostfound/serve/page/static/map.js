// The map: borders that need no network, the answers of all photos, and all that is said of the chosen one.
import { circle, distanceKm, holdsPole } from "./circles.js";
import { byId, make } from "./dom.js";
import { Ground, pane } from "./ground.js";
import { choose, onChange, state, subjects } from "./state.js";
import { count, percent } from "./words.js";

const LARGE_KM = 4000;    // circles beyond it are not filled: they would colour the whole map
const LEAST_SHADE = 0.01; // less than that is not seen
const LIKELY = 0.05;      // candidates less probable than that are not waited for when the map looks at an answer
const WORLD = L.latLngBounds([-55, -165], [74, 178]);
const still = matchMedia("(prefers-reduced-motion: reduce)");
const narrow = matchMedia("(max-width: 760px)");

let ground, map, labels, overview, overlay, pins = [];
let shares = {};          // probability by country, of what is shown
let drawn = null;         // the subject and the guess that are
let moved = false;        // has somebody moved the map since?

export async function build() {
  ground = new Ground("map", shade);
  ({ map, labels } = ground);
  pane(map, "chosen", 450);
  overview = L.layerGroup().addTo(map);
  overlay = L.layerGroup().addTo(map);
  byId("all").addEventListener("click", () => choose(null));
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && state.chosen && !state.place && !event.defaultPrevented) choose(null);
  });
  addEventListener("pointerdown", () => document.body.classList.add("pointing"), true);
  addEventListener("keydown", () => document.body.classList.remove("pointing"), true);
  new ResizeObserver(resized).observe(byId("map"));
  for (const kind of ["wheel", "pointerdown", "keydown"]) {
    byId("map").addEventListener(kind, () => { moved = true; }, { passive: true, capture: true });
  }
  show(WORLD, { animate: false });
  onChange(draw);
  await ground.draw("world.json");
}

// The map looks at what it looked at, unless somebody moved it: an answer came beside it, a phone was turned, paper.
function resized() {
  map.invalidateSize({ animate: false });
  if (!moved) look(drawn?.guess ?? null, { animate: false });
}

export function useTiles(address) {
  L.tileLayer(address, { maxZoom: 19, className: "tiles" }).addTo(map);
  byId("map").classList.add("tiled");
}

function shade() {
  for (const layer of ground.layers) {
    layer.eachLayer((each) => {
      const path = each.getElement();
      const share = shares[each.feature.properties.code];
      path.classList.toggle("shaded", share >= LEAST_SHADE);
      if (share >= LEAST_SHADE) path.style.setProperty("--shade", `${Math.round(6 + 42 * share)}%`);
    });
  }
}

// What is drawn of the photos

function draw() {
  const subject = state.chosen;
  const guess = subject?.status === "done" ? subject.guess : null;
  drawOverview();
  if (drawn && drawn.subject === subject && drawn.guess === guess && drawn.box === String(state.options.box)) return;
  const isOther = drawn?.subject !== subject || (guess && drawn?.guess !== guess);
  drawn = { subject, guess, box: String(state.options.box) };
  overlay.clearLayers();
  pins = [];
  shares = {};
  if (guess) {
    if (!guess.abstained) drawCircles(guess);
    drawCandidates(guess);
    for (const { country, probability } of guess.candidates) {
      if (country && probability !== null && !guess.abstained) shares[country] = (shares[country] ?? 0) + probability;
    }
  }
  drawArea();
  shade();
  legend(guess);
  keepFree();
  byId("map").classList.toggle("chosen", Boolean(guess));
  if (isOther) look(guess);
}

function drawCircles({ latitude, longitude, radius_50_km: half, radius_90_km: most }) {
  const renderer = L.svg({ pane: "chosen", padding: 0.6 });
  for (const [share, km] of [[90, most], [50, half]]) {
    if (km === null || km === undefined) continue;
    const area = circle(latitude, longitude, km);
    for (const turn of holdsPole(area) ? [-360, 0, 360] : [0]) {
      const corners = area.map(([lat, lon]) => [lat, lon + turn]);
      const how = { pane: "chosen", renderer, smoothFactor: 0, interactive: false };
      if (km < LARGE_KM) overlay.addLayer(L.polygon(corners, { ...how, className: "within-area" }));
      overlay.addLayer(L.polyline(border(corners), { ...how, className: `ring share-${share}` }));
    }
  }
}

// Names make room for pins and dots.
function keepFree() {
  const box = (at, left, up, width, height) => () => {
    const point = map.latLngToLayerPoint(at);
    return [point.x - left, point.y - up, width, height];
  };
  labels.keepFree([
    ...pins.map(({ at }) => box(at, 15, 34, 30, 38)),
    ...[...byId("place").querySelectorAll("#all, #legend, .leaflet-control")].map((over) => () => overlaid(over)),
    ...overview.getLayers().map((dot) => box(dot.getLatLng(), 12, 12, 24, 24)),
  ]);
}

// What lies over the map, such as its buttons.
function overlaid(element) {
  const { left, top, width, height } = element.getBoundingClientRect();
  const own = byId("map").getBoundingClientRect();
  const { x, y } = map.containerPointToLayerPoint([left - own.left, top - own.top]);
  return [x, y, width, height];
}

// A circle may end where the map does; there it has no border of its own.
function border(corners) {
  const lines = [[]];
  for (const point of [...corners, corners[0]]) {
    if (Math.abs(point[0]) > 85) lines.push([]);
    else lines.at(-1).push(point);
  }
  return lines.filter((points) => points.length > 1);
}

function drawCandidates(guess) {
  const doubtful = guess.abstained ? " doubtful" : "";
  guess.candidates.forEach((each, rank) => {
    const at = nearest([each.latitude, each.longitude], guess);
    const words = [each.name, percent(each.probability)].filter(Boolean).join(" ");
    const icon = L.divIcon({
      className: `marker${rank ? "" : " first"}${doubtful}`, iconSize: [26, 34], iconAnchor: [13, 33],
      tooltipAnchor: [0, -32],
      html: make("span", "", String(rank + 1)),
    });
    const pin = L.marker(at, { icon, zIndexOffset: 1000 - 100 * rank, riseOnHover: true });
    pin.bindTooltip(() => make("span", "", words), { direction: "top", opacity: 1 });
    pin.on("click", () => goTo(rank));
    overlay.addLayer(pin);
    pin.getElement().setAttribute("aria-label", `Candidate ${rank + 1}: ${words}`);
    pins.push({ pin, at });
  });
  const best = guess.candidates[0];
  if (guess.abstained || distanceKm([best.latitude, best.longitude], [guess.latitude, guess.longitude]) < 1) return;
  // The answered point need not be the best candidate's.
  overlay.addLayer(L.circleMarker([guess.latitude, guess.longitude], {
    pane: "chosen", renderer: L.svg({ pane: "chosen" }), radius: 5, className: "point", interactive: false,
  }));
}

// On the side of the date line where the answer is.
function nearest([latitude, longitude], guess) {
  const middle = guess.longitude ?? guess.candidates[0].longitude;
  return [latitude, longitude + 360 * Math.round((middle - longitude) / 360)];
}

function drawArea() {
  const { box } = state.options;
  if (!box) return;
  const [south, west, north, east] = box;
  const renderer = L.svg({ pane: "chosen", padding: 0.6 });
  const corners = [[south, west], [north, east < west ? east + 360 : east]];
  overlay.addLayer(L.rectangle(corners, { pane: "chosen", renderer, className: "area", interactive: false }));
}

// A dot for each photo that was placed; all are seen while none is chosen.
let dots = "";
function drawOverview() {
  const placed = state.place ? [] : state.photos.filter((each) => each.guess && !each.guess.abstained);
  const now = state.chosen?.guess ? `not ${state.chosen.id}` : placed.map((each) => `${each.id} ${each.guess.latitude}`).join();
  byId("all").hidden = !state.chosen || state.place !== null || placed.length < 2;
  if (now === dots) return;
  dots = now;
  overview.clearLayers();
  if (!state.chosen?.guess) for (const photos of atOnePlace(placed)) drawDot(photos);
  keepFree();
}

// A model of countries puts all photos of a country at one point.
function atOnePlace(photos) {
  const places = new Map();
  for (const photo of photos) {
    const key = `${photo.guess.latitude.toFixed(3)} ${photo.guess.longitude.toFixed(3)}`;
    if (!places.has(key)) places.set(key, []);
    places.get(key).push(photo);
  }
  return places.values();
}

function drawDot(photos) {
  const [{ guess, name }] = photos;
  const best = guess.candidates[0];
  const several = photos.length > 1;
  const side = several ? 24 : 16;
  const icon = L.divIcon({
    className: several ? "dot several" : "dot", iconSize: [side, side], html: make("span", "", several ? String(photos.length) : ""),
  });
  const words = several
    ? `${best.name}: ${count(photos.length, "photo")}`
    : [`${name}:`, best.name, percent(best.probability)].filter(Boolean).join(" ");
  const dot = L.marker([guess.latitude, guess.longitude], { icon });
  dot.bindTooltip(() => make("span", "", words), { direction: "top", offset: [0, -side / 2], opacity: 1 });
  dot.on("click", () => choose(photos[0]));
  overview.addLayer(dot);
  dot.getElement().setAttribute("aria-label", words);
}

function legend(guess) {
  const has = {
    answer: guess && !guess.abstained, candidates: guess && guess.candidates.length > (guess.abstained ? 0 : 1),
    50: guess && !guess.abstained && guess.radius_50_km !== null, 90: guess && !guess.abstained && guess.radius_90_km !== null,
    shade: Object.keys(shares).length > 0,
  };
  for (const line of byId("legend").children) line.hidden = !has[line.dataset.for];
  byId("legend-candidates").textContent = guess?.abstained ? "what it thought of" : "others";
  byId("legend").hidden = !guess;
  byId("legend").classList.toggle("doubtful", Boolean(guess?.abstained));
}

// Where the map looks

function show(bounds, { animate = !still.matches, maxZoom = 9 } = {}) {
  const small = narrow.matches || map.getSize().x < 420;
  const room = { paddingTopLeft: small ? [52, 44] : [60, 60], paddingBottomRight: small ? [28, 30] : [60, 76], maxZoom };
  if (animate) map.flyToBounds(bounds, { ...room, duration: 0.8 });
  else map.fitBounds(bounds, { ...room, animate: false });
}

function look(guess, how = {}) {
  moved = false;
  if (guess) return show(view(guess), { ...how, maxZoom: guess.radius_90_km ? 9 : 4.5 });
  if (state.chosen) return undefined;  // it is still being looked at
  const placed = subjects().filter((each) => each.guess && !each.guess.abstained);
  return show(placed.length ? L.latLngBounds(placed.map((each) => [each.guess.latitude, each.guess.longitude])) : WORLD, { ...how, maxZoom: 4 });
}

// The circles, if they are not the whole Earth, and the best candidates.
function view(guess) {
  const bounds = L.latLngBounds([]);
  const { latitude, longitude } = guess;
  if (!guess.abstained) {
    bounds.extend([latitude, longitude]);
    const km = [guess.radius_90_km, guess.radius_50_km].find((each) => each && each < 6000);
    if (km) circle(latitude, longitude, km).forEach((corner) => bounds.extend(corner));
  }
  for (const [rank, { at }] of pins.entries()) {
    if (rank === 0 || (guess.candidates[rank].probability ?? 1) >= LIKELY) bounds.extend(at);
  }
  return bounds.pad(0.02);
}

// To a candidate, by its rank from 0.
export function goTo(rank) {
  const { pin, at } = pins[rank] ?? {};
  if (!pin) return;
  moved = true;
  show(L.latLngBounds([at]).pad(0), { maxZoom: Math.max(5, Math.min(map.getZoom(), 8)) });
  for (const other of pins) other.pin.closeTooltip();
  pin.openTooltip();
}

// What the map shows: [south, west, north, east]; null if it is most of the Earth.
export function shownBox() {
  const bounds = map.getBounds();
  const round = (value) => Math.round(value * 100) / 100;
  const wrap = (degrees) => ((degrees + 540) % 360 + 360) % 360 - 180;
  if (bounds.getEast() - bounds.getWest() >= 350) return null;
  const south = Math.max(-90, bounds.getSouth());
  const north = Math.min(90, bounds.getNorth());
  return [round(south), round(wrap(bounds.getWest())), round(north), round(wrap(bounds.getEast()))];
}
