// In the place of sanitize-html: our managers sanitize what is not the page's own with the page's means.
module.exports = () => {
  throw new Error('inline_sanitize must be overridden.');
};
