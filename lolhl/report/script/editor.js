// Corrections: spans are moved, removed and added, and saved as a label file.

/** Gives an item other borders. `gesture` names the drag that it is a part of. Who moves an item accepts it. */
function moveItem(item, start, stop, gesture = null) {
  Object.assign(item, { start, stop, accepted: true }, item.undecided ? { undecided: false, removed: false } : {});
  renderItem(item);
  touched(gesture);
}

const widen = (item) => moveItem(item, Math.max(0, item.start - 1), Math.min(end, item.stop + 1));

function toggle(item) {
  if (item.was) {
    Object.assign(item, { removed: !item.removed, accepted: false });
    renderItem(item);
  } else if (item.removed) { // a moment of a list, which was rejected
    Object.assign(item, { removed: false, accepted: true });
    renderItem(item);
  } else {
    items.splice(items.indexOf(item), 1);
    fill();
    renderList();
    draw();
    $('add').focus();
  }
  touched();
}

/** A highlight by hand; `label` is the number of the label that it is made from. */
function byHand(start, stop, label = null) {
  added += 1;
  return { id: `a${added}`, rank: null, start, stop: Math.min(end, stop), score: null, reason: 'added by hand', clip: null, picture: null, label, was: null, removed: false, accepted: true };
}

function add(start, stop, label = null) {
  const item = byHand(start, stop, label);
  items.unshift(item);
  fill();
  renderList();
  select(item, { reveal: true });
  touched();
  return item;
}

$('correct').addEventListener('click', () => {
  state.correcting = !state.correcting;
  $('correct').setAttribute('aria-pressed', String(state.correcting));
  $('correct').textContent = state.correcting ? 'Done correcting' : 'Correct by hand';
  $('editor').hidden = !state.correcting;
  $('player-edit').hidden = !state.correcting;
  renderList();
});
$('add').addEventListener('click', () => {
  const start = Math.max(0, Math.min(Math.floor(state.cursor), end - 1));
  const item = add(start, start + 10);
  $(item.id).querySelector('input').focus();
});
$('add-missed').addEventListener('click', () => missedLabels().forEach((label) => add(label.start, label.stop, label.number)));
$('undo').addEventListener('click', () => {
  items.length = marked.length = 0;
  fill();
  renderList();
  draw();
  touched();
  if (!review) state.saved = true;
});

/** The label file: what `lolhl labels` reads. Without rows, the VOD is named on the command line instead. */
function table() {
  const rows = kept().map((item) => [data.vod, format(item.start), format(item.stop)]);
  const header = rows.length ? ['vid_id', 'start', 'stop'] : ['start', 'stop'];
  return [header, ...rows].map((row) => `${row.join('\t')}\n`).join('');
}

$('save').addEventListener('click', () => {
  if (review) {
    useAsLabels();
    return;
  }
  store(new Blob([table()], { type: 'text/tab-separated-values' }), `${data.vod}.tsv`);
  state.saved = true;
  const named = kept().length ? '' : ` --vod ${data.vod}`;
  $('changes').replaceChildren(`Saved ${kept().length} highlights as ${data.vod}.tsv, for the whole stream. To learn from them, run `, el('code', {}, `lolhl labels ${data.vod}.tsv${named}`), ' and train again.');
});
window.addEventListener('beforeunload', (event) => { if (!state.saved) event.preventDefault(); });

for (const [id, byTime] of [['by-rank', false], ['by-time', true]]) {
  $(id).addEventListener('click', () => {
    state.byTime = byTime;
    $('by-rank').setAttribute('aria-pressed', String(!byTime));
    $('by-time').setAttribute('aria-pressed', String(byTime));
    renderList();
  });
}
