// Icons: keep the <i> elements that widgets' Play control holds on to. The theme's icon script would
// replace them by SVG, and the control would then fail; without it the icon font draws them.
window.FontAwesomeConfig = { autoReplaceSvg: false, observeMutations: false };
if (window.FontAwesome && window.FontAwesome.noAuto) window.FontAwesome.noAuto();

// From a folder on disk a browser lets no page read another: search then lists titles only.
if (window.location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}

// Names for controls that the theme and the widgets leave unnamed, for those who hear the page.
(function () {
  function each(selector, action) {
    document.querySelectorAll(selector).forEach(action);
  }

  function label(element, text) {
    if (element && text && !element.getAttribute("aria-label")) {
      element.setAttribute("aria-label", text);
    }
  }

  function nameControls() {
    each(".bd-sidebar-primary summary", function (summary) {
      var link = summary.parentElement.parentElement.querySelector("a");
      label(summary, "Pages under " + (link ? link.textContent.trim() : "this section"));
    });
    // These show a text or an icon with a title of its own: a second, different name confuses.
    each("button.search-button-field[aria-label]", function (button) {
      button.removeAttribute("aria-label");
    });
    each(".sidebar-primary-item a.navbar-brand", function (brand) {
      brand.parentElement.setAttribute("role", "region");
      label(brand.parentElement, "Book title");
    });
    each(".widget-slider [role=slider]", function (handle) {
      var text = handle.closest(".widget-slider").querySelector(".widget-label");
      label(handle, (text && text.textContent.trim()) || "value");
    });
    each(".widget-play", function (play) {
      ["Play or pause", "Stop", "Repeat"].forEach(function (text, i) {
        label(play.querySelectorAll("button")[i], text);
      });
    });
    // A picture in a row of tabs is named by its tab.
    each("img.widget-image:not([alt])", function (image) {
      var tabs = image.closest(".widget-tab");
      var panel = image.closest(".widget-tab-contents > *");
      var place = panel ? Array.from(panel.parentElement.children).indexOf(panel) : -1;
      var title = tabs && tabs.querySelectorAll(".lm-TabBar-tabLabel")[place];
      image.alt = title ? "Picture at " + title.textContent.trim() : "Picture";
    });
    // Roles that docutils gives to a bibliography and that have gone out of use since.
    each(".citation[role=doc-biblioentry]", function (entry) {
      entry.setAttribute("role", "listitem");
    });
    // What scrolls sideways must be reachable by keyboard.
    each("pre, div.math, .cell_output, .pst-scrollable-table-container", function (box) {
      if (box.scrollWidth > box.clientWidth + 1 && !box.hasAttribute("tabindex")) box.tabIndex = 0;
    });
  }

  document.addEventListener("DOMContentLoaded", nameControls);
  window.addEventListener("load", function () {
    nameControls();
    new MutationObserver(nameControls).observe(document.body, { childList: true, subtree: true });
  });
})();

// Clips marked "moving" play by themselves while they are in view, unless the reader asked the
// system for less motion; their controls stop them.
(function () {
  var still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (still || !("IntersectionObserver" in window)) return;
  document.addEventListener("DOMContentLoaded", function () {
    var watcher = new IntersectionObserver(function (entries) {
      entries.forEach(function (entry) {
        var video = entry.target;
        if (entry.isIntersecting && !video.dataset.stopped) video.play().catch(function () {});
        else video.pause();
      });
    });
    document.querySelectorAll(".moving video").forEach(function (video) {
      video.addEventListener("pause", function () {
        var box = video.getBoundingClientRect();
        var seen = box.bottom > 0 && box.top < window.innerHeight;
        if (seen) video.dataset.stopped = "by the reader";
      });
      watcher.observe(video);
    });
  });
})();
