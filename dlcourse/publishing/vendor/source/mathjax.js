// MathJax with what the book's formulas need and no more: the file that npm ships with every extension is twice as heavy.
// Without `noundefined`: an unknown macro is an error that the tests of the book find, not red text.
import 'mathjax-full/components/src/startup/init.js';
import { Loader } from 'mathjax-full/js/components/loader.js';
import 'mathjax-full/components/src/core/core.js';
import 'mathjax-full/components/src/input/tex-base/lib/tex-base.js';
import 'mathjax-full/components/src/input/tex/extensions/ams/ams.js';
import 'mathjax-full/components/src/input/tex/extensions/boldsymbol/boldsymbol.js';
import 'mathjax-full/components/src/input/tex/extensions/cancel/cancel.js';
import 'mathjax-full/components/src/input/tex/extensions/color/color.js';
import 'mathjax-full/components/src/input/tex/extensions/configmacros/configmacros.js';
import 'mathjax-full/components/src/input/tex/extensions/newcommand/newcommand.js';
import 'mathjax-full/components/src/output/chtml/chtml.js';
import 'mathjax-full/components/src/output/chtml/fonts/tex/tex.js';
import 'mathjax-full/components/src/a11y/assistive-mml/assistive-mml.js';
import { registerTeX } from 'mathjax-full/components/src/input/tex/register.js';
import { TeXFont } from 'mathjax-full/js/output/chtml/fonts/tex.js';
import 'mathjax-full/components/src/startup/startup.js';

const EXTENSIONS = ['ams', 'boldsymbol', 'cancel', 'color', 'configmacros', 'newcommand'];
Loader.preLoad(
  'loader', 'startup', 'core', 'input/tex-base', ...EXTENSIONS.map((name) => `[tex]/${name}`),
  'output/chtml', 'output/chtml/fonts/tex.js', 'a11y/assistive-mml',
);
registerTeX(['base', ...EXTENSIONS]);

// fonts.mjs packs them as WOFF 2, which is a quarter smaller.
for (const face of Object.values(TeXFont.defaultFonts)) {
  face.src = face.src.replaceAll('woff"', 'woff2"');
}
