'use strict';
(() => {
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

  // --- times -----------------------------------------------------------------------------------

  const pad = (number, width = 2) => String(number).padStart(width, '0');

  /** h:mm:ss[.fff], as label files have it. */
  function format(seconds) {
    const millis = Math.round(seconds * 1000);
    const fraction = millis % 1000;
    const whole = Math.floor(millis / 1000);
    return `${Math.floor(whole / 3600)}:${pad(Math.floor(whole / 60) % 60)}:${pad(whole % 60)}${fraction ? '.' + pad(fraction, 3) : ''}`;
  }

  const short = (seconds) => format(Math.floor(seconds));

  function length(seconds) {
    const whole = Math.round(seconds);
    if (whole < 60) return `${whole} s`;
    return whole < 3600 ? `${Math.floor(whole / 60)} min ${pad(whole % 60)} s` : `${Math.floor(whole / 3600)} h ${pad(Math.floor(whole / 60) % 60)} min`;
  }

  /** Seconds of h:mm:ss[.fff], m:ss or plain seconds; NaN for anything else. */
  function parse(text) {
    const found = /^(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d+)?)$/.exec(text.trim());
    if (!found) return NaN;
    const [, hours, minutes, seconds] = found;
    if ((minutes !== undefined && Number(seconds) >= 60) || (hours !== undefined && Number(minutes) >= 60)) return NaN;
    return Number(hours || 0) * 3600 + Number(minutes || 0) * 60 + Number(seconds);
  }

  function twitch(seconds) {
    const at = Math.max(0, Math.floor(seconds + data.offset));
    return `https://www.twitch.tv/videos/${encodeURIComponent(data.twitch_id)}?t=${Math.floor(at / 3600)}h${Math.floor(at / 60) % 60}m${at % 60}s`;
  }

  // --- what is shown ---------------------------------------------------------------------------

  function series(text) {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return Float32Array.from(new Uint16Array(bytes.buffer), (value) => value / 65535);
  }

  const smoothed = series(data.smoothed);
  const intensity = series(data.intensity);
  const end = Math.max(data.duration, 1);
  const labels = data.labels || [];
  let added = 0;
  const items = data.highlights.map((found) => ({ ...found, id: `h${found.rank}`, was: [found.start, found.stop], removed: false }));
  const state = { a: 0, b: end, cursor: items.length ? items[0].start : 0, hover: null, selected: null, correcting: false, byTime: false, saved: true, playing: null };

  const kept = () => items.filter((item) => !item.removed).sort((x, y) => x.start - y.start || x.stop - y.stop);
  const changed = (item) => item.removed || !item.was || item.start !== item.was[0] || item.stop !== item.was[1];
  const at = (values, seconds) => values[Math.min(values.length - 1, Math.max(0, Math.floor(seconds / data.step + 1e-6)))];
  const chapterAt = (seconds) => data.chapters.find((chapter) => chapter.start <= seconds && seconds < chapter.stop);

  function overlap(x, y) {
    const shared = Math.min(x.stop, y.stop) - Math.max(x.start, y.start);
    return shared <= 0 ? 0 : shared / (Math.max(x.stop, y.stop) - Math.min(x.start, y.start));
  }

  const isFound = (label) => items.some((item) => !item.removed && overlap(item, label) >= data.tiou);

  // --- the chart -------------------------------------------------------------------------------

  const chart = $('chart');
  const overview = $('overview');
  const GUTTER = 62;
  const PLOT = 190;
  const lanes = [{ name: 'Found', kind: 'found' }];
  if (data.labels) lanes.push({ name: 'Labels', kind: 'labels' });
  if (data.chapters.length) lanes.push({ name: 'Chapters', kind: 'chapters' });
  const LANE = 24;
  const HEIGHT = PLOT + 12 + lanes.length * LANE + 26;
  chart.style.height = `${HEIGHT}px`;
  const highest = smoothed.reduce((x, y) => Math.max(x, y), 0);
  const top = Math.min(1, Math.max(0.1, Math.ceil(Math.max(highest, data.threshold) * 10.8) / 10));
  let colours = {};

  function readColours() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ['card', 'raised', 'line', 'text', 'quiet', 'gold', 'gold-fill', 'gold-wash', 'on-gold', 'blue', 'blue-fill', 'teal', 'red']) {
      colours[name] = style.getPropertyValue(`--${name}`).trim();
    }
  }

  function surface(canvas) {
    const { clientWidth: width, clientHeight: height } = canvas;
    const ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const context = canvas.getContext('2d');
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = '12px system-ui, "Segoe UI", Roboto, Arial, sans-serif';
    return [context, width, height];
  }

  const toX = (seconds, width, a = state.a, b = state.b, left = GUTTER) => left + ((seconds - a) / (b - a)) * (width - left);
  const toTime = (x, width, a = state.a, b = state.b, left = GUTTER) => a + ((x - left) / (width - left)) * (b - a);

  /** Draws a curve so that every peak is seen: each column of pixels shows the least and greatest of its values. */
  function curve(context, values, width, a, b, left, y, fill) {
    context.beginPath();
    const perPixel = (b - a) / data.step / (width - left);
    if (fill) context.moveTo(left, y(0));
    if (perPixel <= 1) {
      const first = Math.max(0, Math.floor(a / data.step) - 1);
      const last = Math.min(values.length - 1, Math.ceil(b / data.step) + 1);
      for (let k = first; k <= last; k += 1) context.lineTo(toX(k * data.step, width, a, b, left), y(values[k]));
      if (fill) context.lineTo(toX(last * data.step, width, a, b, left), y(0));
    } else {
      for (let x = left; x < width; x += 1) {
        const first = Math.max(0, Math.floor(toTime(x, width, a, b, left) / data.step));
        const last = Math.min(values.length, Math.max(first + 1, Math.floor(toTime(x + 1, width, a, b, left) / data.step)));
        if (first >= values.length) break;
        let least = values[first];
        let most = values[first];
        for (let k = first + 1; k < last; k += 1) {
          if (values[k] < least) least = values[k];
          else if (values[k] > most) most = values[k];
        }
        context.lineTo(x, y(most));
        if (!fill) context.lineTo(x, y(least));
      }
      if (fill) context.lineTo(width, y(0));
    }
    if (fill) context.fill();
    else context.stroke();
  }

  const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];

  function draw() {
    if (!smoothed.length) return;
    drawChart();
    drawOverview();
    const { cursor } = state;
    chart.setAttribute('aria-valuemax', Math.round(end));
    chart.setAttribute('aria-valuenow', Math.round(cursor));
    const inside = items.find((item) => !item.removed && item.start <= cursor && cursor < item.stop);
    chart.setAttribute('aria-valuetext', `${short(cursor)}, probability ${at(smoothed, cursor).toFixed(2)}${inside ? `, in ${nameOf(inside)}` : ''}`);
  }

  function drawChart() {
    const [context, width] = surface(chart);
    const { a, b } = state;
    const y = (value) => 8 + (PLOT - 8) * (1 - Math.min(1, value / top));
    context.textBaseline = 'middle';

    // Spans behind the curves, so that it is seen what they were cut from.
    for (const item of items) {
      if (item.removed || item.stop <= a) continue;
      const x = toX(item.start, width);
      context.fillStyle = colours['gold-wash'];
      context.fillRect(Math.max(GUTTER, x), 8, Math.max(1, toX(item.stop, width) - Math.max(GUTTER, x)), PLOT - 8);
    }

    context.strokeStyle = colours.line;
    context.lineWidth = 1;
    const ticks = top > 0.5 ? 0.25 : top > 0.2 ? 0.1 : 0.05;
    context.textAlign = 'right';
    for (let value = 0; value <= top + 1e-9; value += ticks) {
      const line = Math.round(y(value)) + 0.5;
      context.beginPath();
      context.moveTo(GUTTER, line);
      context.lineTo(width, line);
      context.stroke();
      context.fillStyle = colours.quiet;
      context.fillText(value.toFixed(2), GUTTER - 8, line);
    }

    const step = STEPS.find((seconds) => (seconds / (b - a)) * (width - GUTTER) >= 84) || 28800;
    const bottom = PLOT + 12 + lanes.length * LANE;
    context.textAlign = 'center';
    for (let time = Math.ceil(a / step) * step; time <= b; time += step) {
      const x = Math.round(toX(time, width)) + 0.5;
      context.beginPath();
      context.moveTo(x, 8);
      context.lineTo(x, bottom + 4);
      context.stroke();
      context.fillStyle = colours.quiet;
      context.fillText(short(time), Math.min(width - 24, Math.max(GUTTER + 4, x)), bottom + 15);
    }

    context.save();
    context.beginPath();
    context.rect(GUTTER, 0, width - GUTTER, HEIGHT);
    context.clip();
    context.fillStyle = colours['blue-fill'];
    curve(context, intensity, width, a, b, GUTTER, y, true);
    context.strokeStyle = colours.blue;
    context.lineJoin = 'round';
    // From afar the probability is a thicket: then the intensity leads, and the peaks stand behind it.
    const afar = (b - a) / data.step > 2 * (width - GUTTER);
    context.globalAlpha = afar ? 0.45 : 1;
    context.lineWidth = afar ? 1 : 1.4;
    curve(context, smoothed, width, a, b, GUTTER, y, false);
    context.globalAlpha = 1;
    if (afar) {
      context.lineWidth = 1.6;
      curve(context, intensity, width, a, b, GUTTER, y, false);
    }

    context.strokeStyle = colours.red;
    context.lineWidth = 1.5;
    context.setLineDash([6, 4]);
    context.beginPath();
    context.moveTo(GUTTER, y(data.threshold));
    context.lineTo(width, y(data.threshold));
    context.stroke();
    context.setLineDash([]);
    const said = `threshold ${data.threshold.toFixed(2)}`;
    const line = y(data.threshold) + (data.threshold > 0.9 * top ? 11 : -11);
    const wide = context.measureText(said).width + 10;
    context.fillStyle = colours.card;
    context.globalAlpha = 0.85;
    context.fillRect(width - wide, line - 8, wide, 16);
    context.globalAlpha = 1;
    context.fillStyle = colours.red;
    context.textAlign = 'right';
    context.fillText(said, width - 5, line);

    lanes.forEach((lane, index) => {
      const laneTop = PLOT + 12 + index * LANE;
      if (lane.kind === 'found') items.forEach((item) => drawItem(context, item, laneTop, width));
      if (lane.kind === 'labels') {
        context.fillStyle = colours.teal;
        for (const label of labels) {
          const x = toX(label.start, width);
          context.fillRect(x, laneTop + 5, Math.max(2, toX(label.stop, width) - x), LANE - 10);
        }
      }
      if (lane.kind === 'chapters') data.chapters.forEach((chapter, number) => drawChapter(context, chapter, number, laneTop, width));
    });

    for (const [time, colour] of [[state.hover, colours.quiet], [state.cursor, colours.text], [state.playing, colours.gold]]) {
      if (time === null) continue;
      const x = toX(time, width);
      context.strokeStyle = colour;
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(x, 4);
      context.lineTo(x, bottom);
      context.stroke();
      if (time === state.cursor) {
        context.fillStyle = colour;
        context.beginPath();
        context.moveTo(x - 5, 0);
        context.lineTo(x + 5, 0);
        context.lineTo(x, 7);
        context.fill();
      }
    }
    context.restore();

    context.textAlign = 'right';
    context.fillStyle = colours.quiet;
    lanes.forEach((lane, index) => context.fillText(lane.name, GUTTER - 8, PLOT + 12 + index * LANE + LANE / 2));
  }

  function drawItem(context, item, laneTop, width) {
    const x = toX(item.start, width);
    const wide = Math.max(3, toX(item.stop, width) - x);
    context.globalAlpha = item.removed ? 0.25 : 1;
    context.fillStyle = colours['gold-fill'];
    context.beginPath();
    context.roundRect(x, laneTop + 3, wide, LANE - 6, 3);
    context.fill();
    if (item.id === state.selected) {
      context.strokeStyle = colours.text;
      context.lineWidth = 2;
      context.stroke();
    }
    if (wide > 20) {
      context.fillStyle = colours['on-gold'];
      context.textAlign = 'center';
      context.fillText(item.rank ? String(item.rank) : '+', x + wide / 2, laneTop + LANE / 2 + 0.5);
    }
    context.globalAlpha = 1;
  }

  function drawChapter(context, chapter, number, laneTop, width) {
    const x = Math.max(GUTTER, toX(chapter.start, width));
    const right = toX(chapter.stop, width);
    if (right <= x) return;
    context.fillStyle = number % 2 ? colours.raised : colours.line;
    context.fillRect(x, laneTop + 4, right - x, LANE - 8);
    context.save();
    context.beginPath();
    context.rect(x, laneTop, right - x - 6, LANE);
    context.clip();
    context.textAlign = 'left';
    context.fillStyle = colours.text;
    context.fillText(chapter.name, x + 6, laneTop + LANE / 2);
    context.restore();
  }

  function drawOverview() {
    const [context, width, height] = surface(overview);
    const y = (value) => 4 + (height - 8) * (1 - Math.min(1, value / top));
    context.fillStyle = colours.raised;
    context.fillRect(GUTTER, 0, width - GUTTER, height);
    context.fillStyle = colours['gold-fill'];
    for (const item of items) {
      if (!item.removed) context.fillRect(toX(item.start, width, 0, end), 0, Math.max(2, toX(item.stop, width, 0, end) - toX(item.start, width, 0, end)), 4);
    }
    context.fillStyle = colours['blue-fill'];
    curve(context, intensity, width, 0, end, GUTTER, y, true);
    context.strokeStyle = colours.blue;
    context.lineWidth = 1;
    curve(context, intensity, width, 0, end, GUTTER, y, false);
    const left = toX(state.a, width, 0, end);
    const right = Math.max(left + 3, toX(state.b, width, 0, end));
    context.fillStyle = colours.card;
    context.globalAlpha = 0.7;
    context.fillRect(GUTTER, 0, left - GUTTER, height);
    context.fillRect(right, 0, width - right, height);
    context.globalAlpha = 1;
    context.strokeStyle = colours.quiet;
    context.strokeRect(left + 0.5, 0.5, right - left - 1, height - 1);
  }

  // --- moving about ----------------------------------------------------------------------------

  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

  function view(a, b) {
    const span = clamp(b - a, Math.min(end, 10), end);
    state.a = clamp(a, 0, end - span);
    state.b = state.a + span;
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

  function showReadout() {
    const { cursor } = state;
    const chapter = chapterAt(cursor);
    $('readout').replaceChildren(
      short(cursor),
      el('span', {}, `  probability ${at(smoothed, cursor).toFixed(2)} · intensity ${at(intensity, cursor).toFixed(2)}${chapter ? ` · ${chapter.name}` : ''}`),
    );
    $('readout-actions').replaceChildren(
      ...(data.video ? [el('button', { type: 'button', onclick: () => play({ title: short(cursor), source: data.video, from: cursor }) }, 'Play from here')] : []),
      ...(data.twitch_id ? [el('a', { class: 'button', href: twitch(cursor), target: '_blank', rel: 'noopener noreferrer' }, 'Open on Twitch')] : []),
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

  function pointerTime(event, canvas, a, b) {
    return clamp(toTime(event.offsetX, canvas.clientWidth, a, b), 0, end);
  }

  const itemAt = (seconds) => items.find((item) => !item.removed && item.start <= seconds && seconds < item.stop);

  /** The edge of a highlight under the pointer, when edges can be moved. */
  function edgeAt(event) {
    if (!state.correcting || event.offsetX < GUTTER) return null;
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

  let drag = null;
  chart.addEventListener('pointerdown', (event) => {
    if (event.button) return;
    chart.setPointerCapture(event.pointerId);
    drag = { x: event.offsetX, a: state.a, b: state.b, moved: false, edge: edgeAt(event) };
  });
  chart.addEventListener('pointermove', (event) => {
    if (drag && Math.abs(event.offsetX - drag.x) > 3) drag.moved = true;
    if (drag?.edge && drag.moved) {
      const { item, side } = drag.edge;
      const time = Math.round(pointerTime(event, chart) * 10) / 10;
      const next = { start: item.start, stop: item.stop, [side]: time };
      if (next.stop - next.start >= 0.5) moveItem(item, next.start, next.stop);
    } else if (drag?.moved) {
      const shift = ((drag.x - event.offsetX) / (chart.clientWidth - GUTTER)) * (drag.b - drag.a);
      view(drag.a + shift, drag.b + shift);
    }
    chart.style.cursor = drag?.moved && !drag.edge ? 'grabbing' : drag?.edge || edgeAt(event) ? 'ew-resize' : '';
    showTip(event);
  });
  chart.addEventListener('pointerup', (event) => {
    if (drag && !drag.moved && event.offsetX >= GUTTER) {
      const time = pointerTime(event, chart);
      const item = itemAt(time);
      if (item) select(item, { reveal: true });
      moveCursor(time);
    }
    drag = null;
  });
  chart.addEventListener('pointercancel', () => { drag = null; });
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
      `intensity ${at(intensity, time).toFixed(2)}`,
      item ? nameOf(item) : null,
      labels.some((label) => label.start <= time && time < label.stop) ? 'labelled' : null,
      chapter ? chapter.name.slice(0, 60) : null,
    ].filter(Boolean).join('\n');
    tip.hidden = false;
    const left = event.offsetX + 14;
    tip.style.left = `${left + tip.offsetWidth > chart.clientWidth ? Math.max(0, event.offsetX - tip.offsetWidth - 14) : left}px`;
    draw();
  }

  chart.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = Math.max(data.step, Math.round((state.b - state.a) / 100)) * (event.shiftKey ? 10 : 1);
    const starts = kept();
    const actions = {
      ArrowLeft: () => moveCursor(state.cursor - step),
      ArrowRight: () => moveCursor(state.cursor + step),
      Home: () => moveCursor(0),
      End: () => moveCursor(end),
      PageUp: () => { const item = starts.findLast((one) => one.start < state.cursor - 1e-6); if (item) select(item); },
      PageDown: () => { const item = starts.find((one) => one.start > state.cursor + 1e-6); if (item) select(item); },
      '+': () => zoom(0.5),
      '=': () => zoom(0.5),
      '-': () => zoom(2),
      0: () => view(0, end),
      Enter: () => { const item = itemAt(state.cursor); if (item) select(item, { focus: true, reveal: true }); },
    };
    if (!actions[event.key]) return;
    actions[event.key]();
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

  $('zoom-in').addEventListener('click', () => zoom(0.5));
  $('zoom-out').addEventListener('click', () => zoom(2));
  $('zoom-all').addEventListener('click', () => view(0, end));

  // --- the list --------------------------------------------------------------------------------

  const nameOf = (item) => (item.rank ? `highlight ${item.rank}` : 'added highlight');

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
    const inSource = data.video && { title: nameOf(item), source: data.video, from: item.start, to: item.stop };
    const clip = item.clip && !(item.was && changed(item)) && { title: nameOf(item), source: item.clip, from: 0 };
    return state.correcting ? inSource || clip : clip || inSource;
  }

  function card(item) {
    const video = playable(item);
    const labelled = data.labels && labels.some((label) => overlap(item, label) >= data.tiou);
    const shot = el('button', { type: 'button', class: 'shot', disabled: !video, 'aria-label': `Play ${nameOf(item)}`, onclick: () => { select(item); play(playable(item)); } },
      item.picture ? el('img', { src: item.picture, alt: '', loading: 'lazy' }) : null,
      item.rank ? el('b', {}, `#${item.rank}`) : el('b', {}, 'added'),
      el('em', {}, length(item.stop - item.start)),
      item.removed ? el('span', {}, 'removed')
        : data.labels ? el('span', { class: labelled ? 'yes' : 'no' }, labelled ? '✓ labelled' : 'not labelled') : null,
      video ? icon() : null);
    const share = el('i');
    if (item.score != null) share.style.setProperty('--share', `${Math.min(100, item.score * 100)}%`);
    return el('li', { class: `item${item.removed ? ' removed' : ''}${item.id === state.selected ? ' selected' : ''}`, id: item.id, 'data-start': item.start, 'data-stop': item.stop },
      shot,
      el('div', { class: 'what' },
        el('div', { class: 'times' }, `${short(item.start)} – ${short(item.stop)}`),
        item.score == null ? null : el('div', { class: 'score' }, share, el('strong', {}, item.score.toFixed(2))),
        el('p', { class: 'quiet' }, item.reason || 'added by hand')),
      el('div', { class: 'links' },
        data.twitch_id ? el('a', { href: twitch(item.start), target: '_blank', rel: 'noopener noreferrer' }, 'Twitch') : null,
        item.clip ? el('a', { href: item.clip, download: '' }, 'Clip') : null,
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
      const input = el('input', { type: 'text', 'aria-label': `${name} of ${nameOf(item)}`, value: format(item[side]), disabled: item.removed, spellcheck: 'false' });
      const set = (seconds) => {
        const next = { start: item.start, stop: item.stop, [side]: Math.round(seconds * 1000) / 1000 };
        problem.textContent = Number.isNaN(seconds) ? `“${input.value}” is no time: write h:mm:ss or h:mm:ss.fff`
          : next.start < 0 || Math.max(next.start, next.stop) > end + 1 ? `the stream lasts from 0:00:00 to ${format(end)}`
            : next.start >= next.stop ? 'the stop must be later than the start' : '';
        input.setAttribute('aria-invalid', String(Boolean(problem.textContent)));
        if (!problem.textContent) moveItem(item, next.start, Math.min(end, next.stop));
      };
      input.addEventListener('change', () => set(parse(input.value)));
      const nudge = (by) => el('button', { type: 'button', disabled: item.removed, 'aria-label': `${name} of ${nameOf(item)} ${by > 0 ? 'one second later' : 'one second earlier'}`, onclick: () => { set(item[side] + by); } }, by > 0 ? '+1 s' : '−1 s');
      return el('div', { class: 'row', 'data-side': side }, el('span', {}, name), input, nudge(-1), nudge(1));
    };
    return el('div', { class: 'edit' }, row('start', 'Start'), row('stop', 'Stop'), problem,
      el('button', { type: 'button', onclick: () => { toggle(item); } }, item.removed ? 'Put back' : 'Remove'));
  }

  function renderList() {
    const order = [...items].sort(state.byTime ? (x, y) => x.start - y.start : (x, y) => (x.rank ?? 0) - (y.rank ?? 0));
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
    const missed = labels.filter((label) => !isFound(label));
    $('missed').hidden = missed.length === 0;
    $('missed-list').replaceChildren(...missed.map((label) => el('li', {},
      `${short(label.start)} – ${short(label.stop)}`,
      data.twitch_id ? el('a', { href: twitch(label.start), target: '_blank', rel: 'noopener noreferrer' }, 'Twitch') : null,
      el('button', { type: 'button', onclick: () => { view(label.start - 30, label.stop + 30); moveCursor(label.start); chart.focus(); } }, 'Show'),
      state.correcting ? el('button', { type: 'button', onclick: () => add(label.start, label.stop) }, 'Add') : null)));
    $('add-missed').hidden = missed.length === 0;
    $('add-missed').textContent = `Add the ${missed.length} missed label${missed.length === 1 ? '' : 's'}`;
  }

  function renderChanges() {
    const removed = items.filter((item) => item.removed && item.was).length;
    const fresh = items.filter((item) => !item.was && !item.removed).length;
    const moved = items.filter((item) => item.was && !item.removed && changed(item)).length;
    const parts = [[removed, 'removed'], [moved, 'moved'], [fresh, 'added']].filter(([count]) => count).map(([count, what]) => `${count} ${what}`);
    $('changes').textContent = parts.length ? `Changes: ${parts.join(', ')}. ${kept().length} highlights will be saved.` : `No changes yet. ${kept().length} highlights will be saved.`;
    $('undo').disabled = parts.length === 0;
  }

  // --- correcting ------------------------------------------------------------------------------

  function moveItem(item, start, stop) {
    item.start = start;
    item.stop = stop;
    state.saved = false;
    renderItem(item);
  }

  function toggle(item) {
    if (item.was) {
      item.removed = !item.removed;
      renderItem(item);
    } else {
      items.splice(items.indexOf(item), 1);
      renderList();
      draw();
      $('add').focus();
    }
    state.saved = false;
  }

  function add(start, stop) {
    added += 1;
    const item = { id: `a${added}`, rank: null, start, stop: Math.min(end, stop), score: null, reason: 'added by hand', clip: null, picture: null, was: null, removed: false };
    items.unshift(item);
    state.saved = false;
    renderList();
    select(item, { reveal: true });
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
  $('add-missed').addEventListener('click', () => labels.filter((label) => !isFound(label)).forEach((label) => add(label.start, label.stop)));
  $('undo').addEventListener('click', () => {
    for (const item of items) if (item.was) Object.assign(item, { start: item.was[0], stop: item.was[1], removed: false });
    items.splice(0, items.length, ...items.filter((item) => item.was));
    state.saved = true;
    renderList();
    draw();
  });

  /** The label file: what `lolhl labels` reads. Without rows, the VOD is named on the command line instead. */
  function table() {
    const rows = kept().map((item) => [data.vod, format(item.start), format(item.stop)]);
    const header = rows.length ? ['vid_id', 'start', 'stop'] : ['start', 'stop'];
    return [header, ...rows].map((row) => `${row.join('\t')}\n`).join('');
  }

  $('save').addEventListener('click', () => {
    const address = URL.createObjectURL(new Blob([table()], { type: 'text/tab-separated-values' }));
    const link = el('a', { href: address, download: `${data.vod}.tsv` });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
    state.saved = true;
    const named = kept().length ? '' : ` --vod ${data.vod}`;
    $('changes').replaceChildren(`Saved ${kept().length} highlights as ${data.vod}.tsv. To learn from them, run `, el('code', {}, `lolhl labels ${data.vod}.tsv${named}`), ' and train again.');
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

  // --- the player ------------------------------------------------------------------------------

  const video = $('video');
  let playing = null;

  function play(what) {
    playing = what;
    $('player').hidden = false;
    $('player-title').textContent = what.title;
    $('player-note').textContent = '';
    $('player-edit').hidden = !(state.correcting && what.source === data.video);
    if (video.getAttribute('src') !== what.source) {
      video.setAttribute('src', what.source);
      video.load();
    }
    const begin = () => { video.currentTime = what.from; video.play().catch(() => {}); };
    if (video.readyState) begin();
    else video.addEventListener('loadedmetadata', begin, { once: true });
    $('player-close').focus({ preventScroll: true });
  }

  function closePlayer() {
    video.pause();
    $('player').hidden = true;
    state.playing = null;
    draw();
  }

  video.addEventListener('error', () => {
    if (video.getAttribute('src')) $('player-note').textContent = `${playing.source} cannot be played: it must lie beside this page, in a format that browsers know.`;
  });
  video.addEventListener('timeupdate', () => {
    if (playing.source !== data.video) return;
    state.playing = video.currentTime;
    if (playing.to && !state.correcting && video.currentTime >= playing.to) {
      video.pause();
      playing.to = null;
    }
    draw();
  });
  $('player-close').addEventListener('click', closePlayer);
  document.addEventListener('keydown', (event) => { if (event.key === 'Escape' && !$('player').hidden) closePlayer(); });
  for (const [id, side] of [['start-here', 'start'], ['stop-here', 'stop']]) {
    $(id).addEventListener('click', () => {
      const item = items.find((one) => one.id === state.selected);
      if (!item) {
        $('player-note').textContent = 'Choose a highlight first.';
        return;
      }
      const next = { start: item.start, stop: item.stop, [side]: Math.round(video.currentTime * 10) / 10 };
      if (next.start < next.stop) moveItem(item, next.start, next.stop);
      else $('player-note').textContent = 'The stop must be later than the start.';
    });
  }

  // --- the rest of the page --------------------------------------------------------------------

  function tile(name, value, note) {
    return el('div', {}, el('dt', {}, name), el('dd', {}, value, note ? el('small', {}, note) : null));
  }

  function renderRest() {
    const total = items.reduce((sum, item) => sum + item.stop - item.start, 0);
    $('meta').replaceChildren(...[
      `${short(data.duration)} long`,
      data.twitch_id ? el('a', { href: twitch(0), target: '_blank', rel: 'noopener noreferrer' }, `Twitch VOD ${data.twitch_id}`) : `VOD ${data.vod}`,
      `model ${data.model}`,
    ].map((part) => el('span', {}, part)));
    $('tiles').replaceChildren(...[
      tile('Highlights', String(items.length), data.labels ? `${labels.length} labelled` : null),
      tile('Together', items.length ? length(total) : '–', items.length ? `${((100 * total) / end).toFixed(1)} % of the stream` : null),
      tile('Highest probability', highest.toFixed(2), `mean over ${data.smooth_seconds} s`),
      tile('Threshold', data.threshold.toFixed(2), `ends below ${data.low.toFixed(2)}`),
      data.agreement ? tile('Agreement with the labels', data.agreement.value, data.agreement.note) : null,
    ].filter(Boolean));
    if (data.reason) $('reason').textContent = `${data.reason[0].toUpperCase()}${data.reason.slice(1)}.`;
    const legend = [['line', `probability (${data.smooth_seconds} s mean)`], ['area', `intensity (${data.intensity_seconds} s mean)`], ['dash', 'threshold'], ['found', 'found']];
    if (data.labels) legend.push(['label', 'labelled']);
    $('legend').replaceChildren(...legend.map(([kind, text]) => el('li', {}, el('i', { class: kind }), text)));
    $('tables').replaceChildren(...data.tables.map((one) => el('section', { class: 'card' },
      el('h2', {}, one.title),
      el('div', { class: 'scroll' }, el('table', {},
        el('thead', {}, el('tr', {}, ...one.header.map((text) => el('th', { scope: 'col' }, text)))),
        el('tbody', {}, ...one.rows.map((row) => el('tr', {}, el('th', { scope: 'row' }, row[0]), ...row.slice(1).map((text) => el('td', {}, text))))))),
      one.note ? el('p', { class: 'quiet' }, one.note) : null)));
    $('foot').replaceChildren(
      ...(data.files.length ? [el('div', { class: 'files' }, 'Files:', ...data.files.map((file) => el('a', { href: file.href }, file.name)))] : []),
      el('span', {}, data.settings));
  }

  readColours();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { readColours(); draw(); });
  new ResizeObserver(draw).observe(chart);
  renderRest();
  renderList();
  showReadout();
  draw();
})();
