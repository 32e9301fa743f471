// Moves about in the timeline: cursor, zoom, mouse, keys.

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

function setView(a, b) {
  const span = clamp(b - a, Math.min(end, 10), end);
  state.a = clamp(a, 0, end - span);
  state.b = state.a + span;
}

function view(a, b) {
  setView(a, b);
  draw();
}

function zoom(factor, centre = state.cursor) {
  const about = centre >= state.a && centre <= state.b ? centre : (state.a + state.b) / 2;
  view(about - (about - state.a) * factor, about + (state.b - about) * factor);
}

function moveCursor(seconds) {
  state.cursor = clamp(seconds, 0, end);
  if (state.cursor < state.a || state.cursor > state.b) {
    const span = state.b - state.a;
    view(state.cursor - span / 2, state.cursor + span / 2);
  }
  showReadout();
  draw();
}

const signalSentence = (seconds) => signals.map(({ name, values, step }) => ` · ${name} ${at(values, seconds, step).toFixed(2)}`).join('');

function showReadout() {
  const { cursor } = state;
  const chapter = chapterAt(cursor);
  $('readout').replaceChildren(
    short(cursor),
    el('span', {}, `  probability ${at(smoothed, cursor).toFixed(2)} · intensity ${at(intensity, cursor).toFixed(2)}${signalSentence(cursor)}${chapter ? ` · ${chapter.name}` : ''}${clipSentence(cursor, ' · ')}`),
  );
  const [clip] = clipsAt(cursor);
  $('readout-actions').replaceChildren(
    ...(data.video ? [el('button', { type: 'button', onclick: () => play({ title: short(cursor), source: data.video, from: cursor }) }, 'Play from here')] : []),
    ...(data.twitch_id ? [el('a', { class: 'button', href: twitch(cursor), target: '_blank', rel: 'noopener noreferrer' }, 'Open on Twitch')] : []),
    ...(clip ? [el('a', { class: 'button', href: `https://clips.twitch.tv/${encodeURIComponent(clip.slug)}`, target: '_blank', rel: 'noopener noreferrer' }, 'Open the clip')] : []),
  );
}

function select(item, { focus = false, reveal = false } = {}) {
  state.selected = item.id;
  for (const card of document.querySelectorAll('.item')) card.classList.toggle('selected', card.id === item.id);
  const card = $(item.id);
  if (reveal) card.scrollIntoView({ block: 'nearest', behavior: 'smooth' });
  if (focus) card.querySelector('button:enabled, a, input:enabled').focus({ preventScroll: true });
  moveCursor(item.start);
}

/** An address that ends in #t=754.5 shows that moment: other pages link to it so. */
function showMoment() {
  const moment = /^#t=(\d+(?:\.\d+)?)$/.exec(location.hash);
  if (!moment) return;
  const seconds = clamp(Number(moment[1]), 0, end);
  view(seconds - 60, seconds + 60);
  moveCursor(seconds);
  chart.focus({ preventScroll: true });
  chart.scrollIntoView({ block: 'center' });
}

function pointerTime(event, canvas, a, b) {
  return clamp(toTime(event.offsetX, canvas.clientWidth, a, b), 0, end);
}

/** Seconds that the pointer may miss what it points at. */
const nearby = () => (4 / (chart.clientWidth - GUTTER)) * (state.b - state.a);

const itemAt = (seconds) => items.find((item) => !item.removed && item.start <= seconds && seconds < item.stop);

/** The edge of a highlight under the pointer, when edges can be moved. */
function edgeAt(event) {
  if (!state.correcting || event.offsetX < GUTTER || laneAt(event) === 'looked') return null;
  let nearest = null;
  for (const item of items) {
    if (item.removed) continue;
    for (const side of ['start', 'stop']) {
      const distance = Math.abs(toX(item[side], chart.clientWidth) - event.offsetX);
      if (distance <= 6 && (!nearest || distance < nearest.distance)) nearest = { item, side, distance };
    }
  }
  return nearest;
}

/** Where a stretch begins that is marked as looked at by dragging on its lane; null elsewhere. */
const lookFrom = (event) => (state.correcting && event.offsetX >= GUTTER && laneAt(event) === 'looked' ? clamp(pointerTime(event, chart), state.a, state.b) : null);

let drag = null;
chart.addEventListener('pointerdown', (event) => {
  if (event.button) return;
  chart.setPointerCapture(event.pointerId);
  drag = { name: `drag ${event.timeStamp}`, x: event.offsetX, a: state.a, b: state.b, moved: false, edge: edgeAt(event), look: lookFrom(event) };
});
chart.addEventListener('pointermove', (event) => {
  if (drag && Math.abs(event.offsetX - drag.x) > 3) drag.moved = true;
  if (drag?.moved && drag.look !== null) {
    const there = clamp(pointerTime(event, chart), state.a, state.b);
    state.looking = [Math.min(drag.look, there), Math.max(drag.look, there)];
  } else if (drag?.edge && drag.moved) {
    const { item, side } = drag.edge;
    const time = Math.round(pointerTime(event, chart) * 10) / 10;
    const next = { start: item.start, stop: item.stop, [side]: time };
    if (next.stop - next.start >= 0.5) moveItem(item, next.start, next.stop, drag.name);
  } else if (drag?.moved) {
    const shift = ((drag.x - event.offsetX) / (chart.clientWidth - GUTTER)) * (drag.b - drag.a);
    setView(drag.a + shift, drag.b + shift);
  }
  chart.style.cursor = (drag ? drag.look : lookFrom(event)) !== null ? 'cell' : drag?.moved && !drag.edge ? 'grabbing' : drag?.edge || edgeAt(event) ? 'ew-resize' : '';
  showTip(event);
  draw();
});
chart.addEventListener('pointerup', (event) => {
  if (drag && !drag.moved && event.offsetX >= GUTTER) {
    const time = pointerTime(event, chart);
    const [clip] = laneAt(event) === 'clips' ? clipsAt(time, nearby()) : [];
    const item = itemAt(time);
    if (item && !clip) select(item, { reveal: true });
    moveCursor(clip ? clip.start : time);
  }
  const [start, stop] = (state.looking || []).map((seconds) => Math.round(seconds * 10) / 10);
  endDrag();
  if (stop - start >= 0.5) lookedAt(start, stop);
});

function endDrag() {
  drag = null;
  state.looking = null;
  draw();
}
chart.addEventListener('pointercancel', endDrag);
document.addEventListener('keydown', (event) => { if (event.key === 'Escape' && drag) endDrag(); });
chart.addEventListener('pointerleave', () => {
  state.hover = null;
  $('tip').hidden = true;
  draw();
});
chart.addEventListener('dblclick', (event) => zoom(0.3, pointerTime(event, chart)));
chart.addEventListener('wheel', (event) => {
  if (event.ctrlKey || event.metaKey) zoom(Math.exp(clamp(event.deltaY, -60, 60) / 150), pointerTime(event, chart));
  else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    const shift = (event.deltaX / chart.clientWidth) * (state.b - state.a);
    view(state.a + shift, state.b + shift);
  } else return;
  event.preventDefault();
}, { passive: false });

function showTip(event) {
  const tip = $('tip');
  if (event.offsetX < GUTTER) {
    tip.hidden = true;
    return;
  }
  const time = pointerTime(event, chart);
  const item = itemAt(time);
  const chapter = chapterAt(time);
  state.hover = time;
  tip.textContent = [
    `${short(time)}   ${at(smoothed, time).toFixed(2)}`,
    `intensity ${at(intensity, time).toFixed(2)}${signalSentence(time)}`,
    item ? nameOf(item) : null,
    labels.some((label) => label.start <= time && time < label.stop) ? 'labelled' : null,
    clipSentence(time, '', nearby()),
    gameAt(time)?.name.slice(0, 60),
    chapter ? chapter.name.slice(0, 60) : null,
  ].filter(Boolean).join('\n');
  tip.hidden = false;
  const left = event.offsetX + 14;
  tip.style.left = `${left + tip.offsetWidth > chart.clientWidth ? Math.max(0, event.offsetX - tip.offsetWidth - 14) : left}px`;
}

chart.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = Math.max(data.step, Math.round((state.b - state.a) / 100)) * (event.shiftKey ? 10 : 1);
  const starts = kept();
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const actions = {
    ArrowLeft: () => moveCursor(state.cursor - step),
    ArrowRight: () => moveCursor(state.cursor + step),
    Home: () => moveCursor(0),
    End: () => moveCursor(end),
    PageUp: () => { const item = starts.findLast((highlight) => highlight.start < state.cursor - 1e-6); if (item) select(item); },
    PageDown: () => { const item = starts.find((highlight) => highlight.start > state.cursor + 1e-6); if (item) select(item); },
    '+': () => zoom(0.5),
    '=': () => zoom(0.5),
    '-': () => zoom(2),
    0: () => view(0, end),
    c: () => {
      const clip = event.shiftKey ? viewerClips.findLast(({ start }) => start < state.cursor - 1e-6) : viewerClips.find(({ start }) => start > state.cursor + 1e-6);
      if (clip) moveCursor(clip.start);
    },
    Enter: () => { const item = itemAt(state.cursor); if (item) select(item, { focus: true, reveal: true }); },
  };
  if (!actions[key]) return;
  actions[key]();
  event.preventDefault();
});

function moveOverview(event) {
  const time = pointerTime(event, overview, 0, end);
  const span = state.b - state.a;
  view(time - span / 2, time + span / 2);
}
overview.addEventListener('pointerdown', (event) => {
  overview.setPointerCapture(event.pointerId);
  moveOverview(event);
});
overview.addEventListener('pointermove', (event) => { if (event.buttons) moveOverview(event); });

$('clip-keys').hidden = !viewerClips.length;
window.addEventListener('hashchange', showMoment);
$('zoom-in').addEventListener('click', () => zoom(0.5));
$('zoom-out').addEventListener('click', () => zoom(2));
$('zoom-all').addEventListener('click', () => view(0, end));
