'use strict';
/* The map of the clips. */

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
