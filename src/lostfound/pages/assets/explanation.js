"use strict";
(() => {
  const { byId, read, make, number } = frame;
  const { map, countries: outlines, go } = frame.worldMap("map");
  const why = read("explanation");
  const percent = (p) => (p > 0 && p < 0.005 ? "<1%" : p < 1 && p > 0.995 ? ">99%" : `${Math.round(p * 100)}%`);
  const named = ({ name, probability }) => (probability === null ? name : `${name}\u00a0${percent(probability)}`);
  const distance = (km) => (km < 10 ? `${km.toFixed(1)}\u00a0km` : `${number(Math.round(km))}\u00a0km`);
  const amount = (value, unit) => {
    if (unit === "km") return distance(value);
    const text = `${value < 0 ? "\u2212" : "+"}${Math.abs(value).toFixed(Math.abs(value) < 10 ? 1 : 0)}`;
    return `${text}\u00a0${unit}`;
  };
  const tell = (id, text) => {
    byId(id).textContent = text ?? "";
    byId(id).hidden = !text;
  };

  // The photo, and one of the maps over it.
  const said = {
    "class activation": "What each part says of the answer, exactly: the mean over the photo is the answer's score, before probabilities are made of the scores.",
    "probability": "Each part is hidden in turn: so many points of percent does the probability fall.",
    "distance": "Each part is hidden in turn: so many kilometres does the answered point move.",
  };
  const says = {
    "class activation": (text) => text,
    "probability": (text) => `hidden: ${text.startsWith("+") ? text.replace("+", "\u2212") : text.replace("\u2212", "+")}`,
    "distance": (text) => `hidden: moves ${text}`,
  };
  const opacity = byId("opacity");
  // First what people read most easily, and what was judged best (docs/explaining.md).
  const first = why.maps.find((each) => each.measure === "probability") ?? why.maps[0];
  const chosen = { role: first.role, measure: first.measure };
  const current = () => why.maps.find((each) => each.role === chosen.role && each.measure === chosen.measure);
  const fade = () => {
    byId("overlay").style.opacity = opacity.value / 100;
    byId("photo").classList.toggle("heat", opacity.value > 0 && why.maps.length > 0);
  };
  const show = () => {
    const one = current();
    byId("overlay").src = `data:image/png;base64,${one.overlay}`;
    byId("overlay").alt = `Heat map: ${one.measure} for ${one.name}`;
    byId("ramp").src = `data:image/png;base64,${one.ramp}`;
    [byId("left").textContent, byId("right").textContent] = one.ends;
    byId("low").textContent = one.low === 0 ? "0" : amount(one.low, one.unit);
    byId("high").textContent = amount(one.high, one.unit);
    byId("unit").textContent = one.low === 0 ? "" : "0";
    byId("meaning").textContent = said[one.measure];
    document.querySelectorAll("#measures .choice").forEach((choice) => {
      choice.hidden = !why.maps.some((each) => each.role === chosen.role && each.measure === choice.dataset.value);
    });
    fade();
  };
  const choices = (id, key, list) => {
    for (const [value, text] of list) {
      const label = make("label", "choice");
      const input = make("input", "");
      Object.assign(input, { type: "radio", name: key, value, checked: value === chosen[key] });
      input.addEventListener("change", () => {
        chosen[key] = value;
        if (!current()) {
          chosen.measure = why.maps.find((each) => each.role === chosen.role).measure;
          document.querySelector(`#measures input[value="${chosen.measure}"]`).checked = true;
        }
        show();
      });
      label.dataset.value = value;
      label.append(input, make("span", "", text));
      byId(id).append(label);
    }
    byId(id).hidden = list.length < 2;
  };
  const unique = (key) => [...new Set(why.maps.map((each) => each[key]))];
  byId("picture").src = `data:image/jpeg;base64,${why.picture}`;
  const answer = why.abstained ? `I don't know. Most probable: ${named(why.candidates[0])}` : `Answer: ${named(why.candidates[0])}`;
  byId("answer").textContent = answer;
  tell("warning", why.warning && `${why.abstained ? "Why not" : "Beware"}: ${why.warning}`);
  tell("notice", why.notice && `No class activation: ${why.notice}.`);
  choices("roles", "role", unique("role").map((role) => [role, `${named(why.maps.find((each) => each.role === role))} (${role})`]));
  const titles = { "class activation": "class activation", "probability": "occlusion: probability", "distance": "occlusion: kilometres" };
  choices("measures", "measure", unique("measure").map((measure) => [measure, titles[measure]]));
  opacity.addEventListener("input", fade);
  byId("photo").addEventListener("pointermove", (event) => {
    const { values, measure, unit } = current();
    const box = byId("photo").getBoundingClientRect();
    const cell = (share, count) => Math.min(count - 1, Math.max(0, Math.floor(share * count)));
    const row = values[cell((event.clientY - box.top) / box.height, values.length)];
    tell("value", says[measure](amount(row[cell((event.clientX - box.left) / box.width, row.length)], unit)));
  });
  byId("photo").addEventListener("pointerleave", () => tell("value", ""));

  // The map: answers shaded and marked, similar photos as rings.
  map.setMaxZoom(14);
  const shares = {};
  for (const { code, probability } of why.candidates) {
    if (code && probability !== null) shares[code] = (shares[code] || 0) + probability;
  }
  outlines({}).addTo(map).eachLayer((each) => {
    const path = each.getElement();
    const { code, name } = each.feature.properties;
    each.bindTooltip(() => make("span", "", code in shares ? `${name} ${percent(shares[code])}` : name), { sticky: true });
    if (!(shares[code] > 0)) return;
    path.classList.add("shaded");
    path.style.setProperty("--shade", `${Math.round(12 + 63 * shares[code])}%`);
  });
  const pane = map.createPane("marks");
  pane.style.zIndex = 450;
  const drawn = L.svg({ pane: "marks", padding: 0.6 });
  const ring = (point, className, radius, text) =>
    L.circleMarker(point, { pane: "marks", renderer: drawn, className, radius }).bindTooltip(() => make("span", "", text)).addTo(map);
  const similar = why.similar.map((each) =>
    each.at && ring(each.at, "alike", 5, [each.name, each.country].filter(Boolean).join(": ")));
  const others = unique("role").filter((role) => role !== "answer").map((role) => why.maps.find((each) => each.role === role));
  // Where the model doesn't know it gives no place, and so none of its second best either.
  const marked = others.filter((each) => !why.abstained || each.role !== "runner-up");
  marked.forEach((each) => ring(each.at, "second", 6, `${named(each)} (${each.role})`));
  if (!why.abstained) ring(why.guess, "guess", 7, answer);
  document.querySelector("#legend [data-for=guess]").hidden = why.abstained;
  byId("second-name").textContent = marked.map((each) => each.role).join(", ");
  document.querySelector("#legend [data-for=second]").hidden = !marked.length;
  document.querySelector("#legend [data-for=similar]").hidden = !similar.some(Boolean);
  byId("legend").hidden = why.abstained && !marked.length && !similar.some(Boolean);
  const everything = L.latLngBounds([why.guess, ...others.map((each) => each.at), ...why.similar.map((each) => each.at).filter(Boolean)]);
  const room = { paddingTopLeft: [60, 60], paddingBottomRight: [60, 80], maxZoom: 5 };
  byId("all").hidden = !similar.some(Boolean);
  byId("all").addEventListener("click", () => go(everything, room));

  // Similar photos; choosing one shows where it is.
  byId("similar").hidden = !why.similar.length;
  why.similar.forEach((each, index) => {
    const card = make("button", "alike-card");
    card.type = "button";
    const image = make("img", "");
    image.alt = "";
    image.src = `data:image/jpeg;base64,${each.thumbnail}`;
    const off = each.distance === null ? "place not known" : `${distance(each.distance)} away`;
    card.append(image, make("span", "", each.country ?? "country not known"), make("span", "quiet", off),
      make("span", "quiet", `similarity ${each.similarity.toFixed(2)}`));
    card.title = each.name;
    card.addEventListener("click", () => {
      if (!similar[index]) return;
      byId("place").scrollIntoView({ block: "nearest" });
      go(L.latLngBounds([each.at]), { maxZoom: 6 });
      similar[index].openTooltip();
    });
    const item = make("li", "");
    item.append(card);
    byId("photos").append(item);
  });

  map.fitBounds(everything, { ...room, animate: false });
  show();
})();
