// How much becomes highlights: a slider over cuts of the stream that were made beforehand, by minutes wanted.
// What the editor has judged stays. The rest is what the chosen cut has.

const cuts = data.cuts || []; // the shortest first; pages of before have none
const presentCut = cuts.findIndex((cut) => cut.asked === null);
let chosenCut = presentCut;
const unmatched = []; // moments of lists that were rejected: they are not shown any more, and saved as they are

const near = (x, y) => Math.abs(x[0] - y[0]) < 0.002 && Math.abs(x[1] - y[1]) < 0.002;

/** Whether two spans show the same moment: they share more than half of the shorter. lolhl/review/corrected.py has it too. */
const sameMoment = (x, y) => Math.min(x.stop, y.stop) - Math.max(x.start, y.start) > Math.min(x.stop - x.start, y.stop - y.start) / 2;

/** The highlights of the chosen cut, before anybody judges them. One of a moment that is known goes by its name. */
function itemsOfCut() {
  if (chosenCut === presentCut) return highlights.map((item) => ({ ...item }));
  const known = highlights.filter(({ id }) => !items.some((item) => item.id === id && verdictOn(item))); // else two have one id
  return cuts[chosenCut].spans.map(([start, stop, score, label], place) => {
    const span = { start, stop, score, label, was: [start, stop] };
    const at = known.findIndex((item) => sameMoment(item, span));
    if (at < 0) return { ...span, id: `c${chosenCut}-${place}`, rank: null, reason: 'not among the highlights as they are kept now', clip: null, picture: null, removed: false, accepted: false };
    const [same] = known.splice(at, 1);
    return near(same.was, span.was) ? { ...same } : { ...same, ...span, clip: null };
  });
}

/** Shows what was judged, and of the chosen cut what shows other moments. */
function fill() {
  const judged = items.filter((item) => verdictOn(item) || item.undecided);
  const cut = itemsOfCut();
  const isOfCut = ({ was }) => was && cut.some((item) => near(item.was, was));
  const others = [...judged.filter((item) => verdictOn(item) && !isOfCut(item)), ...unmatched];
  const rest = cut.filter((item) => !judged.some(({ was }) => was && near(item.was, was)) && !others.some((other) => sameMoment(other, item)));
  items.splice(0, items.length, ...judged, ...rest);
}

/** The longest cut that lasts no longer than so many seconds; the shortest where none is so short. */
const cutWithin = (seconds) => Math.max(0, cuts.findLastIndex((cut) => cut.seconds <= seconds + 0.5));

function cutSentence({ spans, seconds, threshold }) {
  return `${length(seconds)} in ${spans.length} highlight${spans.length === 1 ? '' : 's'}, threshold ${threshold.toFixed(2)}`;
}

function sayCut() {
  const cut = cuts[chosenCut];
  const present = chosenCut === presentCut;
  $('cut').value = chosenCut;
  $('cut').setAttribute('aria-valuetext', cutSentence(cut));
  $('cut-says').replaceChildren(cutSentence(cut), el('span', {}, present ? ' · as it is kept' : ' · tried out on this page'));
  $('cut-actions').hidden = present;
  if (!review) $('cut-command').textContent = `lolhl report ${data.vod}${cut.options}`;
}

function chooseCut(place) {
  chosenCut = place;
  state.threshold = cuts[place].threshold;
  fill();
  if (!items.some((item) => item.id === state.selected)) state.selected = null;
  sayCut();
  renderList();
  draw();
}

/** Has the stream cut anew on the server, with clips and files, and then shows that. */
async function keepCut() {
  $('cut-problem').textContent = '';
  await settled();
  const refused = await begin({ verb: 'cut', vod: data.vod, ...cuts[chosenCut].asked });
  if (refused) $('cut-problem').textContent = `Nothing is begun: ${refused}`;
}

jobs.ended.push(async ({ state: ending, wish, page }) => {
  if (ending !== 'done' || wish !== 'cut' || page !== location.pathname) return;
  await settled();
  location.reload();
});
if (cuts.length > 1) {
  $('cut').max = cuts.length - 1;
  $('cut').addEventListener('input', () => { $('cut-minutes').value = ''; chooseCut(Number($('cut').value)); });
  $('cut-minutes').addEventListener('input', () => {
    const minutes = Number($('cut-minutes').value);
    $('cut-minutes').setAttribute('aria-invalid', String(!$('cut-minutes').checkValidity()));
    if (minutes > 0) chooseCut(cutWithin(60 * minutes));
  });
  $('cut-back').addEventListener('click', () => { $('cut-minutes').value = ''; chooseCut(presentCut); $('cut').focus(); });
  $('cut-keep').addEventListener('click', keepCut);
  sayCut();
  $('amount').hidden = false;
}
