// Sliders of a page that was not run: the figures of all positions come when a slider is about to move.
(() => {
  const WAITING = new Map();

  // Called by the files of figures.
  window.showFrames = (key, figures) => WAITING.get(key)?.(figures);

  function load(stepper) {
    stepper.figures ??= new Promise((resolve, reject) => {
      const script = document.createElement('script');
      WAITING.set(stepper.dataset.key, resolve);
      script.onerror = () => {
        stepper.figures = undefined;
        reject(new Error('The figures of this slider could not be loaded: look at the connection and move it again.'));
      };
      script.src = stepper.dataset.frames;
      document.head.append(script);
    });
    return stepper.figures;
  }

  async function show(stepper, slider) {
    const words = JSON.parse(slider.dataset.values)[slider.valueAsNumber];
    const place = stepper.querySelector('.dl-stepper-figure');
    slider.setAttribute('aria-valuetext', words);
    stepper.querySelector('.dl-stepper-value').textContent = words;
    try {
      const figures = await load(stepper);
      // Drawn by the build, like the figure that it replaces.
      const drawn = new DOMParser().parseFromString(figures[slider.valueAsNumber], 'text/html');
      place.replaceChildren(...drawn.body.childNodes);
    } catch (error) {
      place.textContent = error.message;
    }
  }

  for (const stepper of document.querySelectorAll('.dl-stepper[data-frames]')) {
    const slider = stepper.querySelector('input');
    const soon = () => load(stepper).catch(() => {});
    for (const event of ['focus', 'pointerenter', 'touchstart']) {
      slider.addEventListener(event, soon, { once: true, passive: true });
    }
    slider.addEventListener('input', () => show(stepper, slider));
  }
})();
