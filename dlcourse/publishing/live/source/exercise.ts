// An exercise on its page: checks, their sentences, the notebook to hand in.
import type { LivePage } from './page';

export function makeExercise(_page: LivePage): void {}
