// The list of streams, and what can be begun there.

$('start').addEventListener('submit', async (event) => {
  event.preventDefault();
  $('start-problem').textContent = '';
  const refused = await begin({ verb: 'run', stream: $('stream').value, name: $('name').value, model: $('model').value, chat: $('chat').checked, twitch_clips: $('twitch-clips').checked });
  $('start-problem').textContent = refused && `Nothing is begun: ${refused}`;
});

/** Shows a folder of the machine, with a button for each folder and video in it. An empty path is the home folder. */
async function showFolder(path) {
  let place;
  try {
    place = await ask('GET', `/folder?path=${encodeURIComponent(path)}`);
  } catch (error) {
    $('folder').querySelector('[role=alert]')?.remove();
    $('folder').append(el('p', { class: 'error', role: 'alert' }, error.message || 'the server does not answer'));
    return;
  }
  const choice = (name, action, kind = '') => el('li', {}, el('button', { type: 'button', class: kind, onclick: action }, name));
  $('folder').replaceChildren(
    el('p', { class: 'quiet', role: 'status' }, `${place.path}${place.folders.length + place.videos.length ? '' : ' has no folder and no video'}`),
    el('ul', {},
      ...(place.above === null ? [] : [choice('↑ the folder above', () => showFolder(place.above))]),
      ...place.folders.map((entry) => choice(`${entry.name}/`, () => showFolder(entry.path))),
      ...place.videos.map((entry) => choice(entry.name, () => chooseFile(entry.path), 'strong'))));
  $('folder').querySelector('button')?.focus();
}

function chooseFile(path) {
  $('stream').value = path;
  closeFolder();
  $('start').querySelector('[type=submit]').focus();
}

function closeFolder() {
  $('folder').hidden = true;
  $('choose').setAttribute('aria-expanded', 'false');
}

$('choose').addEventListener('click', () => {
  if (!$('folder').hidden) {
    closeFolder();
    return;
  }
  $('folder').hidden = false;
  $('choose').setAttribute('aria-expanded', 'true');
  showFolder('');
});
$('folder').addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return;
  closeFolder();
  $('choose').focus();
});

/** Shows what has changed on the server since the page was loaded; what is being typed stays. */
async function refresh() {
  const response = await fetch('/');
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), 'text/html');
  const model = $('model').value;
  for (const id of ['streams', 'model']) $(id).replaceChildren(...fresh.getElementById(id).children);
  $('model').value = model;
  if ($('model').selectedIndex < 0) $('model').selectedIndex = 0;
}

jobs.ended.push(refresh);
showLearning();
follow();
