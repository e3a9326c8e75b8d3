// Up to five countries, typed: by any name or spelling that the server knows, with the keyboard alone.
import { button, make, say } from "./dom.js";
import { ask } from "./server.js";

export class Countries {
  constructor(place, { most }, changed) {
    this.most = most;
    this.changed = changed;
    this.chosen = [];
    this.offered = [];
    this.active = -1;
    this.turn = 0;
    this.looking = null;  // until it has ended, what is offered is of what stood in the field before
    this.list = make("ol", "ranked");
    this.list.setAttribute("aria-label", "Your countries, the likeliest first");
    const label = make("label", "", "Which country is it?");
    label.htmlFor = "country";
    label.append(make("span", "quiet", ` up to ${most}, the likeliest first`));
    this.input = make("input");
    Object.assign(this.input, { id: "country", type: "text", autocomplete: "off", spellcheck: false, placeholder: "Type a country" });
    for (const [name, value] of Object.entries({
      role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": "offers", autocapitalize: "off",
    })) this.input.setAttribute(name, value);
    this.offers = make("ul");
    Object.assign(this.offers, { id: "offers", hidden: true });
    this.offers.setAttribute("role", "listbox");
    this.offers.setAttribute("aria-label", "Countries");
    this.hint = make("p", "hint");
    this.hint.setAttribute("role", "status");
    const box = make("div", "combobox");
    box.append(this.input, this.offers);
    place.replaceChildren(label, this.list, this.hint, box);
    this.input.addEventListener("input", () => { this.looking = this._look().catch(() => this._close()); });
    this.input.addEventListener("keydown", (event) => this._key(event));
    this.input.addEventListener("blur", () => this._close());
  }

  reset() {
    this.chosen = [];
    this.input.value = "";
    this._close();
    this._draw();
  }

  focus() {
    this.input.focus({ preventScroll: matchMedia("(pointer: coarse)").matches });
  }

  value() {
    return this.chosen.length ? { ranked: this.chosen.map(({ code }) => code) } : null;
  }

  // What stands in the field but was not chosen; null if that is nothing.
  unfinished() {
    const text = this.input.value.trim();
    if (!text) return null;
    const near = this.offered.map(({ name }) => name).slice(0, 3).join(", ");
    return near ? `“${text}” is not chosen yet: do you mean ${near}?` : `“${text}” is no country that is known: try another spelling.`;
  }

  async _look() {
    this.turn += 1;
    const turn = this.turn;
    const text = this.input.value.trim();
    if (!text) return this._close();
    const found = await ask(`/api/countries?q=${encodeURIComponent(text.slice(0, 100))}`);
    if (turn !== this.turn) return undefined;  // more was typed meanwhile
    const taken = new Set(this.chosen.map(({ code }) => code));
    this.offered = found.filter(({ code }) => !taken.has(code));
    this.active = this.offered.length && this.offered[0].sure ? 0 : -1;
    this.hint.textContent = this._words(found);
    return this._offer();
  }

  _words(found) {
    if (!found.length) return "No country is called so. Try another spelling.";
    if (!this.offered.length) return "You have chosen it already.";
    return this.offered[0].sure ? "" : "No country is called so. Do you mean one of these?";
  }

  _offer() {
    this.offers.replaceChildren(...this.offered.map(({ name }, index) => {
      const line = make("li", "offer", name);
      line.id = `offer-${index}`;
      line.setAttribute("role", "option");
      line.setAttribute("aria-selected", String(index === this.active));
      line.addEventListener("pointerdown", (event) => event.preventDefault());  // the field keeps the focus
      line.addEventListener("click", () => this._choose(index));
      return line;
    }));
    this.offers.hidden = !this.offered.length;
    this.input.setAttribute("aria-expanded", String(!this.offers.hidden));
    if (this.active >= 0) this.input.setAttribute("aria-activedescendant", `offer-${this.active}`);
    else this.input.removeAttribute("aria-activedescendant");
    this.offers.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }

  _close() {
    this.turn += 1;
    this.offered = [];
    this.active = -1;
    if (!this.input.value.trim()) this.hint.textContent = "";
    this._offer();
  }

  async _key(event) {
    const { key } = event;
    if (event.isComposing) return;
    if ((key === "Enter" || (key === "Tab" && this.active >= 0)) && this.input.value.trim()) {
      event.preventDefault();
      await this.looking;
      if (this.active >= 0) this._choose(this.active);
      else this.input.form.dispatchEvent(new Event("submit", { cancelable: true }));  // says what is the matter
      return;
    }
    if ((key === "ArrowDown" || key === "ArrowUp") && this.offered.length) {
      event.preventDefault();
      const step = key === "ArrowDown" ? 1 : -1;
      this.active = (Math.max(this.active, step > 0 ? -1 : 0) + step + this.offered.length) % this.offered.length;
      this._offer();
    } else if (key === "Escape" && this.offered.length) {
      this._close();
    } else if (key === "Backspace" && !this.input.value && this.chosen.length) {
      this._remove(this.chosen.length - 1);
    }
  }

  _choose(index) {
    this.chosen.push(this.offered[index]);
    say(`${this.offered[index].name}, number ${this.chosen.length}`);
    this.input.value = "";
    this._close();
    this._draw();
    this.input.focus();
  }

  _remove(index) {
    const [gone] = this.chosen.splice(index, 1);
    say(`${gone.name} removed`);
    this._draw();
    this.input.focus();
  }

  _draw() {
    this.list.replaceChildren(...this.chosen.map(({ name }, index) => {
      const line = make("li");
      line.append(button("chip", `${name} ×`, () => this._remove(index), `Remove ${name}`));
      return line;
    }));
    this.list.hidden = !this.chosen.length;
    const full = this.chosen.length >= this.most;
    this.input.readOnly = full;
    this.input.placeholder = full ? "Enter to guess" : this.chosen.length ? "Another, or Enter to guess" : "Type a country";
    this.changed();
  }
}
