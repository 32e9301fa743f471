// Steps that can be undone, verdicts by keys, and saving to the server that the page comes from, if it comes from one.

const copies = (spans) => spans.map((item) => ({ ...item }));
const snapshot = () => ({ items: copies(items), marked: [...marked] });
const past = [];
const future = [];
let present = { items: [], marked: [] };
let gesture = null;
let revision = 0;
let timer = null;
let saving = null;
let refused = false;

/** Called after each change. The changes of one gesture, such as a drag, are one step. */
function touched(name = null) {
  if (name === null || name !== gesture) past.push(present);
  gesture = name;
  present = snapshot();
  future.length = 0;
  state.saved = false;
  showLookedAt();
  scheduleSave();
}

function step(from, to) {
  if (!from.length) return;
  to.push(present);
  present = from.pop();
  gesture = null;
  items.splice(0, items.length, ...copies(present.items));
  marked.splice(0, marked.length, ...present.marked);
  fill(); // of the cut that is chosen now
  state.saved = false;
  showLookedAt();
  renderList();
  draw();
  scheduleSave();
}

/** What is saved: each span with a verdict, and the stretches that were marked as looked at. */
function corrections() {
  const judged = items.filter(verdictOn).map((item) => ({ start: item.start, stop: item.stop, verdict: verdictOn(item), was: item.was }));
  return { revision, spans: [...judged, ...unmatched], looked_at: marked };
}

function takeUp(spans) {
  for (const span of spans) {
    const item = span.was && items.find((highlight) => highlight.was && near(highlight.was, span.was));
    if (item) Object.assign(item, { start: span.start, stop: span.stop, removed: span.verdict === 'rejected', accepted: span.verdict === 'accepted' });
    else if (span.was) items.unshift({ ...byHand(span.start, span.stop), was: span.was, reason: 'judged when the stream was cut otherwise', removed: span.verdict === 'rejected', accepted: span.verdict === 'accepted' });
    else if (span.verdict === 'accepted') items.unshift(byHand(span.start, span.stop));
    else unmatched.push(span);
  }
  fill();
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
  saving = ask('PUT', review.corrections_url, corrections(), options);
  try {
    const saved = await saving;
    revision = saved.revision;
    lookedAtStretches = saved.stretches;
    showLookedAt();
    draw();
    state.saved = sent === present;
    if (state.saved) note('All corrections are saved.');
  } catch (error) {
    // Else the server may come back, the browser be let in, or the page be there again, which a job is making anew.
    refused = [400, 403, 409, 413].includes(error.status);
    note(refused ? `Not saved: ${error.message}` : `Not saved yet: ${error.message || 'the server does not answer'}. It is tried again; do not close this page.`, true);
  }
  saving = null;
  if (!state.saved) scheduleSave(timer === null && !refused ? 1500 : 250);
}

/** Whether the corrections have become the labels. */
async function useAsLabels() {
  await settled();
  if (refused) return false; // the note says why
  try {
    const stored = await ask('PUT', review.labels_url, corrections());
    review.labelled_whole = stored.looked_at === null;
    showLookedAt();
    const part = stored.looked_at === null ? '' : ` They stand for the ${length(stored.looked_at)} that you have looked at; the rest teaches nothing.`;
    $('changes').replaceChildren(`The labels of this stream are ${stored.labels} highlight${stored.labels === 1 ? '' : 's'} now.${part} “Learn from this” below learns from them.`);
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

/** The moment that is meant: the begin of the frame that the player shows, else the cursor. */
function here() {
  const time = playerTime();
  return Math.round((time === null ? state.cursor : Math.floor(time / FRAME + 1e-3) * FRAME) * 1000) / 1000;
}
const REACH = 8; // seconds before the cursor in which a highlight that is added begins: people press when it has happened

const KEYS = {
  a: () => { const item = chosen(); if (item) judge(item, true); },
  x: () => { const item = chosen(); if (item) judge(item, false); },
  i: () => { const item = chosen(); if (item && here() < item.stop) moveItem(item, here(), item.stop); },
  o: () => { const item = chosen(); if (item && here() > item.start) moveItem(item, item.start, here()); },
  n: () => add(Math.max(0, here() - REACH), Math.min(end, here() + 2)),
  w: () => { const item = chosen(); if (item) widen(item); },
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
  e: () => { if (review) lookedAtAll(); },
  v: () => { if (review) lookedAt(state.a, state.b); },
  f: () => { if (review) nextMoment(); },
  p: () => playOrPause(),
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
  const key = event.key.toLowerCase();
  if (event.target.matches('input:not([type="checkbox"], [type="range"]), textarea, select')) return;
  if (!state.correcting && key !== 'p' && !(review && key === 'f')) return; // F begins to correct
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
  marked.push(...review.looked_at);
  lookedAtStretches = review.stretches;
  takeUp(review.spans);
  $('save').textContent = 'Use as labels';
  for (const node of document.querySelectorAll('.served')) node.hidden = false;
  for (const node of document.querySelectorAll('.alone')) node.hidden = true;
  showLearning({ vod: data.vod, settled, useAsLabels });
  follow();
  showExports(review.exports);
  showFeeds(review.feeds);
  showReel();
  showShorts(showCamera(review.camera));
  $('back').href = '/';
  $('back').hidden = false;
  window.addEventListener('pagehide', () => { if (!state.saved && !refused) save({ keepalive: true }); });
}
present = snapshot();
showLookedAt();
