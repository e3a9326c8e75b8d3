// Elements. Text only ever enters the page as a text node: names of files and words of the server are not ours.

export const byId = (id) => document.getElementById(id);

export function make(tag, className = "", text = undefined) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

export function button(className, text, onClick, label = undefined) {
  const made = make("button", className, text);
  made.type = "button";
  if (label !== undefined) made.setAttribute("aria-label", label);
  made.addEventListener("click", onClick);
  return made;
}

// What a screen reader says next; the same text twice is said twice.
let turn = false;
export function say(text) {
  turn = !turn;
  byId("live").textContent = turn ? text : `${text}\u00a0`;
}

// Where words are changed often: only what differs is written, so that a reader isn't told it again.
export function tell(element, text) {
  const words = text ?? "";
  if (element.textContent !== words) element.textContent = words;
  element.hidden = words === "";
}
