"use strict";
(() => {
  const { byId, read, make, number, whenColoursChange } = frame;
  const { map, countries, go: fly } = frame.worldMap("map");
  const cells = read("cells");
  const images = (count) => `${number(count)} image${count === 1 ? "" : "s"}`;

  map.setMaxZoom(22);
  countries({ interactive: false }).addTo(map);

  // Colours by the logarithm of the count: a few cells often hold most of the images.
  const filled = cells.map((cell) => cell.count).filter((count) => count > 0);
  const least = filled.reduce((a, b) => Math.min(a, b), Infinity);
  const most = filled.reduce((a, b) => Math.max(a, b), 0);
  let ramp = [];
  let ink = "";
  const readColours = () => {
    const channels = (hex) => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
    ramp = [0, 1, 2, 3, 4].map((i) => channels(frame.colour(`--ramp-${i}`)));
    ink = frame.colour("--ink");
  };
  const colour = (count) => {
    const at = most > least ? (4 * Math.log(count / least)) / Math.log(most / least) : 4;
    const low = Math.min(3, Math.floor(at));
    const mix = ramp[low].map((value, i) => Math.round(value + (at - low) * (ramp[low + 1][i] - value)));
    return `rgb(${mix.join(" ")})`;
  };
  const style = (cell) => cell.count
    ? { fill: true, fillColor: colour(cell.count), fillOpacity: 0.78, color: ink, weight: 0.6, opacity: 0.7, dashArray: null }
    : { fill: true, fillOpacity: 0, color: ink, weight: 1, opacity: 0.6, dashArray: "4 4" };

  const label = (cell) => {
    const text = make("span", "cell");
    text.append(make("strong", "", cell.name));
    if (!cell.name.includes(cell.id)) text.append(make("span", "cell", cell.id));
    text.append(make("span", "cell", images(cell.count)));
    return text;
  };
  readColours();
  // The cells may be thousands, hence a canvas; wide margins, so that a dragged map has no blank edges.
  const canvas = L.canvas({ padding: 0.6 });
  // Longitude comes first in the shapes, as in GeoJSON.
  const latLngs = (parts) => parts.map((rings) => rings.map((ring) => ring.map(([x, y]) => [y, x])));
  const layers = cells.map((cell, index) => {
    const layer = cell.shape
      ? L.polygon(latLngs(cell.shape), { renderer: canvas, smoothFactor: 0.5 })
      : L.circleMarker(cell.at, { renderer: canvas, radius: 6 });
    const raise = () => layer.setStyle({ weight: 3, opacity: 1 }).bringToFront();
    return layer.setStyle(style(cell)).bindTooltip(() => label(cell), { sticky: true, opacity: 1 })
      .on("mouseover", raise)
      .on("mouseout", () => layer.setStyle(style(cell)))
      .on("click", () => select(index));
  });
  const drawn = L.featureGroup(layers).addTo(map);
  whenColoursChange(() => {
    readColours();
    layers.forEach((layer, index) => layer.setStyle(style(cells[index])));
  });

  const go = (bounds) => fly(bounds, { padding: [48, 48], maxZoom: 20 });
  const extent = (layer) => (layer.getBounds ? layer.getBounds() : L.latLngBounds([layer.getLatLng()]));
  const everything = () => (cells.length ? drawn.getBounds() : frame.world);
  const pinned = L.tooltip({ permanent: true, direction: "top", opacity: 1, className: "pinned" });
  const select = (index) => {
    const cell = cells[index];
    byId("all").hidden = cells.length === 1;
    pinned.setLatLng(cell.at).setContent(label(cell));
    map.openTooltip(pinned);
    history.replaceState(null, "", `#cell-${encodeURIComponent(cell.id)}`);
    go(extent(layers[index]).pad(0.5));
  };
  const clear = () => {
    map.closeTooltip(pinned);
    byId("all").hidden = true;
    byId("find").value = "";
    history.replaceState(null, "", "#");
    go(everything());
  };
  byId("all").addEventListener("click", clear);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") clear(); });

  // Finding a cell: whole ids and names are suggested, parts of them are found too.
  byId("names").append(...cells.map((cell) => {
    const option = make("option", "");
    option.value = cell.name;
    return option;
  }));
  const find = (text) => {
    const wanted = text.trim().toLowerCase();
    const keys = cells.map((cell) => [cell.id.toLowerCase(), cell.name.toLowerCase()]);
    const exact = keys.findIndex((names) => names.includes(wanted));
    return exact >= 0 ? exact : keys.findIndex((names) => names.some((name) => name.includes(wanted)));
  };
  byId("find").addEventListener("change", (event) => {
    const found = event.target.value.trim() ? find(event.target.value) : null;
    event.target.classList.toggle("missing", found === -1);
    if (found === null) clear();
    else if (found >= 0) select(found);
  });

  byId("scale").hidden = !filled.length;
  byId("least").textContent = number(filled.length ? least : 0);
  byId("most").textContent = number(most);
  byId("empties").hidden = filled.length === cells.length;
  map.fitBounds(everything(), { padding: [32, 32], maxZoom: 20, animate: false });
  const asked = /^#cell-(.+)$/.exec(location.hash)?.[1];
  const at = asked === undefined ? -1 : cells.findIndex((cell) => encodeURIComponent(cell.id) === asked);
  if (at >= 0) select(at);
})();
