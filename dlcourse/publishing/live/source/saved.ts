// Saved widgets whose controls have nothing to move before the page runs: that is said beside them.
import { make } from './controls';
import { words } from './words';

export function noteSavedWidgets(): void {
  const note = (): void => {
    for (const place of document.querySelectorAll<HTMLElement>('.widget-subarea[data-saved]')) {
      delete place.dataset.saved;
      place.append(make('p', 'dl-said', words.savedWidget));
    }
  };
  document.addEventListener('widgetsshown', note);
  note();
}
