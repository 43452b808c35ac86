// Widgets whose model is in the worker.
import type { Kernel } from './kernel';

export class LiveWidgets {
  constructor(readonly kernel: Kernel) {}

  async render(_modelId: string, _host: HTMLElement): Promise<void> {}
}
