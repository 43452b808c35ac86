// Buttons and the like, made alike everywhere.

/** Makes a button; `name` is what screen readers say, and begins with the text. */
export function button(text: string, press: () => void, name: string = text): HTMLButtonElement {
  const element = document.createElement('button');
  element.type = 'button';
  element.className = 'dl-button';
  element.textContent = text;
  if (name !== text) element.setAttribute('aria-label', name);
  // Unlike `disabled`, this keeps the focus where it is.
  element.addEventListener('click', () => {
    if (element.getAttribute('aria-disabled') !== 'true') press();
  });
  return element;
}

export function enable(element: HTMLElement, enabled: boolean): void {
  if (enabled) element.removeAttribute('aria-disabled');
  else element.setAttribute('aria-disabled', 'true');
}

/** Makes an element of a class. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  name: string,
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  element.className = name;
  element.append(...children);
  return element;
}
