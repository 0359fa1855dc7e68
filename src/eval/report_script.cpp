#include "eval/report_parts.h"

namespace tw::eval::internal {
namespace {

// Draws the charts as SVG, reads values under the pointer or by the arrow keys, zooms both charts
// together, sorts tables.
constexpr std::string_view kScript = R"js((function () {
'use strict';
var data = JSON.parse(document.getElementById('tw-data').textContent);
var NS = 'http://www.w3.org/2000/svg';
var MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
var DAY = 86400;

function undelta(t) {
  var out = new Array(t.length), sum = 0;
  for (var i = 0; i < t.length; i++) { sum += t[i]; out[i] = sum; }
  return out;
}
[data.equity, data.price, data.fills].concat(data.baselines).forEach(function (s) { s.t = undelta(s.t); });

function lowerBound(values, x) {
  var lo = 0, hi = values.length;
  while (lo < hi) { var mid = (lo + hi) >> 1; if (values[mid] < x) lo = mid + 1; else hi = mid; }
  return lo;
}
function pad2(n) { return (n < 10 ? '0' : '') + n; }
function grouped(text) {
  var parts = text.split('.');
  parts[0] = parts[0].replace(/\B(?=(\d{3})+$)/g, ',');
  return parts.join('.');
}
function timeText(s) {
  var d = new Date(s * 1000);
  return d.getUTCFullYear() + '-' + pad2(d.getUTCMonth() + 1) + '-' + pad2(d.getUTCDate()) + ' ' +
    pad2(d.getUTCHours()) + ':' + pad2(d.getUTCMinutes()) + ' UTC';
}
function moneyText(cents) { return grouped((cents / 100).toFixed(2)) + ' ' + data.currency; }
function priceText(micros) { return (micros / 1e6).toFixed(data.digits); }

function niceTicks(lo, hi, count) {
  var raw = (hi - lo) / Math.max(count, 1), power = Math.pow(10, Math.floor(Math.log10(raw)));
  var step = [1, 2, 2.5, 5, 10].map(function (m) { return m * power; }).find(function (s) { return s >= raw; });
  var ticks = [];
  for (var k = Math.ceil(lo / step - 1e-9); k * step <= hi + step * 1e-9; k++) ticks.push(k * step);
  return { step: step, values: ticks };
}
function decimals(step) {
  for (var d = 0; d < 8; d++) if (Math.abs(step * Math.pow(10, d) - Math.round(step * Math.pow(10, d))) < 1e-6) return d;
  return 8;
}
function moneyTick(cents, step) {
  var value = cents / 100, unit = step / 100;
  if (Math.abs(value) >= 1e6 && unit >= 1e4) return grouped((value / 1e6).toFixed(decimals(unit / 1e6))) + 'M';
  if (Math.abs(value) >= 1e4 && unit >= 100) return grouped((value / 1e3).toFixed(decimals(unit / 1e3))) + 'k';
  return grouped(value.toFixed(Math.min(decimals(unit), 2)));
}
function percentTick(micros, step) { return (micros / 1e4).toFixed(decimals(step / 1e4)) + '%'; }
function priceTick(micros, step) { return (micros / 1e6).toFixed(Math.max(2, decimals(step / 1e6))); }

// Ticks of time at round UTC instants, each with its label.
function timeTicks(a, b, count) {
  var span = b - a, out = [], t, d;
  var hours = [1, 2, 4, 6, 12].map(function (h) { return h * 3600; });
  var days = [1, 2, 4, 7, 14].map(function (n) { return n * DAY; });
  var months = [1, 2, 3, 6, 12, 24, 48, 60, 120];
  var step = hours.concat(days).find(function (s) { return span / s <= count; });
  if (step) {
    for (t = Math.ceil(a / step) * step; t <= b; t += step) {
      d = new Date(t * 1000);
      var midnight = t % DAY === 0;
      out.push({ t: t, text: midnight ? d.getUTCDate() + ' ' + MONTHS[d.getUTCMonth()] : pad2(d.getUTCHours()) + ':00' });
    }
    return out;
  }
  var every = months.find(function (m) { return span / (m * 30.44 * DAY) <= count; }) || 120;
  d = new Date(a * 1000);
  var month = d.getUTCFullYear() * 12 + d.getUTCMonth();
  for (month = Math.ceil(month / every) * every; ; month += every) {
    t = Date.UTC(Math.floor(month / 12), month % 12, 1) / 1000;
    if (t > b) break;
    if (t < a) continue;
    var year = Math.floor(month / 12);
    out.push({ t: t, text: month % 12 === 0 ? String(year) : MONTHS[month % 12] + (every < 12 && count < 5 ? '' : ' ' + String(year).slice(2)) });
  }
  return out;
}

var full = [Infinity, -Infinity];
// Comparisons may reach further than the agent: the registered model's run on the holdout does.
[data.equity, data.price].concat(data.baselines).forEach(function (s) {
  if (!s.t.length) return;
  full[0] = Math.min(full[0], s.t[0]);
  full[1] = Math.max(full[1], s.t[s.t.length - 1]);
});
if (!(full[1] > full[0])) full = [isFinite(full[0]) ? full[0] - DAY : 0, isFinite(full[0]) ? full[0] + DAY : DAY];
var view = full.slice();
var charts = [];

function setView(a, b) {
  var least = 4 * 3600;
  if (b - a < least) { var mid = (a + b) / 2; a = mid - least / 2; b = mid + least / 2; }
  var width = Math.min(b - a, full[1] - full[0]);
  a = Math.max(full[0], Math.min(a, full[1] - width));
  view = [a, a + width];
  charts.forEach(function (c) { c.render(); });
}
function zoomAround(center, factor) {
  setView(center - (center - view[0]) * factor, center + (view[1] - center) * factor);
}

function add(parent, name, attributes, text) {
  var node = document.createElementNS(NS, name);
  for (var key in attributes) node.setAttribute(key, attributes[key]);
  if (text !== undefined) node.textContent = text;
  parent.appendChild(node);
  return node;
}

// spec: {id, height(width), main: series, panels: [{share, lines: [{s, key, css}], tick, area, zero}], fills, describe(i)}
function Chart(spec) {
  var root = document.getElementById(spec.id);
  var readout = document.getElementById(spec.id + '-readout');
  var box = {}, cursor = -1, drag = null, svg = null, overlay = null, panels = [];
  var main = spec.main;

  function X(t) { return box.left + (t - view[0]) / (view[1] - view[0]) * box.width; }
  function T(x) { return view[0] + (x - box.left) / box.width * (view[1] - view[0]); }
  function visible(s) {
    return [Math.max(0, lowerBound(s.t, view[0]) - 1), Math.min(s.t.length, lowerBound(s.t, view[1]) + 1)];
  }
  function range(panel) {
    var lo = Infinity, hi = -Infinity;
    panel.lines.forEach(function (line) {
      var r = visible(line.s), v = line.s[line.key];
      for (var i = r[0]; i < r[1]; i++) { if (v[i] < lo) lo = v[i]; if (v[i] > hi) hi = v[i]; }
    });
    if (!(hi >= lo)) { lo = 0; hi = 1; }
    if (panel.area) hi = 0;
    if (hi - lo < panel.least) { var mid = panel.area ? -panel.least / 2 : (hi + lo) / 2; lo = mid - panel.least / 2; hi = mid + panel.least / 2; }
    var room = (hi - lo) * 0.06;
    return panel.area ? [lo - room, 0] : [lo - room, hi + room];
  }
  function path(line, Y) {
    var r = visible(line.s), v = line.s[line.key], out = [];
    for (var i = r[0]; i < r[1]; i++) out.push((i === r[0] ? 'M' : 'L') + X(line.s.t[i]).toFixed(1) + ' ' + Y(v[i]).toFixed(1));
    return out.join('');
  }
  function drawBands(parent) {
    data.bands.forEach(function (band, i) {
      var a = Math.max(X(band.b), box.left), b = Math.min(X(band.e), box.left + box.width);
      if (b <= a) return;
      add(parent, 'rect', { x: a, y: box.top, width: b - a, height: box.bottom - box.top, 'class': band.h ? 'bh' : 'b' + i % 2 });
      var text = band.label.length * 6.2 < b - a - 6 ? band.label : (band.h && b - a > 14 ? 'H' : (band.label.match(/\d+$/) || [''])[0]);
      if (text && text.length * 6.2 < b - a) {
        add(parent, 'text', { x: (a + b) / 2, y: box.top - 5, 'text-anchor': 'middle' }, text);
      }
    });
  }
  function drawPanel(parent, panel) {
    var y = range(panel), top = panel.top, height = panel.height;
    panel.Y = function (v) { return top + (y[1] - v) / (y[1] - y[0]) * height; };
    var ticks = niceTicks(y[0], y[1], Math.max(2, Math.round(height / 45)));
    ticks.values.forEach(function (v) {
      var at = panel.Y(v);
      add(parent, 'line', { x1: box.left, x2: box.left + box.width, y1: at, y2: at, 'class': panel.start === v ? 'zero' : 'grid' });
      add(parent, 'text', { x: box.left - 6, y: Math.min(Math.max(at + 4, top + 8), top + height + 4), 'text-anchor': 'end' }, panel.tick(v, ticks.step));
    });
    if (panel.start !== undefined && ticks.values.indexOf(panel.start) < 0 && panel.start > y[0] && panel.start < y[1]) {
      add(parent, 'line', { x1: box.left, x2: box.left + box.width, y1: panel.Y(panel.start), y2: panel.Y(panel.start), 'class': 'zero' });
    }
    var clip = add(parent, 'g', { 'clip-path': 'url(#' + spec.id + '-clip' + panels.indexOf(panel) + ')' });
    panel.lines.slice().reverse().forEach(function (line) {
      var d = path(line, panel.Y);
      if (!d) return;
      if (panel.area) {
        var r = visible(line.s);
        d += 'L' + X(line.s.t[r[1] - 1]).toFixed(1) + ' ' + panel.Y(0) + 'L' + X(line.s.t[r[0]]).toFixed(1) + ' ' + panel.Y(0) + 'Z';
      }
      add(clip, 'path', { d: d, 'class': line.css });
    });
    return clip;
  }
  function drawFills(parent, panel) {
    var f = data.fills, a = lowerBound(f.t, view[0]), b = lowerBound(f.t, view[1] + 1);
    var buys = [], sells = [], i, x, y;
    if (b - a > 300) {
      // Too many to tell apart: two lanes show where they are dense.
      var low = box.bottom - 4;
      for (i = a; i < b; i++) {
        x = X(f.t[i]).toFixed(1);
        if (f.u[i] > 0) buys.push('M' + x + ' ' + low + 'v-8'); else sells.push('M' + x + ' ' + (low - 11) + 'v-8');
      }
      var opacity = Math.max(0.06, Math.min(0.5, box.width / (b - a) / 2));
      add(parent, 'path', { d: buys.join(''), 'class': 'lane-buy', 'stroke-opacity': opacity });
      add(parent, 'path', { d: sells.join(''), 'class': 'lane-sell', 'stroke-opacity': opacity });
      return;
    }
    for (i = a; i < b; i++) {
      x = X(f.t[i]); y = panel.Y(f.v[i]);
      if (f.u[i] > 0) buys.push('M' + x.toFixed(1) + ' ' + (y + 1).toFixed(1) + 'l5 9h-10z');
      else sells.push('M' + x.toFixed(1) + ' ' + (y - 1).toFixed(1) + 'l5 -9h-10z');
    }
    add(parent, 'path', { d: buys.join(''), 'class': 'buy' });
    add(parent, 'path', { d: sells.join(''), 'class': 'sell' });
  }
  function drawTime(parent) {
    var ticks = timeTicks(view[0], view[1], Math.max(2, box.width / 78));
    ticks.forEach(function (tick) {
      var x = X(tick.t);
      if (x < box.left + 1) return;
      add(parent, 'line', { x1: x, x2: x, y1: box.top, y2: box.bottom, 'class': 'grid' });
      if (x > box.left + 12 && x < box.left + box.width - 16) {
        add(parent, 'text', { x: x, y: box.bottom + 16, 'text-anchor': 'middle' }, tick.text);
      }
    });
    add(parent, 'line', { x1: box.left, x2: box.left + box.width, y1: box.bottom, y2: box.bottom, 'class': 'axis' });
  }
  function show(i) {
    cursor = i;
    while (overlay.firstChild) overlay.removeChild(overlay.firstChild);
    if (i < 0) { readout.textContent = '\u00a0'; return; }
    var x = X(main.t[i]);
    if (x >= box.left - 1 && x <= box.left + box.width + 1) {
      add(overlay, 'line', { x1: x, x2: x, y1: box.top, y2: box.bottom, 'class': 'cross' });
      panels.forEach(function (p) {
        add(overlay, 'circle', { cx: x, cy: p.Y(p.lines[0].s[p.lines[0].key][i]), r: 3.5, 'class': 'dot' });
      });
    }
    readout.textContent = spec.describe(i, root.clientWidth < 560);
  }
  function nearest(x) {
    var t = T(x), i = lowerBound(main.t, t);
    if (i > 0 && (i === main.t.length || t - main.t[i - 1] < main.t[i] - t)) i--;
    return i;
  }
  this.render = function () {
    var W = Math.max(260, root.clientWidth), narrow = W < 560, H = spec.height(narrow);
    box = { left: narrow ? 48 : 60, top: data.bands.length ? 20 : 8, bottom: H - 24 };
    box.width = W - box.left - (narrow ? 6 : 12);
    root.textContent = '';
    svg = add(root, 'svg', { viewBox: '0 0 ' + W + ' ' + H, height: H, 'aria-hidden': 'true' });
    var defs = add(svg, 'defs', {});
    var at = box.top, gap = 10, free = box.bottom - box.top - gap * (spec.panels.length - 1);
    panels = spec.panels;
    panels.forEach(function (p, i) {
      p.top = at; p.height = free * p.share; at += p.height + gap;
      var clip = add(defs, 'clipPath', { id: spec.id + '-clip' + i });
      add(clip, 'rect', { x: box.left, y: p.top - 1, width: box.width, height: p.height + 2 });
    });
    drawBands(svg);
    drawTime(svg);
    panels.forEach(function (p, i) {
      var clip = drawPanel(svg, p);
      if (spec.fills && i === 0) drawFills(clip, p);
    });
    overlay = add(svg, 'g', {});
    if (cursor >= 0) show(cursor);
  };

  function position(event) { return event.clientX - root.getBoundingClientRect().left; }
  root.addEventListener('pointerdown', function (event) {
    if (event.button !== 0) return;
    drag = { from: position(event), rect: null };
    root.setPointerCapture(event.pointerId);
  });
  root.addEventListener('pointermove', function (event) {
    var x = position(event);
    if (drag && Math.abs(x - drag.from) > 6) {
      if (!drag.rect) drag.rect = add(svg, 'rect', { 'class': 'selection', y: box.top, height: box.bottom - box.top });
      drag.rect.setAttribute('x', Math.max(box.left, Math.min(x, drag.from)));
      drag.rect.setAttribute('width', Math.max(0, Math.abs(x - drag.from)));
    }
    if (main.t.length) show(nearest(x));
  });
  function finish(event, keep) {
    if (!drag) return;
    var from = drag.from, had = drag.rect, x = position(event);
    drag = null;
    if (had) had.remove();
    if (keep && had && Math.abs(x - from) > 6) {
      setView(Math.max(view[0], T(Math.min(x, from))), Math.min(view[1], T(Math.max(x, from))));
    }
  }
  root.addEventListener('pointerup', function (event) { finish(event, true); });
  root.addEventListener('pointercancel', function (event) { finish(event, false); });
  root.addEventListener('pointerleave', function () { if (!drag && document.activeElement !== root) show(-1); });
  root.addEventListener('dblclick', function () { setView(full[0], full[1]); });
  root.addEventListener('blur', function () { show(-1); });
  root.addEventListener('keydown', function (event) {
    if (!main.t.length || event.ctrlKey || event.metaKey || event.altKey) return;
    var r = visible(main), i = cursor < 0 ? r[0] : cursor, step = event.shiftKey ? 20 : 1;
    if (event.key === 'ArrowRight') i += step;
    else if (event.key === 'ArrowLeft') i -= step;
    else if (event.key === 'Home') i = r[0];
    else if (event.key === 'End') i = r[1] - 1;
    else if (event.key === '+' || event.key === '=') zoomAround(main.t[i], 0.5);
    else if (event.key === '-') zoomAround(main.t[i], 2);
    else if (event.key === '0' || event.key === 'Escape') setView(full[0], full[1]);
    else return;
    event.preventDefault();
    i = Math.max(0, Math.min(main.t.length - 1, i));
    if (main.t[i] < view[0] || main.t[i] > view[1]) {
      var half = (view[1] - view[0]) / 2;
      setView(main.t[i] - half, main.t[i] + half);
    }
    show(i);
    readout.setAttribute('role', 'status');
  });
  root.parentNode.querySelectorAll('[data-zoom]').forEach(function (button) {
    button.addEventListener('click', function () {
      var kind = button.getAttribute('data-zoom');
      if (kind === 'reset') setView(full[0], full[1]);
      else zoomAround((view[0] + view[1]) / 2, kind === 'in' ? 0.5 : 2);
    });
  });
  charts.push(this);
}

function bandAt(t) {
  var found = data.bands.filter(function (b) { return b.b <= t && t < b.e; });
  return found.length ? ' \u00b7 ' + found[0].label : '';
}
function valueAt(s, t) {
  var i = lowerBound(s.t, t + 1) - 1;
  return i < 0 ? null : s.v[i];
}

if (document.getElementById('equity')) {
  var lines = [{ s: data.equity, key: 'v', css: 'c-agent' }];
  data.baselines.forEach(function (b, i) { lines.push({ s: b, key: 'v', css: 'c-base' + i % 4 }); });
  new Chart({
    id: 'equity', main: data.equity,
    height: function (narrow) { return narrow ? 320 : 420; },
    panels: [
      { share: 0.7, lines: lines, tick: moneyTick, least: 100, start: data.equity.v[0] },
      { share: 0.3, lines: [{ s: data.equity, key: 'dd', css: 'c-under' }], tick: percentTick, area: true, least: 1000 }
    ],
    describe: function (i, narrow) {
      var t = data.equity.t[i];
      var text = timeText(t) + ' \u00b7 ' + moneyText(data.equity.v[i]) + ' \u00b7 drawdown ' + (data.equity.dd[i] / 1e4).toFixed(2) + '%' + bandAt(t);
      if (!narrow) data.baselines.forEach(function (b) {
        var v = valueAt(b, t);
        if (v !== null) text += ' \u00b7 ' + b.name + ' ' + moneyText(v);
      });
      return text;
    }
  });
}
if (document.getElementById('price')) {
  new Chart({
    id: 'price', main: data.price, fills: true,
    height: function (narrow) { return narrow ? 260 : 340; },
    panels: [{ share: 1, lines: [{ s: data.price, key: 'v', css: 'c-price' }], tick: priceTick, least: 100 }],
    describe: function (i) {
      var t = data.price.t[i], f = data.fills, text = timeText(t) + ' \u00b7 ' + data.instrument + ' ' + priceText(data.price.v[i]);
      var k = lowerBound(f.t, t + 1) - 1;
      if (k >= 0) text += ' \u00b7 last fill ' + (f.u[k] > 0 ? 'bought ' : 'sold ') + grouped(String(Math.abs(f.u[k]))) + ' at ' + priceText(f.v[k]) + ', ' + timeText(f.t[k]);
      return text;
    }
  });
}
charts.forEach(function (c) { c.render(); });
var width = window.innerWidth;
window.addEventListener('resize', function () {
  if (window.innerWidth === width) return;  // a phone's address bar changes the height only
  width = window.innerWidth;
  charts.forEach(function (c) { c.render(); });
});

document.querySelectorAll('table.sortable').forEach(function (table) {
  var body = table.tBodies[0];
  table.querySelectorAll('th[data-sort]').forEach(function (th) {
    var button = document.createElement('button');
    button.type = 'button';
    button.textContent = th.textContent;
    th.textContent = '';
    th.appendChild(button);
    button.addEventListener('click', function () {
      var down = th.getAttribute('aria-sort') === 'ascending', column = th.cellIndex;
      table.querySelectorAll('[aria-sort]').forEach(function (other) { other.removeAttribute('aria-sort'); });
      th.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      var rows = Array.prototype.slice.call(body.rows).map(function (row, i) {
        var cell = row.cells[column], v = cell.getAttribute('data-v');
        return { row: row, i: i, number: v === null ? null : parseFloat(v), text: cell.textContent };
      });
      rows.sort(function (p, q) {
        // Cells without a value stay at the end.
        if (p.number === null && q.number !== null) return 1;
        if (q.number === null && p.number !== null) return -1;
        var c = p.number !== null ? p.number - q.number : (p.text < q.text ? -1 : (p.text > q.text ? 1 : 0));
        return (down ? -c : c) || p.i - q.i;
      });
      rows.forEach(function (r) { body.appendChild(r.row); });
    });
  });
});
}());
)js";

}  // namespace

std::string_view ReportScript() { return kScript; }

}  // namespace tw::eval::internal
