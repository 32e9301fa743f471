// The work that runs on the server: how it is begun and cancelled, how far it is, and what came of it.
// The server knows all of it. This page asks once a second while something runs, and once when it is opened.

const JOBS = { cut: 'Keeping the cut', reel: 'Making the reel', shorts: 'Making shorts', retrain: 'Learning', run: 'Finding highlights' };
const jobs = { shown: null, panel: null, timer: null, ended: [] }; // `ended`: what is called when a job that was seen running has ended

const runs = (job) => job.state === 'running' || job.state === 'cancelling';

function jobSentence(job) {
  const name = job.subject ? `${JOBS[job.wish]} of ${job.subject}` : JOBS[job.wish];
  const step = job.steps.at(-1);
  return {
    running: `${name}${step ? `: ${step.label}` : ' has begun'} …`,
    cancelling: `${name} is being cancelled …`,
    cancelled: `${name} was cancelled. It goes on from there when it is begun again.`,
    failed: `${name} failed: ${job.error}`,
    done: `${name} is done.`,
  }[job.state];
}

/** What is made once for each job, so that the focus stays where it is while its progress changes. */
function jobPanel(job) {
  const panel = {
    number: job.number,
    status: el('p', { role: 'status', class: 'state', tabindex: '-1' }),
    steps: el('ol', { class: 'steps', 'aria-label': 'Steps' }),
    note: el('p', { class: 'quiet' }),
    result: el('div', { class: 'outcome' }),
    problem: el('p', { class: 'error', role: 'alert' }),
  };
  panel.cancel = el('button', { type: 'button', onclick: () => cancelJob(job.number) }, 'Cancel');
  $('job').replaceChildren(panel.status, panel.steps, panel.note, panel.cancel, panel.problem, panel.result);
  return panel;
}

function jobStep(step, complete) {
  const amount = step.total ? `${step.done} of ${step.total} ${step.unit}` : `${step.done} ${step.unit}`;
  const left = complete || step.left === null ? '' : `, ${length(step.left)} left`;
  const share = complete ? { value: 1, max: 1 } : step.total ? { value: Math.min(step.done, step.total), max: step.total } : {};
  return el('li', {}, el('span', {}, step.label), el('progress', { 'aria-label': step.label, ...share }), el('span', { class: 'quiet' }, complete ? '✓' : `${amount}, ${step.speed}${left}`));
}

function showJob(job) {
  const before = jobs.shown;
  jobs.shown = job;
  for (const button of document.querySelectorAll('button.begins')) button.disabled = Boolean(job && runs(job));
  if (!job) return;
  if (jobs.panel?.number !== job.number) jobs.panel = jobPanel(job);
  const { panel } = jobs;
  const sentence = jobSentence(job);
  if (panel.status.textContent !== sentence) panel.status.textContent = sentence; // else it would be read out each second
  panel.status.classList.toggle('error', job.state === 'failed');
  panel.steps.replaceChildren(...job.steps.map((step, place) => jobStep(step, job.state === 'done' || place < job.steps.length - 1)));
  panel.note.textContent = job.state === 'running' ? job.note : '';
  const focused = document.activeElement === panel.cancel;
  panel.cancel.hidden = !runs(job);
  panel.cancel.disabled = job.state === 'cancelling';
  if (focused && job.state !== 'running') panel.status.focus();
  panel.result.replaceChildren(...[
    job.table ? el('section', {}, ...figures(job.table, 'h3')) : null,
    job.shorts?.length ? el('ul', { class: 'outputs', 'aria-label': 'Shorts' }, ...job.shorts.map((short) => el('li', {}, el('a', { href: short.href, download: '' }, `Short of highlight ${short.rank}`)))) : null,
    job.shorts && !job.shorts.length ? el('p', { class: 'quiet' }, 'There is no highlight to make a short of.') : null,
    job.reel ? el('a', { class: 'button', href: job.reel.href, download: '' }, `Download the reel of ${job.reel.highlights} highlight${job.reel.highlights === 1 ? '' : 's'}`) : null,
    job.page && job.page !== location.pathname ? el('a', { class: 'button', href: job.page }, 'Open the highlights') : null,
  ].filter(Boolean));
  if (before && runs(before) && !runs(job)) for (const tell of jobs.ended) tell(job);
}

/** Asks how far the work is, now and, while it runs, again and again. */
async function follow() {
  clearTimeout(jobs.timer);
  let again = true;
  try {
    const { job } = await ask('GET', '/jobs/last');
    showJob(job);
    if (jobs.panel) jobs.panel.problem.textContent = '';
    again = Boolean(job && runs(job));
  } catch (error) {
    if (jobs.panel) jobs.panel.problem.textContent = `How far it is, is not known: ${error.message || 'the server does not answer'}. It is asked again.`;
    again = error.status === undefined || error.status >= 500;
  }
  clearTimeout(jobs.timer);
  if (again) jobs.timer = setTimeout(follow, 1000);
}

/** Begins a job. Returns why that is refused, or an empty text. */
async function begin(wanted) {
  try {
    showJob(await ask('POST', '/jobs', wanted));
    jobs.panel.cancel.focus();
    return '';
  } catch (error) {
    return error.message || 'the server does not answer';
  } finally {
    follow();
  }
}

async function cancelJob(number) {
  try {
    showJob(await ask('DELETE', `/jobs/${number}`));
  } catch (error) {
    jobs.panel.problem.textContent = `It is not cancelled: ${error.message || 'the server does not answer'}.`;
  }
  follow();
}

/** The button “Learn from this”, and what it has to say.
 *
 * `vod` is the VOD of this page, if it is of one: then `settled` waits until its corrections are saved, and `useAsLabels`
 * makes labels of them.
 */
function showLearning({ vod = null, settled = async () => {}, useAsLabels = null } = {}) {
  const problem = el('p', { class: 'error', role: 'alert' });
  const offer = el('div', { class: 'offer', role: 'group', 'aria-label': 'Corrections that are not labels', hidden: true });
  const start = async () => {
    offer.hidden = true;
    const refused = await begin({ verb: 'retrain' });
    problem.textContent = refused && `Nothing is begun: ${refused}`;
  };
  const learn = async () => {
    problem.textContent = '';
    await settled();
    let waiting;
    try {
      ({ waiting } = await ask('GET', '/waiting'));
    } catch (error) {
      problem.textContent = `Nothing is begun: ${error.message || 'the server does not answer'}`;
      return;
    }
    if (!waiting.length) {
      await start();
      return;
    }
    const here = waiting.some((stream) => stream.vod === vod);
    const yes = el('button', { type: 'button', class: 'strong', onclick: async () => { if (await useAsLabels()) await start(); } }, 'Use as labels, then learn');
    const no = el('button', { type: 'button', onclick: start }, 'Learn without them');
    offer.replaceChildren(
      el('p', {}, 'Corrections that are no labels yet are not learnt from. “Use as labels” on the page of a stream makes labels of what is kept there.'),
      el('ul', {}, ...waiting.map((stream) => el('li', {},
        stream.vod === vod ? 'this stream' : el('a', { href: stream.page }, stream.title),
        `: ${stream.corrections} correction${stream.corrections === 1 ? '' : 's'}`))),
      el('div', { class: 'buttons' }, ...(here ? [yes] : []), no));
    offer.hidden = false;
    (here ? yes : no).focus();
  };
  $('learning').replaceChildren(
    el('div', { class: 'bar' },
      el('h2', { id: 'learning-title' }, 'Learn'),
      el('button', { type: 'button', class: 'strong begins', id: 'learn', onclick: learn }, 'Learn from this')),
    el('p', { class: 'quiet' }, 'Trains a model from the labels of all streams, and compares it with the present one on streams that are held out. The better one is used from then on.'),
    offer, problem);
  $('learning').hidden = false;
}
