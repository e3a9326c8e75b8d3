// Photos on the map: dots, and counted circles where several would lie over each other.
const NAMED = 1000;  // photos of a circle whose answers are counted

export class Dots {
  // `place` and `said` give a photo's place and answer; `choose` is told of a dot, `gather` of a spot's photos.
  constructor(map, { place, said, tell, colours, choose, gather, fly }) {
    Object.assign(this, { _map: map, _place: place, _said: said, _tell: tell, _colours: colours, _choose: choose, _gather: gather, _fly: fly });
    this._layer = L.layerGroup().addTo(map);
    this._index = null;
    this.named = false;  // whether one says its name
    map.on("moveend", () => this.draw());
  }

  // Show these photos.
  show(indexes) {
    this._index = new Supercluster({ radius: 34, extent: 256, minPoints: 2, maxZoom: 16 }).load(indexes.map((index) => {
      const [latitude, longitude] = this._place(index);
      return { type: "Feature", properties: { index }, geometry: { type: "Point", coordinates: [longitude, latitude] } };
    }));
    this.draw();
  }

  draw() {
    if (!this._index) return;
    this.named = false;
    this._layer.clearLayers();
    const seen = this._map.getBounds().pad(0.2);
    const west = Math.max(-180, Math.min(180, seen.getWest()));
    const east = Math.max(-180, Math.min(180, seen.getEast()));
    const box = [west, Math.max(-85, seen.getSouth()), east, Math.min(85, seen.getNorth())];
    for (const found of this._index.getClusters(box, Math.round(this._map.getZoom()))) {
      const [longitude, latitude] = found.geometry.coordinates;
      const made = found.properties.cluster ? this._circle(found, [latitude, longitude]) : this._dot(found.properties.index);
      this._layer.addLayer(made.on("mouseover", () => { this.named = true; }).on("mouseout", () => { this.named = false; }));
    }
  }

  _dot(index) {
    return L.circleMarker(this._place(index), { radius: 5, weight: 1, fillOpacity: 0.85, ...this._colours() })
      .bindTooltip(() => make("span", "", this._tell(index)))
      .on("click", () => this._choose(index));
  }

  _circle({ id, properties: { point_count: count } }, at) {
    const size = Math.round(22 + 7 * Math.log10(count));
    const icon = L.divIcon({ className: "cluster", html: make("span", "", short(count)), iconSize: [size, size] });
    const marker = L.marker(at, { icon, riseOnHover: true }).bindTooltip(() => make("span", "", this._summary(id, count)), { offset: [0, -size / 2], direction: "top" });
    const label = `${frame.number(count)} photos`;
    marker.on("add", () => marker.getElement().setAttribute("aria-label", label));
    return marker.on("click", () => this._open(id)).on("keypress", ({ originalEvent }) => {
      if (originalEvent.key === "Enter") this._open(id);
    });
  }

  _summary(id, count) {
    const times = new Map();
    for (const { properties: { index } } of this._index.getLeaves(id, NAMED)) {
      const answer = this._said(index);
      if (answer) times.set(answer, (times.get(answer) ?? 0) + 1);
    }
    const names = [...times].sort((a, b) => b[1] - a[1]).slice(0, 3).map(([name]) => name);
    return `${frame.number(count)} photos: ${[...names, ...(times.size > 3 ? ["…"] : [])].join(", ")}`;
  }

  // Nearer, where that parts them; else a list of them.
  _open(id) {
    const indexes = this._index.getLeaves(id, Infinity).map(({ properties }) => properties.index);
    const bounds = L.latLngBounds(indexes.map(this._place));
    const apart = bounds.getNorthEast().distanceTo(bounds.getSouthWest());
    if (apart > 100) this._fly(bounds);
    else this._gather(indexes);
  }
}

const short = (count) => count < 1000 ? String(count) : count < 100000 ? `${(count / 1000).toPrecision(2)}k` : `${Math.round(count / 1000)}k`;
