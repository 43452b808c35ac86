// In the place of jQuery: ipywidgets handle elements themselves, and only wrap them for Backbone's sake.
module.exports = function Wrapped(element) {
  if (!(this instanceof Wrapped)) return new Wrapped(element);
  this[0] = element;
};
