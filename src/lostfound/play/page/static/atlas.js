// The map of the game: where it was, what was guessed, and the way between them.
import { byId, make } from "./dom.js";
import { Ground, pane } from "./ground.js";

const WORLD = [[-55, -165], [74, 178]];
const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Atlas {
  constructor() {
    this.ground = new Ground("map");
    this.map = this.ground.map;
    pane(this.map, "ways", 450);
    this.renderer = L.svg({ pane: "ways", padding: 0.6 });
    this.layer = L.layerGroup().addTo(this.map);
    this.looking = WORLD;
    new ResizeObserver(() => {
      this.map.invalidateSize({ animate: false });
      this._fit(false);
    }).observe(byId("map"));
    for (const kind of ["wheel", "pointerdown", "keydown"]) {
      byId("map").addEventListener(kind, () => { this.looking = null; }, { passive: true, capture: true });
    }
    this.ground.draw("world.json");
  }

  onClick(told) {
    this.map.on("click", ({ latlng }) => {
      const wrapped = latlng.wrap();
      told(Math.max(-90, Math.min(90, wrapped.lat)), wrapped.lng);
    });
  }

  // Into another part of the page.
  moveTo(place) {
    place.append(byId("map"));
  }

  clear() {
    this.layer.clearLayers();
  }

  world() {
    this.looking = WORLD;
    this._fit(false);
  }

  pin(point, kind, words, label = "") {
    const icon = L.divIcon({ className: `spot ${kind}`, iconSize: [20, 20], html: make("span", "", label) });
    const marker = L.marker(point, { icon, keyboard: Boolean(words), zIndexOffset: kind === "true" ? 500 : 0 });
    if (words) marker.bindTooltip(() => make("span", "", words), { direction: "top", offset: [0, -10], opacity: 1 });
    this.layer.addLayer(marker);
    marker.getElement().setAttribute("aria-label", words);
    return marker;
  }

  // Points of the way, which may run on past ±180.
  way(points, kind) {
    this.layer.addLayer(L.polyline(points, { pane: "ways", renderer: this.renderer, className: `way ${kind}`, smoothFactor: 0, interactive: false }));
  }

  look(points, animate = !still.matches) {
    if (!points.length) return this.world();
    this.looking = points;
    return this._fit(animate);
  }

  _fit(animate) {
    if (!this.looking || !this.map.getSize().x) return;
    const small = this.map.getSize().x < 420;
    const room = { paddingTopLeft: small ? [52, 34] : [64, 44], paddingBottomRight: small ? [34, 34] : [44, 44], maxZoom: 6, animate: false };
    if (animate) this.map.flyToBounds(this.looking, { ...room, animate: true, duration: 0.6 });
    else this.map.fitBounds(this.looking, room);
  }
}
