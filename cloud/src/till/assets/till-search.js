// Finding goods: one box takes a code, a name, or `3*code`; tabs show one category.
import { add, isPossible, refuse } from "./till-cart.js";
import { thousandths } from "./till-money.js";
import { find, mayChange, products, till } from "./till-page.js";

const plain = (word) => word.normalize("NFD").replace(/\p{Diacritic}/gu, "").toLowerCase();

/** `3*pain` is three of them; a quantity that is none is `null`, never one. */
function typedSearch() {
  const typed = find("search").value.trim();
  const many = typed.match(/^([\d.,]+)\s*[*x×]\s*(.*)$/i);
  return { quantity: many ? thousandths(many[1]) : 1000, word: plain(many ? many[2] : typed) };
}

export function filter() {
  const { quantity, word } = typedSearch();
  const category = till.querySelector("[data-category].is-current").dataset.category;
  let shown = 0;
  for (const product of products.values()) {
    product.search ??= `${plain(product.name)} ${plain(product.sku)}`;
    const isHit = !word || product.search.includes(word);
    // A search looks in every category.
    const isHere = word || !category || product.category === category;
    product.element.hidden = !(isHit && isHere);
    shown += product.element.hidden ? 0 : 1;
  }
  find("no-match").hidden = shown > 0;
  return { quantity, word };
}

/** Adds what the box names; true when it names nothing. */
export function addFound() {
  const { quantity, word } = filter();
  if (!word) return true;
  const all = [...products.values()];
  const found =
    all.find((product) => plain(product.sku) === word) ??
    all.find((product) => !product.element.hidden);
  if (!found || !mayChange()) return false;
  if (!isPossible(found, quantity)) {
    refuse(found);
    return false;
  }
  add(found.id, quantity);
  forget();
  return false;
}

export function forget() {
  find("search").value = "";
  filter();
}

export function chooseCategory(tab) {
  for (const other of till.querySelectorAll("[data-category]")) {
    other.classList.toggle("is-current", other === tab);
    other.setAttribute("aria-pressed", String(other === tab));
  }
  forget();
}
