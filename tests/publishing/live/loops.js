// Compares the loops of matmul.ts with sums written out, for matrices of many sizes and layouts.
//
// Called with the bytes of a module in base64 and the number of cases; returns what went wrong, in words.
({ code, cases }) => {
  const bytes = Uint8Array.from(atob(code), (letter) => letter.charCodeAt(0));
  const memory = new WebAssembly.Memory({ initial: 640 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  const view = new DataView(memory.buffer);
  const all = new Uint8Array(memory.buffer);
  const CALL = 1024;
  const SCRATCH = 65536;
  exports.prepare(SCRATCH);

  let state = 1;
  const random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const pick = (of) => of[Math.floor(random() * of.length)];
  const length = () => pick([1, 2, 3, 4, 5, 7, 8, 9, 16, 31, 33, 64]);

  // A stack of matrices somewhere in [from, ...): in which order, with which gaps, in which direction.
  const place = (from, count, rows, columns, size, written) => {
    const extents = [count, rows, columns];
    const steps = [0, 0, 0];
    let step = size * pick([1, 1, 1, 1, 2, 3]);
    for (const axis of pick([[2, 1, 0], [1, 2, 0], [2, 0, 1], [0, 1, 2]])) {
      steps[axis] = step * pick([1, 1, 1, -1]);
      step *= Math.max(1, extents[axis]);
      step += size * pick([0, 0, 1, 5]);
      if (!written && random() < 0.05) steps[axis] = 0;
    }
    const lowest = steps.reduce((sum, each, axis) => sum + Math.min(0, each * (extents[axis] - 1)), 0);
    const base = from - lowest + pick([0, 0, 0, 1, 4]);
    return { base, steps, at: (i, j, l) => base + i * steps[0] + j * steps[1] + l * steps[2], end: from + step + 8 };
  };

  const problems = [];
  for (let number = 0; number < cases; number++) {
    const size = pick([4, 8]);
    const read = (at) => (size === 4 ? view.getFloat32(at, true) : view.getFloat64(at, true));
    const write = (at, value) => (size === 4 ? view.setFloat32(at, value, true) : view.setFloat64(at, value, true));
    const lengths = [length(), length(), length()];
    // Now and then beyond a block, or nothing at all.
    if (random() < 0.06) lengths[pick([0, 1, 2])] = pick([0, 130, 257, 515, 600]);
    const [m, k, n] = lengths;
    const count = pick([1, 1, 1, 1, 0, 2, 3]);
    const a = place(2 ** 22, count, m, k, size, false);
    const b = place(2 ** 23, count, k, n, size, false);
    const c = place(2 ** 24, count, m, n, size, true);
    for (let i = 0; i < count; i++) {
      for (let p = 0; p < k; p++) {
        for (let j = 0; j < m; j++) write(a.at(i, j, p), random() * 2 - 1);
        for (let j = 0; j < n; j++) write(b.at(i, p, j), random() * 2 - 1);
      }
    }
    all.fill(0xa5, 2 ** 24 - 64, c.end + 64);
    const words = [a.base, b.base, c.base, count, m, k, n];
    words.push(a.steps[0], b.steps[0], c.steps[0]);
    words.push(a.steps[1], a.steps[2], b.steps[1], b.steps[2], c.steps[1], c.steps[2]);
    words.forEach((word, at) => view.setInt32(CALL + 4 * at, word, true));
    exports[size === 4 ? 'floats' : 'doubles'](CALL, CALL + 12, CALL + 28, 0);

    const said = `(${count}, ${m}, ${k}) @ (${k}, ${n}) of ${size} bytes, steps ${words.slice(7)}`;
    let worst = 0;
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < m; j++) {
        for (let l = 0; l < n; l++) {
          let sum = 0;
          for (let p = 0; p < k; p++) sum += read(a.at(i, j, p)) * read(b.at(i, p, l));
          const error = Math.abs(read(c.at(i, j, l)) - sum);
          worst = Number.isNaN(error) ? Infinity : Math.max(worst, error);
          for (let byte = 0; byte < size; byte++) all[c.at(i, j, l) + byte] = 0xa5;
        }
      }
    }
    if (worst > (k + 8) * 2 ** (size === 4 ? -24 : -53)) problems.push(`${said}: wrong by ${worst}`);
    for (let at = 2 ** 24 - 64; at < c.end + 64; at++) {
      if (all[at] !== 0xa5) {
        problems.push(`${said}: wrote at ${at - c.base}, which is none of its places`);
        break;
      }
    }
  }
  return problems.slice(0, 5);
}
