// Entry of live.js, on every page: puts the button and restores what was earned; the rest is loaded on press.
export {};
