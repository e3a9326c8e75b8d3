"use strict";
(() => {
  const { byId, read, make, number, colour, whenColoursChange, ground } = frame;
  const { circle, holdsPole } = circles;
  const { map, countries: outlines, go: fly } = frame.worldMap("map");
  const { labels: answers, entries } = read("located");
  const FITTED_KM = { all: 1500, one: 2500 };  // larger circles don't make the view smaller

  const percent = (p) => p === null ? "" : (p > 0 && p < 0.005 ? "<1%" : p < 1 && p > 0.995 ? ">99%" : `${Math.round(p * 100)}%`);
  const distance = (km) => {
    if (km < 1) return `${Math.round(km * 1000)}\u00a0m`;
    return `${km < 10 ? km.toFixed(1) : number(Math.round(km))}\u00a0km`;
  };
  // An estimate has no more than two digits.
  const written = (km) => {
    const rounded = Number(km.toPrecision(2));
    if (rounded < 1) return `${number(Math.round(1000 * rounded))} m`;
    return rounded < 10 ? `${rounded.toFixed(1)} km` : `${number(rounded)} km`;
  };
  const coordinates = ([latitude, longitude]) =>
    `${Math.abs(latitude).toFixed(3)}° ${latitude < 0 ? "S" : "N"}, ` +
    `${Math.abs(longitude).toFixed(3)}° ${longitude < 0 ? "W" : "E"}`;
  const candidatesOf = (entry) => entry.candidates.map(([label, probability]) => (
    { name: answers[label][0], code: answers[label][1], probability }));
  const best = (entry) => candidatesOf(entry)[0];
  const radiiOf = (entry) => entry.guess ? entry.radii ?? [] : [];
  const sureness = (entry) => (entry.guess ? entry.candidates[0]?.[1] ?? 0 : -1);
  const unknown = "I don't know";
  const within = ([share, km]) => `${share}\u00a0%: within ${written(km)}`;
  const names = (entry) => [entry.name, ...(entry.also ?? []).map(([name]) => name)];
  const title = (entry) => entry.also ? `${entry.also.length + 1} photos of one place` : entry.name;

  map.setMaxZoom(16);
  const chosenPane = map.createPane("chosen");
  chosenPane.style.zIndex = 450;
  chosenPane.style.pointerEvents = "none";
  const countries = (shift) => outlines({
    coordsToLatLng: ([longitude, latitude]) => L.latLng(latitude, longitude + shift),
  });
  const world = countries(0).addTo(map);
  const signs = new labels.Labels().addTo(map);
  signs.setCountries(ground.labels);
  signs.setCities(ground.cities);

  // Room for the labels, and for what lies over the map's corners; less on a phone.
  const go = (bounds, maxZoom) => {
    const { x, y } = map.getSize();
    fly(bounds, {
      paddingTopLeft: [Math.min(90, x * 0.12), Math.min(84, y * 0.14)],
      paddingBottomRight: [Math.min(90, x * 0.12), Math.min(76, y * 0.2)], maxZoom,
    });
  };
  const dots = new map_dots.Dots(map, {
    place: (index) => entries[index].guess,
    said: (index) => best(entries[index])?.name,
    tell: (index) => [title(entries[index]), best(entries[index])?.name].filter(Boolean).join(": "),
    colours: () => ({ fillColor: colour("--accent"), color: colour("--card") }),
    choose: (index) => select(index),
    gather: (indexes) => gather(indexes),
    fly: (bounds) => go(bounds, 16),
  });
  whenColoursChange(() => dots.draw());

  // Hovering a country names it. The dots' canvas lies above the outlines, so they are asked for by position.
  const hover = L.tooltip({ direction: "top", offset: [0, -6], opacity: 1 });
  let shares = {};
  map.on("mousemove", (event) => {
    const { clientX, clientY } = event.originalEvent;
    const path = document.elementsFromPoint(clientX, clientY).find((each) => each.classList.contains("country"));
    if (!path || dots.named) return map.closeTooltip(hover);
    const { code, name } = path.feature.properties;
    hover.setLatLng(event.latlng).setContent(make("span", "", code in shares ? `${name} ${percent(shares[code])}` : name));
    return map.openTooltip(hover);
  });
  map.on("mouseout", () => map.closeTooltip(hover));

  const shade = (layer) => layer.eachLayer((each) => {
    const path = each.getElement();
    path.feature = each.feature;
    const share = shares[each.feature.properties.code];
    path.classList.toggle("shaded", share > 0);
    if (share > 0) path.style.setProperty("--shade", `${Math.round(12 + 63 * share)}%`);
  });
  shade(world);

  // The cards.
  const described = (entry) => {
    const said = candidatesOf(entry).map((each) => `${each.name} ${percent(each.probability)}`);
    if (!entry.guess) said.unshift(`${unknown}: ${entry.warning}`);
    const off = entry.error === undefined ? [] : [`${distance(entry.error)} from the truth`];
    return `${title(entry)}: ${[...said, ...radiiOf(entry).map(within), ...off].join(", ")}`;
  };
  const pictures = (entry) => [entry.thumbnail, ...(entry.also ?? []).map(([, thumbnail]) => thumbnail)].filter(Boolean);
  const card = (index) => {
    const entry = entries[index];
    const made = make("div", "card");
    made.classList.toggle("bare", !pictures(entry).length);
    made.classList.toggle("abstained", !entry.guess);
    made.setAttribute("role", "option");
    made.setAttribute("aria-selected", "false");
    made.setAttribute("aria-label", described(entry));
    made.addEventListener("click", () => select(index));
    return made;
  };
  const fill = (made, index) => {
    if (made.hasChildNodes()) return;
    const entry = entries[index];
    const shown = pictures(entry);
    const thumbs = make("div", shown.length > 1 ? "thumbs several" : "thumbs");
    for (const source of shown) {
      const image = make("img", "thumb");
      image.alt = "";
      image.decoding = "async";
      image.loading = "lazy";
      image.addEventListener("error", () => image.classList.add("gone"));
      image.src = source.includes(".") ? source : `data:image/jpeg;base64,${source}`;
      thumbs.append(image);
    }
    if (shown.length) made.append(thumbs);
    const top = make("div", "top");
    const name = make("span", "name", title(entry));
    name.title = names(entry).join("\n");
    top.append(name);
    if (entry.error !== undefined) top.append(make("span", "off", `${distance(entry.error)} off`));
    const bars = make("div", "bars");
    if (!entry.guess) bars.append(make("div", "unknown", unknown), make("div", "why", entry.warning));
    for (const { name: label, probability } of candidatesOf(entry)) {
      const bar = make("div", "bar");
      const track = make("div", "track");
      const level = make("span", "fill");
      level.style.width = `${probability * 100}%`;
      track.append(level);
      bar.append(make("span", "label", label), make("span", "percent", percent(probability)));
      if (probability !== null) bar.append(track);
      bars.append(bar);
    }
    radiiOf(entry).forEach((each) => bars.append(make("div", `within share-${each[0]}`, within(each))));
    if (entry.guess && entry.warning) bars.append(make("div", "why", `Beware: ${entry.warning}`));
    const more = make("div", "more");
    if (entry.guess) more.append(make("span", "", `Guess: ${coordinates(entry.guess)}`));
    if (entry.truth) more.append(make("span", "", ["Truth", entry.truthName].filter(Boolean).join(": ")));
    if (entry.also) more.append(make("span", "", names(entry).join(", ")));
    made.append(top, bars, more);
  };
  const list = new map_list.PhotoList(byId("list"), { card, fill, choose: (index) => select(index, { focus: true }) });

  // What the map fits: the places, and their circles up to a sensible size.
  const around = ([latitude, longitude], km) => {
    const up = km / 111.2;
    const across = Math.min(180, up / Math.max(0.1, Math.cos(latitude * Math.PI / 180)));
    return [[latitude - up, longitude - across], [Math.min(84, latitude + up), longitude + across]];
  };
  const everything = () => {
    const bounds = L.latLngBounds([]);
    for (const index of list.order) {
      const entry = entries[index];
      if (entry.guess) around(entry.guess, Math.min(FITTED_KM.all, radiiOf(entry).at(-1)?.[1] ?? 0)).forEach((corner) => bounds.extend(corner));
    }
    return bounds.isValid() ? bounds : frame.world;
  };

  // Choosing a photo.
  let chosen = null;
  const overlay = L.layerGroup().addTo(map);
  const mark = (legend, visible) => document.querySelectorAll(`#legend [data-for=${legend}]`)
    .forEach((each) => { each.hidden = !visible; });
  const show = (index) => {
    if (chosen !== null) list.card(chosen)?.setAttribute("aria-selected", "false");
    chosen = index;
    overlay.clearLayers();
    shares = {};
    const entry = index === null ? null : entries[index];
    for (const { code, probability } of entry?.guess ? candidatesOf(entry) : []) {
      if (code && probability !== null) shares[code] = (shares[code] || 0) + probability;
    }
    byId("map").classList.toggle("chosen", entry !== null);
    byId("all").hidden = (entry === null && spot === null) || entries.length === 1;
    mark("several", entry === null && document.querySelector("#map .cluster") !== null);
    mark("truth", Boolean(entry?.truth));
    mark("circles", Boolean(entry && radiiOf(entry).length));
    mark("shade", Object.keys(shares).length > 0);
    if (entry) draw(entry);
    shade(world);
  };
  // All points that the view should hold of a photo.
  const outline = (entry) => {
    const { guess, truth, way } = entry;
    const areas = radiiOf(entry).map(([, km]) => around(guess, Math.min(km, FITTED_KM.one)));
    return [guess, truth, ...(way || []), ...areas.flat()].filter(Boolean);
  };
  // A circle that holds a pole spans all longitudes, and is drawn wherever the world is.
  const turns = (area) => holdsPole(area) ? [-360, 0, 360] : [0];
  const turned = (points, turn) => points.map(([latitude, longitude]) => [latitude, longitude + turn]);
  // A circle may end where the map does; there it has no border of its own.
  const borders = (area) => {
    const lines = [[]];
    for (const point of area) {
      if (Math.abs(point[0]) > L.Projection.SphericalMercator.MAX_LATITUDE) lines.push([]);
      else lines.at(-1).push(point);
    }
    return lines.filter((points) => points.length > 1);
  };
  const draw = (entry) => {
    const line = (points, className) => L.polyline(points, { pane: "chosen", renderer: drawn, className, smoothFactor: 0 });
    const ring = (point, className, radius) => L.circleMarker(point, { pane: "chosen", renderer: drawn, className, radius });
    const sign = (point, text, direction) => L.tooltip(point, {
      content: make("span", "", text), permanent: true, direction, offset: [0, direction === "top" ? -10 : 10], opacity: 1,
    });
    const drawn = L.svg({ pane: "chosen", padding: 0.6 });
    const { guess, truth, way } = entry;
    const areas = radiiOf(entry).map(([share, km]) => ({ share, area: circle(guess[0], guess[1], km) }));
    const points = [guess, truth, ...(way || []), ...areas.flatMap(({ area }) => area)].filter(Boolean);
    // Where the drawing runs past the date line, the world goes on there.
    for (const [shift, beyond] of [[-360, (lon) => lon < -180], [360, (lon) => lon > 180]]) {
      const everywhere = areas.some(({ area }) => turns(area).includes(shift));
      if (!everywhere && !points.some(([, longitude]) => beyond(longitude))) continue;
      const copy = countries(shift);
      overlay.addLayer(copy);
      shade(copy);
    }
    for (const { share, area } of areas) {
      for (const corners of turns(area).map((turn) => turned(area, turn))) {
        overlay.addLayer(L.polygon(corners, { pane: "chosen", renderer: drawn, className: "area", smoothFactor: 0 }));
        overlay.addLayer(line(borders(corners), `border share-${share}`));
      }
    }
    if (way) overlay.addLayer(line(way, "arc"));
    if (truth) overlay.addLayer(ring(truth, "truth", 7));
    const truthAbove = !guess || (truth && truth[0] > guess[0]);
    if (guess) {
      overlay.addLayer(ring(guess, "guess", 7));
      const answer = best(entry) ? `Guess: ${best(entry).name}\u00a0${percent(best(entry).probability)}` : "Guess";
      overlay.addLayer(sign(guess, answer, truthAbove ? "bottom" : "top"));
    }
    if (truth) {
      const off = entry.error === undefined ? [] : [`${distance(entry.error)}\u00a0off`];
      const text = [entry.truthName ? `Truth: ${entry.truthName}` : "Truth", ...off].join(", ");
      overlay.addLayer(sign(truth, text, truthAbove ? "top" : "bottom"));
    }
  };
  const select = (index, { focus = false } = {}) => {
    show(index);
    const entry = entries[index];
    const made = list.reveal(index);
    if (made) {
      fill(made, index);
      made.setAttribute("aria-selected", "true");
      made.scrollIntoView({ block: "nearest" });
      if (focus) made.focus({ preventScroll: true });
    }
    history.replaceState(null, "", `#photo-${index + 1}`);
    const points = outline(entry);
    if (points.length) go(L.latLngBounds(points), radiiOf(entry).length ? 9 : entry.way ? 5 : 4);
    else go(frame.world);
  };
  const clear = () => {
    const gathered = spot !== null;
    spot = null;
    show(null);
    history.replaceState(null, "", "#");
    if (gathered) arrange();
    go(everything(), 12);
  };
  byId("all").addEventListener("click", clear);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && (chosen !== null || spot !== null)) clear();
  });

  // Filtering and ordering.
  const knowsTruth = entries.some((entry) => entry.error !== undefined);
  byId("tools").hidden = entries.length < 6;
  document.querySelectorAll("[data-needs-truth]").forEach((option) => { if (!knowsTruth) option.remove(); });
  const texts = entries.map((entry) => (
    [...names(entry), entry.guess ? best(entry)?.name : unknown, entry.truthName].join("\n").toLowerCase()));
  const keys = {
    given: (_, i) => i,
    surest: (entry) => -sureness(entry),
    unsurest: sureness,
    nearest: (entry) => entry.error ?? Infinity,
    farthest: (entry) => -(entry.error ?? -Infinity),
  };
  const all = entries.map((_, i) => i);
  let sorted = all;
  let spot = null;  // the photos of one spot, where only these are listed
  const wanted = () => byId("filter").value.trim().toLowerCase();
  const matching = () => (wanted() ? sorted.filter((i) => texts[i].includes(wanted())) : sorted);
  const arrange = () => {
    const few = spot && new Set(spot);
    const order = few ? matching().filter((i) => few.has(i)) : matching();
    list.show(order);
    byId("empty").hidden = order.length > 0;
    const { all: whole } = byId("count").dataset;
    byId("count").textContent = few ? `${number(order.length)} of ${number(entries.length)}, at one spot`
      : wanted() ? `${number(order.length)} of ${number(entries.length)}` : whole;
  };
  const filter = () => {
    if (chosen !== null && !texts[chosen].includes(wanted())) show(null);
    spot = null;
    arrange();
    dots.show(matching().filter((i) => entries[i].guess));
  };
  const gather = (indexes) => {
    spot = indexes;
    show(null);
    arrange();
  };
  let waiting = 0;
  byId("filter").addEventListener("input", () => {
    clearTimeout(waiting);
    if (entries.length < 2000) filter();
    else waiting = setTimeout(filter, 150);
  });
  byId("order").addEventListener("change", (event) => {
    const values = entries.map(keys[event.target.value]);
    sorted = [...all].sort((a, b) => (values[a] - values[b]) || a - b);
    arrange();
  });

  byId("count").dataset.all = byId("count").textContent;
  filter();
  const { x, y } = map.getSize();
  map.fitBounds(everything(), { padding: [Math.min(48, x * 0.08), Math.min(48, y * 0.1)], maxZoom: 12, animate: false });
  show(null);
  const asked = Number(/^#photo-(\d+)$/.exec(location.hash)?.[1]) - 1;
  if (entries[asked]) select(asked);
  else if (entries.length === 1) select(0);
})();
