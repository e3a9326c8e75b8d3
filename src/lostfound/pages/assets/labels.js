// Names of countries and cities on a Leaflet map: the larger first, and none over another.
import { make } from "./dom.js";

const FONT = { country: 12, city: 11 };  // pixels
const GAP = 5;
const CITY_ZOOM = 4.5;
// From which zoom on a city of so many people is named: the largest at once, those of 100 000 at 7.
const cityZoom = (people) => CITY_ZOOM + Math.max(0, 1.47 * Math.log10(5e6 / people));

export const Labels = L.Layer.extend({
  initialize() {
    this._countries = [];
    this._cities = [];
    this._taken = [];
  },
  onAdd(map) {
    this._pane = map.createPane("labels");
    this._pane.setAttribute("aria-hidden", "true");
    map.on("moveend zoomend resize", this.draw, this);
    map.on("zoomstart", this._hide, this);
    this.draw();
  },
  onRemove(map) {
    map.off("moveend zoomend resize", this.draw, this);
    map.off("zoomstart", this._hide, this);
  },
  // [name, latitude, longitude, width in degrees] of countries, [name, latitude, longitude, people] of cities.
  setCountries(rows) {
    this._countries = rows;
    this.draw();
  },
  setCities(rows) {
    this._cities = rows;
    this.draw();
  },
  // Boxes on the map that no name may cover: functions that give [x, y, width, height] in layer points.
  keepFree(boxes) {
    this._taken = boxes;
    this.draw();
  },
  _hide() {
    this._pane.replaceChildren();
  },
  draw() {
    if (!this._map) return;
    const placed = new Placing(this._map, this._taken);
    const zoom = this._map.getZoom();
    for (const [name, latitude, longitude, width] of this._countries) {
      const room = width * 256 * 2 ** zoom / 360;
      placed.put(name, latitude, longitude, "country", room * 1.15 + 14 * Math.max(0, zoom - 4));
    }
    if (zoom >= CITY_ZOOM) {
      for (const [name, latitude, longitude, people] of this._cities) {
        if (zoom < cityZoom(people)) break;  // they are sorted
        placed.put(name, latitude, longitude, "city", Infinity);
      }
    }
    this._pane.replaceChildren(...placed.made);
  },
});

class Placing {
  constructor(map, taken) {
    this.map = map;
    this.made = [];
    this.boxes = taken.map((box) => box(map));
    this.bounds = map.getPixelBounds();
    this.origin = map.getPixelOrigin();
    this.west = map.getBounds().getWest();
    this.east = map.getBounds().getEast();
  }
  // The world goes on at its ends, and so do its names.
  put(name, latitude, longitude, kind, room) {
    const first = Math.ceil((this.west - longitude) / 360);
    const last = Math.floor((this.east - longitude) / 360);
    for (let turn = first; turn <= last && turn < first + 3; turn += 1) {
      this._putOne(name, this.map.project([latitude, longitude + 360 * turn]), kind, room);
    }
  }
  // Half a name at the edge of the map helps nobody.
  _isWhole([x, y, width, height]) {
    const corner = L.point(x, y).add(this.origin);
    return this.bounds.contains(L.bounds(corner, corner.add([width, height])));
  }
  _putOne(name, at, kind, room) {
    if (!this.bounds.contains(at)) return;
    const height = FONT[kind] * 1.3;
    const width = textWidth(name, kind);
    if (width > room) return;
    const dot = kind === "city" ? 7 : 0;
    const { x, y } = at.subtract(this.origin);
    const box = dot ? [x - 4, y - height / 2, width + dot + 6, height] : [x - width / 2, y - height / 2, width, height];
    if (!this._isWhole(box)) return;
    if (this.boxes.some((other) => overlap(box, other))) return;
    this.boxes.push(box);
    const label = make("span", `map-label of-${kind}`, name);
    L.DomUtil.setPosition(label, L.point(Math.round(dot ? x - 3 : box[0]), Math.round(box[1])));
    this.made.push(label);
  }
}

const overlap = ([x, y, width, height], [x2, y2, width2, height2]) =>
  x < x2 + width2 + GAP && x2 < x + width + GAP && y < y2 + height2 + GAP / 2 && y2 < y + height + GAP / 2;

const widths = new Map();
let pen = null;
function textWidth(name, kind) {
  const key = `${kind} ${name}`;
  if (!widths.has(key)) {
    pen ??= document.createElement("canvas").getContext("2d");
    pen.font = `${kind === "country" ? 600 : 400} ${FONT[kind]}px ${getComputedStyle(document.body).fontFamily}`;
    widths.set(key, pen.measureText(name).width + (kind === "country" ? 0.4 * name.length : 0) + 4);
  }
  return widths.get(key);
}
