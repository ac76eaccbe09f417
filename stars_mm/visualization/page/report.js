'use strict';
/* The page of a report. Texts of the data are shown as text, never as HTML. */

const data = JSON.parse(document.getElementById('data').textContent);
const $ = (id) => document.getElementById(id);
const plural = (count, word) => `${count.toLocaleString('en')} ${word}${count === 1 ? '' : 's'}`;
/** Text for plotly, which takes tags. */
const plain = (text) => String(text).replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
const percent = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)} %` : '–');

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** What happens on a click; the focus does not stay, so that space plays. */
function onClick(element, act) {
  element.addEventListener('click', (event) => {
    if (event.detail) element.blur();
    act(event);
  });
  return element;
}

/* ---- the clips: those of the bank first, then the test clips ---- */

const { names, classes, bank } = data.clips;
const labels = decode(data.clips.labels, Int16Array);
const total = names.length;
const hasClasses = classes.length > 0;
const tests = Array.from({ length: total - bank }, (_, n) => bank + n);
const className = (label) => (label < 0 ? 'no class' : classes[label]);
for (const space of data.spaces) {
  space.places = decode(space.places, Int16Array);
  space.neighbors = decode(space.neighbors, Int32Array);
  space.similarity = decode(space.similarity, Float32Array);
  space.predicted = decode(space.predicted, Int16Array);
}
const state = {
  space: data.spaces.find((space) => space.row === data.space) || data.spaces[0],
  clip: -1, list: tests, before: [], color: '', picked: new Set(),
};
const neighborsOf = (clip) => Array.from(state.space.neighbors.subarray(clip * state.space.k, (clip + 1) * state.space.k));
/** The class of the nearest clip in the bank that has one. */
const predicted = (clip) => state.space.predicted[clip - bank];
const isWrong = (clip) => clip >= bank && labels[clip] >= 0 && predicted(clip) !== labels[clip];

const opened = new Map();
function openClip(clip) {
  const movie = data.movies.clips[clip];
  if (!movie) return null;
  if (!opened.has(clip)) opened.set(clip, new Clip(movie, data.movies.skeleton.joints));
  return opened.get(clip);
}

/* ---- light and dark ---- */

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const stages = [];
const redraws = [];
function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  const colors = { left: css('left-side'), right: css('right-side'), body: css('body'), grid: css('grid'), faint: css('faint') };
  for (const stage of stages) {
    stage.colors = colors;
    stage.draw();
  }
  for (const redraw of redraws) redraw();
}
const toggleTheme = () => setTheme(document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark');
const isDark = () => document.documentElement.dataset.theme === 'dark';

/** A color for each class: hues far apart, in two shades where they are many. */
function classColor(label) {
  if (label < 0) return css('bank');
  const hue = classes.length <= 12 ? (label * 360) / Math.max(classes.length, 1) + 10 : label * 137.508 + 10;
  const shade = isDark() ? [66, 54] : [44, 58];
  return `hsl(${Math.round(hue % 360)}, ${isDark() ? 68 : 66}%, ${shade[label % 2]}%)`;
}

/* ---- plots, drawn when they come into sight, and again in another theme ---- */

const soon = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    soon.unobserve(entry.target);
    entry.target.drawNow();
  }
}, { rootMargin: '300px' });

function plot(element, build, after = () => {}) {
  element.drawNow = () => {
    const { traces, layout = {}, config = {} } = build();
    const axis = { gridcolor: css('grid'), linecolor: css('line'), zeroline: false, automargin: true };
    const whole = {
      margin: { l: 46, r: 12, t: 12, b: 40 }, paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)',
      font: { color: css('quiet'), size: 12, family: 'system-ui, sans-serif' },
      hoverlabel: { bgcolor: css('card'), bordercolor: css('line'), font: { color: css('text') } },
      modebar: { bgcolor: 'rgba(0,0,0,0)', color: css('quiet'), activecolor: css('text') },
      showlegend: false, ...layout,
    };
    whole.xaxis = { ...axis, ...layout.xaxis };
    whole.yaxis = { ...axis, ...layout.yaxis };
    const settings = { displaylogo: false, responsive: true, displayModeBar: false, ...config };
    Plotly.react(element, traces, whole, settings).then(() => after(element));
    element.isDrawn = true;
  };
  soon.observe(element);
  redraws.push(() => element.isDrawn && element.drawNow());
  return () => element.isDrawn && element.drawNow();
}

/* ---- head ---- */

const bestOf = (group) => data.results.rows.filter((row) => row.group === group).sort((a, b) => b.value - a.value)[0];

function drawHead() {
  $('title').textContent = data.title;
  const about = [plural(total - bank, 'test clip'), `${plural(bank, 'clip')} in the bank`];
  if (hasClasses) about.push(plural(classes.length, 'class').replace('classs', 'classes'));
  $('subtitle').textContent = about.join(' · ');
  const rows = data.results.rows;
  const main = rows.find((row) => row.row === data.space);
  const cards = [[bestOf('learned'), 'best learned'], [main, 'learned'], [bestOf('random'), 'random weights'], [bestOf('clips'), 'without an encoder']];
  const top = Math.max(...rows.map((row) => row.value));
  const told = new Set();
  for (const [row, what] of cards) {
    if (!row || told.has(row.row)) continue;
    told.add(row.row);
    const card = make('div', { className: row.value === top ? 'card best' : 'card' },
      make('span', { className: 'what', textContent: what }), make('b', { textContent: `${row.value.toFixed(1)} %` }),
      make('span', { textContent: row.title }));
    $('cards').append(card);
  }
  if (data.lost.length) {
    $('lost').hidden = false;
    $('lost').firstElementChild.textContent = `${plural(data.lost.length, 'learned feature')} below the best that needs no training`;
    for (const text of data.lost) $('lost').lastElementChild.append(make('li', { textContent: text.replace(/`/g, '') }));
  }
  for (const note of data.notes) $('notes').append(make('p', { textContent: note }));
  const kept = Object.keys(data.movies.clips).length;
  if (kept < total) $('notes').append(make('p', { textContent: `The map shows all ${total.toLocaleString('en')} clips. The joints of ${kept.toLocaleString('en')} of them, drawn by the report's seed, mistakes and others in turns, each with its neighbors, are in this file, so that it stays small.` }));
  $('command').textContent = data.command;
  for (const section of document.querySelectorAll('main section[aria-labelledby]')) {
    if (!section.hidden) $('links').append(make('a', { href: `#${section.id}`, textContent: section.dataset.short }));
  }
}

/* ---- map ---- */

const MODES = { class: 'class', split: 'bank or test', right: 'right or wrong' };
const FADED = 'rgba(128, 136, 148, .13)';

function legend() {
  if (state.color === 'class') return classes.map((name, label) => ({ key: label, name, color: classColor(label) }));
  if (state.color === 'split') return [{ key: 'test', name: 'test', color: css('wrong') }, { key: 'bank', name: 'bank', color: css('bank') }];
  return [{ key: 'right', name: 'right', color: css('right') }, { key: 'wrong', name: 'wrong', color: css('wrong') }, { key: 'bank', name: 'bank', color: css('bank') }];
}

function keyOf(clip) {
  if (state.color === 'class') return labels[clip];
  if (clip < bank) return 'bank';
  if (state.color === 'split') return 'test';
  return isWrong(clip) ? 'wrong' : 'right';
}

function mapTraces() {
  const colors = new Map(legend().map(({ key, color }) => [key, color]));
  const { places } = state.space;
  const small = total > 5000;
  const trace = (from, to, isTest) => {
    const x = [], y = [], text = [], color = [], symbol = [];
    for (let clip = from; clip < to; clip++) {
      x.push(places[2 * clip]);
      y.push(places[2 * clip + 1]);
      const key = keyOf(clip);
      text.push(hover(clip));
      color.push(state.picked.size && !state.picked.has(key) ? FADED : colors.get(key) || css('bank'));
      symbol.push(key === 'wrong' ? 'x' : 'circle');
    }
    return {
      type: 'scattergl', mode: 'markers', x, y, text, hoverinfo: 'text', name: isTest ? 'test' : 'bank',
      marker: { color, symbol: state.color === 'right' && isTest ? symbol : 'circle', size: isTest ? (small ? 5 : 8) : small ? 3.5 : 5, opacity: isTest ? 0.95 : 0.5, line: { width: 0 } },
    };
  };
  return [trace(0, bank, false), trace(bank, total, true)];
}

function hover(clip) {
  const lines = [`<b>${plain(className(labels[clip]))}</b>`, plain(names[clip])];
  if (isWrong(clip)) lines.push(`taken for ${plain(className(predicted(clip)))}`);
  lines.push(clip < bank ? 'bank' : 'test');
  return lines.join('<br>');
}

/** Names where the test clips of a class are, as far as these are few classes. */
function classMarks() {
  if (state.color !== 'class' || classes.length > 40) return [];
  const { places } = state.space;
  const middle = (values) => values.sort((a, b) => a - b)[values.length >> 1];
  const marks = classes.flatMap((name, label) => {
    const own = tests.filter((clip) => labels[clip] === label);
    if (!own.length || (state.picked.size && !state.picked.has(label))) return [];
    const [x, y] = [0, 1].map((axis) => middle(own.map((clip) => places[2 * clip + axis])));
    const text = name.length > 22 ? `${name.slice(0, 20)}…` : name;
    return [{ x, y, text: plain(text), showarrow: false, font: { size: 11, color: css('text') }, bgcolor: isDark() ? 'rgba(24,30,39,.6)' : 'rgba(255,255,255,.62)', borderpad: 0, captureevents: false }];
  });
  return apart(marks);
}

/** Moves texts up or down until none is upon another, as the whole map is drawn. */
function apart(marks) {
  const scale = Math.min($('map-plot').clientWidth, $('map-plot').clientHeight) / 70000;
  const put = [];
  for (const mark of marks.sort((a, b) => a.y - b.y)) {
    const box = [mark.x * scale, mark.y * scale, mark.text.length * 3.1 + 4];
    const meets = (shift) => put.some(([x, y, half]) => Math.abs(x - box[0]) < half + box[2] && Math.abs(y - box[1] - shift) < 15);
    const shifts = [14, 0, 8, -8, 16, -16, 24, -24, 32, -32, 40, -40];
    mark.yshift = shifts.find((shift) => !meets(shift)) ?? 14;
    put.push([box[0], box[1] + mark.yshift, box[2]]);
  }
  return marks;
}

/** A ring around the chosen clip, lines to its neighbors. */
function choiceMarks() {
  if (state.clip < 0) return [];
  const { places } = state.space;
  const at = (clip) => [places[2 * clip], places[2 * clip + 1]];
  const [x, y] = at(state.clip);
  const ring = (clip, size, width) => {
    const [cx, cy] = at(clip);
    return { type: 'circle', xsizemode: 'pixel', ysizemode: 'pixel', xanchor: cx, yanchor: cy, x0: -size, x1: size, y0: -size, y1: size, line: { color: css('text'), width } };
  };
  const near = neighborsOf(state.clip);
  return [
    ...near.map((clip) => ({ type: 'line', x0: x, y0: y, x1: at(clip)[0], y1: at(clip)[1], line: { color: css('text'), width: 1, dash: 'dot' } })),
    ...near.map((clip) => ring(clip, 6, 1)), ring(state.clip, 9, 2.5),
  ];
}

const coarse = matchMedia('(pointer: coarse)').matches;
const drawMap = plot($('map-plot'), () => ({
  traces: mapTraces(),
  layout: {
    margin: { l: 4, r: 4, t: 4, b: 4 }, hovermode: 'closest', dragmode: coarse ? false : 'pan', uirevision: state.space.row,
    xaxis: { visible: false }, yaxis: { visible: false, scaleanchor: 'x' }, annotations: classMarks(), shapes: choiceMarks(),
  },
  config: { displayModeBar: true, modeBarButtons: [[...(coarse ? [] : ['pan2d', 'zoom2d']), 'zoomIn2d', 'zoomOut2d', 'resetScale2d']] },
}), (element) => {
  if (element.isBound) return;
  element.isBound = true;
  element.on('plotly_click', ({ points }) => {
    const [point] = points;
    choose(point.curveNumber ? bank + point.pointNumber : point.pointNumber);
  });
});

function drawChips() {
  $('chips').replaceChildren(...legend().map(({ key, name, color }) => {
    const dot = make('span', { className: 'dot' });
    dot.style.background = color;
    const chip = make('button', { type: 'button' }, dot, name);
    chip.setAttribute('aria-pressed', state.picked.has(key));
    return onClick(chip, () => {
      if (!state.picked.delete(key)) state.picked.add(key);
      drawChips();
      drawMap();
    });
  }));
}

function colorBy(mode) {
  Object.assign(state, { color: mode, picked: new Set() });
  for (const button of $('color-by').children) button.setAttribute('aria-pressed', button.value === mode);
  drawChips();
  drawMap();
}

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

/* ---- classes ---- */

function counts() {
  const size = classes.length;
  const table = Array.from({ length: size }, () => new Array(size).fill(0));
  for (const clip of tests) if (labels[clip] >= 0 && predicted(clip) >= 0) table[labels[clip]][predicted(clip)]++;
  return table;
}

const confused = (label, other) => tests.filter((clip) => labels[clip] === label && predicted(clip) === other);
const listConfused = (label, other) => showList(
  label === other ? `${classes[label]}, recognized` : `${classes[label]} taken for ${classes[other]}`, confused(label, other));

const drawConfusion = plot($('confusion'), () => {
  const table = counts(), size = classes.length;
  const sums = table.map((row) => row.reduce((a, b) => a + b, 0));
  const ticks = { tickvals: classes.map((_, n) => n), ticktext: classes.map((name) => plain(name.length > 24 ? `${name.slice(0, 22)}…` : name)), tickfont: { size: size > 40 ? 8 : 11 } };
  const few = size <= 32;
  const shade = isDark() ? [[0, '#181e27'], [0.001, '#1f3145'], [1, '#2b78c2']] : [[0, '#ffffff'], [0.001, '#e6f0fa'], [1, '#0b62b0']];
  return {
    traces: [{
      type: 'heatmap', z: table.map((row, n) => row.map((count) => (sums[n] ? (100 * count) / sums[n] : 0))), zmin: 0, zmax: 100,
      text: table.map((row) => row.map((count) => (few && count ? String(count) : ''))), texttemplate: few ? '%{text}' : undefined,
      hovertext: table.map((row, a) => row.map((count, b) => `<b>${plain(classes[a])}</b><br>taken for ${plain(classes[b])}<br>${count} of ${plural(sums[a], 'clip')}`)),
      hoverinfo: 'text', colorscale: shade, showscale: false, xgap: few ? 1 : 0, ygap: few ? 1 : 0,
    }],
    layout: {
      height: Math.max(320, Math.min(1100, size * (few ? 24 : 12) + 130)), margin: { l: 60, r: 8, t: 8, b: 60 }, dragmode: false,
      xaxis: { ...ticks, showgrid: false, title: { text: 'taken for' }, tickangle: -45 },
      yaxis: { ...ticks, showgrid: false, autorange: 'reversed', title: { text: 'class' } },
    },
  };
}, (element) => {
  if (element.isBound) return;
  element.isBound = true;
  element.on('plotly_click', ({ points: [point] }) => listConfused(point.y, point.x));
});

let sortedBy = ['accuracy', 1];
function drawClasses() {
  const table = counts();
  const rows = classes.map((name, label) => {
    const clips = table[label].reduce((a, b) => a + b, 0), right = table[label][label];
    const others = table[label].map((count, other) => [other === label ? 0 : count, other]).sort((a, b) => b[0] - a[0]);
    return { label, name, clips, right, accuracy: clips ? (100 * right) / clips : -1, other: others[0]?.[1], often: others[0]?.[0] || 0 };
  }).filter((row) => row.clips);
  const [key, sign] = sortedBy;
  rows.sort((a, b) => sign * (typeof a[key] === 'string' ? a[key].localeCompare(b[key]) : a[key] - b[key]) || a.label - b.label);
  const heads = [['name', 'class'], ['clips', 'test clips'], ['accuracy', 'recognized'], ['often', 'most often taken for']];
  $('per-class').tHead.replaceChildren(make('tr', {}, ...heads.map(([column, title]) => {
    const head = make('th', { scope: 'col' }, onClick(make('button', { type: 'button', textContent: title }), () => {
      sortedBy = [column, column === key ? -sign : column === 'name' || column === 'accuracy' ? 1 : -1];
      drawClasses();
    }));
    if (column === key) head.setAttribute('aria-sort', sign > 0 ? 'ascending' : 'descending');
    return head;
  })));
  $('per-class').tBodies[0].replaceChildren(...rows.map((row) => {
    const open = (text, act) => make('td', {}, onClick(make('button', { type: 'button', textContent: text }), act));
    const share = make('td', { className: 'bar', textContent: `${row.accuracy.toFixed(1)} %` });
    share.style.setProperty('--share', row.accuracy);
    return make('tr', {},
      open(row.name, () => showList(row.name, tests.filter((clip) => labels[clip] === row.label))),
      make('td', { textContent: row.clips }), share,
      row.often ? open(`${classes[row.other]} (${row.often})`, () => listConfused(row.label, row.other)) : make('td', { textContent: '–' }));
  }));
}

/* ---- results, few-shot, curves, masked motion ---- */

const GROUPS = { clips: 'The clips alone', random: 'An encoder with random weights', learned: 'Learned' };
function drawResults() {
  const { columns, rows } = data.results;
  const heading = (text) => make('th', { scope: 'col', textContent: text });
  $('result-table').tHead.append(make('tr', {}, heading('features'), ...columns.map(heading)));
  const top = Math.max(...rows.map((row) => row.value));
  for (const [group, title] of Object.entries(GROUPS)) {
    const own = rows.filter((row) => row.group === group);
    if (!own.length) continue;
    const head = make('th', { scope: 'colgroup', colSpan: columns.length + 1, textContent: title });
    $('result-table').tBodies[0].append(make('tr', { className: 'group' }, head));
    for (const row of own) {
      const cells = row.cells.map((text) => make('td', { textContent: text }));
      cells[0].className = 'bar';
      cells[0].style.setProperty('--share', row.value);
      $('result-table').tBodies[0].append(make('tr', { className: row.value === top ? 'best' : '' }, make('td', { textContent: row.title }), ...cells));
    }
  }
}

const lineColor = (n) => css(`line-${(n % 5) + 1}`);

function drawFewShot() {
  $('few-shot').hidden = !data.few_shot.length;
  if (!data.few_shot.length) return;
  const symbols = ['circle', 'square', 'diamond', 'triangle-up', 'cross'];
  plot($('few-shot-plot'), () => ({
    traces: data.few_shot.map((curve, n) => ({
      x: curve.shots.map(String), y: curve.mean, name: plain(curve.title), mode: 'lines+markers',
      error_y: { type: 'data', array: curve.spread, thickness: 1.2, width: 3 },
      line: { color: lineColor(n), dash: ['geometry', 'random'].includes(curve.row) ? 'dash' : 'solid', width: 2 },
      marker: { symbol: symbols[n % symbols.length], size: 8 }, hovertemplate: '%{y:.1f} %<extra>%{fullData.name}</extra>',
    })),
    layout: {
      showlegend: true, legend: { orientation: 'h', y: -0.22 }, margin: { l: 50, r: 12, t: 8, b: 40 }, dragmode: false,
      xaxis: { type: 'category', title: { text: 'examples a class' } }, yaxis: { title: { text: 'accuracy (%)' } },
    },
  }));
}

/** What a curve is to be compared with: the best of the clips alone, and the untrained encoder. */
function untrained(key) {
  const rows = key === 'knn' ? data.results.rows : [];
  return [bestOf('clips'), rows.find((row) => row.row === 'random')].filter((row) => row && rows.includes(row));
}

function drawCurves() {
  for (const curves of data.curves) {
    const charts = make('div', { className: 'charts' });
    $('curves').append(make('div', { className: 'stage-curves' }, make('h3', { textContent: curves.title }), charts));
    for (const [key, title] of [['loss', 'loss'], ['knn', 'kNN, k = 1 (%)'], ['lr', 'learning rate']]) {
      const [x, y] = curves[key];
      if (!x.length) continue;
      const box = make('div', { className: 'plot' });
      box.setAttribute('role', 'img');
      box.setAttribute('aria-label', `${title} of ${curves.title} against iterations`);
      charts.append(box);
      plot(box, () => ({
        traces: [{ x, y, mode: x.length < 12 ? 'lines+markers' : 'lines', line: { color: lineColor(key === 'knn' ? 1 : 0), width: 2 }, hovertemplate: '%{x}: %{y:.4~g}<extra></extra>' }],
        layout: {
          margin: { l: 44, r: 10, t: 26, b: 34 }, dragmode: false, title: { text: title, font: { size: 12 }, x: 0.02, y: 0.97 },
          xaxis: { title: { text: 'iteration', font: { size: 11 } }, rangemode: 'tozero' }, yaxis: key === 'lr' ? { exponentformat: 'power', rangemode: 'tozero' } : {},
          shapes: untrained(key).map(({ value }) => ({ type: 'line', xref: 'paper', x0: 0, x1: 1, y0: value, y1: value, line: { color: css('bank'), dash: 'dot', width: 1.2 } })),
          annotations: untrained(key).map(({ title, value }) => ({ xref: 'paper', x: 0.01, y: value, xanchor: 'left', yanchor: 'bottom', showarrow: false, text: plain(title), font: { size: 9.5 } })),
        },
          }));
    }
  }
}

function drawMasked() {
  $('masked').hidden = !data.masked;
  if (!data.masked) return;
  const masked = new Stage(data.masked.skeleton);
  stages.push(masked);
  const shown = { true: 'recording', kept: 'what the encoder sees', guess: 'predicted (grey: the truth)' };
  for (const packed of data.masked.clips) {
    const row = make('div', { className: 'masked-row' }, make('h3', { textContent: packed.title }));
    const clip = new Clip(packed, data.masked.skeleton.joints);
    for (const [mode, title] of Object.entries(shown)) {
      const canvas = make('canvas');
      canvas.setAttribute('role', 'img');
      canvas.setAttribute('aria-label', `${packed.title}, ${title}`);
      row.append(make('figure', {}, canvas, make('figcaption', { textContent: title })));
      masked.add(canvas, mode).clip = clip;
    }
    $('masked-clips').append(row);
  }
  $('masked-caption').textContent = data.masked.caption.replace(/\n/g, ' ');
  const turn = (on) => {
    masked.play(on);
    $('masked-play').innerHTML = on ? PAUSE : PLAY;
  };
  onClick($('masked-play'), () => turn(!masked.playing));
  masked.seek(0);
  turn(!matchMedia('(prefers-reduced-motion: reduce)').matches);
}

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
