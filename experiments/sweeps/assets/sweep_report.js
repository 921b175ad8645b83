'use strict';
// The report of a sweep. Reads the JSON of the element #data; texts from it become text nodes only.
(() => {
  const { make, number, plain, colour, axisOf, parallel, scatter, contour } = sweepPlots;
  const data = JSON.parse(document.getElementById('data').textContent);
  const find = (id) => document.getElementById(id);
  const n = data.number.length, last = (list) => list[list.length - 1];
  const reports = new Set(data.reports);

  // ---- What the plots share -----------------------------------------------

  const present = data.values.filter((v) => v !== null);
  const least = present.reduce((p, v) => Math.min(p, v), Infinity), most = present.reduce((p, v) => Math.max(p, v), -Infinity);
  const metric = axisOf({ name: data.metric.name, short: data.metric.short, kind: 'number', log: data.metric.log, values: data.values,
    min: present.length ? least : 0, max: present.length ? most : 1 });
  const parameters = data.parameters.map(axisOf), axes = [...parameters, metric];
  // quality is the place of a trial between the worst and the best; null without a metric. The worst twentieth is alike, so that
  // a few of them leave colours to the others.
  const up = data.metric.goal === 'maximize', ranked = [...present].sort((p, q) => (up ? q - p : p - q));
  const worst = ranked[Math.max(0, Math.ceil(0.95 * ranked.length) - 1)], best = ranked[0], more = ranked.length && worst !== last(ranked);
  const quality = data.values.map((v) => (v === null ? null : best === worst ? 1 : Math.max(0, (metric.position(v) - metric.position(worst)) / (metric.position(best) - metric.position(worst)))));
  const link = (i) => (data.folder[i] ? './' + data.folder[i].split('/').map(encodeURIComponent).join('/') + (reports.has(i) ? '/report.html' : '/') : '');
  const describe = (i) => 'Trial ' + data.number[i] + ': ' + (data.values[i] === null ? data.states[data.state[i]] : metric.short + ' ' + number(data.values[i], 5)) +
    parameters.map((a) => (a.values[i] === null ? '' : ', ' + a.short + ' ' + a.text(a.values[i]))).join('');

  // filters are, by axis, {min, max} of numbers, a set of levels (−1: none), or null.
  const filters = axes.map(() => null), kept = new Uint8Array(n).fill(1);
  const passes = (k, v) => {
    const f = filters[k];
    if (!f) return true;
    if (f instanceof Set) return f.has(v === null ? -1 : v);
    return v !== null && v >= f.min && v <= f.max;
  };
  const keep = () => {
    for (let i = 0; i < n; i++) kept[i] = axes.every((a, k) => passes(k, a.values[i])) ? 1 : 0;
  };

  // ---- History ------------------------------------------------------------

  // bounds returns those of the axis of the metric, with room at the foot for marks.
  const bounds = (low, high, marks) => {
    if (low === null) return [0, 1];
    const foot = marks ? 0.06 + 0.04 * marks : 0.04;
    if (metric.log) return [low * (low / high) ** foot, high * (high / low) ** 0.04];
    const span = high - low || Math.abs(high) || 1;
    return [low - foot * span, high + 0.04 * span];
  };
  let history = null;
  const drawHistory = () => {
    const host = find('plot-history');
    if (history) history.destroy();
    history = null;
    host.replaceChildren();
    if (!n) {
      host.append(make('p', { class: 'hint' }, 'No trial is drawn yet.'));
      return;
    }
    let record = null;
    const running = data.values.map((v) => {
      if (v !== null && (record === null || (up ? v > record : v < record))) record = v;
      return record;
    });
    const others = data.states.map((name, s) => ({ name, s })).filter(({ s }) => data.state.some((v, i) => v === s && data.values[i] === null));
    const font = '12px ' + colour('text');
    const axis = (label, size, more) => ({ label, labelSize: 20, labelGap: 0, size, labelFont: font, font, stroke: colour('soft'), grid: { stroke: colour('grid'), width: 1 },
      ticks: { stroke: colour('line'), width: 1, size: 4 }, values: (u, splits) => splits.map((v) => number(v)), ...more });
    const dots = (stroke, size, fill) => ({ show: true, space: 0, size, width: 1, stroke, fill: fill || stroke });
    const soft = { terminated: 's4', diverged: 's3', failed: 'down', pending: 's5', completed: 'soft' };
    history = new uPlot({
      width: host.clientWidth, height: 290, cursor: { drag: { x: true, y: false } },
      scales: { x: { time: false }, y: { distr: metric.log ? 3 : 1, range: (u, low, high) => bounds(low, high, others.length) }, foot: { range: [0, 1] } },
      axes: [axis('trial', 36), axis(metric.short + (metric.log ? ' (log)' : ''), 62, { splits: (u, k, low, high) => metric.round(Math.max(low, least), high, 6), filter: (u, splits) => splits })],
      series: [{ label: 'trial', value: (u, v) => (v === null ? '' : String(v)) },
        { label: 'completed', stroke: colour('s0'), width: 0, paths: () => null, points: dots(colour('s0'), n > 1000 ? 3 : 5), value: (u, v) => (v === null ? '' : number(v, 5)) },
        { label: 'best so far', stroke: colour('s1'), width: 2, paths: uPlot.paths.stepped({ align: 1 }), points: { show: false }, value: (u, v) => (v === null ? '' : number(v, 5)) },
        ...others.map(({ name }) => ({ label: name, scale: 'foot', stroke: colour(soft[name]), width: 0, paths: () => null, points: dots(colour(soft[name]), 5), value: (u, v) => (v === null ? '' : 'yes') }))],
    }, [data.number, data.values, running, ...others.map(({ s }, k) => data.state.map((v, i) => (v === s && data.values[i] === null ? 0.02 + 0.03 * k : null)))], host);
  };

  // ---- Parallel coordinates and filters -----------------------------------

  let lines = null, due = 0, later = 0;
  // The place of a filter on its axis, as a brush shows it.
  const mark = (a, k) => {
    const f = filters[k];
    if (!f) return null;
    if (f instanceof Set) {
      const levels = [...f].filter((l) => l >= 0).sort((p, q) => p - q);
      return levels.length && last(levels) - levels[0] === levels.length - 1 ? [levels[0] / a.levels.length, (last(levels) + 1) / a.levels.length] : null;
    }
    const at = (v) => Math.max(0, Math.min(1, a.log && v <= 0 ? 0 : a.position(v)));
    return [Number.isFinite(f.min) ? at(f.min) : 0, Number.isFinite(f.max) ? at(f.max) : 1];
  };
  const drawParallel = () => {
    if (lines) lines.draw(kept, axes.map(mark));
  };
  // refresh takes up a change of the filters: lines at once, the rest when the hand is still.
  const refresh = () => {
    keep();
    const count = kept.reduce((sum, k) => sum + k, 0);
    find('kept').textContent = count + ' of ' + n + ' trials kept';
    find('clear').disabled = filters.every((f) => !f);
    cancelAnimationFrame(due);
    due = requestAnimationFrame(drawParallel);
    clearTimeout(later);
    later = setTimeout(() => {
      drawSlices();
      page = 0;
      fillTable();
    }, 120);
  };
  const fields = []; // by axis, a function that shows the filter
  const setFilter = (k, f) => {
    filters[k] = f;
    fields[k]();
    refresh();
  };
  const brushed = (k, from, to) => {
    const a = axes[k];
    if (from === undefined) return setFilter(k, null);
    if (!a.category) return setFilter(k, { min: Number(a.invert(from).toPrecision(4)), max: Number(a.invert(to).toPrecision(4)) });
    const levels = a.levels.map((_, l) => l).filter((l) => a.position(l) >= from && a.position(l) <= to);
    return levels.length && setFilter(k, new Set(levels));
  };
  const fillFilters = () => {
    axes.forEach((a, k) => {
      const set = make('fieldset', {}, make('legend', {}, a.name));
      if (a.category) {
        const boxes = [...a.levels.map((text, l) => [l, text]), ...(a.absent ? [[-1, 'none']] : [])].map(([l, text]) => {
          const box = make('input', { type: 'checkbox', checked: true, value: l, onchange: () => {
            const on = boxes.filter((b) => b.checked);
            setFilter(k, on.length === boxes.length ? null : new Set(on.map((b) => Number(b.value))));
          } });
          return box;
        });
        const texts = [...a.levels, 'none'];
        set.append(make('div', { class: 'boxes' }, ...boxes.map((b, i) => make('label', {}, b, texts[i]))));
        fields[k] = () => boxes.forEach((b) => { b.checked = !filters[k] || filters[k].has(Number(b.value)); });
      } else {
        const inputs = ['least', 'most'].map((name) => make('input', { type: 'number', step: 'any', id: 'filter-' + k + '-' + name, placeholder: number(name === 'least' ? a.min : a.max, 4), onchange: () => {
          const [min, max] = inputs.map((e) => (e.value === '' ? null : Number(e.value)));
          setFilter(k, min === null && max === null ? null : { min: min ?? -Infinity, max: max ?? Infinity });
        } }));
        set.append(make('div', { class: 'range' }, make('label', {}, 'at least', inputs[0]), make('label', {}, 'at most', inputs[1])));
        fields[k] = () => ['min', 'max'].forEach((end, i) => { inputs[i].value = filters[k] && Number.isFinite(filters[k][end]) ? filters[k][end] : ''; });
      }
      find('filter-fields').append(set);
    });
    find('clear').addEventListener('click', () => {
      filters.fill(null);
      fields.forEach((show) => show());
      refresh();
    });
  };

  // ---- Slices and contour -------------------------------------------------

  const places = new Map(); // by host: of its trials
  // watch tells which trial the pointer is at, and opens it by click.
  const watch = (host, say) => {
    const nearest = (e) => {
      const box = host.getBoundingClientRect(), x = e.clientX - box.left, y = e.clientY - box.top;
      let found = null, least = 15 ** 2;
      for (const p of places.get(host) || []) {
        const d = (p.x - x) ** 2 + (p.y - y) ** 2;
        if (d < least) [found, least] = [p.i, d];
      }
      return found;
    };
    host.addEventListener('pointermove', (e) => {
      const i = nearest(e);
      host.style.cursor = i === null ? '' : 'pointer';
      if (i !== null) find(say).textContent = describe(i);
    });
    host.addEventListener('click', (e) => {
      const i = nearest(e);
      if (i !== null && link(i)) location.href = link(i);
    });
  };
  const slices = parameters.map((a) => ({ a, host: make('div', { class: 'picture' }, make('canvas', { role: 'img', 'aria-label': metric.name + ' over ' + a.name + '. The tables below hold the figures.' })) }));
  const drawSlices = () => slices.forEach(({ a, host }) => {
    if (host.isConnected && host.clientWidth) places.set(host, scatter(host, a, metric, kept, data.best));
  });
  const numeric = parameters.filter((a) => !a.category);
  const drawContour = () => {
    const host = find('plot-contour');
    if (!host) return;
    const x = numeric[find('contour-x').value], y = numeric[find('contour-y').value];
    host.firstChild.setAttribute('aria-label', metric.name + ' over ' + x.name + ' and ' + y.name + ', interpolated. The table below holds medians.');
    const drawn = contour(host, x, y, quality, data.best), ends = [metric.position(worst), metric.position(best)];
    places.set(host, drawn.places);
    const value = (q) => number(metric.invert(ends[0] + q * (ends[1] - ends[0])));
    find('contour-worst').textContent = metric.short + ' ' + value(drawn.low);
    find('contour-best').textContent = value(drawn.high);
  };
  const fillContourTable = () => {
    if (!find('contour-table') || !find('contour-table').closest('details').open) return;
    const x = numeric[find('contour-x').value], y = numeric[find('contour-y').value], parts = 4;
    const cell = (a, v) => Math.min(parts - 1, Math.floor(parts * a.position(v))), groups = Array.from({ length: parts * parts }, () => []);
    data.values.forEach((v, i) => { if (v !== null && x.values[i] !== null && y.values[i] !== null) groups[cell(y, y.values[i]) * parts + cell(x, x.values[i])].push(v); });
    const range = (a, k) => number(a.invert(k / parts)) + ' to ' + number(a.invert((k + 1) / parts));
    const median = (list) => (list.length ? number(list.sort((p, q) => p - q)[list.length >> 1], 4) : '–'), cells = [0, 1, 2, 3];
    find('contour-table').replaceChildren(make('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Medians of the metric' }, make('table', {},
      make('thead', {}, make('tr', {}, make('th', { scope: 'col' }, y.short + ' \\ ' + x.short), ...cells.map((k) => make('th', { scope: 'col' }, range(x, k))))),
      make('tbody', {}, ...cells.map((r) => make('tr', {}, make('th', { scope: 'row' }, range(y, r)), ...cells.map((k) => make('td', {}, median(groups[r * parts + k])))))))));
  };
  const startPlots = () => {
    if (find('plot-slices')) {
      find('plot-slices').append(...slices.map(({ a, host }) => make('figure', {}, make('figcaption', { title: a.name }, a.short + (a.log ? ' (log)' : '')), host)));
      slices.forEach(({ host }) => watch(host, 'slice-value'));
    }
    const host = find('plot-contour');
    if (!host) return;
    // The two that matter most come first.
    const share = (k) => (data.importance ? data.importance[parameters.indexOf(numeric[k])] : 0);
    const pair = numeric.map((_, k) => k).sort((p, q) => share(q) - share(p) || p - q);
    host.append(make('canvas', { role: 'img' }));
    host.nextElementSibling.after(make('p', { class: 'hint', id: 'contour-value', 'aria-hidden': 'true' }, 'Point at a trial to read it; click to open it.'));
    watch(host, 'contour-value');
    ['contour-x', 'contour-y'].forEach((id, at) => {
      find(id).append(...numeric.map((a, k) => make('option', { value: k }, a.short)));
      find(id).value = pair[at];
      find(id).addEventListener('change', () => { drawContour(); fillContourTable(); });
    });
    find('contour-table').closest('details').addEventListener('toggle', fillContourTable);
  };

  // ---- Table --------------------------------------------------------------

  const perPage = 100, hasMessages = Object.keys(data.messages).length > 0;
  const columns = [{ name: 'trial', of: (i) => data.number[i] }, { name: 'state', text: true, of: (i) => data.states[data.state[i]] },
    { name: metric.short, title: metric.name, of: (i) => data.values[i], show: (v) => number(v, 6), down: up },
    ...parameters.map((a) => ({ name: a.short, title: a.name, text: a.category, of: (i) => a.values[i], show: (v) => (v === null ? '–' : a.category ? a.levels[v] : plain(v)) })),
    { name: 'steps', of: (i) => data.steps[i] }, { name: 'seconds', of: (i) => data.seconds[i], show: (v) => number(v) },
    ...(hasMessages ? [{ name: 'message', text: true, message: true, of: (i) => data.messages[i] ?? null, show: (v) => v ?? '' }] : [])];
  const shown = (c, i) => (c.show || ((v) => (v === null ? '–' : String(v))))(c.of(i));
  let sorted = { column: 2, down: columns[2].down }, page = 0, texts = null;
  const rows = () => {
    const text = find('table-text').value.trim().toLowerCase(), state = find('table-state').value;
    if (text && !texts) texts = Array.from({ length: n }, (_, i) => columns.map((c) => shown(c, i)).join('\n').toLowerCase());
    const list = [];
    for (let i = 0; i < n; i++) if (kept[i] && (state === '' || data.state[i] === Number(state)) && (!text || texts[i].includes(text))) list.push(i);
    const of = columns[sorted.column].of, sign = sorted.down ? -1 : 1;
    return list.sort((p, q) => {
      const a = of(p), b = of(q);
      if (a === null || b === null) return (a === null) - (b === null) || p - q;
      return (a < b ? -sign : a > b ? sign : 0) || p - q;
    });
  };
  const fillTable = () => {
    const list = rows(), pages = Math.max(1, Math.ceil(list.length / perPage));
    page = Math.max(0, Math.min(page, pages - 1));
    const part = list.slice(page * perPage, (page + 1) * perPage);
    find('table').tHead.querySelectorAll('th').forEach((th, k) => {
      if (k === sorted.column) th.setAttribute('aria-sort', sorted.down ? 'descending' : 'ascending');
      else th.removeAttribute('aria-sort');
    });
    find('table').tBodies[0].replaceChildren(...part.map((i) => make('tr', i === data.best ? { class: 'best' } : {}, ...columns.map((c, k) => {
      if (k === 0) return make('th', { scope: 'row' }, link(i) ? make('a', { href: link(i) }, String(data.number[i])) : String(data.number[i]));
      return make('td', { class: c.message ? 'message' : c.text ? 'text' : null }, shown(c, i));
    }))));
    find('table-count').textContent = list.length + ' of ' + n + ' trials' + (pages > 1 ? ', ' + (page * perPage + 1) + ' to ' + (page * perPage + part.length) + ' shown' : '') +
      (filters.some((f) => f) ? ', of those kept above' : '');
    find('page-back').disabled = page === 0;
    find('page-on').disabled = page === pages - 1;
    find('page-back').parentNode.hidden = pages === 1;
  };
  const startTable = () => {
    find('table').tHead.append(make('tr', {}, ...columns.map((c, k) => make('th', { scope: 'col', title: c.title, class: c.text ? 'text' : null }, make('button', { type: 'button', onclick: () => {
      sorted = { column: k, down: sorted.column === k ? !sorted.down : Boolean(c.down) };
      page = 0;
      fillTable();
    } }, c.name)))));
    find('table-state').append(...data.states.map((name, s) => [name, s]).filter(([, s]) => data.state.includes(s)).map(([name, s]) => make('option', { value: s }, name)));
    for (const [id, event] of [['table-text', 'input'], ['table-state', 'change']]) find(id).addEventListener(event, () => { page = 0; fillTable(); });
    for (const [id, by] of [['page-back', -1], ['page-on', 1]]) find(id).addEventListener('click', () => { page += by; fillTable(); });
  };

  // ---- Start --------------------------------------------------------------

  const drawAll = () => [drawHistory, drawParallel, drawSlices, drawContour].forEach((draw) => draw());
  if (parameters.length) {
    lines = parallel(find('plot-parallel'), axes, quality, brushed);
    fillFilters();
    find('scale-worst').textContent = metric.short + ' ' + number(worst) + (more ? ' or worse' : '');
    find('scale-best').textContent = number(best);
    find('scale-colours').parentNode.hidden = !present.length;
    find('kept').textContent = n + ' of ' + n + ' trials kept';
    find('clear').disabled = true;
    startPlots();
  }
  startTable();
  fillTable();
  document.documentElement.dataset.ready = Math.round(performance.now());
  setTimeout(() => {
    drawAll();
    let width = window.innerWidth, wait = 0;
    window.addEventListener('resize', () => {
      if (window.innerWidth === width) return;
      width = window.innerWidth;
      clearTimeout(wait);
      wait = setTimeout(drawAll, 100);
    });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
    document.documentElement.dataset.drawn = Math.round(performance.now());
  }, 0);
})();
