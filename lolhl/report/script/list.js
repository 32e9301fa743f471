// The list of highlights, and the labels that none of them matches.

const nameOf = (item) => (item.rank ? `highlight ${item.rank}` : item.undecided ? 'proposed moment' : item.was ? `highlight at ${short(item.was[0])}` : 'added highlight');

function icon() {
  const node = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  node.setAttribute('viewBox', '0 0 44 44');
  node.setAttribute('aria-hidden', 'true');
  for (const [shape, attributes] of [['circle', { cx: 22, cy: 22, r: 22, fill: 'rgba(8,10,16,.75)' }], ['path', { d: 'M17 13l15 9-15 9z', fill: '#fff' }]]) {
    const part = document.createElementNS('http://www.w3.org/2000/svg', shape);
    for (const [name, value] of Object.entries(attributes)) part.setAttribute(name, value);
    node.append(part);
  }
  return node;
}

/** What can be played for a highlight: its place in the source, else its clip. While correcting, the source comes first. */
function playable(item) {
  const inSource = data.video && { title: nameOf(item), source: data.video, from: item.start, to: item.stop, id: item.id };
  const clip = item.clip && !(item.was && changed(item)) && { title: nameOf(item), source: item.clip, from: 0 };
  return state.correcting ? inSource || clip : clip || inSource;
}

function card(item) {
  const video = playable(item);
  const labelled = item.label !== null;
  const shot = el('button', { type: 'button', class: 'shot', disabled: !video, 'aria-label': `Play ${nameOf(item)}`, onclick: () => { select(item); play(playable(item)); } },
    item.picture ? el('img', { src: item.picture, alt: '', loading: 'lazy' }) : null,
    item.rank ? el('b', {}, `#${item.rank}`) : el('b', {}, item.undecided ? 'proposed' : item.was ? 'new' : 'added'),
    el('em', {}, length(item.stop - item.start)),
    item.undecided ? null : item.removed ? el('span', {}, 'removed')
      : item.was && item.accepted && !changed(item) ? el('span', { class: 'yes' }, '✓ accepted')
      : item.was && changed(item) ? el('span', {}, 'moved')
      : data.labels && isJudged(item) ? el('span', { class: labelled ? 'yes' : 'no' }, labelled ? '✓ labelled' : 'not labelled') : null,
    video ? icon() : null);
  const share = el('i');
  if (item.score != null) share.style.setProperty('--share', `${Math.min(100, item.score * 100)}%`);
  return el('li', { class: `item${item.removed && !item.undecided ? ' removed' : ''}${item.id === state.selected ? ' selected' : ''}`, id: item.id, 'data-start': item.start, 'data-stop': item.stop },
    shot,
    el('div', { class: 'what' },
      el('div', { class: 'times' }, `${short(item.start)} – ${short(item.stop)}`),
      item.score == null ? null : el('div', { class: 'score' }, share, el('strong', {}, item.score.toFixed(2))),
      el('p', { class: 'quiet' }, item.reason || 'added by hand')),
    el('div', { class: 'links' },
      data.twitch_id ? el('a', { href: twitch(item.start), target: '_blank', rel: 'noopener noreferrer' }, 'Twitch') : null,
      item.clip ? el('a', { href: item.clip, download: '' }, 'Clip') : null,
      shortLinks.get(item.rank) ? el('a', { href: shortLinks.get(item.rank), download: '', 'aria-label': `Short of ${nameOf(item)}` }, 'Short') : null,
      el('button', { type: 'button', onclick: () => show(item) }, 'Show in timeline')),
    state.correcting ? editor(item) : null);
}

function show(item) {
  const around = Math.max(30, item.stop - item.start);
  view(item.start - around, item.stop + around);
  select(item);
  chart.focus({ preventScroll: true });
  chart.scrollIntoView({ block: 'center', behavior: 'smooth' });
}

function editor(item) {
  const problem = el('p', { class: 'error', role: 'alert' });
  const row = (side, name) => {
    const input = el('input', { type: 'text', 'aria-label': `${name} of ${nameOf(item)}`, value: format(item[side]), disabled: item.removed && !item.undecided, spellcheck: 'false' });
    const set = (seconds) => {
      const next = { start: item.start, stop: item.stop, [side]: Math.round(seconds * 1000) / 1000 };
      problem.textContent = Number.isNaN(seconds) ? `“${input.value}” is no time: write h:mm:ss or h:mm:ss.fff`
        : next.start < 0 || Math.max(next.start, next.stop) > end + 1 ? `the stream lasts from 0:00:00 to ${format(end)}`
          : next.start >= next.stop ? 'the stop must be later than the start' : '';
      input.setAttribute('aria-invalid', String(Boolean(problem.textContent)));
      if (!problem.textContent) moveItem(item, next.start, Math.min(end, next.stop));
    };
    input.addEventListener('change', () => set(parse(input.value)));
    const nudge = (by) => el('button', { type: 'button', disabled: item.removed && !item.undecided, 'aria-label': `${name} of ${nameOf(item)} ${by > 0 ? 'one second later' : 'one second earlier'}`, onclick: () => { set(item[side] + by); } }, by > 0 ? '+1 s' : '−1 s');
    return el('div', { class: 'row', 'data-side': side }, el('span', {}, name), input, nudge(-1), nudge(1));
  };
  return el('div', { class: 'edit' }, row('start', 'Start'), row('stop', 'Stop'), problem,
    item.undecided || (item.was && !item.removed && !item.accepted) ? el('button', { type: 'button', onclick: () => { judge(item, true); } }, 'Accept') : null,
    item.undecided ? el('button', { type: 'button', onclick: () => { judge(item, false); } }, 'Reject')
      : el('button', { type: 'button', onclick: () => { toggle(item); } }, item.removed ? 'Put back' : review ? 'Reject' : 'Remove'),
    item.removed && !item.undecided ? null : el('button', { type: 'button', 'aria-label': `Widen ${nameOf(item)} by one second on each side`, onclick: () => { widen(item); } }, 'Widen'));
}

function renderList() {
  const byRank = (x, y) => (y.score ?? 2) - (x.score ?? 2) || (x.rank ?? 0) - (y.rank ?? 0); // what is added by hand comes first
  const order = [...items].sort(state.byTime ? (x, y) => x.start - y.start : byRank);
  $('highlights').replaceChildren(...order.map(card));
  $('none').hidden = data.highlights.length > 0;
  $('empty').hidden = items.length > 0;
  $('order').hidden = items.length < 2;
  renderMissed();
  renderChanges();
}

/** Draws one card anew and keeps the focus where it was. */
function renderItem(item) {
  const old = $(item.id);
  const controls = (node) => [...node.querySelectorAll('button, input, a')];
  const focused = controls(old).indexOf(document.activeElement);
  const fresh = card(item);
  old.replaceWith(fresh);
  if (focused >= 0) controls(fresh)[focused]?.focus({ preventScroll: true });
  renderMissed();
  renderChanges();
  draw();
}

function renderMissed() {
  const missed = missedLabels();
  $('missed').hidden = missed.length === 0;
  $('missed-list').replaceChildren(...missed.map((label) => el('li', {},
    `${short(label.start)} – ${short(label.stop)}`,
    data.twitch_id ? el('a', { href: twitch(label.start), target: '_blank', rel: 'noopener noreferrer' }, 'Twitch') : null,
    el('button', { type: 'button', onclick: () => { view(label.start - 30, label.stop + 30); moveCursor(label.start); chart.focus(); } }, 'Show'),
    state.correcting ? el('button', { type: 'button', onclick: () => add(label.start, label.stop, label.number) }, 'Add') : null)));
  $('add-missed').hidden = missed.length === 0;
  $('add-missed').textContent = `Add the ${missed.length} missed label${missed.length === 1 ? '' : 's'}`;
}

function renderChanges() {
  const removed = items.filter((item) => item.removed && item.was).length;
  const fresh = items.filter((item) => !item.was && !item.removed).length;
  const moved = items.filter((item) => item.was && !item.removed && changed(item)).length;
  const parts = [[removed, 'removed'], [moved, 'moved'], [fresh, 'added']].filter(([count]) => count).map(([count, what]) => `${count} ${what}`);
  const count = items.filter((item) => verdictOn(item) === 'accepted').length;
  const will = review ? `${count} highlight${count === 1 ? '' : 's'} accepted.` : `${kept().length} highlights will be saved.`;
  $('changes').textContent = `${parts.length ? `Changes: ${parts.join(', ')}` : 'No changes yet'}. ${will}`;
  const accepted = items.filter((item) => item.was && item.accepted && !changed(item)).length;
  $('undo').disabled = parts.length + accepted + marked.length === 0;
  renderFeed();
  sayWhatIsExported();
}
