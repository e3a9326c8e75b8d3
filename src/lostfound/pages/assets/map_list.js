// The list of photos: a window of its cards is in the page, and grows at the end that is scrolled to.
export class PhotoList {
  // `card` makes the card of a photo, and `fill` what is in it, when it comes near; `choose` is told of keys.
  constructor(element, { card, fill, choose }) {
    this._element = element;
    this._make = card;
    this._choose = choose;
    this._cards = new Map();
    this._order = [];
    this._first = 0;
    this._last = 0;
    this._above = make("div", "edge");
    this._below = make("div", "edge");
    const watched = { root: element, rootMargin: "800px" };
    this._near = new IntersectionObserver((changes) => {
      for (const { isIntersecting, target } of changes) {
        if (!isIntersecting) continue;
        this._near.unobserve(target);
        fill(target, Number(target.dataset.index));
      }
    }, watched);
    this._edges = new IntersectionObserver((changes) => {
      for (const { isIntersecting, target } of changes) {
        if (isIntersecting) this._grow(target === this._below);
      }
    }, watched);
    this._edges.observe(this._above);
    this._edges.observe(this._below);
    element.addEventListener("keydown", (event) => this._key(event));
  }

  get order() {
    return this._order;
  }

  // Show these photos, in this order, from the first on.
  show(order) {
    this._order = order;
    this._element.scrollTop = 0;
    this._window(0);
  }

  // The card of a photo, which is brought into view; undefined of one that is not shown.
  reveal(index) {
    const at = this._order.indexOf(index);
    if (at < 0) return undefined;
    if (at < this._first || at >= this._last) this._window(Math.max(0, at - CHUNK / 2));
    const card = this._card(at);
    this._stop(card);
    card.scrollIntoView({ block: "nearest" });
    return card;
  }

  // The card of a photo, if it was ever shown.
  card(index) {
    return this._cards.get(index);
  }

  _window(first) {
    this._first = first;
    this._last = Math.min(this._order.length, first + CHUNK);
    this._element.replaceChildren(this._above, ...this._range(this._first, this._last), this._below);
    const stop = this._element.querySelector(".card[tabindex='0']") ?? this._element.querySelector(".card");
    if (stop) this._stop(stop);
  }

  _grow(down) {
    if (down && this._last < this._order.length) {
      const last = Math.min(this._order.length, this._last + CHUNK);
      this._below.before(...this._range(this._last, last));
      this._last = last;
    } else if (!down && this._first > 0) {
      const first = Math.max(0, this._first - CHUNK);
      const height = this._element.scrollHeight;
      this._above.after(...this._range(first, this._first));
      this._first = first;
      this._element.scrollTop += this._element.scrollHeight - height;
    } else return;
    // An edge that is in view still tells so only when it is watched anew.
    const edge = down ? this._below : this._above;
    this._edges.unobserve(edge);
    this._edges.observe(edge);
  }

  _range(first, last) {
    return Array.from({ length: last - first }, (_, step) => this._card(first + step));
  }

  _card(at) {
    const index = this._order[at];
    let card = this._cards.get(index);
    if (!card) {
      card = this._make(index);
      card.dataset.index = index;
      card.tabIndex = -1;
      this._cards.set(index, card);
      this._near.observe(card);
    }
    card.setAttribute("aria-posinset", at + 1);
    card.setAttribute("aria-setsize", this._order.length);
    return card;
  }

  // One tab stop for the list, arrows within it.
  _stop(card) {
    this._element.querySelectorAll(".card[tabindex='0']").forEach((each) => { each.tabIndex = -1; });
    card.tabIndex = 0;
  }

  _key(event) {
    const at = this._order.indexOf(Number(document.activeElement.dataset.index ?? -1));
    const end = this._order.length - 1;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: end, Enter: at, " ": at }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    if (to >= 0 && to <= end) this._choose(this._order[to]);
  }
}

const CHUNK = 100;
