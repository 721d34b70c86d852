// Found before unfold's file of this name, Chart.js: our charts are drawn as SVG by the server.
