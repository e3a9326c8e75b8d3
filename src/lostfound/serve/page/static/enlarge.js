// The photo in large, to look for what gives the place away: fitted to the window, or pixel by pixel.
import { button, make } from "./dom.js";

export function enlarge(address, name) {
  const dialog = make("dialog", "large");
  dialog.setAttribute("aria-label", name);
  const image = make("img");
  image.src = address;
  image.alt = name;
  const size = button("button small", "Full size", () => {
    const full = dialog.classList.toggle("full");
    size.textContent = full ? "Fit to window" : "Full size";
  });
  const close = button("button small first", "Close", () => dialog.close());
  const bar = make("div", "row");
  bar.append(size, close);
  const space = make("div", "space");
  space.tabIndex = 0;  // so that keys can scroll it
  space.setAttribute("role", "group");
  space.setAttribute("aria-label", "Photo, can be scrolled");
  space.append(image);
  image.addEventListener("click", () => size.click());
  dialog.append(bar, space);
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("keydown", (event) => event.stopPropagation());  // Escape closes this alone
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
