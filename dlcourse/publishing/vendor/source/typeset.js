// ipywidgets calls MathJax 2's queue; esbuild puts this in its place.
export function typesetWithMathJax([, , element]) {
  window.MathJax?.typesetPromise?.([element]);
}
