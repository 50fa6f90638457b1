// Stands between require.js and the widget manager: where its icon fonts lie, and a bridge from
// MathJax 2's queue, which the manager calls, to the MathJax 3 of this book.
(function () {
  var vendor = new URL("vendor/widgets", document.currentScript.src).href;
  requirejs.config({
    paths: { "@jupyter-widgets": vendor, "@jupyter-widgets/html-manager/dist": vendor },
  });
  window.addEventListener("load", function () {
    var mathjax = window.MathJax;
    if (!mathjax || !mathjax.startup || mathjax.Hub) return;
    mathjax.Hub = {
      Queue: function (command) {
        var element = command && command[2];
        if (!element) return;
        mathjax.startup.promise = mathjax.startup.promise.then(function () {
          return mathjax.typesetPromise([element]);
        });
      },
    };
  });
})();
