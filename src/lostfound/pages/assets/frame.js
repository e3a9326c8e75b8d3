"use strict";
// What all pages share: what they read and write, and maps of the countries that need no network.
const frame = (() => {
  const byId = (id) => document.getElementById(id);
  const read = (id) => JSON.parse(byId(id).textContent);

  // Text only ever enters the page as a text node: names of files, places and cells are the user's, not ours.
  const make = (tag, className, text) => {
    const element = document.createElement(tag);
    element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const number = (value) => value.toLocaleString("en-GB");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const whenColoursChange = (repaint) => {
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  };

  // Google's encoded polylines: steps in hundredths of a degree, five bits a letter.
  const decoded = (text) => {
    const ring = [];
    const point = [0, 0];
    let [at, axis] = [0, 0];
    while (at < text.length) {
      let [bits, shift, letter] = [0, 0, 0];
      do {
        letter = text.charCodeAt(at) - 63;
        at += 1;
        bits |= (letter & 31) << shift;
        shift += 5;
      } while (letter >= 32);
      point[axis] += bits & 1 ? ~(bits >> 1) : bits >> 1;
      if (axis === 1) ring.push([point[1] / 100, point[0] / 100]);
      axis = 1 - axis;
    }
    return ring;
  };
  const ground = byId("ground") && read("ground");
  let features = null;
  const shapes = () => {
    features ??= ground.shapes.map(([code, name, borders]) => ({
      type: "Feature",
      properties: { code, name },
      geometry: { type: "MultiPolygon", coordinates: borders.split(",").map((rings) => rings.split(" ").map(decoded)) },
    }));
    return { type: "FeatureCollection", features };
  };

  const world = L.latLngBounds([-55, -170], [72, 178]);
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  // A map in an element. Countries are SVG so that the style sheet colours them.
  const worldMap = (id, options) => {
    const map = L.map(id, {
      zoomSnap: 0, minZoom: 0, preferCanvas: true, attributionControl: false, zoomControl: false,
      maxBounds: [[-85.06, -400], [85.06, 400]], maxBoundsViscosity: 0.7, ...options,
    }).setView([20, 0], 1);
    L.control.attribution({ prefix: false, position: "bottomright" })
      .addAttribution(`Leaflet · Made with Natural Earth${ground?.cities ? " and GeoNames" : ""}`).addTo(map);
    L.control.zoom({ position: "topleft" }).addTo(map);
    L.control.scale({ position: "bottomright", imperial: false }).addTo(map);
    map.createPane("countries").style.zIndex = 200;
    const land = L.svg({ pane: "countries", padding: 0.6 });
    const countries = (how) => L.geoJSON(shapes(), {
      pane: "countries", renderer: land, className: "country", smoothFactor: 0.5, ...how,
    });
    const go = (bounds, room) => {
      if (still.matches) map.fitBounds(bounds, { ...room, animate: false });
      else map.flyToBounds(bounds, { ...room, duration: 0.9 });
    };
    return { map, countries, go };
  };

  // Leaflet focuses the map when it is clicked; only those who use keys need to see that.
  document.addEventListener("pointerdown", () => document.body.classList.add("pointing"), true);
  document.addEventListener("keydown", () => document.body.classList.remove("pointing"), true);

  return { byId, read, make, number, colour, whenColoursChange, world, worldMap, ground };
})();
