"use strict";
(() => {
  const { byId, read, make, number, colour, whenColoursChange, worldMap } = frame;
  const has = (id) => byId(id) !== null;
  const phone = matchMedia("(pointer: coarse)").matches;
  // The wheel moves the page, until the map is asked for.
  const mapIn = (id) => {
    const { map, countries } = worldMap(id, { scrollWheelZoom: false, maxBoundsViscosity: 0.4 });
    map.setMaxZoom(18);
    map.on("click", () => map.scrollWheelZoom.enable());
    map.getContainer().addEventListener("mouseleave", () => map.scrollWheelZoom.disable());
    countries({ interactive: false }).addTo(map);
    return map;
  };
  const km = (value) => `${value < 10 ? value.toPrecision(2) : number(Math.round(value))} km`;
  const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;

  // --- The map of errors
  const LIMITS = [[25, "up to 25 km"], [200, "200 km"], [750, "750 km"], [2500, "2,500 km"], [Infinity, "farther"]];
  const classOf = (error) => LIMITS.findIndex(([limit]) => error <= limit);
  // Points on the shortest way, longitudes running on past the date line.
  const way = ([lat1, lng1], [lat2, lng2]) => {
    const rad = Math.PI / 180;
    const vector = (lat, lng) => [Math.cos(lat * rad) * Math.cos(lng * rad), Math.cos(lat * rad) * Math.sin(lng * rad), Math.sin(lat * rad)];
    const a = vector(lat1, lng1);
    const b = vector(lat2, lng2);
    const angle = Math.acos(Math.min(1, Math.max(-1, a[0] * b[0] + a[1] * b[1] + a[2] * b[2])));
    const steps = Math.max(1, Math.ceil(angle / 0.05));
    const found = [[lat1, lng1]];
    for (let step = 1; step <= steps; step += 1) {
      const t = step / steps;
      const [p, q] = angle < 1e-9 ? [1 - t, t] : [Math.sin((1 - t) * angle), Math.sin(t * angle)].map((x) => x / Math.sin(angle));
      const [x, y, z] = a.map((value, i) => p * value + q * b[i]);
      const lng = Math.atan2(y, x) / rad;
      const before = found.at(-1)[1];
      found.push([Math.atan2(z, Math.hypot(x, y)) / rad, lng + 360 * Math.round((before - lng) / 360)]);
    }
    return found;
  };
  const drawErrors = () => {
    const map = mapIn("errors-map");
    const canvas = L.canvas({ padding: 0.4, tolerance: phone ? 8 : 3 });
    const photos = read("photos");
    const shades = () => LIMITS.map((_, i) => colour(`--km-${i}`));
    let colours = shades();
    const chosen = L.layerGroup().addTo(map);
    const show = ([lat, lng, guessLat, guessLng, error, name]) => {
      chosen.clearLayers();
      L.polyline(way([lat, lng], [guessLat, guessLng]), { color: colour("--ink"), weight: 2, interactive: false }).addTo(chosen);
      L.circleMarker([lat, lng], { radius: 8, color: colour("--ink"), weight: 2, fill: false, interactive: false }).addTo(chosen);
      byId("errors-said").textContent = `${name}: ${km(error)} off`;
    };
    // Near ones first, so that no large error is hidden.
    const order = photos.slice().sort((a, b) => a[4] - b[4]);
    const dots = order.map((photo) => L.circleMarker([photo[0], photo[1]], {
      renderer: canvas, radius: photos.length > 2000 ? 3 : 4.5, stroke: true, weight: 0.6, color: colour("--page"),
      fillColor: colours[classOf(photo[4])], fillOpacity: 0.9,
    }).on("click", (event) => { L.DomEvent.stopPropagation(event); show(photo); }));
    const drawn = L.featureGroup(dots).addTo(map);
    const legend = byId("errors-legend");
    const paint = () => {
      colours = shades();
      dots.forEach((dot, i) => dot.setStyle({ fillColor: colours[classOf(order[i][4])], color: colour("--page") }));
      legend.replaceChildren(...LIMITS.map(([, label], i) => {
        const item = make("li", "");
        const swatch = make("span", "swatch");
        swatch.style.background = colours[i];
        const count = photos.filter((photo) => classOf(photo[4]) === i).length;
        item.append(swatch, `${label}: ${number(count)}`);
        return item;
      }));
    };
    paint();
    whenColoursChange(paint);
    map.fitBounds(drawn.getBounds(), { padding: [24, 24], maxZoom: 12, animate: false });
  };

  // --- The neighbourhood map
  const drawCells = () => {
    const cells = read("cells");
    const map = mapIn("cells-map");
    const canvas = L.canvas({ padding: 0.4, tolerance: phone ? 6 : 0 });
    const latLngs = (parts) => parts.map((rings) => rings.map((ring) => ring.map(([x, y]) => [y, x])));
    // The borders of thousands of cells would hide the map.
    const border = cells.length > 2000 ? { weight: 0.3, opacity: 0.3 } : { weight: 0.5, opacity: 0.6 };
    const plain = (cell) => ({ color: colour("--quiet"), ...border, fill: true, fillColor: colour("--c0"), fillOpacity: cell.to ? 0.1 : 0.02 });
    let dressed = [];
    let pinned = null;
    let current = null;
    const undress = () => {
      dressed.forEach((i) => layers[i].setStyle(plain(cells[i])));
      dressed = [];
    };
    const show = (index) => {
      if (index === current) return;
      current = index;
      undress();
      const cell = cells[index];
      const said = byId("cells-said");
      said.replaceChildren(make("strong", "", cell.name));
      if (!cell.to) {
        said.append(": no photo here");
        layers[index].setStyle({ color: colour("--ink"), weight: 2.5, opacity: 1 });
        dressed = [index];
        return;
      }
      // The least share still shows; the most is full.
      const most = Math.max(...cell.to.map(([, share]) => share));
      cell.to.forEach(([other, share]) => {
        layers[other].setStyle({ fillColor: colour(other === index ? "--right" : "--c1"), fillOpacity: 0.15 + 0.8 * Math.sqrt(share / most), weight: 1, opacity: 1 }).bringToFront();
        dressed.push(other);
      });
      layers[index].setStyle({ color: colour("--ink"), weight: 2, opacity: 1 }).bringToFront();
      dressed.push(index);
      const told = cell.to.slice(0, 6).map(([other, share]) => `${other === index ? "itself" : cells[other].name} ${percent(share)}`);
      said.append(` (${number(cell.n)} photo${cell.n === 1 ? "" : "s"}): ${told.join(", ")}`);
    };
    const choose = byId("cell");
    const pin = (index) => {
      pinned = index;
      choose.value = index === null ? "" : String(index);
      if (index !== null) show(index);
    };
    const layers = cells.map((cell, index) => {
      const layer = cell.shape
        ? L.polygon(latLngs(cell.shape), { renderer: canvas, smoothFactor: 0.5 })
        : L.circleMarker(cell.at, { renderer: canvas, radius: 6 });
      return layer.setStyle(plain(cell))
        .on("mouseover", () => { if (pinned === null) show(index); })
        .on("click", (event) => { L.DomEvent.stopPropagation(event); pin(pinned === index ? null : index); });
    });
    L.featureGroup(layers).addTo(map);
    const extent = (layer) => (layer.getBounds ? layer.getBounds() : L.latLngBounds([layer.getLatLng()]));
    const busy = cells.map((_, index) => index).filter((index) => cells[index].to);
    const bounds = L.latLngBounds([]);
    busy.forEach((index) => bounds.extend(extent(layers[index])));
    map.fitBounds(bounds.isValid() ? bounds : frame.world, { padding: [16, 16], maxZoom: 14, animate: false });
    map.on("click", () => pin(null));

    const option = (value, text) => {
      const made = make("option", "", text);
      made.value = value;
      return made;
    };
    const sorted = busy.slice().sort((a, b) => cells[b].n - cells[a].n);
    choose.replaceChildren(option("", "choose one"), ...sorted.map((i) => option(String(i), `${cells[i].name} (${number(cells[i].n)})`)));
    choose.addEventListener("change", () => pin(choose.value === "" ? null : Number(choose.value)));
    whenColoursChange(() => {
      layers.forEach((layer, index) => layer.setStyle(plain(cells[index])));
      const again = current;
      current = null;
      if (again !== null) show(again);
    });
    const asked = /^#cell-(\d+)$/.exec(location.hash)?.[1];
    if (asked !== undefined && cells[asked]) pin(Number(asked));
    else if (sorted.length) show(sorted[0]);
  };
  if (has("errors-map")) drawErrors();
  if (has("cells-map")) drawCells();

  // --- Tables that sort
  document.querySelectorAll("table.sorts").forEach((table) => {
    const heads = [...table.querySelectorAll("thead th")];
    const key = (row, column) => row.cells[column].dataset.value;
    const isNumber = (text) => text !== undefined && text !== "" && !Number.isNaN(Number(text));
    heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
      const rows = [...table.tBodies[0].rows];
      const numeric = rows.some((row) => isNumber(key(row, column)));
      const before = head.getAttribute("aria-sort");
      const down = before === null ? numeric : before === "ascending";
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const compare = (a, b) => {
        const [x, y] = [key(a, column), key(b, column)];
        if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);  // unknown last
        const order = numeric ? Number(x) - Number(y) : x.localeCompare(y, "en");
        return down ? -order : order;
      };
      table.tBodies[0].append(...rows.sort(compare));
    }));
  });

  // Paper can't be tapped.
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => { each.open = true; }));
})();
