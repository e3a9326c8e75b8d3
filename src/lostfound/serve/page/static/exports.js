// Answers as files. The same as `lostfound locate --output` writes (lostfound.predict.outputs), and KML.
import { circle, holdsPole } from "./circles.js";
import { percent, radius } from "./words.js";

export const NOTE = "estimates from pixels alone, not measurements";

// Answers are {name, guess, error}, with `names` of the photos of a place.

function properties({ name, names, guess }) {
  const { photo, photos, heat_maps: maps, ...said } = guess;
  return { photo: name, ...(names ? { photos: names } : {}), estimate: NOTE, ...said };
}

export function geoJson(answers) {
  const features = answers.filter(({ guess }) => guess).map((each) => ({
    type: "Feature",
    geometry: each.guess.abstained
      ? null
      : { type: "Point", coordinates: [each.guess.longitude, each.guess.latitude] },
    properties: properties(each),
  }));
  return `${JSON.stringify({ type: "FeatureCollection", features })}\n`;
}

const PLACE = [["latitude", 6], ["longitude", 6], ["radius_50_km", 3], ["radius_90_km", 3], ["country", null], ["probability", 6]];
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

// A text that a spreadsheet would compute gets an apostrophe before it, which says that it is text.
function cell(text) {
  const safe = FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const written = (value, decimals) =>
  value === null || value === undefined ? "" : decimals === null ? value : value.toFixed(decimals);

export function csv(answers) {
  const top = Math.max(0, ...answers.map(({ guess }) => guess?.candidates.length ?? 0));
  const warned = answers.some(({ guess }) => guess?.warning);
  const ranks = Array.from({ length: top }, (_, rank) => [`candidate_${rank + 1}`, `probability_${rank + 1}`]).flat();
  const heading = ["photo", ...PLACE.map(([name]) => name), "abstained", ...ranks, ...(warned ? ["warning"] : []), "error"];
  const rows = answers.map(({ name, guess, error }) => {
    if (!guess) return [name, ...Array(heading.length - 2).fill(""), error ?? ""];
    const place = PLACE.map(([field, decimals]) => written(guess[field], decimals));
    const cells = guess.candidates.flatMap((each) => [each.name, written(each.probability, 6)]);
    const rest = Array(2 * top - cells.length).fill("");
    return [name, ...place, String(guess.abstained), ...cells, ...rest, ...(warned ? [guess.warning ?? ""] : []), ""];
  });
  return [heading, ...rows].map((row) => `${row.map(cell).join(",")}\n`).join("");
}

// KML, for Google Earth and others: a point and its circles for each photo that was placed.
export function kml(answers) {
  const file = document.implementation.createDocument("http://www.opengis.net/kml/2.2", "kml");
  const append = (parent, tag, text = undefined) => {
    const made = file.createElementNS("http://www.opengis.net/kml/2.2", tag);
    if (text !== undefined) made.textContent = clean(text);
    parent.append(made);
    return made;
  };
  const whole = append(file.documentElement, "Document");
  append(whole, "name", "Lost & Found");
  append(whole, "description", `Places of photos: ${NOTE}`);
  circleStyle(append, whole);
  for (const { name, guess } of answers) {
    if (!guess || guess.abstained) continue;
    const mark = append(whole, "Placemark");
    append(mark, "name", name);
    append(mark, "description", description(guess));
    append(mark, "styleUrl", "#estimate");
    const shapes = append(mark, "MultiGeometry");
    append(append(shapes, "Point"), "coordinates", `${guess.longitude},${guess.latitude}`);
    for (const km of [guess.radius_50_km, guess.radius_90_km]) drawCircle(append, shapes, guess, km);
  }
  return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(file)}\n`;
}

function circleStyle(append, whole) {
  const style = append(whole, "Style");
  style.setAttribute("id", "estimate");
  const line = append(style, "LineStyle");
  append(line, "color", "ff0f48d9");
  append(line, "width", "2");
  append(append(style, "PolyStyle"), "fill", "0");
}

function drawCircle(append, shapes, { latitude, longitude }, km) {
  if (km === null || km === undefined) return;
  const area = circle(latitude, longitude, km);
  if (holdsPole(area)) return;  // it has no closed border on a flat map
  const wrapped = (degrees) => ((degrees + 540) % 360) - 180;
  const corners = [...area, area[0]].map(([lat, lon]) => `${wrapped(lon).toFixed(5)},${lat.toFixed(5)}`);
  const ring = append(append(append(shapes, "Polygon"), "outerBoundaryIs"), "LinearRing");
  append(ring, "coordinates", corners.join(" "));
}

function description(guess) {
  const lines = guess.candidates.map((each, rank) => `${rank + 1}. ${[each.name, percent(each.probability)].filter(Boolean).join(" ")}`);
  if (guess.radius_50_km !== null) lines.push(`1 time in 2 within ${radius(guess.radius_50_km)}`);
  if (guess.radius_90_km !== null) lines.push(`9 times in 10 within ${radius(guess.radius_90_km)}`);
  if (guess.warning) lines.push(`Beware: ${guess.warning}`);
  return [...lines, `Estimate: ${NOTE}.`].join("\n");
}

// What XML can't hold, such as control characters in the name of a file.
const clean = (text) => text.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd");
