// What the editor has looked at: round each span with a verdict, and what he has marked. The rest teaches nothing.

const ROUND = 5; // seconds before and after a span with a verdict, as `lolhl.review.corrections` has it
let lookedAtStretches = [];

const isAllMarked = () => marked.some(([start, stop]) => start <= 0 && stop >= data.duration - 1);

/** The stretches that were looked at, in order of time. A highlight without a verdict is not cut into. */
function stretchesLookedAt() {
  const others = items.filter((item) => item.was && !verdictOn(item));
  const stretches = marked.map(([start, stop]) => [start, stop]);
  for (const item of [...items.filter(verdictOn), ...unmatched]) {
    const start = item.was ? Math.min(item.start, item.was[0]) : item.start;
    const stop = item.was ? Math.max(item.stop, item.was[1]) : item.stop;
    let before = Math.max(0, start - ROUND);
    let after = Math.min(end, stop + ROUND);
    for (const other of others) {
      if (other.stop <= start && other.stop > before) before = other.stop;
      if (other.start >= stop && other.start < after) after = other.start;
    }
    stretches.push([before, after]);
  }
  const merged = [];
  for (const [start, stop] of stretches.sort((x, y) => x[0] - y[0])) {
    const last = merged.at(-1);
    if (last && start <= last[1]) last[1] = Math.max(last[1], stop);
    else merged.push([start, stop]);
  }
  return merged;
}

function showLookedAt() {
  if (!review) return;
  lookedAtStretches = stretchesLookedAt();
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
