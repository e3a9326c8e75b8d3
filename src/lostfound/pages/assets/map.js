"use strict";
(() => {
  const { byId, read, make, number, colour, whenColoursChange } = frame;
  const { map, countries: outlines, go: fly } = frame.worldMap("map");
  const entries = read("entries");
  const list = byId("list");

  const percent = (p) => p === null ? "" : (p > 0 && p < 0.005 ? "<1%" : p < 1 && p > 0.995 ? ">99%" : `${Math.round(p * 100)}%`);
  const distance = (km) => {
    if (km < 1) return `${Math.round(km * 1000)}\u00a0m`;
    return `${km < 10 ? km.toFixed(1) : number(Math.round(km))}\u00a0km`;
  };
  const coordinates = ([latitude, longitude]) =>
    `${Math.abs(latitude).toFixed(3)}° ${latitude < 0 ? "S" : "N"}, ` +
    `${Math.abs(longitude).toFixed(3)}° ${longitude < 0 ? "W" : "E"}`;
  const best = (entry) => entry.candidates[0];
  const sureness = (entry) => (entry.guess ? best(entry)?.probability ?? 0 : -1);
  const unknown = "I don't know";
  const within = ({ share, radius }) => `${share}\u00a0%: within ${radius}`;

  // The dots may be thousands, hence they are drawn on a canvas.
  map.setMaxZoom(16);
  const chosenPane = map.createPane("chosen");
  chosenPane.style.zIndex = 450;
  chosenPane.style.pointerEvents = "none";
  const countries = (shift) => outlines({
    coordsToLatLng: ([longitude, latitude]) => L.latLng(latitude, longitude + shift),
  });
  const world = countries(0).addTo(map);

  const dotStyle = () => ({ fillColor: colour("--accent"), color: colour("--card") });
  const dots = entries.map((entry, index) =>
    entry.guess && L.circleMarker(entry.guess, { radius: entries.length > 300 ? 4 : 5, weight: 1, fillOpacity: 0.85, ...dotStyle() })
      .bindTooltip(() => make("span", "", [entry.name, best(entry)?.name].filter(Boolean).join(": ")))
      .on("click", () => select(index)));
  const placed = dots.filter(Boolean);
  const dotLayer = L.layerGroup(placed).addTo(map);
  whenColoursChange(() => placed.forEach((dot) => dot.setStyle(dotStyle())));

  // Hovering a country names it. The dots' canvas lies above the outlines, so they are asked for by position.
  const hover = L.tooltip({ direction: "top", offset: [0, -6], opacity: 1 });
  let shares = {};
  map.on("mousemove", (event) => {
    const { clientX, clientY } = event.originalEvent;
    const path = document.elementsFromPoint(clientX, clientY).find((each) => each.classList.contains("country"));
    if (!path || placed.some((dot) => dot.isTooltipOpen())) return map.closeTooltip(hover);
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

  // The cards: all exist, so that any can be reached; what's in them is built when they come near.
  const cards = entries.map((entry, index) => {
    const card = make("div", "card");
    card.classList.toggle("bare", !entry.thumbnail);
    card.classList.toggle("abstained", !entry.guess);
    card.tabIndex = -1;
    card.setAttribute("role", "option");
    card.setAttribute("aria-selected", "false");
    const answers = entry.candidates.map((each) => `${each.name} ${percent(each.probability)}`);
    if (!entry.guess) answers.unshift(`${unknown}: ${entry.warning}`);
    const off = entry.error === null ? [] : [`${distance(entry.error)} from the truth`];
    card.setAttribute("aria-label", `${entry.name}: ${[...answers, ...entry.circles.map(within), ...off].join(", ")}`);
    card.addEventListener("click", () => select(index));
    list.append(card);
    return card;
  });
  const fill = (card) => {
    if (card.hasChildNodes()) return;
    const entry = entries[cards.indexOf(card)];
    if (entry.thumbnail) {
      const image = make("img", "thumb");
      image.alt = "";
      image.decoding = "async";
      image.src = `data:image/jpeg;base64,${entry.thumbnail}`;
      card.append(image);
    }
    const top = make("div", "top");
    const name = make("span", "name", entry.name);
    name.title = entry.name;
    top.append(name);
    if (entry.error !== null) top.append(make("span", "off", `${distance(entry.error)} off`));
    const bars = make("div", "bars");
    if (!entry.guess) bars.append(make("div", "unknown", unknown), make("div", "why", entry.warning));
    for (const { name: label, probability } of entry.candidates) {
      const bar = make("div", "bar");
      const track = make("div", "track");
      const level = make("span", "fill");
      level.style.width = `${probability * 100}%`;
      track.append(level);
      bar.append(make("span", "label", label), make("span", "percent", percent(probability)));
      if (probability !== null) bar.append(track);
      bars.append(bar);
    }
    entry.circles.forEach((each) => bars.append(make("div", `within share-${each.share}`, within(each))));
    if (entry.guess && entry.warning) bars.append(make("div", "why", `Beware: ${entry.warning}`));
    const more = make("div", "more");
    if (entry.guess) more.append(make("span", "", `Guess: ${coordinates(entry.guess)}`));
    if (entry.truth) more.append(make("span", "", ["Truth", entry.truthName].filter(Boolean).join(": ")));
    card.append(top, bars, more);
  };
  const near = new IntersectionObserver((changes) => {
    for (const { isIntersecting, target } of changes) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      fill(target);
    }
  }, { root: list, rootMargin: "800px" });
  cards.forEach((card) => near.observe(card));
  if (cards.length) cards[0].tabIndex = 0;

  // Room for the labels, and for what lies over the map's corners.
  const go = (bounds, maxZoom) =>
    fly(bounds, { paddingTopLeft: [90, 84], paddingBottomRight: [90, 76], maxZoom });
  const everything = () => {
    const shown = placed.filter((dot) => dotLayer.hasLayer(dot)).map((dot) => dot.getLatLng());
    return shown.length ? L.latLngBounds(shown) : frame.world;
  };

  // Choosing a photo.
  let chosen = null;
  const overlay = L.layerGroup().addTo(map);
  const mark = (legend, visible) => document.querySelectorAll(`#legend [data-for=${legend}]`)
    .forEach((each) => { each.hidden = !visible; });
  const show = (index) => {
    if (chosen !== null) cards[chosen].setAttribute("aria-selected", "false");
    chosen = index;
    overlay.clearLayers();
    shares = {};
    const entry = index === null ? null : entries[index];
    for (const { code, probability } of entry?.guess ? entry.candidates : []) {
      if (code && probability !== null) shares[code] = (shares[code] || 0) + probability;
    }
    byId("map").classList.toggle("chosen", entry !== null);
    byId("all").hidden = entry === null || entries.length === 1;
    mark("truth", Boolean(entry?.truth));
    mark("circles", Boolean(entry?.circles.length));
    mark("shade", Object.keys(shares).length > 0);
    if (entry) {
      cards[index].setAttribute("aria-selected", "true");
      draw(entry);
    }
    shade(world);
  };
  // All points that are drawn of a photo.
  const outline = ({ guess, truth, way, circles }) =>
    [guess, truth, ...(way || []), ...circles.flatMap(({ area }) => area)].filter(Boolean);
  // A circle that holds a pole spans all longitudes, and is drawn wherever the world is.
  const turns = (area) => area.some(([latitude]) => Math.abs(latitude) === 90) ? [-360, 0, 360] : [0];
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
    const { guess, truth, way, circles } = entry;
    const points = outline(entry);
    // Where the drawing runs past the date line, the world goes on there.
    for (const [shift, beyond] of [[-360, (lon) => lon < -180], [360, (lon) => lon > 180]]) {
      const everywhere = circles.some(({ area }) => turns(area).includes(shift));
      if (!everywhere && !points.some(([, longitude]) => beyond(longitude))) continue;
      const copy = countries(shift);
      overlay.addLayer(copy);
      shade(copy);
    }
    for (const { share, area } of circles) {
      for (const points of turns(area).map((turn) => turned(area, turn))) {
        overlay.addLayer(L.polygon(points, { pane: "chosen", renderer: drawn, className: "area", smoothFactor: 0 }));
        overlay.addLayer(line(borders(points), `border share-${share}`));
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
      const off = entry.error === null ? [] : [`${distance(entry.error)}\u00a0off`];
      const text = [entry.truthName ? `Truth: ${entry.truthName}` : "Truth", ...off].join(", ");
      overlay.addLayer(sign(truth, text, truthAbove ? "top" : "bottom"));
    }
  };
  const select = (index, { focus = false } = {}) => {
    show(index);
    const entry = entries[index];
    cards.forEach((card, i) => { card.tabIndex = i === index ? 0 : -1; });
    fill(cards[index]);
    cards[index].scrollIntoView({ block: "nearest" });
    if (focus) cards[index].focus({ preventScroll: true });
    history.replaceState(null, "", `#photo-${index + 1}`);
    const points = outline(entry);
    if (points.length) go(L.latLngBounds(points), entry.circles.length ? 9 : entry.way ? 5 : 4);
    else go(frame.world);
  };
  const clear = () => {
    show(null);
    history.replaceState(null, "", "#");
    go(everything(), 12);
  };
  byId("all").addEventListener("click", clear);

  // Keys: one tab stop for the list, arrows within it.
  const visible = () => [...list.children].filter((card) => !card.hidden);
  list.addEventListener("keydown", (event) => {
    const shown = visible();
    const at = shown.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: shown.length - 1, Enter: at, " ": at }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    if (shown[to]) select(cards.indexOf(shown[to]), { focus: true });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && chosen !== null) clear();
  });

  // Filtering and ordering.
  const knowsTruth = entries.some((entry) => entry.error !== null);
  byId("tools").hidden = entries.length < 6;
  document.querySelectorAll("[data-needs-truth]").forEach((option) => { if (!knowsTruth) option.remove(); });
  const text = entries.map((entry) => [entry.name, entry.guess ? best(entry)?.name : unknown, entry.truthName].join("\n").toLowerCase());
  byId("filter").addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    cards.forEach((card, i) => {
      card.hidden = !text[i].includes(wanted);
      if (!dots[i]) return;
      if (card.hidden) dotLayer.removeLayer(dots[i]);
      else dotLayer.addLayer(dots[i]);
    });
    if (cards[chosen]?.hidden) show(null);
    const first = visible()[0];
    byId("empty").hidden = Boolean(first);
    if (first && !visible().some((card) => card.tabIndex === 0)) first.tabIndex = 0;
    byId("count").textContent = wanted ? `${visible().length} of ${entries.length}` : byId("count").dataset.all;
  });
  byId("count").dataset.all = byId("count").textContent;
  const keys = {
    given: (_, i) => i,
    surest: (entry) => -sureness(entry),
    unsurest: sureness,
    nearest: (entry) => entry.error ?? Infinity,
    farthest: (entry) => -(entry.error ?? -Infinity),
  };
  byId("order").addEventListener("change", (event) => {
    const values = entries.map(keys[event.target.value]);
    const order = entries.map((_, i) => i).sort((a, b) => (values[a] - values[b]) || a - b);
    list.append(...order.map((i) => cards[i]));
    list.scrollTop = 0;
  });

  byId("empty").hidden = entries.length > 0;
  show(null);
  map.fitBounds(everything(), { padding: [48, 48], maxZoom: 12, animate: false });
  const asked = Number(/^#photo-(\d+)$/.exec(location.hash)?.[1]) - 1;
  if (entries[asked]) select(asked);
  else if (entries.length === 1) select(0);
})();
