'use strict';
/* Moving skeletons: canvases that share one clock and one view. */

function decode(text, Type) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Type(bytes.buffer);
}

/** A clip's joints, (m, t, V, 3) whole numbers times scale, y upwards. */
class Clip {
  constructor(packed, V) {
    Object.assign(this, { m: packed.m, t: packed.t, frames: packed.frames, V });
    this.true = this.poses(packed.q, packed.scale);
    if (packed.guess) {
      this.guess = this.poses(packed.guess, packed.scale);
      this.hidden = decode(packed.hidden, Uint8Array);
    }
    // a person of zeros is absent
    this.present = Array.from({ length: this.m * this.t }, (_, n) =>
      this.true.subarray(n * V * 3, (n + 1) * V * 3).some((value) => value !== 0));
    this.measure();
  }

  poses(text, scale) {
    return Float32Array.from(decode(text, Int16Array), (value) => value * scale);
  }

  measure() {
    const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
    for (let n = 0; n < this.m * this.t * this.V; n++) {
      if (!this.present[Math.floor(n / this.V)]) continue;
      for (let c = 0; c < 3; c++) {
        low[c] = Math.min(low[c], this.true[3 * n + c]);
        high[c] = Math.max(high[c], this.true[3 * n + c]);
      }
    }
    const empty = low[0] > high[0];
    this.middle = low.map((value, c) => (empty ? 0 : (value + high[c]) / 2));
    this.floor = empty ? 0 : low[1];
    this.radius = empty ? 1 : Math.max(...low.map((value, c) => high[c] - value)) / 2 || 1;
  }

  /** The joints of a person at a time from 0 to 1, null where nobody is there. */
  pose(values, person, phase) {
    const place = phase * (this.t - 1), size = 3 * this.V;
    let one = person * this.t + Math.floor(place);
    let other = Math.min(one + 1, (person + 1) * this.t - 1);
    if (!this.present[one] && !this.present[other]) return null;
    if (!this.present[one]) one = other;
    if (!this.present[other]) other = one;
    const part = place - Math.floor(place), pose = new Float32Array(size);
    for (let n = 0; n < size; n++) {
      pose[n] = (1 - part) * values[one * size + n] + part * values[other * size + n];
    }
    return pose;
  }

  isHidden(person, phase, joint) {
    const frame = Math.round(phase * (this.t - 1));
    return this.hidden[(person * this.t + frame) * this.V + joint] > 0;
  }
}

/** Canvases that show clips at the same time and from the same side. */
class Stage {
  constructor(skeleton) {
    Object.assign(this, { skeleton, views: [], yaw: -0.5, pitch: 0.18, phase: 0 });
    Object.assign(this, { playing: false, seconds: 3, speed: 1, onframe: () => {} });
    this.seen = new IntersectionObserver((entries) => {
      for (const entry of entries) entry.target.isSeen = entry.isIntersecting;
      this.draw();
    });
    this.sized = new ResizeObserver(() => this.draw());
  }

  /** A view of nothing yet; mode: what is shown, 'true', 'kept' or 'guess'. */
  add(canvas, mode = 'true') {
    const view = { canvas, clip: null, mode };
    this.views.push(view);
    this.seen.observe(canvas);
    this.sized.observe(canvas);
    let held = null;
    canvas.addEventListener('pointerdown', (event) => {
      held = [event.clientX, event.clientY];
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener('pointermove', (event) => {
      if (!held) return;
      this.yaw += (event.clientX - held[0]) * 0.01;
      this.pitch = Math.max(-1.5, Math.min(1.5, this.pitch + (event.clientY - held[1]) * 0.01));
      held = [event.clientX, event.clientY];
      this.draw();
    });
    for (const name of ['pointerup', 'pointercancel']) {
      canvas.addEventListener(name, () => { held = null; });
    }
    canvas.addEventListener('dblclick', () => {
      Object.assign(this, { yaw: -0.5, pitch: 0.18 });
      this.draw();
    });
    return view;
  }

  play(on) {
    const starts = on && !this.playing;
    this.playing = on;
    if (!starts) return;
    let before = null;
    const tick = (now) => {
      if (!this.playing) return;
      // a moment of stillness between the end and the beginning
      if (before !== null) {
        this.clock = (this.clock + ((now - before) / 1000 / this.seconds) * this.speed) % 1.12;
      } else {
        this.clock = this.phase >= 1 ? 0 : this.phase;
      }
      before = now;
      this.phase = Math.min(1, this.clock);
      this.draw();
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  seek(phase) {
    this.phase = this.clock = phase;
    this.draw();
  }

  draw() {
    this.onframe(this.phase);
    for (const view of this.views) if (view.canvas.isSeen) this.drawView(view);
  }

  drawView({ canvas, clip, mode }) {
    const dots = 2; // sharp wherever the canvas lies between pixels
    const width = Math.round(canvas.clientWidth * dots), height = Math.round(canvas.clientHeight * dots);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const ink = canvas.getContext('2d');
    ink.clearRect(0, 0, width, height);
    if (!clip) return;
    const look = this.camera(clip, width, height);
    ink.lineCap = 'round';
    this.drawFloor(ink, clip, look, dots);
    for (let person = 0; person < clip.m; person++) {
      const pose = clip.pose(clip.true, person, this.phase);
      if (!pose) continue;
      const hidden = (joint) => clip.isHidden(person, this.phase, joint);
      if (mode === 'true') this.drawBody(ink, pose, look, person, null, () => true);
      if (mode !== 'true') this.drawBody(ink, pose, look, person, this.colors.faint, () => true);
      if (mode === 'kept') this.drawBody(ink, pose, look, person, null, (joint) => !hidden(joint));
      if (mode === 'guess') {
        const guess = clip.pose(clip.guess, person, this.phase);
        for (let n = 0; n < pose.length; n++) if (!hidden(Math.floor(n / 3))) guess[n] = pose[n];
        this.drawBody(ink, guess, look, person, null, () => true);
      }
    }
  }

  /** Where a point of the clip is on the canvas, and how near. */
  camera({ middle, radius }, width, height) {
    const [cy, sy] = [Math.cos(this.yaw), Math.sin(this.yaw)];
    const [cp, sp] = [Math.cos(this.pitch), Math.sin(this.pitch)];
    const size = (0.39 * Math.min(width, height)) / radius, far = 6 * radius;
    return (x, y, z) => {
      [x, y, z] = [x - middle[0], y - middle[1], z - middle[2]];
      const across = x * cy + z * sy, deep = z * cy - x * sy;
      const depth = deep * cp - y * sp, near = far / (far + depth);
      return [width / 2 + across * size * near, height / 2 - (y * cp + deep * sp) * size * near, near, size];
    };
  }

  drawFloor(ink, { middle, radius, floor }, look, dots) {
    ink.strokeStyle = this.colors.grid;
    ink.lineWidth = dots;
    ink.beginPath();
    for (let n = -2; n <= 2; n++) {
      const half = 0.7 * radius, a = (n / 2) * half;
      for (const [from, to] of [[[a, -half], [a, half]], [[-half, a], [half, a]]]) {
        ink.moveTo(...look(middle[0] + from[0], floor, middle[2] + from[1]).slice(0, 2));
        ink.lineTo(...look(middle[0] + to[0], floor, middle[2] + to[1]).slice(0, 2));
      }
    }
    ink.stroke();
  }

  drawBody(ink, pose, look, person, color, isShown) {
    const { bones, side, head } = this.skeleton, colors = this.colors;
    const points = side.map((_, j) => look(pose[3 * j], pose[3 * j + 1], pose[3 * j + 2]));
    const thick = Math.max(1.5, ink.canvas.width / 75) * (color ? 0.7 : 1);
    const paint = (j) => color || (side[j] < 0 ? colors.left : side[j] > 0 ? colors.right : colors.body);
    ink.globalAlpha = person && !color ? 0.6 : 1;
    const back = bones.filter(([a, b]) => isShown(a) && isShown(b))
      .sort(([a, b], [c, d]) => points[a][2] + points[b][2] - points[c][2] - points[d][2]);
    for (const [a, b] of back) {
      ink.strokeStyle = paint(side[a] ? a : b);
      ink.lineWidth = thick * (points[a][2] + points[b][2]) / 2;
      ink.beginPath();
      ink.moveTo(points[a][0], points[a][1]);
      ink.lineTo(points[b][0], points[b][1]);
      ink.stroke();
    }
    points.forEach(([x, y, near], j) => {
      if (!isShown(j)) return;
      const size = j === head ? 1.7 : 0.62;
      ink.fillStyle = paint(j);
      ink.beginPath();
      ink.arc(x, y, thick * near * size, 0, 7);
      ink.fill();
    });
    ink.globalAlpha = 1;
  }
}
