// What the editor has looked at: round each span with a verdict, and what he has marked. The rest teaches nothing.

let lookedAtStretches = []; // in order of time, as the server tells them after each save

const isAllMarked = () => marked.some(([start, stop]) => start <= 0 && stop >= data.duration - 1);

function showLookedAt() {
  if (!review) return;
  const seconds = lookedAtStretches.reduce((sum, [start, stop]) => sum + stop - start, 0);
  const all = isAllMarked();
  $('looked').textContent = all ? 'You have looked at all of it.'
    : `You have looked at ${length(seconds)} of ${length(data.duration)}. ${review.labelled_whole ? 'The labels of this stream stand for all of it, and stay where you change nothing.' : 'What you have not looked at teaches nothing.'}`;
  $('look-all').setAttribute('aria-pressed', String(all));
}

/** Marks a stretch. Highlights in it that were not rejected are accepted. One step, which is undone as one. */
function lookedAt(start, stop) {
  marked.push([Math.max(0, start), Math.min(data.duration, stop)]);
  for (const item of items) {
    if (item.was && !verdictOn(item) && item.start < stop && item.stop > start) item.accepted = true;
  }
  renderList();
  draw();
  touched();
}

/** Marks all of the stream, or takes back all marks. */
function lookedAtAll() {
  if (!isAllMarked()) {
    lookedAt(0, data.duration);
    return;
  }
  marked.length = 0;
  draw();
  touched();
}

$('look-all').addEventListener('click', lookedAtAll);
$('look-view').addEventListener('click', () => lookedAt(state.a, state.b));
