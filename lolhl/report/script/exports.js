// Files of the highlights for other programs, which the server makes.

async function download({ name, file, url }) {
  const note = (text, wrong) => {
    $('exported').textContent = text;
    $('exported').classList.toggle('error', wrong);
  };
  note(`Making ${file} …`, false);
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error((await response.text()).trim());
    store(await response.blob(), file);
    note(`${file} is downloaded.`, false);
  } catch (error) {
    note(`There is no ${name}: ${error.message || 'the server does not answer'}`, true);
  }
}

function showExports(formats) {
  $('formats').replaceChildren(...formats.map((format) => el('button', { type: 'button', class: 'format', title: format.file, onclick: () => download(format) },
    el('strong', {}, format.name), el('span', { class: 'quiet' }, format.help))));
  $('exports').hidden = false;
}
