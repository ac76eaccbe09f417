'use strict';
/* Tables and curves. */

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
