// Steps that can be undone, verdicts by keys, and saving to the server that the page comes from, if it comes from one.

const review = JSON.parse($('review').textContent);
const copies = (spans) => spans.map((item) => ({ ...item }));
const unmatched = []; // corrections of highlights that were cut otherwise then: they stay as they are
const past = [];
const future = [];
let present = [];
let gesture = null;
let revision = 0;
let timer = null;
let saving = null;
let refused = false;

/** Called after each change. The changes of one gesture, such as a drag, are one step. */
function touched(name = null) {
  if (name === null || name !== gesture) past.push(present);
  gesture = name;
  present = copies(items);
  future.length = 0;
  state.saved = false;
  scheduleSave();
}

function step(from, to) {
  if (!from.length) return;
  to.push(present);
  present = from.pop();
  gesture = null;
  items.splice(0, items.length, ...copies(present));
  state.saved = false;
  renderList();
  draw();
  scheduleSave();
}

/** What is saved: each span that was looked at. Those that are not in it were not looked at. */
function corrections() {
  const judged = items.filter((item) => (item.removed && !item.undecided) || item.accepted).map((item) => ({
    start: item.start, stop: item.stop, verdict: item.removed ? 'rejected' : 'accepted', was: item.was,
  }));
  return [...judged, ...unmatched];
}

function takeUp(spans) {
  const near = (x, y) => Math.abs(x[0] - y[0]) < 0.002 && Math.abs(x[1] - y[1]) < 0.002;
  for (const span of spans) {
    const item = span.was && items.find((highlight) => highlight.was && near(highlight.was, span.was));
    if (item) Object.assign(item, { start: span.start, stop: span.stop, removed: span.verdict === 'rejected', accepted: span.verdict === 'accepted' });
    else if (span.verdict === 'accepted' && !span.was) items.unshift(byHand(span.start, span.stop));
    else unmatched.push(span);
  }
}

function note(text, wrong = false) {
  $('saving').textContent = text;
  $('saving').classList.toggle('error', wrong);
}

function scheduleSave(delay = 250) {
  if (!review || refused) return;
  if (delay < 1000) note('Saving…');
  clearTimeout(timer);
  timer = setTimeout(() => { timer = null; save(); }, delay);
}

/** Saves, one request after the other. What changes meanwhile is saved next. */
async function save(options = {}) {
  if (saving || refused) return;
  const sent = present;
  saving = ask('PUT', review.corrections_url, { revision, spans: corrections() }, options);
  try {
    revision = (await saving).revision;
    state.saved = sent === present;
    if (state.saved) note('All corrections are saved.');
  } catch (error) {
    refused = [400, 403, 404, 409, 413].includes(error.status); // else the server may come back, and the browser be let in
    note(refused ? `Not saved: ${error.message}` : `Not saved yet: ${error.message || 'the server does not answer'}. It is tried again; do not close this page.`, true);
  }
  saving = null;
  if (!state.saved) scheduleSave(timer === null && !refused ? 1500 : 250);
}

/** Whether the kept highlights have become the labels. */
async function useAsLabels() {
  try {
    const stored = await ask('PUT', review.labels_url, kept().map((item) => [item.start, item.stop]));
    $('changes').replaceChildren(`The ${stored.labels} highlights are the labels of this stream now. “Learn from this” below learns from them.`);
    return true;
  } catch (error) {
    note(`The labels are not saved: ${error.message}`, true);
    return false;
  }
}

/** Waits until all corrections are saved, as far as they can be. */
async function settled() {
  while (!state.saved && !refused) await new Promise((resolve) => { setTimeout(resolve, 50); });
}

const chosen = () => items.find((item) => item.id === state.selected && !item.removed) || items.find((item) => item.id === state.selected);

function selectNext() {
  const item = chosen();
  const next = item && kept().find((highlight) => highlight !== item && !highlight.accepted && highlight.start >= item.start);
  if (next) select(next, { reveal: true });
}

function judge(item, accepted) {
  Object.assign(item, { accepted, removed: !accepted, undecided: false });
  renderItem(item);
  touched();
  if (!goOn(item)) selectNext();
}

const here = () => Math.round((state.playing ?? state.cursor) * 1000) / 1000;
const REACH = 8; // seconds before the cursor in which a highlight that is added begins: people press when it has happened

const KEYS = {
  a: () => { const item = chosen(); if (item) judge(item, true); },
  x: () => { const item = chosen(); if (item) judge(item, false); },
  i: () => { const item = chosen(); if (item && here() < item.stop) moveItem(item, here(), item.stop); },
  o: () => { const item = chosen(); if (item && here() > item.start) moveItem(item, item.start, here()); },
  n: () => add(Math.max(0, here() - REACH), Math.min(end, here() + 2)),
  w: () => { const item = chosen(); if (item) moveItem(item, Math.max(0, item.start - 1), Math.min(end, item.stop + 1)); },
  b: () => {
    const item = chosen();
    if (!item || item.undecided || here() <= item.start || here() >= item.stop) return;
    const rest = { ...byHand(here(), item.stop), score: item.score };
    Object.assign(item, { stop: here(), accepted: true });
    items.splice(items.indexOf(item) + 1, 0, rest);
    renderList();
    draw();
    touched();
  },
  m: () => {
    const item = chosen();
    const next = item && !item.undecided && kept().find((highlight) => highlight !== item && highlight.start >= item.start);
    if (!next) return;
    Object.assign(item, { stop: Math.max(item.stop, next.stop), accepted: true });
    if (next.was) next.removed = true;
    else items.splice(items.indexOf(next), 1);
    renderList();
    draw();
    touched();
  },
};

document.addEventListener('keydown', (event) => {
  if (!state.correcting || event.target.matches('input, textarea, select')) return;
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) {
    if (key !== 'z' && key !== 'y') return;
    if (key === 'y' || event.shiftKey) step(future, past);
    else step(past, future);
  } else if (KEYS[key] && !event.altKey) KEYS[key]();
  else return;
  event.preventDefault();
});

if (review) {
  revision = review.revision;
  takeUp(review.spans);
  $('save').textContent = 'Use as labels';
  showLearning({ vod: data.vod, settled, useAsLabels });
  follow();
  showExports(review.exports);
  showFeeds(review.feeds);
  showCamera(review.camera);
  $('back').href = '/';
  $('back').hidden = false;
  window.addEventListener('pagehide', () => { if (!state.saved && !refused) save({ keepalive: true }); });
}
present = copies(items);
