// One video of the highlights as they were corrected: begun here as work of the server.

function showReel() {
  const minutes = el('input', { type: 'number', min: 0.1, max: 100000, step: 'any', id: 'reel-minutes', placeholder: 'all' });
  const rank = el('input', { type: 'checkbox', id: 'reel-rank' });
  const problem = el('p', { class: 'error', role: 'alert' });
  const make = async () => {
    problem.textContent = '';
    minutes.setAttribute('aria-invalid', String(!minutes.checkValidity()));
    if (!minutes.checkValidity()) {
      problem.textContent = 'Write how many minutes the reel may be long, or nothing for all highlights.';
      return;
    }
    await settled(); // it is made of what is saved
    const wanted = { verb: 'reel', vod: data.vod, minutes: minutes.value === '' ? null : Number(minutes.value), rank: rank.checked };
    const refused = await begin(wanted);
    problem.textContent = refused && `Nothing is begun: ${refused}`;
  };
  $('reel').replaceChildren(
    el('h2', { id: 'reel-heading' }, 'Reel'),
    el('p', { class: 'quiet' }, 'One video of the highlights as you left them: without those that you rejected, with the starts and stops that you moved, and with those that you added. ',
      el('code', {}, `lolhl reel ${data.vod}`), ' has more choices.'),
    el('div', { class: 'fields' },
      el('label', {}, 'Minutes at most', minutes),
      el('label', { class: 'check' }, rank, ' Begin with the best')),
    el('div', { class: 'buttons' }, el('button', { type: 'button', class: 'strong begins', onclick: make }, 'Make the reel')),
    problem);
  $('reel').hidden = false;
}
