// Plays clips and the stream: at any speed, backwards too, by frames, and up to the end of a highlight.

const video = $('video');
const SPEEDS = [-8, -4, -2, -1, 1, 2, 4, 8];
const FRAME = 1 / (data.picture_rate || 30);
const shuttle = { speed: 1, at: null }; // `at`: when the last picture backwards was shown
let playing = null;

/** Seconds of the stream that the player shows; null where it shows none of it. */
const playerTime = () => (playing?.source === data.video && !$('player').hidden ? video.currentTime : null);

function play(media) {
  playing = media;
  $('player').hidden = false;
  $('player-title').textContent = media.title;
  $('player-note').textContent = '';
  $('player-edit').hidden = !(state.correcting && media.source === data.video);
  $('player-stay').hidden = !media.to;
  if (video.getAttribute('src') !== media.source) {
    video.setAttribute('src', media.source);
    video.load();
  }
  const begin = () => {
    if (playing !== media) return;
    video.currentTime = media.from;
    if (!media.halted) run(1); // nobody has stopped it while it was loaded
  };
  if (video.readyState) begin();
  else video.addEventListener('loadedmetadata', begin, { once: true });
  $('player-close').focus({ preventScroll: true });
}

const isRunning = () => shuttle.at !== null || !video.paused;

/** Plays at this speed; below 0 backwards, which no browser does by itself, so that it is done by seeking. */
function run(speed) {
  playing.halted = false;
  shuttle.speed = speed;
  shuttle.at = null;
  if (speed > 0) {
    video.playbackRate = speed;
    video.play().catch(() => {});
  } else {
    video.pause();
    shuttle.at = performance.now();
    requestAnimationFrame(runBackwards);
  }
  sayHowItRuns();
}

function halt() {
  playing.halted = true;
  shuttle.at = null;
  video.pause();
  sayHowItRuns();
}

function runBackwards(now) {
  if (shuttle.at === null) return;
  if (!video.seeking) {
    const time = video.currentTime + (shuttle.speed * Math.max(0, now - shuttle.at)) / 1000;
    shuttle.at = now;
    video.currentTime = Math.max(0, time);
    if (time <= 0) {
      halt();
      return;
    }
  }
  requestAnimationFrame(runBackwards);
}

/** Goes on at the next speed in a direction: 1 or -1. */
function faster(direction) {
  const first = direction > 0 ? 1 : -1;
  const place = SPEEDS.indexOf(shuttle.speed) + direction;
  run(isRunning() ? SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, place))] : first);
}

/** Shows the frame that lies so many on. The middle of a frame is asked for, since its border may show the one before. */
function stepFrames(count) {
  halt();
  const frame = Math.floor(video.currentTime / FRAME + 1e-3) + count;
  video.currentTime = Math.max(0, (frame + 0.5) * FRAME);
}

function sayHowItRuns() {
  $('speed').textContent = !isRunning() || shuttle.speed === 1 ? '' : `${shuttle.speed < 0 ? '−' : ''}${Math.abs(shuttle.speed)}×`;
}

/** Where the highlight ends that plays, as it is now; null where there is none, or where it may be left. */
function stayUntil() {
  if (!playing.to || !$('stay').checked || playing.left) return null;
  const item = items.find((highlight) => highlight.id === playing.id);
  return playing.source === data.video && item ? item.stop : playing.to;
}

/** Stops at the end of the highlight, to the picture. Who plays on from there leaves it. */
function watch() {
  if (video.paused) return;
  const until = stayUntil();
  if (until !== null && video.currentTime >= until) {
    halt();
    playing.left = true;
  } else requestAnimationFrame(watch);
}

/** Plays the chosen highlight, or stops and goes on where it plays. */
function playOrPause() {
  const item = items.find((highlight) => highlight.id === state.selected);
  const media = item && playable(item);
  if (!media) return;
  if ($('player').hidden || playing.title !== media.title || playing.from !== media.from) play(media);
  else if (isRunning()) halt();
  else run(1);
}

function closePlayer() {
  halt();
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
  draw();
});
video.addEventListener('play', () => { shuttle.at = null; watch(); sayHowItRuns(); });
video.addEventListener('pause', sayHowItRuns);
$('player-close').addEventListener('click', closePlayer);

const PLAYER_KEYS = { j: () => faster(-1), k: halt, l: () => faster(1), ',': () => stepFrames(-1), '.': () => stepFrames(1) };
for (const [id, key] of [['backwards', 'j'], ['halt', 'k'], ['forwards', 'l'], ['frame-back', ','], ['frame-on', '.']]) $(id).addEventListener('click', PLAYER_KEYS[key]);
document.addEventListener('keydown', (event) => {
  if ($('player').hidden || event.target.matches('input:not([type="checkbox"], [type="range"]), textarea, select')) return;
  const action = event.ctrlKey || event.metaKey || event.altKey ? null : PLAYER_KEYS[event.key.toLowerCase()];
  if (event.key === 'Escape') closePlayer();
  else if (action) {
    action();
    event.preventDefault();
  }
});
for (const [id, side] of [['start-here', 'start'], ['stop-here', 'stop']]) {
  $(id).addEventListener('click', () => {
    const item = items.find((highlight) => highlight.id === state.selected);
    if (!item) {
      $('player-note').textContent = 'Choose a highlight first.';
      return;
    }
    const next = { start: item.start, stop: item.stop, [side]: here() };
    if (next.start < next.stop) moveItem(item, next.start, next.stop);
    else $('player-note').textContent = 'The stop must be later than the start.';
  });
}
