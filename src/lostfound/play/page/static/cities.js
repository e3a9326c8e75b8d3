// One of a few cities: buttons, and the keys 1 to 9.
import { make } from "./dom.js";

export class Cities {
  constructor(place, { cells }, changed) {
    this.changed = changed;
    const group = make("fieldset", "cities");
    group.append(make("legend", "", "Which is it?"));
    const choices = make("div", "choices");
    this.inputs = cells.map(({ id, name }, index) => {
      const label = make("label", "choice");
      const input = make("input");
      Object.assign(input, { type: "radio", name: "city", value: id });
      label.append(input, make("span", "", name));
      if (index < 9) label.append(make("kbd", "", String(index + 1)));
      choices.append(label);
      return input;
    });
    group.append(choices);
    place.replaceChildren(group);
    group.addEventListener("change", () => changed());
    addEventListener("keydown", (event) => {
      const input = this.inputs[Number(event.key) - 1];
      if (!input || !group.checkVisibility() || event.ctrlKey || event.metaKey || event.altKey) return;
      input.checked = true;
      input.focus();
      changed();
    });
  }

  reset() {
    for (const input of this.inputs) input.checked = false;
    this.changed();
  }

  focus() {
    this.inputs[0].focus({ preventScroll: true });
  }

  value() {
    const chosen = this.inputs.find((input) => input.checked);
    return chosen ? { ranked: [chosen.value] } : null;
  }

  unfinished() {
    return null;
  }
}
