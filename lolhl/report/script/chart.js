// Draws the timeline: curves, highlights, labels, games and chapters on one axis, and an overview below.

const chart = $('chart');
const overview = $('overview');
const GUTTER = 62;
const PLOT = 190;
const lanes = signals.map((signal) => ({ name: `${signal.name[0].toUpperCase()}${signal.name.slice(1)}`, kind: 'signal', signal }));
lanes.push({ name: 'Found', kind: 'found' });
if (data.labels) lanes.push({ name: 'Labels', kind: 'labels' });
if (viewerClips.length) lanes.push({ name: 'Clips', kind: 'clips' });
if (review) lanes.push({ name: 'Looked at', kind: 'looked' });
if (data.games.length) lanes.push({ name: 'Games', kind: 'games' });
if (data.chapters.length) lanes.push({ name: 'Chapters', kind: 'chapters' });
const LANE = 24;
const HEIGHT = PLOT + 12 + lanes.length * LANE + 26;
chart.style.height = `${HEIGHT}px`;
const top = Math.min(1, Math.max(0.1, Math.ceil(Math.max(data.highest, data.threshold) * 10.8) / 10));
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

/** The lane under the pointer; undefined where there is none. */
const laneAt = (event) => lanes[Math.floor((event.offsetY - PLOT - 12) / LANE)]?.kind;

const toX = (seconds, width, a = state.a, b = state.b, left = GUTTER) => left + ((seconds - a) / (b - a)) * (width - left);
const toTime = (x, width, a = state.a, b = state.b, left = GUTTER) => a + ((x - left) / (width - left)) * (b - a);

const pyramids = new Map();

/** The least and greatest of each 1, 4, 16, … neighbours of these values, so that a long curve is drawn by few of them. */
function pyramid(values) {
  if (!pyramids.has(values)) {
    const levels = [{ many: 1, least: values, most: values }];
    while (levels.at(-1).least.length > 64) {
      const { many, least, most } = levels.at(-1);
      const next = { many: 4 * many, least: new Float32Array(Math.ceil(least.length / 4)), most: new Float32Array(Math.ceil(most.length / 4)) };
      for (let k = 0; k < next.least.length; k += 1) {
        next.least[k] = Math.min(...least.subarray(4 * k, 4 * k + 4));
        next.most[k] = Math.max(...most.subarray(4 * k, 4 * k + 4));
      }
      levels.push(next);
    }
    pyramids.set(values, levels);
  }
  return pyramids.get(values);
}

/** Draws a curve so that every peak is seen: each column of pixels shows the least and greatest of its values.
 *
 * `step`: seconds between two values.
 */
function curve(context, values, width, a, b, left, y, fill, step = data.step) {
  context.beginPath();
  const perPixel = (b - a) / step / (width - left);
  if (fill) context.moveTo(left, y(0));
  if (perPixel <= 1) {
    const first = Math.max(0, Math.floor(a / step) - 1);
    const last = Math.min(values.length - 1, Math.ceil(b / step) + 1);
    for (let k = first; k <= last; k += 1) context.lineTo(toX(k * step, width, a, b, left), y(values[k]));
    if (fill) context.lineTo(toX(last * step, width, a, b, left), y(0));
  } else {
    const { many, least, most } = pyramid(values).findLast((level) => level.many <= perPixel);
    for (let x = left; x < width; x += 1) {
      const first = Math.max(0, Math.floor(toTime(x, width, a, b, left) / step / many));
      const last = Math.min(least.length, Math.max(first + 1, Math.floor(toTime(x + 1, width, a, b, left) / step / many)));
      if (first >= least.length) break;
      let lowest = least[first];
      let highest = most[first];
      for (let k = first + 1; k < last; k += 1) {
        if (least[k] < lowest) lowest = least[k];
        if (most[k] > highest) highest = most[k];
      }
      context.lineTo(x, y(highest));
      if (!fill) context.lineTo(x, y(lowest));
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
  chart.setAttribute('aria-valuetext', `${short(cursor)}, probability ${at(smoothed, cursor).toFixed(2)}${inside ? `, in ${nameOf(inside)}` : ''}${clipSentence(cursor, ', ')}`);
}

function drawChart() {
  const [context, width] = surface(chart);
  const { a, b } = state;
  const y = (value) => 8 + (PLOT - 8) * (1 - Math.min(1, value / top));
  context.textBaseline = 'middle';

  // Spans behind the curves, so that it is seen what they were cut from.
  for (const item of items) {
    if (item.removed || item.stop <= a || item.start >= b) continue;
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
  context.moveTo(GUTTER, y(state.threshold));
  context.lineTo(width, y(state.threshold));
  context.stroke();
  context.setLineDash([]);
  const caption = `threshold ${state.threshold.toFixed(2)}`;
  const line = y(state.threshold) + (state.threshold > 0.9 * top ? 11 : -11);
  const wide = context.measureText(caption).width + 10;
  context.fillStyle = colours.card;
  context.globalAlpha = 0.85;
  context.fillRect(width - wide, line - 8, wide, 16);
  context.globalAlpha = 1;
  context.fillStyle = colours.red;
  context.textAlign = 'right';
  context.fillText(caption, width - 5, line);

  lanes.forEach((lane, index) => {
    const laneTop = PLOT + 12 + index * LANE;
    if (lane.kind === 'signal') drawSignal(context, lane.signal, laneTop, width);
    if (lane.kind === 'found') items.forEach((item) => drawItem(context, item, laneTop, width));
    if (lane.kind === 'labels') {
      context.fillStyle = colours.teal;
      for (const label of labels) {
        if (label.stop < a || label.start > b) continue;
        const x = toX(label.start, width);
        context.fillRect(x, laneTop + 5, Math.max(2, toX(label.stop, width) - x), LANE - 10);
      }
    }
    if (lane.kind === 'clips') {
      context.fillStyle = colours.blue;
      for (const clip of viewerClips) {
        const x = toX(clip.start, width);
        context.fillRect(x, laneTop + 7, Math.max(3, toX(clip.stop, width) - x - 1), LANE - 14);
      }
    }
    if (lane.kind === 'looked') {
      context.fillStyle = colours.quiet;
      for (const [start, stop] of lookedAtStretches) {
        const x = toX(start, width);
        context.fillRect(x, laneTop + 9, Math.max(2, toX(stop, width) - x), LANE - 18);
      }
      if (state.looking) {
        const [from, to] = state.looking.map((seconds) => toX(seconds, width));
        context.fillStyle = colours.gold;
        context.fillRect(from, laneTop + 6, to - from, LANE - 12);
      }
    }
    if (lane.kind === 'games') data.games.forEach((game, number) => drawChapter(context, game, number, laneTop, width));
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
  lanes.forEach((lane, index) => context.fillText(lane.name, GUTTER - 8, PLOT + 12 + index * LANE + LANE / 2, GUTTER - 8));
}

function drawSignal(context, { values, step }, laneTop, width) {
  context.fillStyle = colours['blue-fill'];
  context.strokeStyle = colours.blue;
  context.lineWidth = 1;
  const y = (value) => laneTop + LANE - 2 - (LANE - 5) * value;
  curve(context, values, width, state.a, state.b, GUTTER, y, true, step);
  curve(context, values, width, state.a, state.b, GUTTER, y, false, step);
}

function drawItem(context, item, laneTop, width) {
  if (item.stop < state.a || item.start > state.b) return;
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
