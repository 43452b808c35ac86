// Shows ipywidgets without JupyterLab's output area, which would triple the size: those saved in a page, without
// Python (sliders move, and what is linked in the browser follows), and with the same classes those of a page that runs.
import * as base from '@jupyter-widgets/base';
import { ManagerBase } from '@jupyter-widgets/base-manager';
import * as controls from '@jupyter-widgets/controls';
import * as output from '@jupyter-widgets/output';
import { Widget } from '@lumino/widgets';
import './node_modules/@lumino/widgets/style/index.css';
import '@jupyter-widgets/controls/css/labvariables.css';
import '@jupyter-widgets/controls/css/widgets-base.css';

const STATE = 'script[type="application/vnd.jupyter.widget-state+json"]';
// What cannot be moved, or moves other things in the browser alone.
const WITHOUT_PYTHON = /^(Accordion|.*Box|.*Bars?|HTML(Math)?|Image|Label|.*Link|Output|.*Progress|Stack|Tab|Valid)$/;

class OutputView extends output.OutputView {
  render() {
    super.render();
    this.el.classList.add('widget-output');
    this.listenTo(this.model, 'change:outputs', this.showOutputs);
    this.showOutputs();
  }

  showOutputs() {
    this.model.widget_manager.showOutputs(this.el, this.model.get('outputs') ?? []);
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

class HTMLView extends controls.HTMLView {
  update() {
    this.model.widget_manager.showMarkup(this.content, this.model.get('value'));
    return controls.StringView.prototype.update.call(this);
  }
}

class HTMLMathView extends controls.HTMLMathView {
  update() {
    this.model.widget_manager.showMarkup(this.content, this.model.get('value'));
    this.typeset(this.content);
    return controls.StringView.prototype.update.call(this);
  }
}

// Jupyter's own makes markup of the error's text.
base.ErrorWidgetView.prototype.render = function () {
  const { msg, stack } = this.generateErrorMessage();
  const words = document.createElement('pre');
  words.textContent = `${msg}\n${stack}`;
  this.el.replaceChildren(words);
};

// Jupyter's own shows a tooltip "null" where there is none.
controls.DescriptionView.prototype.updateTooltip = function () {
  if (this.label) this.label.title = this.model.get('tooltip') ?? '';
};

const MODULES = {
  '@jupyter-widgets/base': base,
  '@jupyter-widgets/controls': { ...controls, HTMLView, HTMLMathView },
  '@jupyter-widgets/output': { ...output, OutputView },
};

// What the page's own build has saved is as trusted as the page; a page that runs overrides the last three.
class Manager extends ManagerBase {
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

  inline_sanitize(markup) {
    return markup;
  }

  showMarkup(element, markup) {
    element.innerHTML = markup;
  }

  showOutputs(element, outputs) {
    element.replaceChildren(...outputs.map(outputElement));
  }
}

// noUiSlider leaves its handles without a name for screen readers, and gives them numbers where labels are meant.
function nameHandles(root) {
  for (const handle of root.querySelectorAll('.noUi-handle')) {
    const widget = handle.closest('.jupyter-widgets');
    if (!handle.hasAttribute('aria-label')) {
      handle.setAttribute('aria-label', widget?.querySelector('.widget-label')?.textContent || 'value');
    }
    const readout = widget?.querySelector('.widget-readout');
    if (readout) handle.setAttribute('aria-valuetext', readout.textContent);
  }
}

// Puts a view in its place, which must be in the page.
function attach(view, host) {
  host.classList.add('widget-subarea', 'mathjax_process');
  nameHandles(host);
  // What is in a box appears a little later than the box.
  new MutationObserver(() => nameHandles(host)).observe(host, { childList: true, subtree: true });
  Widget.attach(view.luminoWidget, host);
}

// Tells whether something in a saved widget can be moved and only Python knew what follows.
function lacksPython(model, linked) {
  const children = model.get('children') ?? [];
  const name = model.get('_model_name').replace(/Model$/, '');
  return (!WITHOUT_PYTHON.test(name) && !linked.has(model)) || children.some((each) => lacksPython(each, linked));
}

let saved;

// Reads the page's saved widgets, once.
async function savedModels() {
  const models = new Map();
  for (const script of document.querySelectorAll(STATE)) {
    for (const model of await new Manager().set_state(JSON.parse(script.textContent))) models.set(model.model_id, model);
  }
  const links = [...models.values()].filter((each) => /^(Directional)?LinkModel$/.test(each.get('_model_name')));
  const linked = new Set(links.flatMap((each) => [each.get('source')[0], each.get('target')[0]]));
  return { models, linked };
}

async function showSaved(id, host) {
  const { models, linked } = await (saved ??= savedModels());
  const model = models.get(id);
  if (model === undefined) return;
  const view = await model.widget_manager.create_view(model);
  if (lacksPython(model, linked)) host.dataset.saved = '';
  if (host.isConnected) attach(view, host);
  document.dispatchEvent(new Event('widgetsshown'));
}

window.dlcourseWidgets.manager = { Manager, attach, showSaved };
