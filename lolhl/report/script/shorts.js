// Vertical videos of the highlights: begun here as work of the server, and linked from their highlights once it is done.

/** `saveCamera` saves a camera that is drawn and not saved, and says whether that is done. */
function showShorts(saveCamera) {
  const top = el('input', { type: 'number', min: 1, max: 100000, step: 1, id: 'shorts-top', placeholder: 'all' });
  const title = el('input', { type: 'text', maxlength: 200, id: 'shorts-title', placeholder: 'none', spellcheck: 'false', autocomplete: 'off' });
  const problem = el('p', { class: 'error', role: 'alert' });
  const make = async () => {
    problem.textContent = '';
    top.setAttribute('aria-invalid', String(!top.checkValidity()));
    if (!top.checkValidity()) {
      problem.textContent = 'Write how many shorts as a whole number from 1, or nothing for all.';
    } else if (!await saveCamera()) {
      problem.textContent = 'The camera above is not saved: set it right, or take it back by “No camera”.';
    } else {
      const refused = await begin({ verb: 'shorts', vod: data.vod, top: top.value === '' ? null : Number(top.value), title: title.value });
      problem.textContent = refused && `Nothing is begun: ${refused}`;
    }
  };
  $('shorts').replaceChildren(
    el('h2', { id: 'shorts-heading' }, 'Shorts'),
    el('p', { class: 'quiet' }, `Vertical videos of the best highlights as ${data.model} found them: corrections change nothing of them. They show the camera where it is set. In a title {reason}, {rank} and {title} stand for why a highlight was picked, its rank and the title of the stream. `,
      el('code', {}, `lolhl report ${data.vod} --shorts`), ' has more choices.'),
    el('div', { class: 'fields' },
      el('label', {}, 'How many of the best', top),
      el('label', { class: 'wide' }, 'Title over each', title)),
    el('div', { class: 'buttons' }, el('button', { type: 'button', class: 'strong begins', onclick: make }, 'Make shorts')),
    problem);
  $('shorts').hidden = false;
  jobs.ended.push(({ state: ending, page, shorts }) => {
    if (ending !== 'done' || !shorts || page !== location.pathname) return;
    shortLinks.clear();
    for (const short of shorts) shortLinks.set(short.rank, short.href);
    renderList();
  });
}
