// Elements from data. Text always becomes a text node, never markup, so a product called "<img onerror=…>" stays a name.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" && "value" in element && element.localName !== "li") element.value = value;
    else if (name === "checked" || name === "disabled" || name === "selected") element[name] = Boolean(value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return element;
}

function parse(selector) {
  const [tag, ...classes] = selector.split(".");
  return [tag, classes];
}

/** An HTML element: `h("p.muted", {id: "x"}, "text", child)`. */
export function h(selector, attributes, ...children) {
  const [tag, classes] = parse(selector);
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  return fill(element, attributes, children);
}

/** An SVG element, same call. */
export function s(selector, attributes, ...children) {
  const [tag, classes] = parse(selector);
  const element = document.createElementNS(SVG, tag);
  if (classes.length) element.setAttribute("class", classes.join(" "));
  return fill(element, attributes, children);
}

export const byId = (id) => document.getElementById(id);

const PATHS = {
  check: "M4 10.5l4 4 8-9",
  shield: "M10 2l7 2.4v5.2c0 4.2-2.8 7.2-7 8.7-4.2-1.5-7-4.500-7-8.700V4.400L10 2z",
  shieldCheck: "M10 2l7 2.4v5.2c0 4.2-2.8 7.2-7 8.7-4.2-1.500-7-4.500-7-8.700V4.400L10 2zM6.800 10.100l2.300 2.300 4.200-4.600",
  shieldCross: "M10 2l7 2.4v5.2c0 4.2-2.8 7.2-7 8.7-4.2-1.500-7-4.500-7-8.700V4.400L10 2zM7.500 7.500l5 5M12.500 7.500l-5 5",
  warning: "M10 3l8 13.800H2L10 3zM10 8v4.200M10 14.400v.1",
  search: "M9 3.500a5.500 5.500 0 1 0 0 11 5.500 5.500 0 0 0 0-11zM13.200 13.200L17 17",
  close: "M5 5l10 10M15 5L5 15",
  plug: "M7 2.500v4M13 2.500v4M5 6.500h10v3a5 5 0 0 1-10 0zM10 14.500v3",
};

/** A stroke icon, decorative by default: the words beside it carry the meaning. */
export function icon(name, size = 18) {
  return s("svg", { width: size, height: size, viewBox: "0 0 20 20", fill: "none", stroke: "currentColor", "stroke-width": 1.6, "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true" }, s("path", { d: PATHS[name] }));
}
