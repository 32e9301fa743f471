// What the page shows: curves, highlights, labels, and what is chosen of them.

function series(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return Float32Array.from(new Uint16Array(bytes.buffer), (value) => value / 65535);
}

const smoothed = series(data.smoothed);
const intensity = series(data.intensity);
const end = Math.max(data.duration, 1);
const labels = (data.labels || []).map((label, number) => ({ ...label, number }));
let added = 0;
const highlights = data.highlights.map((highlight) => ({ ...highlight, id: `h${highlight.rank}`, was: [highlight.start, highlight.stop], removed: false, accepted: false }));
const items = highlights.map((item) => ({ ...item })); // what is shown: as found, corrected, and added
const signals = (data.signals || []).map((signal) => ({ ...signal, values: series(signal.values) })); // pages of before have none
const viewerClips = data.viewer_clips || []; // that viewers made on Twitch; pages of before have none
const shortLinks = new Map(data.highlights.map((highlight) => [highlight.rank, highlight.short])); // of vertical videos
const review = JSON.parse($('review').textContent); // null where the page comes from no server
const marked = []; // start and stop of stretches that the editor has marked as looked at
const state = { a: 0, b: end, threshold: data.threshold, cursor: items.length ? items[0].start : 0, hover: null, looking: null, selected: null, correcting: false, byTime: false, saved: true, playing: null };

const verdictOn = (item) => (item.removed && !item.undecided ? 'rejected' : item.accepted ? 'accepted' : null);
const kept = () => items.filter((item) => !item.removed).sort((x, y) => x.start - y.start || x.stop - y.stop);
const changed = (item) => item.removed || !item.was || item.start !== item.was[0] || item.stop !== item.was[1];
const at = (values, seconds, step = data.step) => values[Math.min(values.length - 1, Math.max(0, Math.floor(seconds / step + 1e-6)))];
const gameAt = (seconds) => data.games.find((game) => game.start <= seconds && seconds < game.stop);
const chapterAt = (seconds) => data.chapters.find((chapter) => chapter.start <= seconds && seconds < chapter.stop);

/** Whether labels speak of this highlight: those of a part of the stream say nothing of the rest. */
const isJudged = (item) => !data.looked_at || data.looked_at.some(([start, stop]) => start <= (item.start + item.stop) / 2 && (item.start + item.stop) / 2 < stop);

/** Labels without a highlight. Which label a highlight matches was decided where the figures are computed. */
const missedLabels = () => labels.filter((label) => !items.some((item) => !item.removed && item.label === label.number));

/** The clips of viewers at this time, the most viewed first. They reach `slack` seconds further than they last. */
const clipsAt = (seconds, slack = 0) => viewerClips.filter((clip) => clip.start - slack <= seconds && seconds < clip.stop + slack).sort((x, y) => y.views - x.views);

/** The most viewed clip at this time in words, behind the text `before`; an empty text where there is none. */
function clipSentence(seconds, before, slack = 0) {
  const [clip, ...others] = clipsAt(seconds, slack);
  if (!clip) return '';
  const title = clip.title.length > 60 ? `${clip.title.slice(0, 60)}…` : clip.title;
  return `${before}clip “${title}”, ${clip.views.toLocaleString('en')} view${clip.views === 1 ? '' : 's'}${others.length ? `, and ${others.length} more` : ''}`;
}
