// A point on the map: a click, or coordinates that are typed.
import { byId, make } from "./dom.js";

const NUMBERS = /^\s*(-?\d+(?:\.\d+)?(?:e-?\d+)?)\s*[,;\s]\s*(-?\d+(?:\.\d+)?(?:e-?\d+)?)\s*$/i;

export class MapPoint {
  constructor(place, atlas, changed) {
    this.atlas = atlas;
    this.changed = changed;
    this.point = null;
    const label = make("label", "", "Where is it? Click the map");
    label.htmlFor = "coordinates";
    label.append(make("span", "quiet", " or type latitude, longitude"));
    this.input = make("input");
    Object.assign(this.input, { id: "coordinates", type: "text", autocomplete: "off", placeholder: "48.86, 2.35", inputMode: "text" });
    place.replaceChildren(label, this.input);
    this.input.addEventListener("input", () => this._typed());
    atlas.onClick((latitude, longitude) => {
      if (byId("guess").hidden) return;
      this.point = [latitude, longitude];
      this.input.value = `${latitude.toFixed(4)}, ${longitude.toFixed(4)}`;
      this._show();
    });
  }

  reset() {
    this.point = null;
    this.input.value = "";
    this.atlas.clear();
    this.atlas.world();
    this.changed();
  }

  focus() {
    if (!matchMedia("(pointer: coarse)").matches) this.input.focus({ preventScroll: true });
  }

  value() {
    return this.point ? { point: this.point } : null;
  }

  unfinished() {
    return this.input.value.trim() && !this.point ? "Give latitude and longitude in degrees, as in 48.86, 2.35." : null;
  }

  _typed() {
    const found = NUMBERS.exec(this.input.value);
    const [latitude, longitude] = found ? [Number(found[1]), Number(found[2])] : [NaN, NaN];
    this.point = Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 ? [latitude, longitude] : null;
    this._show();
  }

  _show() {
    this.atlas.clear();
    if (this.point) this.atlas.pin(this.point, "own", "Your guess");
    this.changed();
  }
}
