// Puts the widgets that are saved in a page in their places, without Python. What draws them weighs as much as the
// text around them, so it is loaded when the first comes near. Pages that run use the same, by `load`.
const VIEW = 'script[type="application/vnd.jupyter.widget-view+json"]';
const here = document.currentScript.src;
const places = new Map();
let loading;

// Resolves to what manager.js offers.
function load() {
  loading ??= Promise.all([added('script', 'src', 'manager.js'), added('link', 'href', 'manager.css')])
    .then(() => window.dlcourseWidgets.manager);
  // What could not be had is asked for again the next time.
  loading.catch(() => (loading = undefined));
  return loading;
}

function added(tag, attribute, name) {
  return new Promise((resolve, reject) => {
    const element = document.createElement(tag);
    element[attribute] = new URL(name, here).href;
    element.onload = resolve;
    element.onerror = () => reject(new Error(`${name} could not be loaded`));
    if (tag === 'link') {
      element.rel = 'stylesheet';
      // The book's own style has the last word.
      document.querySelector('link[rel=stylesheet][href*="dlcourse.css"]')?.before(element);
    }
    if (!element.isConnected) document.head.append(element);
  });
}

async function show(place) {
  const id = places.get(place);
  places.delete(place);
  if (id === undefined || !place.isConnected) return;
  await (await load()).showSaved(id, place);
}

async function showAll() {
  await Promise.all([...places.keys()].map(show));
}

function prepare() {
  const near = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        near.unobserve(target);
        show(target).catch((error) => console.error(error));
      }
    },
    { rootMargin: '100% 0%' },
  );
  for (const script of document.querySelectorAll(VIEW)) {
    const place = document.createElement('div');
    place.className = 'widget-subarea';
    places.set(place, JSON.parse(script.textContent).model_id);
    script.replaceWith(place);
    near.observe(place);
  }
  window.addEventListener('beforeprint', showAll);
}

window.dlcourseWidgets = { load, showAll };
if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', prepare);
else prepare();
