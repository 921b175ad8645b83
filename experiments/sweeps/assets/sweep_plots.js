'use strict';
// Axes and canvas plots of the report of a sweep: parallel coordinates, scatter plots and interpolated maps.
const sweepPlots = (() => {
  // make creates an element; children are nodes or texts.
  const make = (tag, properties, ...children) => {
    const e = document.createElement(tag);
    for (const [name, value] of Object.entries(properties || {})) {
      if (name.startsWith('on')) e.addEventListener(name.slice(2), value);
      else if (value !== null && value !== undefined && value !== false) e.setAttribute(name, value === true ? '' : value);
    }
    e.append(...children);
    return e;
  };
  // number writes a few digits, with a true minus sign.
  const number = (v, digits = 3) => {
    if (v === null || v === undefined || !Number.isFinite(v)) return '–';
    const size = Math.abs(v);
    const text = v === 0 ? '0' : size < 1e-3 || size >= 1e6 ? v.toExponential(digits - 1).replace(/\.?0*e\+?/, 'e') : String(Number(v.toPrecision(digits)));
    return text.replaceAll('-', '−');
  };
  // plain writes all digits.
  const plain = (v) => (v !== 0 && Math.abs(v) < 1e-4 ? v.toExponential() : String(v)).replaceAll('-', '−');
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
  const rgb = (name) => {
    const hex = colour(name).replace('#', '');
    return [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16));
  };
  // ramp returns the colours of n shares from worst to best.
  const ramp = (n) => {
    const stops = ['worst', 'middle', 'best'].map(rgb);
    return Array.from({ length: n }, (_, k) => {
      const at = 2 * k / (n - 1 || 1), i = Math.min(1, Math.floor(at)), t = at - i;
      return stops[i].map((v, c) => Math.round(v + t * (stops[i + 1][c] - v)));
    });
  };
  const css = (c) => 'rgb(' + c.join(' ') + ')';

  // ---- Axes ---------------------------------------------------------------

  // linear returns round numbers within the bounds, about as many as asked.
  const linear = (min, max, want) => {
    const rough = (max - min) / want, power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((m) => m * power >= rough * 0.999), out = [];
    for (let k = Math.ceil(min / step - 1e-9); k * step <= max + 1e-9 * step; k++) out.push(Number((k * step).toPrecision(12)));
    return out;
  };
  const decades = (min, max, want) => {
    const low = Math.floor(Math.log10(min) + 1e-9), high = Math.ceil(Math.log10(max) - 1e-9);
    const every = Math.ceil((high - low + 1) / (want + 1)), digits = high - low > 2 ? [1] : [1, 2, 5], out = [];
    for (let e = low; e <= high; e += every) for (const d of digits) {
      const v = Number(d + 'e' + e);
      if (v >= min * (1 - 1e-9) && v <= max * (1 + 1e-9)) out.push(v);
    }
    return out;
  };

  // axisOf gives a column of the data an axis: position maps a value to [0, 1], invert back, ticks are its labels.
  const axisOf = (column) => {
    const a = { name: column.name, short: column.short, category: column.kind === 'category', log: column.log, levels: column.levels, values: column.values,
      absent: column.values.some((v) => v === null) };
    if (a.category) {
      const n = a.levels.length;
      a.position = (l) => (l + 0.5) / n;
      a.text = (l) => a.levels[l];
      a.ticks = (want) => a.levels.map((text, l) => ({ at: a.position(l), text })).filter((_, l) => l % Math.ceil(n / Math.max(want, 1)) === 0);
      return a;
    }
    let { min, max } = column;
    if (min === max) [min, max] = [min - (Math.abs(min) / 2 || 1), max + (Math.abs(max) / 2 || 1)];
    if (a.log && min <= 0) a.log = false;
    const f = a.log ? Math.log : (v) => v, back = a.log ? Math.exp : (v) => v;
    a.min = min;
    a.max = max;
    a.position = (v) => (f(v) - f(min)) / (f(max) - f(min));
    a.invert = (p) => back(f(min) + p * (f(max) - f(min)));
    a.text = plain;
    // round returns round numbers within bounds.
    a.round = (low, high, want) => {
      const list = a.log ? decades(low, high, want) : linear(low, high, want);
      return list.length < 2 ? [low, high] : list;
    };
    const few = [...new Set(column.values)].filter((v) => v !== null).sort((p, q) => p - q);
    a.ticks = (want) => {
      if (column.listed && few.length <= want + 2) return few.map((v) => ({ at: a.position(v), text: plain(v) }));
      return a.round(min, max, want).map((v) => ({ at: a.position(v), text: number(v) }));
    };
    return a;
  };

  // surface fits a canvas to its host and returns its context, in CSS pixels.
  const surface = (canvas, width, height) => {
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = width + 'px';
    canvas.style.height = height + 'px';
    const c = canvas.getContext('2d');
    c.scale(ratio, ratio);
    c.clearRect(0, 0, width, height);
    c.font = '12px ' + colour('text');
    c.lineJoin = 'round';
    return c;
  };
  // fitted cuts a text to a width.
  const fitted = (c, text, width) => {
    if (c.measureText(text).width <= width) return text;
    let n = text.length;
    while (n > 1 && c.measureText(text.slice(0, n) + '…').width > width) n--;
    return text.slice(0, n) + '…';
  };

  // ---- Parallel coordinates -----------------------------------------------

  // parallel draws axes into a host and calls brushed(axis, from, to) with positions, or (axis) when a brush is let go.
  // Quality is the share from worst to best of each trial, null without a metric.
  const parallel = (host, axes, quality, brushed) => {
    const canvas = host.querySelector('canvas'), top = 52, n = quality.length;
    const absent = axes.some((a) => a.absent), foot = absent ? 34 : 10;
    const order = Array.from({ length: n }, (_, i) => i).filter((i) => quality[i] !== null).sort((p, q) => quality[p] - quality[q]);
    const none = Array.from({ length: n }, (_, i) => i).filter((i) => quality[i] === null);
    let width = 0, height = 0, xs = [];
    const yOf = (p) => top + (1 - p) * (height - top - foot);
    const names = axes.map((a) => make('div', { class: 'axis-name', title: a.name, 'aria-hidden': 'true' }, make('span', {}, ...a.short.split(/(?<=[_.])/).flatMap((part) => [part, make('wbr')]))));
    const brushes = axes.map((a, k) => {
      const mark = make('i', { hidden: true }), e = make('div', { class: 'brush', title: a.name, 'aria-hidden': 'true', 'data-axis': k }, mark);
      let from = null;
      const at = (event) => {
        const box = e.getBoundingClientRect();
        return Math.max(0, Math.min(1, 1 - (event.clientY - box.top) / box.height));
      };
      e.addEventListener('pointerdown', (event) => {
        from = at(event);
        e.setPointerCapture(event.pointerId);
        event.preventDefault();
      });
      e.addEventListener('pointermove', (event) => {
        if (from === null) return;
        const to = at(event);
        if (Math.abs(to - from) * e.clientHeight > 4) brushed(k, Math.min(from, to), Math.max(from, to));
      });
      e.addEventListener('pointerup', (event) => {
        if (from !== null && Math.abs(at(event) - from) * e.clientHeight <= 4) brushed(k);
        from = null;
      });
      e.addEventListener('pointercancel', () => { from = null; });
      return { e, mark };
    });
    host.append(...names, ...brushes.map((b) => b.e));

    const layout = () => {
      const room = host.parentNode.clientWidth;
      width = Math.max(room, 84 * axes.length + 20);
      height = parseFloat(getComputedStyle(host).height);
      host.style.width = width + 'px';
      const gap = width / axes.length;
      xs = axes.map((_, k) => gap * (k + 0.5));
      names.forEach((e, k) => {
        e.style.left = xs[k] + 'px';
        e.style.width = gap - 6 + 'px';
      });
      brushes.forEach(({ e }, k) => {
        e.style.left = xs[k] + 'px';
        e.style.top = top + 'px';
        e.style.height = height - top - foot + 'px';
      });
    };
    // strokes draws lines of trials, a few to a path: one path of thousands is slow to fill.
    const strokes = (c, trials, ys, style) => {
      c.strokeStyle = style;
      for (let from = 0; from < trials.length; from += 40) {
        c.beginPath();
        for (const i of trials.slice(from, from + 40)) {
          c.moveTo(xs[0], ys[0][i]);
          for (let k = 1; k < xs.length; k++) c.lineTo(xs[k], ys[k][i]);
        }
        c.stroke();
      }
    };
    const draw = (kept, marks) => {
      layout();
      const c = surface(canvas, width, height), spread = n > 40 ? 0.5 : 0;
      const ys = axes.map((a) => Float32Array.from(a.values, (v, i) => (v === null ? height - 12
        // Lines through a category lie side by side, so that one sees how many they are.
        : yOf(a.position(v) + (a.category ? spread * ((i * 0.618034) % 1 - 0.5) / a.levels.length : 0)))));
      const some = order.some((i) => !kept[i]) || none.some((i) => !kept[i]);
      c.lineWidth = 1;
      c.globalAlpha = Math.max(0.06, Math.min(0.5, 40 / n));
      strokes(c, order.concat(none).filter((i) => !kept[i]), ys, colour('soft'));
      c.globalAlpha = Math.max(0.15, Math.min(0.7, 60 / n));
      strokes(c, none.filter((i) => kept[i]), ys, colour('soft'));
      const chosen = order.filter((i) => kept[i]), colours = ramp(24).map(css);
      c.globalAlpha = Math.max(0.16, Math.min(0.85, 120 / (chosen.length || 1)));
      c.lineWidth = chosen.length < 100 ? 1.5 : 1;
      colours.forEach((style, k) => {
        strokes(c, chosen.filter((i) => Math.min(23, Math.floor(24 * quality[i])) === k), ys, style);
        if (some || chosen.length < 100) return;
        if (k === 22) c.globalAlpha = Math.min(0.85, 2 * c.globalAlpha); // the best stand out
      });
      c.globalAlpha = 1;
      c.textBaseline = 'middle';
      const gap = width / axes.length;
      axes.forEach((a, k) => {
        for (const t of a.ticks(8)) label(c, fitted(c, t.text, gap - 14), xs[k], yOf(t.at));
        if (absent && a.absent) label(c, 'none', xs[k], height - 12);
        const mark = brushes[k].mark, m = marks[k];
        mark.hidden = !m;
        if (m) {
          mark.style.bottom = 100 * m[0] + '%';
          mark.style.top = 100 * (1 - m[1]) + '%';
        }
      });
    };
    const label = (c, text, x, y) => {
      c.textAlign = x > width - 70 ? 'right' : 'left';
      const at = c.textAlign === 'right' ? x - 6 : x + 6;
      c.lineWidth = 4;
      c.strokeStyle = colour('card');
      c.strokeText(text, at, y);
      c.fillStyle = colour('ink');
      c.fillText(text, at, y);
      c.lineWidth = 1;
      c.strokeStyle = colour('soft');
      c.beginPath();
      c.moveTo(x - 3, y);
      c.lineTo(x + 3, y);
      c.stroke();
    };
    return { draw, yOf };
  };

  // ---- Two axes -----------------------------------------------------------

  // frame draws two axes into a host's canvas, over what under draws there, and returns how to draw in it. Without under the name
  // of the first axis is left to the caption.
  const frame = (host, x, y, under) => {
    const canvas = host.querySelector('canvas'), width = host.clientWidth, height = host.clientHeight;
    const c = surface(canvas, width, height), ticks = y.ticks(5), wide = Math.max(...ticks.map((t) => Math.min(90, c.measureText(t.text).width)), 10);
    const box = { left: wide + 26, top: 8, right: width - 10, bottom: height - (under ? 40 : 22) };
    const xOf = (p) => box.left + p * (box.right - box.left), yOf = (p) => box.bottom - p * (box.bottom - box.top);
    if (under) under(c, box);
    c.strokeStyle = colour(under ? 'line' : 'grid');
    c.fillStyle = colour('soft');
    c.lineWidth = 1;
    c.textBaseline = 'middle';
    c.textAlign = 'right';
    const line = (x0, y0, x1, y1) => {
      c.beginPath();
      c.moveTo(x0, y0);
      c.lineTo(x1, y1);
      c.stroke();
    };
    for (const t of ticks) {
      if (!under) line(box.left, yOf(t.at), box.right, yOf(t.at));
      c.fillText(fitted(c, t.text, 90), box.left - 6, yOf(t.at));
    }
    c.textAlign = 'center';
    c.textBaseline = 'top';
    const room = (box.right - box.left) / 56, shown = x.ticks(Math.min(room, 8));
    for (const t of shown) {
      if (!under) line(xOf(t.at), box.top, xOf(t.at), box.bottom);
      c.fillText(fitted(c, t.text, (box.right - box.left) / shown.length + (x.category ? -4 : 30)), Math.min(xOf(t.at), width - c.measureText(t.text).width / 2), box.bottom + 6);
    }
    if (under) c.fillText(fitted(c, x.short + (x.log ? ' (log)' : ''), box.right - box.left), (box.left + box.right) / 2, box.bottom + 23);
    c.save();
    c.translate(2, (box.top + box.bottom) / 2);
    c.rotate(-Math.PI / 2);
    c.fillText(fitted(c, y.short + (y.log ? ' (log)' : ''), box.bottom - box.top), 0, 0);
    c.restore();
    return { c, box, xOf, yOf };
  };

  // scatter draws trials over two axes, later ones darker, and returns their places. What is not kept is faint.
  const scatter = (host, x, y, kept, best) => {
    const { c, xOf, yOf } = frame(host, x, y), places = [], n = x.values.length, size = n > 1500 ? 3 : n > 300 ? 4 : 5;
    const spread = x.category ? 0.6 / x.levels.length : 0, card = rgb('card'), dark = rgb('accent');
    for (let i = 0; i < n; i++) {
      if (x.values[i] === null || y.values[i] === null) continue;
      places.push({ i, x: xOf(x.position(x.values[i]) + spread * ((i * 0.618034) % 1 - 0.5)), y: yOf(y.position(y.values[i])) });
    }
    for (const chosen of [0, 1]) for (let part = 0; part < 8; part++) {
      const share = 0.3 + 0.7 * part / 7;
      c.fillStyle = chosen ? css(card.map((v, k) => Math.round(v + share * (dark[k] - v)))) : colour('soft');
      c.globalAlpha = chosen ? 0.85 : 0.12;
      c.beginPath();
      for (const p of places) {
        if (kept[p.i] !== chosen || Math.floor(8 * p.i / n) !== part) continue;
        if (size < 5) c.rect(p.x - size / 2, p.y - size / 2, size, size);
        else {
          c.moveTo(p.x + size / 2, p.y);
          c.arc(p.x, p.y, size / 2, 0, 7);
        }
      }
      c.fill();
    }
    c.globalAlpha = 1;
    ring(c, places.find((p) => p.i === best));
    return places;
  };
  const ring = (c, p) => {
    if (!p) return;
    c.lineWidth = 2;
    c.strokeStyle = colour('s1');
    c.beginPath();
    c.arc(p.x, p.y, 6, 0, 7);
    c.stroke();
  };

  // interpolate returns, on a grid over two axes, the mean of a value of trials with weights of the inverse fourth power of
  // their distance (D. Shepard, 1968), to which a twentieth of the axis is added, so that trials that are near one another are averaged;
  // and the distance of the nearest trial.
  const interpolate = (x, y, value, columns, rows) => {
    const us = [], vs = [], zs = [], out = new Float64Array(columns * rows), far = new Float64Array(columns * rows);
    for (let i = 0; i < value.length; i++) {
      if (value[i] === null || x.values[i] === null || y.values[i] === null) continue;
      us.push(x.position(x.values[i]));
      vs.push(y.position(y.values[i]));
      zs.push(value[i]);
    }
    for (let r = 0; r < rows; r++) for (let k = 0; k < columns; k++) {
      const u = (k + 0.5) / columns, v = 1 - (r + 0.5) / rows;
      let sum = 0, total = 0, least = 2;
      for (let i = 0; i < us.length; i++) {
        const d = (us[i] - u) ** 2 + (vs[i] - v) ** 2 + 2.5e-3, w = 1 / (d * d);
        if (d < least) least = d;
        sum += w * zs[i];
        total += w;
      }
      out[r * columns + k] = sum / total;
      far[r * columns + k] = Math.sqrt(least);
    }
    return { cells: out, far };
  };

  // contour draws the interpolated quality of trials over two axes, and the trials. It returns the places of these, and the qualities
  // that the colours reach from and to.
  const contour = (host, x, y, quality, best) => {
    const columns = 60, rows = 40, { cells, far } = interpolate(x, y, quality, columns, rows), colours = ramp(16);
    const picture = make('canvas', { width: columns, height: rows }), inner = picture.getContext('2d'), image = inner.createImageData(columns, rows);
    const low = cells.reduce((p, q) => Math.min(p, q), 1), high = cells.reduce((p, q) => Math.max(p, q), 0), span = high - low || 1;
    cells.forEach((q, i) => image.data.set([...colours[Math.max(0, Math.min(15, Math.round(15 * (q - low) / span)))], 255 * Math.max(0.12, Math.min(1, 1.4 - 4 * far[i]))], 4 * i));
    inner.putImageData(image, 0, 0);
    const { c, xOf, yOf } = frame(host, x, y, (context, box) => {
      context.imageSmoothingEnabled = true;
      context.imageSmoothingQuality = 'high';
      context.drawImage(picture, box.left, box.top, box.right - box.left, box.bottom - box.top);
    });
    const places = [];
    for (let i = 0; i < quality.length; i++) {
      if (quality[i] === null || x.values[i] === null || y.values[i] === null) continue;
      places.push({ i, x: xOf(x.position(x.values[i])), y: yOf(y.position(y.values[i])) });
    }
    const size = places.length > 1000 ? 1 : 2;
    c.fillStyle = '#fff';
    c.strokeStyle = '#0008';
    c.globalAlpha = places.length > 1000 ? 0.5 : 0.9;
    for (const p of places) {
      c.beginPath();
      c.arc(p.x, p.y, size, 0, 7);
      c.fill();
      if (size > 1) c.stroke();
    }
    c.globalAlpha = 1;
    ring(c, places.find((p) => p.i === best));
    return { places, low, high };
  };

  return { make, number, plain, colour, ramp, css, axisOf, parallel, scatter, contour };
})();
