// Shows the ipywidgets saved in a page, without a kernel: sliders move, and what is linked in the
// browser (jslink, jsdlink) follows. A small stand-in for @jupyter-widgets/html-manager, whose
// output area would bring JupyterLab's and triple the size.
import * as base from '@jupyter-widgets/base';
import { ManagerBase } from '@jupyter-widgets/base-manager';
import * as controls from '@jupyter-widgets/controls';
import * as output from '@jupyter-widgets/output';
import { Widget } from '@lumino/widgets';
import '@lumino/widgets/style/index.css';
import '@jupyter-widgets/controls/css/labvariables.css';
import '@jupyter-widgets/controls/css/widgets-base.css';

const STATE = 'script[type="application/vnd.jupyter.widget-state+json"]';
const VIEW = 'script[type="application/vnd.jupyter.widget-view+json"]';

class OutputView extends output.OutputView {
  render() {
    super.render();
    this.el.classList.add('widget-output');
    this.listenTo(this.model, 'change:outputs', this.showOutputs);
    this.showOutputs();
  }

  showOutputs() {
    this.el.replaceChildren(...(this.model.get('outputs') ?? []).map(outputElement));
  }
}

function outputElement({ data = {}, text = '', traceback = [] }) {
  const joined = (value) => (Array.isArray(value) ? value.join('') : value);
  const element = document.createElement('div');
  const markup = data['text/html'] ?? data['image/svg+xml'];
  const image = ['image/png', 'image/jpeg'].find((type) => type in data);
  if (markup !== undefined) {
    element.innerHTML = joined(markup);
  } else if (image !== undefined) {
    const picture = document.createElement('img');
    picture.src = `data:${image};base64,${joined(data[image])}`;
    picture.alt = joined(data['text/plain'] ?? '');
    element.append(picture);
  } else {
    const words = document.createElement('pre');
    words.textContent = joined(data['text/plain'] ?? text) + traceback.join('\n');
    element.append(words);
  }
  return element;
}

const MODULES = {
  '@jupyter-widgets/base': base,
  '@jupyter-widgets/controls': controls,
  '@jupyter-widgets/output': { ...output, OutputView },
};

class PageManager extends ManagerBase {
  async loadClass(className, moduleName, moduleVersion) {
    const found = MODULES[moduleName]?.[className];
    if (found === undefined) {
      throw new Error(`This page cannot show ${className} of ${moduleName} ${moduleVersion}.`);
    }
    return found;
  }

  async _get_comm_info() {
    return {};
  }

  async _create_comm() {
    const nothing = () => {};
    return { on_close: nothing, on_msg: nothing, send: nothing, close: nothing };
  }
}

// noUiSlider leaves its handles without a name for screen readers.
function nameHandles(root) {
  for (const handle of root.querySelectorAll('.noUi-handle')) {
    const label = handle.closest('.jupyter-widgets')?.querySelector('.widget-label');
    handle.setAttribute('aria-label', label?.textContent || 'value');
  }
}

async function show(page = document) {
  for (const saved of page.querySelectorAll(STATE)) {
    const manager = new PageManager();
    const models = await manager.set_state(JSON.parse(saved.textContent));
    for (const place of page.querySelectorAll(VIEW)) {
      const { model_id: id } = JSON.parse(place.textContent);
      const model = models.find((each) => each.model_id === id);
      if (model === undefined) continue;
      const view = await manager.create_view(model);
      const host = document.createElement('div');
      host.className = 'widget-subarea mathjax_process';
      place.replaceWith(host);
      // What is in a box appears a little later than the box.
      new MutationObserver(() => nameHandles(host)).observe(host, { childList: true, subtree: true });
      Widget.attach(view.luminoWidget ?? view.pWidget, host);
    }
  }
  document.documentElement.dataset.widgets = 'shown';
}

if (document.readyState === 'loading') {
  document.addEventListener('DOMContentLoaded', () => show());
} else {
  show();
}
