'use strict';
/* The player of a clip beside its neighbors, and lists of clips. */

/* ---- the player ---- */

const stage = new Stage(data.movies.skeleton);
stages.push(stage);
const mainView = stage.add($('clip-canvas'));
const nearViews = [];
const PLAY = '<svg viewBox="0 0 20 20" aria-hidden="true"><path d="M6 3.5v13l10-6.5z" fill="currentColor"/></svg>';
const PAUSE = '<svg viewBox="0 0 20 20" aria-hidden="true"><path d="M5 4h3.5v12H5zm6.5 0H15v12h-3.5z" fill="currentColor"/></svg>';

function play(on) {
  stage.play(on);
  $('play').innerHTML = on ? PAUSE : PLAY;
}

function choose(clip, { remember = true } = {}) {
  if (remember && state.clip >= 0 && state.clip !== clip) state.before.push(state.clip);
  state.clip = clip;
  const own = openClip(clip);
  mainView.clip = own;
  $('clip-name').textContent = names[clip];
  const words = [className(labels[clip]), clip < bank ? 'bank' : 'test'];
  if (own) words.push(plural(own.frames, 'frame'));
  const what = [hasClasses ? words.join(' · ') : words.slice(1).join(' · ')];
  if (clip >= bank && labels[clip] >= 0) {
    const wrong = isWrong(clip);
    what.push(' · ', make('span', { className: wrong ? 'no' : 'ok', textContent: wrong ? `✗ taken for ${className(predicted(clip))}` : '✓ recognized' }));
  }
  $('clip-what').replaceChildren(...what);
  $('clip-absent').hidden = Boolean(own);
  $('clip-absent').textContent = 'The joints of this clip are not in the page, which keeps those of a part of the clips.';
  stage.seconds = own ? Math.min(5, Math.max(1.6, own.frames / 30)) : 3;
  drawNeighbors();
  for (const button of $('list').querySelectorAll('button')) {
    const isOwn = Number(button.value) === clip;
    button.setAttribute('aria-current', isOwn);
    if (isOwn) showWithin($('list'), button);
  }
  if ($('map-plot').isDrawn) Plotly.relayout($('map-plot'), { shapes: choiceMarks() });
  stage.seek(0);
  play(!matchMedia('(prefers-reduced-motion: reduce)').matches);
}

/** Scrolls a box, and nothing else, until a part of it is seen. */
function showWithin(box, part) {
  const [outer, inner] = [box.getBoundingClientRect(), part.getBoundingClientRect()];
  if (inner.top < outer.top) box.scrollTop += inner.top - outer.top;
  if (inner.bottom > outer.bottom) box.scrollTop += inner.bottom - outer.bottom;
}

function drawNeighbors() {
  const { similarity, k } = state.space;
  const near = neighborsOf(state.clip);
  while (nearViews.length < near.length) {
    const box = make('div', { className: 'neighbor' }, make('canvas'), make('button', { type: 'button' }, make('b'), make('small'), make('small')));
    box.firstChild.setAttribute('role', 'img');
    $('neighbors').append(box);
    const view = stage.add(box.firstChild);
    view.canvas.isSeen = true;
    onClick(box.lastChild, () => choose(view.number));
    nearViews.push(view);
  }
  near.forEach((clip, n) => {
    const view = nearViews[n];
    Object.assign(view, { number: clip, clip: openClip(clip) });
    const button = view.canvas.nextSibling;
    const name = hasClasses ? className(labels[clip]) : names[clip];
    const same = labels[clip] >= 0 && labels[clip] === labels[state.clip];
    button.children[0].textContent = hasClasses && labels[state.clip] >= 0 ? `${same ? '✓' : '✗'} ${name}` : name;
    button.children[0].className = hasClasses && labels[state.clip] >= 0 ? (same ? 'ok' : 'no') : '';
    button.children[1].textContent = `cosine ${similarity[state.clip * k + n].toFixed(3)}`;
    button.children[2].textContent = hasClasses ? names[clip] : '';
    button.title = names[clip];
    view.canvas.setAttribute('aria-label', `Skeleton of the neighbor ${names[clip]}, ${name}`);
  });
}

/* ---- lists of clips ---- */

const LISTED = 300;
function setList(title, clips) {
  state.list = clips;
  $('list-all').hidden = clips === tests;
  $('list-title').textContent = `${title} (${clips.length.toLocaleString('en')})`;
  $('list').replaceChildren(...clips.slice(0, LISTED).map((clip) => {
    const button = make('button', { type: 'button', value: clip }, make('span', { textContent: names[clip] }),
      make('small', { textContent: isWrong(clip) ? `✗ ${className(predicted(clip))}` : hasClasses ? className(labels[clip]) : '' }));
    return make('li', {}, onClick(button, () => choose(clip)));
  }));
  if (clips.length > LISTED) $('list').append(make('li', { className: 'note', textContent: `and ${clips.length - LISTED} more: → goes through them` }));
}

function showList(title, clips) {
  unfold();
  setList(title, clips);
  if (clips.length) choose(clips[0]);
}

function step(by) {
  const { list } = state;
  if (!list.length) return;
  const place = list.indexOf(state.clip);
  choose(list[place < 0 ? 0 : (place + by + list.length) % list.length]);
}

function nextMistake() {
  const wrong = state.list.filter(isWrong);
  const mistakes = wrong.length ? wrong : tests.filter(isWrong);
  if (mistakes.length) choose(mistakes.find((clip) => clip > state.clip) ?? mistakes[0]);
}

function back() {
  if (state.before.length) choose(state.before.pop(), { remember: false });
}

const unfold = () => fold(false);
function fold(on) {
  $('player').classList.toggle('folded', on);
  $('fold').setAttribute('aria-expanded', !on);
}
