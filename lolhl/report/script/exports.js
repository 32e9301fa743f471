// Files of the highlights for other programs, which the server makes.

async function download({ name, file, url }) {
  const asFound = $('as-found').checked;
  const note = (text, wrong) => {
    $('exported').textContent = text;
    $('exported').classList.toggle('error', wrong);
  };
  note(`Making ${file} …`, false);
  try {
    await settled();
    const response = await fetch(asFound ? `${url}/as-found` : url);
    if (!response.ok) throw new Error((await response.text()).trim());
    store(await response.blob(), file);
    note(`${file} is downloaded, with the highlights as ${asFound ? `${data.model} found them` : 'you left them'}.`, false);
  } catch (error) {
    note(`There is no ${name}: ${error.message || 'the server does not answer'}`, true);
  }
}

/** What the buttons give: how the highlights differ from what the model has found. */
function sayWhatIsExported() {
  if (!review) return;
  const count = (test, what) => [items.filter(test).length, what];
  const parts = [
    count((item) => item.was && item.removed, 'rejected left out'),
    count((item) => item.was && !item.removed && changed(item), 'moved'),
    count((item) => !item.was && !item.removed, 'added'),
  ].filter(([number]) => number).map(([number, what]) => `${number} ${what}`);
  $('what-is-exported').textContent = $('as-found').checked || !parts.length
    ? `The ${data.highlights.length} highlights as ${data.model} found them.`
    : `The ${kept().length} highlights as you left them: ${parts.join(', ')}.`;
}

function showExports(formats) {
  $('formats').replaceChildren(...formats.map((format) => el('button', { type: 'button', class: 'format', title: format.file, onclick: () => download(format) },
    el('strong', {}, format.name), el('span', { class: 'quiet' }, format.help))));
  $('as-found').addEventListener('change', sayWhatIsExported);
  sayWhatIsExported();
  $('exports').hidden = false;
}
