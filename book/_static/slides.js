// The slides of a chapter: keys, notes, full screen, and letters that shrink where a slide is full.
(function () {
  var slides = Array.from(document.querySelectorAll(".slide"));
  var dark = window.matchMedia("(prefers-color-scheme: dark)");

  function current() {
    var middle = window.innerHeight / 2;
    return slides.findIndex(function (slide) { return slide.getBoundingClientRect().bottom > middle; });
  }

  function show(number) {
    var slide = slides[Math.max(0, Math.min(slides.length - 1, number))];
    slide.scrollIntoView({ behavior: "instant" });
  }

  function fits(body) {
    var boxes = [body].concat(Array.from(body.querySelectorAll(".math, pre")));
    return body.scrollHeight <= body.clientHeight + 1 && boxes.every(function (box) {
      return box.scrollWidth <= box.clientWidth + 1;
    });
  }

  function fit(slide) {
    var body = slide.querySelector(".body");
    for (var size = body.querySelector("figure, table") ? 1 : 1.2; size >= 0.5; size -= 0.05) {
      body.style.setProperty("--fit", size);
      if (fits(body)) return;
    }
  }

  function notes() {
    var all = Array.from(document.querySelectorAll(".notes"));
    var open = !all.some(function (note) { return note.open; });
    all.forEach(function (note) { note.open = open; });
  }

  function fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else document.documentElement.requestFullscreen();
  }

  var keys = {
    ArrowRight: function () { show(current() + 1); },
    ArrowLeft: function () { show(current() - 1); },
    Home: function () { show(0); },
    End: function () { show(slides.length - 1); },
    n: notes,
    f: fullScreen,
  };
  keys.ArrowDown = keys.PageDown = keys[" "] = keys.ArrowRight;
  keys.ArrowUp = keys.PageUp = keys.ArrowLeft;

  document.addEventListener("keydown", function (event) {
    var action = keys[event.key.length > 1 ? event.key : event.key.toLowerCase()];
    var pressed = event.key === " " && event.target.closest("summary, a, button");
    var reading = event.key.length > 1 && event.target.closest(".notes[open]");
    if (!action || pressed || reading || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  });

  function colours() { document.documentElement.dataset.theme = dark.matches ? "dark" : "light"; }
  dark.addEventListener("change", colours);
  colours();

  document.documentElement.classList.add("deck");
  window.addEventListener("load", function () {
    var set = window.MathJax ? window.MathJax.startup.promise : Promise.resolve();
    set.then(function () {
      slides.forEach(function (slide) {
        slide.querySelector(".body").addEventListener("toggle", function () { fit(slide); }, true);
        fit(slide);
      });
      document.documentElement.dataset.ready = "yes";
    });
  });
})();
