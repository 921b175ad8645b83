'use strict';
// The plots and the explorer of a report. Reads the JSON of the element #data; texts from it become text nodes only.
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const find = (id) => document.getElementById(id);

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
  const replace = (id, ...children) => find(id).replaceChildren(...children);

  // bytes and floats unpack Base64 of little-endian numbers.
  const bytes = (text) => {
    const raw = atob(text || ''), out = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
    return out;
  };
  const floats = (text) => new Float32Array(bytes(text).buffer);

  // number writes three digits, with a true minus sign.
  const number = (v) => {
    if (v === null || v === undefined || !Number.isFinite(v)) return '–';
    const size = Math.abs(v);
    const text = v === 0 ? '0' : size < 1e-3 || size >= 1e5 ? v.toExponential(1).replace('e+', 'e') : String(Number(v.toPrecision(3)));
    return text.replaceAll('-', '−');
  };
  const signed = (v) => (v > 0 ? '+' : '') + number(v);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
  const plural = (n, word) => n + ' ' + word + (n === 1 ? '' : 's');

  // ---- Charts -------------------------------------------------------------

  const charts = new Map(); // by id of the host: how to build it, and what was built

  // chart draws into a host, again when it changes size or the colours change.
  const chart = (id, describe) => {
    const host = find(id);
    if (!host) return;
    let entry = charts.get(id);
    if (entry && entry.host === host && entry.plot) entry.plot.destroy();
    if (!entry || entry.host !== host) {
      entry = { host, width: 0 };
      charts.set(id, entry);
      new ResizeObserver(() => {
        if (entry.plot && host.clientWidth !== entry.width) {
          entry.width = host.clientWidth;
          entry.plot.setSize({ width: entry.width, height: 250 });
        }
      }).observe(host);
    }
    entry.describe = describe;
    entry.plot = null;
    entry.width = host.clientWidth;
    host.replaceChildren();
    try {
      const { options, values } = describe();
      if (!values[0].length) throw new Error('there are no finite numbers');
      entry.plot = new uPlot({ width: entry.width, height: 250, cursor: { drag: { x: true, y: false } }, ...options }, values, host);
    } catch (e) {
      entry.plot = null;
      host.replaceChildren(make('p', { class: 'hint' }, 'Nothing to draw: ' + e.message + '.'));
    }
  };

  const isDecade = (v) => Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-9;
  const decade = (v) => (Math.abs(Math.log10(v)) < 3.5 ? number(v) : '1e' + Math.round(Math.log10(v))).replace('-', '−');
  const decades = (plot, splits) => {
    const shown = splits.filter((v) => v !== null && isDecade(v)), every = Math.ceil(shown.length / 7);
    return splits.map((v) => (v !== null && isDecade(v) && shown.indexOf(v) % every === 0 ? decade(v) : ''));
  };
  const only = (logarithmic) => (logarithmic ? { filter: (plot, splits) => splits.map((v) => (v !== null && isDecade(v) ? v : null)) } : {});
  const axis = (label, logarithmic, size) => ({
    label, labelSize: label ? 20 : 0, labelGap: 0, size, labelFont: '12px ' + colour('text'), font: '12px ' + colour('text'),
    stroke: colour('soft'), grid: { stroke: colour('grid'), width: 1, ...only(logarithmic) }, ticks: { stroke: colour('line'), width: 1, size: 4, ...only(logarithmic) },
    values: logarithmic ? decades : (plot, splits) => splits.map(number), ...only(logarithmic),
  });
  // drawable turns what an axis cannot show into gaps.
  const drawable = (values, logarithmic) => Array.from(values, (v) =>
    (v === null || !Number.isFinite(v) || Math.abs(v) > 1e30 || (logarithmic && v < 1e-30) ? null : v));

  // plot draws series over x. A series is {name, values} with points or dash.
  const plot = (id, { x, xLabel, yLabel, log, logX, series }) => chart(id, () => {
    const values = [drawable(x, logX), ...series.map((s) => drawable(s.values, log))];
    if (!values.slice(1).some((line) => line.some((v) => v !== null))) throw new Error('there are no finite numbers');
    const keep = values[0].map((v, i) => (v === null ? -1 : i)).filter((i) => i >= 0);
    return {
      values: values.map((line) => keep.map((i) => line[i])),
      options: {
        scales: { x: { time: false, distr: logX ? 3 : 1 }, y: { distr: log ? 3 : 1 } },
        axes: [axis(xLabel, logX, 32), axis(yLabel, log, 56)],
        legend: { live: true },
        series: [{ label: xLabel, value: (u, v) => (v === null ? '' : number(v)) }, ...series.map((s, i) => {
          const stroke = colour(s.colour || 's' + (i % 6));
          return {
            label: s.name, stroke, width: s.points ? 0 : 1.75, dash: s.dash, spanGaps: true, value: (u, v) => (v === null ? '' : number(v)),
            ...(s.points ? { paths: () => null } : {}),
            points: { show: Boolean(s.points || s.dots), space: 0, size: s.hollow ? 6 : 5, width: 1, stroke, fill: s.hollow || !s.points ? 'transparent' : stroke },
          };
        })],
      },
    };
  });

  const drawTraining = () => {
    const t = data.training, positive = t.loss.filter((v) => v > 0);
    const wide = positive.length === t.loss.length && Math.max(...positive) > 100 * Math.min(...positive);
    plot('plot-loss', { x: t.step, xLabel: 'step', log: wide, series: [{ name: 'mean loss', values: t.loss }] });
    if (t.accuracy) plot('plot-accuracy', { x: t.step, xLabel: 'step', series: [{ name: 'accuracy', values: t.accuracy, colour: 's2' }] });
    if (t.residual) plot('plot-residual', { x: t.step, xLabel: 'step', log: true, series: [{ name: 'largest |residual|', values: t.residual, colour: 's1' }] });
  };

  const drawAgreement = () => {
    const a = data.agreement, x = floats(a.output), label = 'network output';
    if (!a.machines.length) return;
    // The first machine, which matters most, lies on top.
    const each = (of) => a.machines.map((m, i) => ({ name: m.name, values: of(m), points: true, hollow: i > 0, colour: 's' + (i % 6) })).reverse();
    plot('plot-agreement', { x, xLabel: label, series: [{ name: 'diagonal', values: x, dash: [4, 4], colour: 'soft' }, ...each((m) => floats(m.prediction))] });
    // Below the spacing of floating-point numbers there is nothing to see.
    plot('plot-error', { x, xLabel: label, log: true, series: each((m) => floats(m.error).map((v) => Math.max(v, 1e-17))) });
    const certified = a.machines.filter((m) => m.bound);
    if (!certified.length) return;
    const all = certified.map((m) => Array.from(floats(m.bound))), every = [...new Set(all.flat())].sort((p, q) => p - q);
    plot('plot-certificate', { x: every, xLabel: 'missed by the steps', log: true, logX: true, series: [
      { name: 'diagonal', values: every, dash: [4, 4], colour: 'soft' },
      ...certified.map((m, i) => {
        const errors = floats(m.missed), at = new Map(all[i].map((v, k) => [v, Math.max(errors[k], 1e-17)]));
        return { name: m.name, values: every.map((v) => (at.has(v) ? at.get(v) : null)), points: true, hollow: true, colour: 's' + (a.machines.indexOf(m) % 6) };
      })] });
  };

  const drawSpectrum = () => {
    const s = data.spectrum;
    if (!s) return;
    plot('plot-eigenvalues', { x: s.step, xLabel: 'step', log: true, series: s.eigenvalues.map((values, k) => ({ name: 'λ' + (k + 1), values })) });
    const rank = s.first.map((v, k) => k + 1);
    plot('plot-spectrum', { x: rank, xLabel: 'rank', log: true, logX: true, series: [
      { name: 'first step', values: s.first, dots: true, colour: 's5' }, { name: 'last step', values: rank.map((k) => s.last[k - 1]), dots: true, colour: 's1' }] });
    plot('plot-alignment', { x: s.step, xLabel: 'step', series: [{ name: 'alignment', values: s.alignment },
      { name: 'centred', values: s.centered }, { name: 'distance from the first', values: s.distance }] });
    plot('plot-rank', { x: s.step, xLabel: 'step', series: [{ name: 'effective rank', values: s.rank, colour: 's2' }] });
  };

  // ---- Heat map -----------------------------------------------------------

  const rgb = (name) => {
    const hex = colour(name).replace('#', '');
    return [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16));
  };

  const drawHeat = () => {
    const host = find('plot-heat'), heat = data.heat;
    if (!host || !heat) return;
    const cells = floats(heat.cells), canvas = make('canvas', { width: heat.columns, height: heat.rows });
    const context = canvas.getContext('2d'), picture = context.createImageData(heat.columns, heat.rows);
    const up = rgb('up'), down = rgb('down'), mid = rgb('mid');
    cells.forEach((v, i) => {
      const share = Math.min(1, Math.abs(v) / (heat.limit || 1)) || 0, end = v < 0 ? down : up;
      for (let k = 0; k < 3; k++) picture.data[4 * i + k] = mid[k] + share * (end[k] - mid[k]);
      picture.data[4 * i + 3] = 255;
    });
    context.putImageData(picture, 0, 0);
    const classAt = (bounds, at) => bounds.filter((b) => b.at <= at + 0.5).pop() || bounds[0];
    canvas.addEventListener('pointermove', (e) => {
      const box = canvas.getBoundingClientRect();
      const column = Math.min(heat.columns - 1, Math.max(0, Math.floor((e.clientX - box.left) / box.width * heat.columns)));
      const row = Math.min(heat.rows - 1, Math.max(0, Math.floor((e.clientY - box.top) / box.height * heat.rows)));
      const kind = data.classes ? 'class ' : 'from ';
      find('heat-value').textContent = 'Query of ' + kind + classAt(heat.rowAt, row).name + ', training sample of ' + kind +
        classAt(heat.columnAt, column).name + ': ' + number(cells[row * heat.columns + column]);
    });
    const ticks = (side, bounds, count) => {
      const box = make('div', { class: 'ticks ' + side, 'aria-hidden': 'true' });
      let last = -1;
      bounds.forEach((b, i) => {
        const end = i + 1 < bounds.length ? bounds[i + 1].at : count, middle = 100 * (b.at + end) / 2 / count;
        if (middle - last < 4) return;
        last = middle;
        const tick = make('span', { title: b.name }, b.name);
        tick.style[side === 'x' ? 'left' : 'top'] = middle + '%';
        box.append(tick);
      });
      return box;
    };
    const least = cells.some((v) => v < 0) ? -heat.limit : 0;
    const bar = make('i', {});
    if (least === 0) bar.style.background = 'linear-gradient(to right, var(--mid), var(--up))';
    host.replaceChildren(ticks('y', heat.rowAt, heat.rows), canvas, ticks('x', heat.columnAt, heat.columns));
    host.parentNode.querySelectorAll('.scale').forEach((e) => e.remove());
    host.after(make('div', { class: 'scale', 'aria-hidden': 'true' }, number(least), bar, number(heat.limit)));
  };

  // ---- Explorer -----------------------------------------------------------

  const x = data.explorer;
  const state = { query: 0, machine: 0, output: 'auto', filter: '', sample: null, all: false };
  const images = new Image();
  const features = x.features ? floats(x.features.values) : null;
  const className = (k) => (data.classes ? data.classes[k] ?? '?' : '');

  // unpacked returns the arrays of a machine, decoded once.
  const unpacked = (m) => {
    if (!m.arrays) {
      const values = {};
      for (const name of ['initial', 'final', 'regularization', 'residual', 'sums', 'classes', 'values']) values[name] = floats(m[name]);
      values.samples = new Uint16Array(bytes(m.samples).buffer);
      for (const name of ['layers', 'windows']) if (m[name]) values[name] = { totals: floats(m[name].totals), samples: floats(m[name].samples) };
      m.arrays = values;
    }
    return m.arrays;
  };

  // picture returns the image at a position of the sprite.
  const picture = (at, label) => {
    const s = x.images, canvas = make('canvas', { class: 'image', width: s.width, height: s.height, ...(label ? { role: 'img', 'aria-label': label } : { 'aria-hidden': 'true' }) });
    canvas.style.setProperty('--ratio', s.width / s.height);
    canvas.getContext('2d').drawImage(images, at % s.columns * s.width, Math.floor(at / s.columns) * s.height, s.width, s.height, 0, 0, s.width, s.height);
    return canvas;
  };
  const targets = x.targets ? floats(x.targets.values) : null, said = x.targets ? floats(x.targets.said) : null;
  // some writes the numbers of a sample, up to four.
  const some = (values, at, width) => Array.from(values.slice(at * width, at * width + Math.min(width, 4)), number).join(', ') + (width > 4 ? ', …' : '');
  // targetOf is the number to predict of a sample, of the output c, or all where m explains another value.
  const targetOf = (m, c, at) => (m.outputs.length === x.targets.width ? number(targets[at * x.targets.width + c]) : some(targets, at, x.targets.width));
  const row = (at) => x.features.names.map((name, j) => [name, features[at * x.features.names.length + j]]);

  const wrong = (q) => x.chosen && x.class[q] !== x.chosen[q];
  const queryText = (q) => (x.class ? 'class ' + className(x.class[q]) + ', network says ' + className(x.chosen[q]) + (wrong(q) ? ', wrong' : '') : '');

  const fillQueries = () => {
    const box = find('queries');
    for (let q = 0; q < x.queries; q++) {
      const option = make('div', { role: 'option', id: 'query-' + q, 'aria-selected': 'false', tabindex: '-1', 'data-query': q,
        'aria-label': 'Query ' + q + (x.class ? ', ' + queryText(q) : ''), title: 'query ' + q + (x.class ? ': ' + queryText(q) : '') });
      const mark = x.class ? make('span', wrong(q) ? { class: 'wrong' } : {}, wrong(q) ? className(x.class[q]) + '→' + className(x.chosen[q]) : className(x.class[q])) : '';
      if (x.images) option.append(picture(q), mark);
      else option.append(make('strong', {}, '#' + q), x.class ? ' class ' : '', mark, ': ' + row(q).slice(0, 4).map(([, v]) => number(v)).join(', '));
      box.append(option);
    }
    box.addEventListener('click', (e) => {
      const option = e.target.closest('[role=option]');
      if (option) choose(Number(option.dataset.query), true);
    });
    box.addEventListener('keydown', (e) => {
      const shown = [...box.children].filter((o) => !o.hidden), at = shown.findIndex((o) => Number(o.dataset.query) === state.query);
      if (!shown.length) return;
      const first = shown[0].offsetTop, columns = Math.max(1, shown.findIndex((o) => o.offsetTop !== first) < 0 ? shown.length : shown.findIndex((o) => o.offsetTop !== first));
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + columns, ArrowUp: at - columns, Home: 0, End: shown.length - 1, PageDown: at + 5 * columns, PageUp: at - 5 * columns }[e.key];
      if (to === undefined || e.ctrlKey || e.metaKey || e.altKey) return;
      e.preventDefault();
      choose(Number(shown[Math.min(shown.length - 1, Math.max(0, to))].dataset.query), true);
    });
  };

  const choose = (q, focus) => {
    const before = find('query-' + state.query), now = find('query-' + q);
    before.setAttribute('aria-selected', 'false');
    before.tabIndex = -1;
    now.setAttribute('aria-selected', 'true');
    now.tabIndex = 0;
    if (focus) {
      now.focus({ preventScroll: true });
      const box = find('queries');
      if (now.offsetTop < box.scrollTop) box.scrollTop = now.offsetTop - 4;
      else if (now.offsetTop + now.offsetHeight > box.scrollTop + box.clientHeight) box.scrollTop = now.offsetTop + now.offsetHeight - box.clientHeight + 4;
    }
    state.query = q;
    state.sample = null;
    show();
  };

  // output returns the number of the output that is explained.
  const output = (m) => {
    if (m.outputs.length === 1) return 0;
    if (state.output === 'auto') return Math.max(0, x.chosen ? x.chosen[state.query] : 0);
    return Math.min(Number(state.output), m.outputs.length - 1);
  };

  // track returns a bar from one value to another on a scale from low to high, zero marked.
  const track = (parts, low, high) => {
    const span = high - low || 1, percent = (v) => 100 * (v - low) / span, e = make('div', { class: 'track', 'aria-hidden': 'true' });
    e.style.setProperty('--zero', percent(0) + '%');
    for (const [from, to, kind] of parts) {
      const bar = make('i', { class: kind || (to < from ? 'down' : 'up') });
      bar.style.left = percent(Math.min(from, to)) + '%';
      bar.style.width = Math.abs(percent(to) - percent(from)) + '%';
      e.append(bar);
    }
    return e;
  };
  // bars is a table of labels, bars and numbers.
  const bars = (caption, head, widths, rows) => make('table', { class: 'bars' }, make('caption', { class: 'unseen' }, caption),
    make('colgroup', {}, ...widths.map((w) => make('col', w ? { width: w } : {}))),
    make('thead', { class: 'unseen' }, make('tr', {}, ...head.map((h) => make('th', { scope: 'col' }, h)))), make('tbody', {}, ...rows));
  const barRow = (name, bar, value) => make('tr', {}, make('th', { scope: 'row', title: name }, name), make('td', { class: 'bar' }, bar), make('td', {}, value));

  const showAccount = (a, k) => {
    const steps = [['before training', a.initial[k], 'whole'], ['pushed up', a.sums[2 * k]], ['pushed down', a.sums[2 * k + 1]],
      ['weight decay', a.regularization[k]], ['not explained', a.residual[k]], ['after training', a.final[k], 'whole']];
    let at = 0, low = 0, high = 0;
    const parts = steps.map(([name, value, kind]) => {
      const from = kind ? 0 : at;
      at = kind ? value : at + value;
      low = Math.min(low, at);
      high = Math.max(high, at);
      return [name, [from, at, kind], value];
    });
    replace('account', bars('The account of the output', ['part', 'bar', 'value'], ['132', '', '96'], parts
      .filter(([name, , value]) => name !== 'weight decay' || value !== 0)
      .map(([name, part, value]) => barRow(name, track([part], low, high), part[2] ? number(value) : signed(value)))));
  };

  const entries = (m, a, k) => {
    const list = [];
    for (let e = m.starts[k]; e < m.starts[k + 1]; e++) list.push({ at: a.samples[e], value: a.values[e] });
    const up = list.filter((e) => e.value > 0), down = list.filter((e) => e.value < 0).reverse();
    [up, down].forEach((side, s) => side.forEach((e, i) => { e.slot = i < x.details ? s * x.details + i : -1; }));
    const of = (side) => (state.filter === '' ? side.slice(0, x.strong) : side.filter((e) => x.samples.class[e.at] === Number(state.filter)));
    return { up: of(up), down: of(down) };
  };

  const sampleRow = (e, limit, side) => {
    const s = x.samples, index = s.index[e.at], label = s.class ? className(s.class[e.at]) : '';
    const changed = s.original && s.original[e.at] !== s.class[e.at];
    const cells = [];
    if (x.images) cells.push(make('td', {}, picture(x.queries + e.at)));
    cells.push(make('th', { scope: 'row' }, make('button', { type: 'button', 'aria-pressed': String(state.sample === e.at), onclick: () => { state.sample = state.sample === e.at ? null : e.at; show(side + '-' + e.at); }, id: side + '-' + e.at }, '#' + index)));
    if (s.class) cells.push(make('td', { class: 'kind' }, label, changed ? make('span', { class: 'flag', title: 'its label was made wrong on purpose' }, ' was ' + className(s.original[e.at])) : ''));
    cells.push(make('td', { class: 'bar' }, track([[0, e.value]], side === 'for' ? 0 : -limit, side === 'for' ? limit : 0)), make('td', {}, signed(e.value)));
    if (targets) cells.push(make('td', {}, targetOf(x.machines[state.machine], output(x.machines[state.machine]), x.queries + e.at)));
    if (x.features) for (const [, v] of row(x.queries + e.at)) cells.push(make('td', {}, number(v)));
    return make('tr', { 'data-sample': index, class: state.sample === e.at ? 'chosen' : null }, ...cells);
  };

  const showSide = (side, list, limit) => {
    const shown = state.all ? list : list.slice(0, 8), words = side === 'for' ? 'pushed it up' : 'pushed it down';
    if (!shown.length) return replace(side, make('p', { class: 'hint' }, 'No sample ' + (state.filter === '' ? '' : 'of this class ') + words + '.'));
    const head = [...(x.images ? ['image'] : []), 'sample', ...(data.classes ? ['class'] : []), 'bar', 'contribution', ...(targets ? ['target'] : []), ...(x.features ? x.features.names : [])];
    const widths = [...(x.images ? ['42'] : []), '56', ...(data.classes ? ['72'] : []), x.features ? '84' : '', '84', ...(targets ? ['84'] : []), ...(x.features ? x.features.names.map(() => '72') : [])];
    const table = bars('Training samples that ' + words, head, widths, shown.map((e) => sampleRow(e, limit, side)));
    if (!x.features && !targets) return replace(side, table);
    table.tHead.className = '';
    table.style.width = 'max-content';
    table.style.minWidth = '100%';
    replace(side, make('div', { class: 'scroll' }, table));
  };

  const showClasses = (a, k) => {
    if (!data.classes || !find('by-class')) return;
    const K = data.classes.length, sums = data.classes.map((name, c) => [a.classes[2 * (k * K + c)], a.classes[2 * (k * K + c) + 1]]);
    const low = Math.min(...sums.map((s) => s[1]), 0), high = Math.max(...sums.map((s) => s[0]), 0);
    replace('by-class', bars('Contributions by class of the training sample', ['class', 'bar', 'sum'], ['25%', '', '72'],
      sums.map(([up, down], c) => barRow(className(c), track([[0, up], [0, down]], low, high), signed(up + down)))));
  };

  // share returns the shares of the sample that is chosen, or of all samples, for and against.
  const share = (m, a, k, kind, slot) => {
    const P = m[kind].names.length, of = a[kind];
    return m[kind].names.map((name, p) => {
      if (state.sample === null) return [of.totals[2 * (k * P + p)], of.totals[2 * (k * P + p) + 1]];
      const v = of.samples[(k * 2 * x.details + slot) * P + p];
      return [Math.max(v, 0), Math.min(v, 0)];
    });
  };

  const showShares = (m, a, k, slot) => {
    const whose = state.sample === null ? 'all training samples' : 'sample #' + x.samples.index[state.sample];
    find('layer-title').textContent = 'By layer, of ' + whose;
    find('time-title').textContent = 'Over training, of ' + whose;
    const missing = (kind, what) => (!m[kind] ? 'Not recorded by this run.' : slot < 0 ? 'The ' + what + ' of a sample is kept for the ' + x.details + ' strongest for and against.' : '');
    const noLayers = missing('layers', 'share of each layer'), noWindows = missing('windows', 'time line');
    if (noLayers) replace('by-layer', make('p', { class: 'hint' }, noLayers));
    else {
      const parts = share(m, a, k, 'layers', slot), low = Math.min(0, ...parts.map((p) => p[1])), high = Math.max(0, ...parts.map((p) => p[0]));
      replace('by-layer', bars('Contributions by layer', ['layer', 'bar', 'sum'], ['25%', '', '72'],
        parts.map(([up, down], l) => barRow('layer ' + m.layers.names[l], track([[0, up], [0, down]], low, high), signed(up + down)))));
    }
    find('by-time').hidden = noWindows !== '';
    find('time-hint').textContent = noWindows;
    if (noWindows) return;
    let up = 0, down = 0;
    const lines = [[0, 0, 0]];
    for (const [p, n] of share(m, a, k, 'windows', slot)) lines.push([up += p, down += n, up + down]);
    const steps = [0, ...m.windows.names.map(Number)], column = (i) => lines.map((l) => l[i]);
    find('time-sum').setAttribute('aria-label', 'Contributions of ' + whose + ', summed over training. The table below holds the figures.');
    plot('time-sum', { x: steps, xLabel: 'step', series: [{ name: 'contributions so far', values: column(2), colour: 'accent', dots: true }] });
    find('time-sides').parentNode.hidden = state.sample !== null;
    plot('time-sides', { x: steps, xLabel: 'step', series: [{ name: 'up', values: column(0), colour: 'up', dots: true }, { name: 'down', values: column(1), colour: 'down', dots: true }] });
    replace('time-table', bars('Contributions of ' + whose + ' so far', ['step', 'up', 'down', 'together'], ['', '', '', ''],
      steps.map((s, i) => make('tr', {}, make('th', { scope: 'row' }, String(s)), ...lines[i].map((v) => make('td', {}, signed(v)))))));
    find('time-table').firstChild.tHead.className = '';
  };

  // show shows the state; focus is the id of the element that had the focus.
  const show = (focus) => {
    const m = x.machines[state.machine], a = unpacked(m), q = state.query, c = output(m), k = q * m.outputs.length + c;
    find('query-title').textContent = 'Query ' + q;
    find('query-title').dataset.query = q;
    find('query-text').textContent = (x.class ? 'Class ' + className(x.class[q]) + '; the network says ' + className(x.chosen[q]) + probability(q) + (wrong(q) ? ', which is wrong' : '') + '. ' : '') +
      (targets ? 'Target ' + some(targets, q, x.targets.width) + '; the network says ' + some(said, q, said.length / x.queries) + '. ' : '') + 'Row ' + x.row[q] + ' of the data.';
    replace('query-picture', x.images ? picture(q, 'Query ' + q + (x.class ? ', class ' + className(x.class[q]) : '')) :
      make('div', { class: 'scroll' }, make('table', {}, make('caption', { class: 'unseen' }, 'Query ' + q), make('thead', {}, make('tr', {}, ...row(q).map(([name]) => make('th', { scope: 'col' }, name)))),
        make('tbody', {}, make('tr', {}, ...row(q).map(([, v]) => make('td', {}, number(v))))))));
    find('account-title').textContent = 'The account of ' + (m.target === 'loss' ? 'the loss' : (data.classes && !m.target && m.outputs.length > 1 ? 'output ' : '') + m.outputs[c]);
    showAccount(a, k);
    const { up, down } = entries(m, a, k), both = [...up, ...down];
    const limit = Math.max(...both.map((e) => Math.abs(e.value)), 0) || 1, found = both.find((e) => e.at === state.sample);
    if (state.sample !== null && !found) state.sample = null;
    showSide('for', up, limit);
    showSide('against', down, limit);
    const more = find('more'), hidden = Math.max(0, up.length - 8) + Math.max(0, down.length - 8);
    more.hidden = hidden === 0;
    more.textContent = state.all ? 'Show the strongest eight' : 'Show ' + hidden + ' more';
    more.setAttribute('aria-expanded', String(state.all));
    showClasses(a, k);
    showShares(m, a, k, found ? found.slot : 0);
    const strongest = (list, word) => (list.length ? ' Strongest ' + word + ': sample ' + x.samples.index[list[0].at] + ', ' + signed(list[0].value) + '.' : '');
    find('announce').textContent = 'Query ' + q + (x.class ? ', ' + queryText(q) : '') + '. ' + m.outputs[c] + '.' + strongest(up, 'for') + strongest(down, 'against');
    if (focus && find(focus)) find(focus).focus();
  };

  // probability returns that of the chosen class.
  const probability = (q) => {
    const m = x.machines.find((e) => e.target === '');
    if (!x.softmax || !m) return '';
    const C = m.outputs.length, logits = Array.from(unpacked(m).final.slice(q * C, (q + 1) * C)), top = Math.max(...logits);
    return ' (' + number(100 / logits.reduce((sum, v) => sum + Math.exp(v - top), 0)) + ' %)';
  };

  const fillOutputs = () => {
    const m = x.machines[state.machine], several = m.outputs.length > 1;
    if (Number(state.output) >= m.outputs.length) state.output = 'auto';
    replace('output', ...(several && x.chosen ? [make('option', { value: 'auto' }, 'the network’s choice')] : []), ...m.outputs.map((name, c) => make('option', { value: c }, name)));
    find('output').value = several && x.chosen ? state.output : several && state.output !== 'auto' ? state.output : 0;
  };

  const startExplorer = () => {
    x.machines.forEach((m, i) => find('machine').append(make('option', { value: i }, m.name + (m.target ? ' (' + m.target + ')' : ''))));
    fillOutputs();
    const change = (id, act) => find(id) && find(id).addEventListener('change', (e) => { act(e.target.value); show(); });
    change('machine', (v) => { state.machine = Number(v); state.sample = null; fillOutputs(); });
    change('output', (v) => { state.output = v; state.sample = null; });
    change('class-filter', (v) => { state.filter = v; });
    find('more').addEventListener('click', () => { state.all = !state.all; show(); });
    const filter = find('query-filter');
    if (x.class) {
      filter.append(make('option', { value: 'wrong' }, 'wrong ones (' + x.class.filter((c, q) => wrong(q)).length + ')'));
      data.classes.forEach((name, c) => {
        find('class-filter').append(make('option', { value: c }, name));
        filter.append(make('option', { value: c }, 'class ' + name));
      });
    } else filter.closest('.controls').hidden = true;
    filter.addEventListener('change', () => {
      const shown = [...find('queries').children].filter((o) => {
        const q = Number(o.dataset.query), keep = filter.value === '' || (filter.value === 'wrong' ? wrong(q) : x.class[q] === Number(filter.value));
        o.hidden = !keep;
        return keep;
      });
      find('announce').textContent = plural(shown.length, 'query').replace('querys', 'queries');
      if (shown.length && !shown.some((o) => Number(o.dataset.query) === state.query)) choose(Number(shown[0].dataset.query));
    });
    fillQueries();
    choose(0);
  };

  const fillErrors = () => {
    const machines = x.machines.filter((m) => m.target === ''), worst = (m, q) => {
      const C = m.outputs.length;
      return Math.max(...Array.from(unpacked(m).residual.slice(q * C, (q + 1) * C), Math.abs));
    };
    const rows = Array.from({ length: Math.min(x.queries, 500) }, (_, q) => make('tr', {}, make('th', { scope: 'row' }, 'query ' + q),
      ...(x.class ? [make('td', {}, className(x.class[q])), make('td', {}, className(x.chosen[q]))] : []), ...machines.map((m) => make('td', {}, number(worst(m, q))))));
    replace('table-errors', make('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Errors of each query' }, make('table', {}, make('caption', { class: 'unseen' }, 'Largest error of an output of each query'),
      make('thead', {}, make('tr', {}, ...['', ...(x.class ? ['class', 'network says'] : []), ...machines.map((m) => m.name)].map((h) => make('th', { scope: 'col' }, h)))), make('tbody', {}, ...rows))));
  };

  // ---- Start --------------------------------------------------------------

  const drawAll = () => [drawTraining, drawAgreement, drawSpectrum, drawHeat].forEach((draw) => draw());
  const start = () => {
    if (x.machines.length) {
      startExplorer();
      const details = find('table-errors').closest('details');
      details.addEventListener('toggle', () => { if (details.open && !find('table-errors').firstChild) fillErrors(); });
    }
    document.documentElement.dataset.ready = Math.round(performance.now());
    setTimeout(() => {
      drawAll();
      document.documentElement.dataset.drawn = Math.round(performance.now());
    }, 0);
  };
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    charts.forEach((entry, id) => chart(id, entry.describe));
    drawHeat();
  });
  if (x.images) {
    images.src = 'data:image/png;base64,' + x.images.png;
    images.decode().then(start, start);
  } else start();
})();
