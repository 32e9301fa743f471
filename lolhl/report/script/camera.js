// Where the camera lies in the picture, for vertical videos: a rectangle that is drawn on the picture, or four numbers.

const SIDES = [['left', 'Left'], ['top', 'Top'], ['width', 'Width'], ['height', 'Height']];
const inPercent = (share) => Math.round(share * 1000) / 10;

/** Why these four percentages are no rectangle; an empty text where they are one. */
function wrongRectangle([left, top, width, height]) {
  const numbers = [left, top, width, height];
  if (numbers.some((number) => !Number.isFinite(number) || number < 0)) return 'Write four numbers from 0 to 100.';
  if (width < 1 || height < 1) return 'Width and height must be at least 1 %.';
  return left + width > 100.05 || top + height > 100.05 ? 'The rectangle reaches beyond the picture.' : '';
}

/** Shows the section. Returns what saves a rectangle that is drawn and not saved yet, and says whether all is saved. */
function showCamera(camera) {
  const section = $('camera');
  const title = el('h2', { id: 'camera-title' }, 'Camera for shorts');
  section.hidden = false;
  if (camera.problem) {
    section.replaceChildren(title, el('p', { class: 'error' }, `It cannot be set: ${camera.problem}`));
    return async () => true;
  }
  let { revision } = camera;
  let unsaved = false;
  const status = el('p', { role: 'status', id: 'camera-status' });
  const problem = el('p', { class: 'error', role: 'alert' });
  const box = el('i', { hidden: true });
  const picture = el('video', { muted: true, playsinline: true, preload: 'auto', 'aria-hidden': 'true', tabindex: '-1' });
  const still = el('div', { class: 'still', id: 'still', hidden: true }, picture, box);
  const inputs = SIDES.map(([side]) => el('input', { type: 'number', min: 0, max: 100, step: 0.1, id: `camera-${side}`, oninput: () => { unsaved = true; draw(); } }));
  const whose = camera.channel ? `all streams of ${camera.channel}` : 'this stream';

  const percents = () => inputs.map((input) => (input.value === '' ? NaN : Number(input.value)));

  function draw() {
    const numbers = percents();
    const wrong = wrongRectangle(numbers);
    inputs.forEach((input) => input.setAttribute('aria-invalid', String(Boolean(wrong) && inputs.some((other) => other.value !== ''))));
    box.hidden = Boolean(wrong);
    SIDES.forEach(([side], place) => box.style.setProperty(side, `${numbers[place] || 0}%`));
    problem.textContent = '';
    status.textContent = '';
  }

  function fill(shares) {
    inputs.forEach((input, place) => { input.value = shares ? inPercent(shares[place]) : ''; });
    draw();
  }

  async function save(rectangle) {
    status.textContent = 'Saving…';
    problem.textContent = '';
    try {
      ({ revision } = await ask('PUT', camera.url, { revision, rectangle }));
      unsaved = false;
      status.textContent = rectangle
        ? `Saved for ${whose}. “Make shorts” uses it.`
        : `Saved: there is no camera in ${whose}.`;
    } catch (error) {
      status.textContent = '';
      problem.textContent = `Not saved: ${error.message || 'the server does not answer'}`;
    }
  }

  async function saveShown() {
    const numbers = percents();
    problem.textContent = wrongRectangle(numbers);
    if (problem.textContent) return;
    const [left, top, width, height] = numbers.map((number) => number / 100);
    await save([left, top, Math.min(width, 1 - left), Math.min(height, 1 - top)]);
  }

  function showPicture() {
    still.hidden = false;
    const seek = () => { picture.currentTime = Math.min(state.cursor, Math.max(0, picture.duration - 0.1)); };
    if (picture.getAttribute('src') !== data.video) picture.setAttribute('src', data.video);
    if (picture.readyState) seek();
    else picture.addEventListener('loadedmetadata', seek, { once: true });
  }

  const share = (event) => {
    const at = still.getBoundingClientRect();
    const within = (value) => Math.min(1, Math.max(0, value));
    return [within((event.clientX - at.left) / at.width), within((event.clientY - at.top) / at.height)];
  };
  let corner = null;
  const drag = (event) => {
    if (!corner) return;
    const there = share(event);
    const [left, top] = corner.map((value, place) => Math.min(value, there[place]));
    unsaved = true;
    fill([left, top, Math.max(corner[0], there[0]) - left, Math.max(corner[1], there[1]) - top]);
  };
  still.addEventListener('pointerdown', (event) => {
    corner = share(event);
    still.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  still.addEventListener('pointermove', drag);
  still.addEventListener('pointerup', (event) => { drag(event); corner = null; });
  still.addEventListener('pointercancel', () => { corner = null; });
  picture.addEventListener('error', () => { still.hidden = true; problem.textContent = 'The video cannot be shown here: write the four numbers.'; });

  section.replaceChildren(
    title,
    el('p', { class: 'quiet' }, `Vertical videos show the camera above the play. Where it lies holds for ${whose}. Draw a rectangle on the picture, or write it in percent of the picture.`),
    still,
    el('div', { class: 'fields', role: 'group', 'aria-labelledby': 'camera-title' }, ...inputs.map((input, place) => el('label', {}, `${SIDES[place][1]} (%)`, input))),
    el('div', { class: 'buttons' },
      data.video ? el('button', { type: 'button', onclick: showPicture }, 'Show the picture at the cursor') : null,
      el('button', { type: 'button', class: 'strong', onclick: saveShown }, 'Save the camera'),
      el('button', { type: 'button', onclick: () => { fill(null); save(null); } }, 'No camera')),
    problem, status);
  fill(camera.rectangle);
  return async () => {
    if (unsaved) await saveShown();
    return !unsaved;
  };
}
