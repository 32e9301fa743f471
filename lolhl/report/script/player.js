// Plays clips and the stream.

const video = $('video');
let playing = null;

function play(media) {
  playing = media;
  $('player').hidden = false;
  $('player-title').textContent = media.title;
  $('player-note').textContent = '';
  $('player-edit').hidden = !(state.correcting && media.source === data.video);
  if (video.getAttribute('src') !== media.source) {
    video.setAttribute('src', media.source);
    video.load();
  }
  const begin = () => { video.currentTime = media.from; video.play().catch(() => {}); };
  if (video.readyState) begin();
  else video.addEventListener('loadedmetadata', begin, { once: true });
  $('player-close').focus({ preventScroll: true });
}

/** Plays the chosen highlight, or stops and goes on where it plays. */
function playOrPause() {
  const item = items.find((highlight) => highlight.id === state.selected);
  const media = item && playable(item);
  if (!media) return;
  if ($('player').hidden || playing.title !== media.title || playing.from !== media.from) play(media);
  else if (video.paused) video.play().catch(() => {});
  else video.pause();
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
    const item = items.find((highlight) => highlight.id === state.selected);
    if (!item) {
      $('player-note').textContent = 'Choose a highlight first.';
      return;
    }
    const next = { start: item.start, stop: item.stop, [side]: Math.round(video.currentTime * 10) / 10 };
    if (next.start < next.stop) moveItem(item, next.start, next.stop);
    else $('player-note').textContent = 'The stop must be later than the start.';
  });
}
