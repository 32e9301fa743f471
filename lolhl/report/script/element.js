// What the page is made from: its data, and elements that are made without HTML.

const data = JSON.parse(document.getElementById('data').textContent);
const $ = (id) => document.getElementById(id);

/** An element; text always goes in as text, never as HTML. */
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, '');
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

/** A table of figures, between its title and its note. */
function figures(table, heading) {
  return [
    el(heading, {}, table.title),
    el('div', { class: 'scroll' }, el('table', {},
      el('thead', {}, el('tr', {}, ...table.header.map((text) => el('th', { scope: 'col' }, text)))),
      el('tbody', {}, ...table.rows.map((row) => el('tr', {}, el('th', { scope: 'row' }, row[0]), ...row.slice(1).map((text) => el('td', {}, text))))))),
    table.note ? el('p', { class: 'quiet' }, table.note) : null,
  ].filter(Boolean);
}

/** Puts bytes into the browser's folder of downloads. */
function store(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = el('a', { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}
