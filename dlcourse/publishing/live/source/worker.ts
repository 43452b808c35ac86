// The worker: downloads Python, runs it, and passes messages.
export {};
