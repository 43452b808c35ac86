// Entry of live.js, on every page: puts the button and restores what was earned; the rest is loaded on press.
import { offer } from './offer';
import { markProgress } from './progress';

const { src } = document.currentScript as HTMLScriptElement;
const root = new URL('../../', src).href;

offer(root);
markProgress(root);
