// What is worth looking at first: lists of moments that the server has chosen, gone through one after the other.
// A moment that is no highlight is an item without a verdict while it is looked at: it is neither kept nor saved.

const feed = { lists: [], chosen: 0, at: null };

const itemOf = (moment) => items.find((item) => (moment.rank === null ? item.id === moment.id : item.rank === moment.rank));

function verdictOf(moment) {
  const item = itemOf(moment);
  return item ? verdictOn(item) : null;
}

function goTo(moment) {
  feed.at = moment;
  if (!state.correcting) $('correct').click();
  let item = itemOf(moment);
  items.splice(0, items.length, ...items.filter((other) => !other.undecided || other === item));
  if (!item) {
    item = { ...byHand(moment.start, moment.stop), score: moment.peak, reason: 'proposed by a list', removed: true, accepted: false, undecided: true };
    moment.id = item.id;
    items.unshift(item);
  }
  renderList();
  const around = Math.max(30, item.stop - item.start);
  view(item.start - around, item.stop + around);
  select(item);
}

/** Goes on in the list after a verdict on its moment. False where the item is not of the list. */
function goOn(item) {
  if (!feed.at || itemOf(feed.at) !== item) return false;
  const { moments } = feed.lists[feed.chosen];
  const next = moments.slice(moments.indexOf(feed.at) + 1).find((moment) => verdictOf(moment) === null);
  const inList = $('feeds').contains(document.activeElement);
  feed.at = null;
  if (next) goTo(next);
  else renderFeed();
  if (next && !$('player').hidden) play(playable(itemOf(next)));
  if (inList) $('moments').querySelector('[aria-current] button')?.focus();
  $('feed-note').textContent = next ? '' : 'That was the last one of this list.';
  return true;
}

/** Goes to the next moment without a verdict, in this list or in one after it: for who does not leave the keyboard. */
function nextMoment() {
  for (let list = feed.chosen; list < feed.lists.length; list += 1) {
    const { moments } = feed.lists[list];
    const from = list === feed.chosen && feed.at ? moments.indexOf(feed.at) + 1 : 0;
    const next = moments.slice(from).find((moment) => verdictOf(moment) === null);
    if (next) {
      feed.chosen = list;
      $('feed-note').textContent = '';
      goTo(next);
      return;
    }
  }
  $('feed-note').textContent = 'That was the last one of all lists.';
}

function renderFeed() {
  if (!feed.lists.length) return;
  const list = feed.lists[feed.chosen];
  const focused = [...$('moments').querySelectorAll('button')].indexOf(document.activeElement);
  $('feed-names').replaceChildren(...feed.lists.map((other, place) => el('button', {
    type: 'button', 'aria-pressed': String(place === feed.chosen), onclick: () => chooseFeed(place),
  }, other.name)));
  $('feed-purpose').textContent = list.purpose;
  $('moments').replaceChildren(...list.moments.map((moment) => {
    const what = moment.rank === null ? 'no highlight' : `highlight ${moment.rank}`;
    const verdict = verdictOf(moment);
    return el('li', { 'aria-current': moment === feed.at && 'true', class: verdict },
      el('span', {}, short(moment.start), el('span', { class: 'quiet' }, ` ${moment.peak.toFixed(2)} · ${what}${verdict ? ` · ${verdict}` : ''}`)),
      el('button', { type: 'button', 'aria-label': `Go to ${short(moment.start)}, ${what}`, onclick: () => goTo(moment) }, 'Go to'));
  }));
  if (focused >= 0) $('moments').querySelectorAll('button')[focused]?.focus({ preventScroll: true });
  $('feed-empty').hidden = list.moments.length > 0;
}

function chooseFeed(place) {
  feed.chosen = place;
  feed.at = null;
  $('feed-note').textContent = '';
  renderFeed();
  $('feed-names').children[place].focus();
}

function showFeeds({ lists, problem }) {
  feed.lists = lists;
  $('feeds').hidden = false;
  $('feed-note').textContent = problem ? `There are no lists: ${problem}` : '';
  renderFeed();
}
