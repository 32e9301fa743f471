// The list of streams, and what can be begun there.

$('start').addEventListener('submit', async (event) => {
  event.preventDefault();
  $('start-problem').textContent = '';
  const refused = await begin({ verb: 'run', stream: $('stream').value, model: $('model').value, chat: $('chat').checked, twitch_clips: $('twitch-clips').checked });
  $('start-problem').textContent = refused && `Nothing is begun: ${refused}`;
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
