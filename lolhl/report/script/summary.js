// The head and the foot of the page. Draws everything for the first time.

function tile(name, value, note) {
  return el('div', {}, el('dt', {}, name), el('dd', {}, value, note ? el('small', {}, note) : null));
}

function renderRest() {
  $('meta').replaceChildren(...[
    `${short(data.duration)} long`,
    data.twitch_id ? el('a', { href: twitch(0), target: '_blank', rel: 'noopener noreferrer' }, `Twitch VOD ${data.twitch_id}`) : `VOD ${data.vod}`,
    `model ${data.model}`,
  ].map((part) => el('span', {}, part)));
  $('tiles').replaceChildren(...[
    tile('Highlights', String(items.length), data.labels ? `${labels.length} labelled` : null),
    tile('Together', items.length ? length(data.together.seconds) : '–', items.length ? `${data.together.percent.toFixed(1)} % of the stream` : null),
    tile('Highest probability', data.highest.toFixed(2), data.smooth_seconds ? `mean over ${data.smooth_seconds} s` : null),
    tile('Threshold', data.threshold.toFixed(2), `ends below ${data.low.toFixed(2)}`),
    data.agreement ? tile('Agreement with the labels', data.agreement.value, data.agreement.note) : null,
  ].filter(Boolean));
  if (data.reason) $('reason').textContent = `${data.reason[0].toUpperCase()}${data.reason.slice(1)}.`;
  const legend = [['line', data.smooth_seconds ? `probability (${data.smooth_seconds} s mean)` : 'probability'], ['area', `intensity (${data.intensity_seconds} s mean)`], ['dash', 'threshold'], ['found', 'found']];
  if (data.labels) legend.push(['label', 'labelled']);
  $('legend').replaceChildren(...legend.map(([kind, text]) => el('li', {}, el('i', { class: kind }), text)));
  $('tables').replaceChildren(...data.tables.map((table) => el('section', { class: 'card' }, ...figures(table, 'h2'))));
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
showMoment();
