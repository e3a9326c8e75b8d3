// A map that needs no network: borders and names, in three worlds side by side.
import { byId } from "./dom.js";
import { Labels } from "./labels.js";

const FINE_ZOOM = 3.6;  // from which on the finer borders are drawn
const still = matchMedia("(prefers-reduced-motion: reduce)");

// A layer of its own, that is not clicked.
export function pane(map, name, height) {
  const made = map.createPane(name);
  made.style.zIndex = height;
  made.style.pointerEvents = "none";
}

export class Ground {
  // In the element of that id; `changed` is told when borders were drawn anew.
  constructor(id, changed = () => {}) {
    this.layers = [];
    this._changed = changed;
    this._group = null;
    this._fine = null;
    this.map = L.map(id, {
      zoomSnap: 0, minZoom: 0.5, maxZoom: 17, attributionControl: false, zoomControl: false, worldCopyJump: false,
      maxBounds: [[-85.06, -500], [85.06, 500]], maxBoundsViscosity: 0.7,
      fadeAnimation: !still.matches, zoomAnimation: !still.matches, markerZoomAnimation: !still.matches,
    }).setView([25, 10], 1.5);
    L.control.attribution({ prefix: false, position: "bottomright" }).addAttribution("Leaflet · Natural Earth · GeoNames").addTo(this.map);
    L.control.zoom({ position: "topleft" }).addTo(this.map);
    L.control.scale({ position: "bottomleft", imperial: false }).addTo(this.map);
    // Leaflet's buttons are links; readers are told what they are.
    for (const link of byId(id).querySelectorAll(".leaflet-control-zoom a")) link.setAttribute("role", "button");
    pane(this.map, "borders", 200);
    this.labels = new Labels().addTo(this.map);
    this.map.on("zoomend", () => this._wantFine());
  }

  // SVG, so that the style sheet colours them.
  async draw(name) {
    const { shapes, labels: names } = await (await fetch(`/static/${name}`)).json();
    const renderer = L.svg({ pane: "borders", padding: 0.5 });
    this.layers = [0, -360, 360].map((shift) => L.geoJSON(shapes, {
      pane: "borders", renderer, className: "country", smoothFactor: 0.8, interactive: false,
      coordsToLatLng: ([longitude, latitude]) => L.latLng(latitude, longitude + shift),
    }));
    const next = L.layerGroup(this.layers).addTo(this.map);
    this._group?.remove();
    this._group = next;
    this.labels.setCountries(names);
    this._changed();
  }

  _wantFine() {
    if (this.map.getZoom() < FINE_ZOOM || this._fine) return;
    this._fine = Promise.all([
      this.draw("borders.json"),
      fetch("/static/cities.json").then((answer) => answer.json()).then((rows) => this.labels.setCities(rows)),
    ]).catch(() => { this._fine = null; });  // the server is gone: next time
  }
}
