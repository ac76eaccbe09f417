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
