// Reads values under the pointer and zooms into plots over time. The page is whole without it.
(function () {
  "use strict";
  var root = document.documentElement;
  window.addEventListener("error", function (e) { root.dataset.error = e.message; });
  var BREAK = 65535, TOP = 65534, DAY = 86400;
  var MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

  function words(text) {
    var bytes = atob(text), out = new Uint16Array(bytes.length / 2);
    for (var i = 0; i < out.length; i++) {
      out[i] = bytes.charCodeAt(2 * i) | (bytes.charCodeAt(2 * i + 1) << 8);
    }
    return out;
  }
  function numbers(text) { return text.split(",").map(Number); }
  function pad(n, size) { return String(n).padStart(size || 2, "0"); }

  // The points of one figure: times, places from 0 to 65534, and breaks as NaN times.
  function load(box) {
    var places = words(box.dataset.places), steps = box.dataset.steps ? words(box.dataset.steps) : null;
    var lines = box.dataset.lines.split(";").map(numbers), line = 0, sample = Number(box.dataset.first);
    var times = new Float64Array(places.length), last = -Infinity;
    for (var i = 0; i < places.length; i++) {
      sample += steps ? steps[i] : (i > 0 ? 1 : 0);
      while (line + 1 < lines.length && lines[line + 1][0] <= sample) { line++; }
      last = Math.max(last, lines[line][1] + (sample - lines[line][0]) * lines[line][2]);
      times[i] = last;
    }
    return { times: times, places: places };
  }

  // The first point that is not before a time.
  function search(times, time) {
    var low = 0, high = times.length;
    while (low < high) {
      var middle = (low + high) >> 1;
      if (times[middle] < time) { low = middle + 1; } else { high = middle; }
    }
    return low;
  }

  function moment(clock, t, period) {
    if (clock === "Samples") { return "sample " + Math.round(t).toLocaleString("en-US"); }
    var digits = period < 1 ? 3 : 0;
    if (clock === "Elapsed") {
      var s = Number((t % 60).toFixed(digits));
      return pad(Math.floor(t / 3600)) + ":" + pad(Math.floor(t % 3600 / 60)) + ":" + (digits ? s.toFixed(3).padStart(6, "0") : pad(Math.floor(s)));
    }
    var text = new Date(Math.round(t * 1000)).toISOString().replace("T", " ");
    return text.slice(0, digits ? 23 : 19);
  }

  var STEPS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800,
    3600, 7200, 10800, 21600, 43200, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 28 * DAY, 91 * DAY, 182 * DAY, 365 * DAY];
  function roundStep(least) {
    var power = Math.pow(10, Math.floor(Math.log10(least)));
    return power * [1, 2, 5, 10].find(function (f) { return f * power >= least * (1 - 1e-9); });
  }
  function ticks(clock, from, to, wanted, full) {
    var least = (to - from) / wanted, unit = 1, step;
    if (clock === "Dated") {
      step = STEPS.find(function (s) { return s >= least; }) || roundStep(least / DAY) * DAY;
    } else {
      // The unit stays that of the whole axis, whose name it stands in.
      if (clock === "Elapsed") { unit = full <= 180 ? 1 : full <= 10800 ? 60 : full <= 3 * DAY ? 3600 : DAY; }
      step = roundStep(Math.max(least / unit, clock === "Samples" ? 1 : 0)) * unit;
    }
    var out = [], before = "";
    for (var k = Math.ceil(from / step); k * step <= to && out.length < 60; k++) {
      var t = k * step;
      if (clock !== "Dated") {
        var places = Math.max(0, Math.min(9, -Math.floor(Math.log10(step / unit) + 1e-9)));
        out.push([t, (t / unit).toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places }), ""]);
        continue;
      }
      var iso = new Date(Math.round(t * 1000)).toISOString();
      var date = Number(iso.slice(8, 10)) + "\u00a0" + MONTHS[Number(iso.slice(5, 7)) - 1];
      var year = iso.slice(0, 4), below = step >= DAY ? year : date + "\u00a0" + year;
      var label = step >= DAY ? date : iso.slice(11, step >= 60 ? 16 : step >= 1 ? 19 : 23);
      out.push([t, label, below === before ? "" : below]);
      before = below;
    }
    return out;
  }

  function short(x) {
    if (x !== 0 && (Math.abs(x) < 1e-3 || Math.abs(x) >= 1e7)) { return x.toExponential(2).replace("-", "−"); }
    return Number(x.toPrecision(3)).toLocaleString("en-US", { maximumFractionDigits: 6 }).replace("-", "−");
  }

  function svg(name, attributes, parent) {
    var node = document.createElementNS(root.querySelector("svg").namespaceURI, name);
    Object.keys(attributes).forEach(function (key) { node.setAttribute(key, attributes[key]); });
    if (parent) { parent.appendChild(node); }
    return node;
  }

  function Figure(box) {
    var d = box.dataset, full = numbers(d.span), range = numbers(d.range), data = null;
    var bend = d.bend ? numbers(d.bend) : null, from = full[0], to = full[1], at = null;
    var tools = box.parentNode.querySelector(".tools");
    var output = tools.querySelector("output"), reset = tools.querySelector("button");
    var plots = Array.prototype.map.call(box.querySelectorAll("svg.wide, svg.narrow"), function (picture) {
      var p = numbers(picture.dataset.plot), moving = picture.querySelector(".moving");
      return {
        picture: picture, left: p[0], right: p[1], top: p[2], base: p[3], bottom: p[4], moving: moving,
        line: moving.querySelector(".score"), ticks: picture.querySelector(".ticks"), inner: moving.getAttribute("viewBox").split(" ")[3],
        still: moving.querySelector(".score").getAttribute("d"), marks: picture.querySelector(".ticks").innerHTML
      };
    });

    function value(place) {
      var y = range[0] + place / TOP * (range[1] - range[0]);
      return bend ? bend[0] + bend[1] * Math.sinh(y) : y;
    }

    // The line between two times, thinned to two points a pixel like the one in the file.
    function redraw(plot) {
      var width = plot.right - plot.left, tall = plot.base - plot.top, whole = from === full[0] && to === full[1];
      var x = function (t) { return (t - full[0]) / (full[1] - full[0]) * width; };
      plot.moving.setAttribute("viewBox", x(from) + " 0 " + (x(to) - x(from)) + " " + plot.inner);
      if (whole) {
        plot.line.setAttribute("d", plot.still);
        plot.ticks.innerHTML = plot.marks;
        return;
      }
      data = data || load(box);
      var text = "", pen = "M", i = Math.max(0, search(data.times, from) - 1), end = search(data.times, to) + 1;
      var y = function (place) { return (tall * (1 - place / TOP)).toFixed(1); };
      while (i < Math.min(end, data.times.length)) {
        if (data.places[i] === BREAK) { pen = "M"; i++; continue; }
        var column = Math.floor((data.times[i] - from) / (to - from) * width), low = i, high = i, k = i;
        while (k < data.times.length && data.places[k] !== BREAK && Math.floor((data.times[k] - from) / (to - from) * width) === column) {
          if (data.places[k] < data.places[low]) { low = k; }
          if (data.places[k] > data.places[high]) { high = k; }
          k++;
        }
        [Math.min(low, high), Math.max(low, high)].forEach(function (j, nth) {
          if (nth === 1 && low === high) { return; }
          text += pen + x(data.times[j]).toFixed(4) + " " + y(data.places[j]);
          pen = "L";
        });
        i = k;
      }
      plot.line.setAttribute("d", text);
      mark(plot);
    }

    function mark(plot) {
      var base = plot.bottom, place = function (t) { return plot.left + (t - from) / (to - from) * (plot.right - plot.left); };
      plot.ticks.textContent = "";
      var path = "M" + plot.left + " " + base + "H" + plot.right;
      ticks(d.clock, from, to, plot.right - plot.left > 500 ? 8 : 3, full[1] - full[0]).forEach(function (tick) {
        var x = place(tick[0]);
        path += "M" + x + " " + base + "v4";
        [tick[1], tick[2]].forEach(function (text, row) {
          var half = text.length * 3.8, clear = Math.max(half, Math.min(plot.right + 8 - half, x));
          if (text) { svg("text", { x: clear, y: base + 18 + 16 * row, "text-anchor": "middle" }, plot.ticks).textContent = text; }
        });
      });
      svg("path", { "class": "base", d: path }, plot.ticks);
    }

    function zoom(a, b) {
      if (!isFinite(a) || !isFinite(b)) { return; }
      var least = Math.min(5 * full[2], full[1] - full[0]);
      if (b - a < least) { var middle = (a + b) / 2; a = middle - least / 2; b = middle + least / 2; }
      from = Math.max(full[0], a);
      to = Math.min(full[1], b);
      reset.hidden = from === full[0] && to === full[1];
      plots.forEach(redraw);
      point(at);
    }

    // Shows the highest score within a pixel of a time.
    function point(t) {
      at = isFinite(t) ? t : null;
      plots.forEach(function (plot) {
        var cursor = plot.picture.querySelector(".cursor");
        if (cursor) { cursor.remove(); }
      });
      if (t === null || !(t >= from && t <= to)) { output.textContent = ""; return; }
      data = data || load(box);
      var near = (to - from) / 800, i = search(data.times, t - near), best = -1;
      for (; i < data.times.length && (data.times[i] <= t + near || best < 0); i++) {
        if (data.places[i] !== BREAK && (best < 0 || data.places[i] > data.places[best])) { best = i; }
      }
      plots.forEach(function (plot) {
        var x = plot.left + (t - from) / (to - from) * (plot.right - plot.left);
        svg("line", { "class": "cursor", x1: x, x2: x, y1: plot.top, y2: plot.bottom }, plot.picture);
      });
      if (best < 0) { output.textContent = "no score"; return; }
      var score = value(data.places[best]);
      var alarm = d.threshold && score > Number(d.threshold) ? " (above the threshold)" : "";
      output.textContent = moment(d.clock, data.times[best], full[2]) + " · score " + short(score) + alarm;
    }

    function timeOf(plot, event) {
      var area = plot.picture.getBoundingClientRect(), scale = plot.picture.viewBox.baseVal.width / area.width;
      var share = ((event.clientX - area.left) * scale - plot.left) / (plot.right - plot.left);
      return from + Math.max(0, Math.min(1, share)) * (to - from);
    }

    plots.forEach(function (plot) {
      var start = null, brush = null;
      function done() {
        start = null;
        if (brush) { brush.remove(); brush = null; }
      }
      plot.picture.addEventListener("pointerdown", function (e) {
        if (e.button === 0) { start = timeOf(plot, e); plot.picture.setPointerCapture(e.pointerId); }
      });
      plot.picture.addEventListener("pointermove", function (e) {
        var t = timeOf(plot, e);
        point(t);
        if (start === null) { return; }
        brush = brush || svg("rect", { "class": "brush", y: plot.top, height: plot.bottom - plot.top }, plot.picture);
        var x = function (time) { return plot.left + (time - from) / (to - from) * (plot.right - plot.left); };
        brush.setAttribute("x", x(Math.min(start, t)));
        brush.setAttribute("width", Math.abs(x(t) - x(start)));
      });
      plot.picture.addEventListener("pointerup", function (e) {
        var a = start, b = timeOf(plot, e);
        done();
        if (a !== null && Math.abs(b - a) > (to - from) / 100) { zoom(Math.min(a, b), Math.max(a, b)); }
      });
      plot.picture.addEventListener("pointercancel", done);
      plot.picture.addEventListener("pointerleave", function () { if (start === null) { point(null); } });
      plot.picture.addEventListener("dblclick", function () { zoom(full[0], full[1]); });
    });
    reset.addEventListener("click", function () { zoom(full[0], full[1]); });
    box.addEventListener("keydown", function (e) {
      var middle = at === null ? (from + to) / 2 : at, half = (to - from) / 2, handled = true;
      if (e.key === "ArrowRight" || e.key === "ArrowLeft") {
        point(Math.max(from, Math.min(to, middle + (e.key === "ArrowRight" ? 1 : -1) * half / 100)));
      } else if (e.key === "+" || e.key === "=") {
        zoom(middle - half / 2, middle + half / 2);
      } else if (e.key === "-") {
        zoom(middle - half * 2, middle + half * 2);
      } else if (e.key === "Escape") {
        zoom(full[0], full[1]);
      } else { handled = false; }
      if (handled) { e.preventDefault(); }
    });
  }

  Array.prototype.forEach.call(document.querySelectorAll(".timeline"), function (box) { new Figure(box); });
  // Links lead into closed runs, and paper cannot open them.
  function open() {
    var target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (target && target.tagName === "DETAILS") { target.open = true; target.scrollIntoView(); }
  }
  window.addEventListener("hashchange", open);
  window.addEventListener("beforeprint", function () {
    Array.prototype.forEach.call(document.querySelectorAll("details.run"), function (d) { d.open = true; });
  });
  open();
  root.dataset.ready = "yes";
})();
