// HTML and SVG that programs write, made harmless: no scripts, handlers, forms, other hosts, or styles for the rest of the page.
import purify from 'dompurify';

const SETTINGS = {
  RETURN_DOM_FRAGMENT: true,
  // Without, a <style> that stands first would be lost.
  FORCE_BODY: true,
  ADD_TAGS: ['use'],
  ADD_ATTR: ['target'],
  FORBID_TAGS: ['form', 'input', 'button', 'textarea', 'select', 'option', 'optgroup', 'datalist', 'fieldset', 'dialog'],
} as const;
const LOADS = ['src', 'srcset', 'poster', 'background', 'data', 'action'];
const STYLES = /^(style|fill|stroke|clip-path|mask|filter|cursor|marker(-\w+)?)$/;

let count = 0;

purify.addHook('uponSanitizeAttribute', (element, attribute) => {
  const name = attribute.attrName;
  const value = attribute.attrValue;
  const drawn = element.namespaceURI === 'http://www.w3.org/2000/svg' && element.nodeName !== 'a';
  if (LOADS.includes(name)) attribute.keepAttr = /^\s*data:(image|audio|video)\//i.test(value) && name !== 'srcset';
  // Within a drawing only what is inside the page may be referred to.
  else if (/^(xlink:)?href$/.test(name) && drawn) attribute.keepAttr = /^\s*(#|data:image\/)/i.test(value);
  else if (STYLES.test(name) && loadsElsewhere(value)) attribute.keepAttr = false;
});

purify.addHook('afterSanitizeAttributes', (element) => {
  if (element.nodeName === 'A' && element.hasAttribute('target')) element.setAttribute('rel', 'noopener noreferrer');
});

/** Reads HTML (or SVG, as part of it) into harmless nodes. */
export function sanitized(html: string): DocumentFragment {
  const fragment = purify.sanitize(html, SETTINGS as never) as unknown as DocumentFragment;
  // What was to come from another host has gone; an empty frame would say nothing.
  fragment.querySelectorAll('img:not([src])').forEach((image) => image.remove());
  const sheets = [...fragment.querySelectorAll('style')];
  if (sheets.length === 0) return fragment;
  const scope = document.createElement('div');
  count += 1;
  scope.className = `dl-scope-${count}`;
  for (const sheet of sheets) {
    sheet.textContent = scoped(sheet.textContent ?? '', `.dl-scope-${count}`);
  }
  scope.append(fragment);
  const wrapped = document.createDocumentFragment();
  wrapped.append(scope);
  return wrapped;
}

/** Confines a style sheet to an output. What is written back was parsed before, so no brace can leave the scope. */
function scoped(css: string, selector: string): string {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  const rules = [...sheet.cssRules].map((rule) => rule.cssText).filter((rule) => !loadsElsewhere(rule));
  return `@scope (${selector}) {\n${rules.join('\n')}\n}`;
}

/** Tells whether a style would ask for a file. Escapes could hide that, and no style of an output needs one. */
function loadsElsewhere(css: string): boolean {
  return /\\|@import|\b(image-set|image|src)\(|url\((?!\s*["']?(#|data:image\/))/i.test(css);
}
