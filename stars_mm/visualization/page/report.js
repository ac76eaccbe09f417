'use strict';
/* Search, keys, and all of it together. */

/* ---- search ---- */

const searchable = names.map((name, clip) => `${name} ${className(labels[clip])}`.toLowerCase());
let foundClips = [], foundAt = 0;
function search() {
  const words = $('search').value.toLowerCase().split(/\s+/).filter(Boolean);
  foundClips = [];
  for (let n = 0; n < total && words.length && foundClips.length < 30; n++) {
    const clip = (n + bank) % total; // test clips first
    if (words.every((word) => searchable[clip].includes(word))) foundClips.push(clip);
  }
  foundAt = 0;
  showFound();
}

function showFound() {
  $('found').hidden = !foundClips.length;
  $('search').setAttribute('aria-expanded', Boolean(foundClips.length));
  $('found').replaceChildren(...foundClips.map((clip, n) => {
    const item = make('li', { id: `found-${n}` }, names[clip], make('small', { textContent: `${hasClasses ? `${className(labels[clip])} · ` : ''}${clip < bank ? 'bank' : 'test'}` }));
    item.setAttribute('role', 'option');
    item.setAttribute('aria-selected', n === foundAt);
    item.addEventListener('pointerdown', (event) => {
      event.preventDefault();
      take(n);
    });
    return item;
  }));
  $('search').setAttribute('aria-activedescendant', foundClips.length ? `found-${foundAt}` : '');
}

function take(n) {
  const clip = foundClips[n];
  foundClips = [];
  showFound();
  $('search').blur();
  if (clip !== undefined) {
    unfold();
    choose(clip);
  }
}

$('search').addEventListener('input', search);
$('search').addEventListener('focus', search);
$('search').addEventListener('blur', () => { $('found').hidden = true; });
$('search').addEventListener('keydown', (event) => {
  if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
    event.preventDefault();
    const by = event.key === 'ArrowDown' ? 1 : -1;
    foundAt = (foundAt + by + foundClips.length) % Math.max(foundClips.length, 1);
    showFound();
    if (foundClips.length) showWithin($('found'), $('found').children[foundAt]);
  }
  if (event.key === 'Enter') take(foundAt);
  if (event.key === 'Escape') $('search').blur();
});

/* ---- keys ---- */

const KEYS = {
  ArrowLeft: () => step(-1), ArrowRight: () => step(1), ' ': () => play(!stage.playing), m: nextMistake, b: back, t: toggleTheme,
  '/': () => $('search').focus(), '?': () => $('help').showModal(),
  c: () => colorBy(modes[(modes.indexOf(state.color) + 1) % modes.length]),
};
for (const n of [0, 1, 2]) KEYS[n + 1] = () => nearViews[n] && choose(nearViews[n].number);
document.addEventListener('keydown', (event) => {
  const { target } = event;
  const isTyping = target.matches('input, select, textarea') || (event.key === ' ' && target.matches('button, summary, a'));
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || $('help').open || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});

/* ---- together ---- */

const modes = hasClasses ? Object.keys(MODES) : ['split'];
for (const mode of modes) {
  const button = make('button', { type: 'button', value: mode, textContent: MODES[mode] });
  $('color-by').append(onClick(button, () => colorBy(mode)));
}
for (const space of data.spaces) $('space').append(make('option', { value: space.row, textContent: space.title }));
function useSpace() {
  state.space = data.spaces.find((space) => space.row === $('space').value);
  $('map-how').textContent = `t-SNE of: ${state.space.title}`;
  drawMap();
  if (hasClasses) {
    drawConfusion();
    drawClasses();
  }
  setList('Test clips', tests);
  if (state.clip >= 0) choose(state.clip);
}
$('space').value = state.space.row;
$('space').addEventListener('change', useSpace);
onClick($('theme'), toggleTheme);
onClick($('keys'), () => $('help').showModal());
onClick($('play'), () => play(!stage.playing));
onClick($('previous'), () => step(-1));
onClick($('next'), () => step(1));
onClick($('fold'), () => fold(!$('player').classList.contains('folded')));
onClick($('list-all'), () => setList('Test clips', tests));
$('time').addEventListener('input', () => {
  play(false);
  stage.seek($('time').value / 1000);
});
$('speed').addEventListener('change', () => { stage.speed = Number($('speed').value); });
stage.onframe = (phase) => { $('time').value = Math.round(1000 * phase); };

$('classes').hidden = !hasClasses;
$('results').hidden = !data.results.rows.length;
drawMasked();
drawFewShot();
const dark = matchMedia('(prefers-color-scheme: dark)');
setTheme(dark.matches ? 'dark' : 'light');
dark.addEventListener('change', () => setTheme(dark.matches ? 'dark' : 'light'));
redraws.push(drawChips);
drawHead();
drawResults();
drawCurves();
colorBy(modes[0]);
useSpace();
choose(tests.find((clip) => data.movies.clips[clip]) ?? tests[0]);
if (innerWidth <= 1080) fold(true);
document.documentElement.dataset.ready = 'true';
