// Floating-point errors. A processor notes "overflow", "divide by zero" and "invalid value" in flags; NumPy asks for them
// after each operation and warns, or raises, as numpy.errstate says. WebAssembly has no such flags. So NumPy's inner
// loops are watched: where a result is infinite or not a number and its inputs do not explain that, the flag is set that a
// processor would have set, and NumPy, which asks as ever, says the rest. See dlcourse_live/overflow.py.
import code from './finite.wasm';
import type { Pyodide } from './pyodide';

/** The flags as NumPy numbers them (NPY_FPE_*). */
const DIVIDE = 1;
const OVERFLOW = 2;
const INVALID = 8;
const ALL = DIVIDE | OVERFLOW | INVALID;

/** So many results are explained, from the first that is not finite on: a network that diverged shall not be slow, too. */
const MOST = 10_000;

/** Numbers of NumPy's types (NPY_TYPES). */
const FLOAT = 11;
const DOUBLE = 12;

/** Whether a result that is infinite though its inputs are finite lies at a pole: else it is too large. */
type Pole = (x: number, y: number) => boolean;
const always: Pole = () => true;
const never: Pole = () => false;
const first: Pole = (x) => x === 0;
const second: Pole = (_, y) => y === 0;
/** The pole for which each input must be known. */
const DECIDES = [first, second];
const POLES: Record<string, Pole> = {
  divide: second,
  floor_divide: second,
  divmod: second,
  reciprocal: first,
  power: first,
  float_power: first,
  log: always,
  log2: always,
  log10: always,
  log1p: always,
  arctanh: always,
};
/** What whole numbers complain of is a divisor 0. */
const WHOLE = ['floor_divide', 'remainder', 'fmod', 'divmod'];

/** Operators of two scalars: the place in PyNumberMethods, the name, and what is computed. */
const OPERATORS: [number, string, (x: number, y: number) => number][] = [
  [0, 'add', (x, y) => x + y],
  [1, 'subtract', (x, y) => x - y],
  [2, 'multiply', (x, y) => x * y],
  [3, 'remainder', (x, y) => x % y],
  [5, 'power', (x, y) => x ** y],
  [29, 'floor_divide', (x, y) => (Number.isFinite(x) ? x / y : NaN)],
  [30, 'divide', (x, y) => x / y],
];
const POWER = 5;
const TRUE_DIVIDE = 30;

// Where the parts of C's structures lie, in numbers of 4 bytes: PyUFuncObject, PyTypeObject, and what a scalar holds.
const NIN = 2;
const NOUT = 3;
const FUNCTIONS = 6;
const DATA = 7;
const NTYPES = 8;
const UFUNC_NAME = 10;
const UFUNC_TYPES = 11;
const TYPE_NAME = 3;
const TYPE_AS_NUMBER = 12;
const VALUE = 2;

/** The parts of Emscripten's module that are used; its memory grows, so the views are asked for anew each time. */
interface Emscripten {
  HEAP8: Int8Array;
  HEAPU8: Uint8Array;
  HEAP32: Int32Array;
  HEAPU32: Uint32Array;
  HEAPF32: Float32Array;
  HEAPF64: Float64Array;
  memory: WebAssembly.Memory;
  LDSO: { loadedLibsByName: Record<string, { exports: Record<string, unknown> }> };
  addFunction(call: (...numbers: number[]) => number | void, signature: string): number;
  getWasmTableEntry(index: number): (...numbers: number[]) => number;
  _malloc(bytes: number): number;
}

/** finite.ts. */
interface Finite {
  unusual(type: number, address: number, step: number, count: number, zeros?: boolean): number;
}

/** An inner loop, with what there is to know about it. */
interface Watched {
  loop: (...numbers: number[]) => number;
  data: number;
  inputs: number[];
  outputs: number[];
  pole: Pole;
}

type Floats = Float32Array | Float64Array;

const floating = (type: number): boolean => type === FLOAT || type === DOUBLE;
const one = (_: number): number => 1;

/** Sort a number: 0 finite, 1 infinite, 2 not a number. */
const FINITE = 0;
const NAN = 2;
const sort = (x: number): number => (x - x === 0 ? FINITE : x === x ? 1 : NAN);

/** What a processor notes of a result that is not finite. */
function noted(result: number, x: number, y: number, pole: Pole): number {
  const inputs = Math.max(sort(x), sort(y));
  if (inputs === NAN) return 0;
  if (result !== result) return INVALID;
  return inputs !== FINITE ? 0 : pole(x, y) ? DIVIDE : OVERFLOW;
}

/**
 * Give Python the module `dlcourse_floats`; to be called before NumPy is loaded, which binds the functions found then.
 *
 * @param pyodide what loadPyodide returned
 */
export function install(pyodide: Pick<Pyodide, '_module' | 'registerJsModule'>): void {
  const module = pyodide._module as Emscripten;
  let flags = 0;
  /** What the operation on two scalars that is about to run will note: it asks once to clear, and once to know. */
  let coming = 0;
  /** What `feraiseexcept` is about: NumPy's flags are all 0 where C has none. */
  let meant = 0;
  const watched: Watched[] = [];

  const functions = module.LDSO.loadedLibsByName['__main__']!.exports;
  functions['fetestexcept'] = (): number => {
    const raised = flags;
    flags = coming;
    coming = 0;
    return raised;
  };
  functions['feraiseexcept'] = (flag: number): number => {
    flags |= flag || meant;
    return 0;
  };

  const signed = (at: number, k: number): number => module.HEAP32[(at >>> 2) + k]!;
  const pointer = (at: number, k: number): number => module.HEAPU32[(at >>> 2) + k]!;
  const memory = (type: number): Floats => (type === FLOAT ? module.HEAPF32 : module.HEAPF64);
  const shift = (type: number): number => (type === FLOAT ? 2 : 3);

  function text(at: number): string {
    return String.fromCharCode(...module.HEAPU8.subarray(at, module.HEAPU8.indexOf(0, at)));
  }

  const finite = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory: module.memory } });
  const { unusual } = finite.exports as unknown as Finite;

  function reader(type: number, address: number, step: number): (k: number) => number {
    const numbers = memory(type);
    const start = address >>> shift(type);
    const stride = step >> shift(type);
    return (k) => numbers[start + k * stride]!;
  }

  /** Copy some numbers. */
  function numbersAt(type: number, address: number, step: number, count: number): Floats {
    const numbers = memory(type);
    const start = address >>> shift(type);
    const stride = step >> shift(type);
    if (stride === 1) return numbers.slice(start, start + count);
    return Float64Array.from({ length: count }, (_, k) => numbers[start + k * stride]!);
  }

  /** Return the worst sort of some numbers. */
  function worst(type: number, address: number, step: number, count: number): number {
    const at = reader(type, address, step);
    let kind = FINITE;
    for (let k = unusual(type, address, step, count); k < count && kind !== NAN; k++) kind = Math.max(kind, sort(at(k)));
    return kind;
  }

  /** Run a loop over elements, or a reduction. */
  function elements(args: number, sizes: number, steps: number, id: number): void {
    const { loop, data, inputs, outputs, pole } = watched[id]!;
    const count = signed(sizes, 0);
    const n = inputs.length;
    const place = pointer(args, n);
    const reduces = n === 2 && pointer(args, 0) === place && signed(steps, 0) === 0 && signed(steps, 2) === 0;
    const held = reduces ? 1 : count;
    // An input in whose place the result is written must be read before, where it may explain the result.
    let kept: ((k: number) => number)[] | undefined;
    for (let i = 0; i < n; i++) {
      const type = inputs[i]!;
      if (pointer(args, i) !== place || !floating(type)) continue;
      if (unusual(type, place, signed(steps, i), held, pole === DECIDES[i]) === held) continue;
      const copy = numbersAt(type, place, signed(steps, i), held);
      (kept ??= [])[i] = (k) => copy[k]!;
    }
    loop(args, sizes, steps, data);
    for (let j = n; j < n + outputs.length; j++) {
      const type = outputs[j - n]!;
      const step = signed(steps, j);
      const from = floating(type) ? unusual(type, pointer(args, j), step, held) : held;
      if (from === held) continue;
      const result = reader(type, pointer(args, j), step);
      if (reduces) {
        const before = kept?.[0] ? sort(kept[0](0)) : FINITE;
        const terms = Math.max(before, worst(inputs[1]!, pointer(args, 1), signed(steps, 1), count));
        if (terms !== NAN && result(0) !== result(0)) flags |= INVALID;
        if (terms === FINITE) flags |= OVERFLOW;
        continue;
      }
      const [x, y = one] = inputs.map((kind, i) => {
        if (kept?.[i]) return kept[i];
        return floating(kind) && pointer(args, i) !== place ? reader(kind, pointer(args, i), signed(steps, i)) : one;
      }) as [typeof one, (typeof one)?];
      let found = 0;
      for (let k = from; k < Math.min(count, from + MOST) && found !== ALL; k++) {
        const value = result(k);
        if (value - value !== 0) found |= noted(value, x(k), y(k), pole);
      }
      flags |= found;
    }
  }

  /** Run products of matrices; the sizes are those of outer dimensions, and m, n, p. */
  function products(args: number, sizes: number, steps: number, id: number): void {
    const { loop, data, outputs } = watched[id]!;
    const type = outputs[0]!;
    loop(args, sizes, steps, data);
    const [outer, m, n, p] = [0, 1, 2, 3].map((k) => signed(sizes, k)) as [number, number, number, number];
    const [a, b, result] = [0, 1, 2].map((k) => pointer(args, k)) as [number, number, number];
    const step = (k: number): number => signed(steps, k);
    for (let o = 0; o < outer; o++) {
      const row = (i: number): number => result + o * step(2) + i * step(7);
      let columns: number[] | undefined;
      for (let i = 0; i < m; i++) {
        const from = unusual(type, row(i), step(8), p);
        if (from === p) continue;
        columns ??= Array.from({ length: p }, (_, k) => worst(type, b + o * step(1) + k * step(6), step(5), n));
        const left = worst(type, a + o * step(0) + i * step(3), step(4), n);
        const value = reader(type, row(i), step(8));
        for (let k = from; k < p; k++) {
          const terms = Math.max(left, columns[k]!);
          if (terms === NAN || sort(value(k)) === FINITE) continue;
          if (value(k) !== value(k)) flags |= INVALID;
          if (terms === FINITE) flags |= OVERFLOW;
        }
      }
    }
  }

  /** Run a loop over whole numbers. */
  function whole(args: number, sizes: number, steps: number, id: number): void {
    const { loop, data } = watched[id]!;
    meant = DIVIDE;
    loop(args, sizes, steps, data);
    meant = 0;
  }

  const [forElements, forProducts, forWhole] = [elements, products, whole].map((run) =>
    module.addFunction(run as (...numbers: number[]) => void, 'viiii'),
  ) as [number, number, number];

  /**
   * Watch the loops of a ufunc.
   *
   * @param address where its PyUFuncObject lies: `id(ufunc)`
   * @param name `ufunc.__name__`
   * @returns whether what lies there is that ufunc
   */
  function ufunc(address: number, name: string): boolean {
    const [nin, nout, count] = [NIN, NOUT, NTYPES].map((k) => signed(address, k)) as [number, number, number];
    if (text(pointer(address, UFUNC_NAME)) !== name || count < 1) return false;
    const made = { functions: module._malloc(4 * count), data: module._malloc(4 * count) };
    const old = { functions: pointer(address, FUNCTIONS), data: pointer(address, DATA) };
    for (let k = 0; k < count; k++) {
      const at = pointer(address, UFUNC_TYPES) + k * (nin + nout);
      const types = [...module.HEAP8.subarray(at, at + nin + nout)];
      const run = types.slice(nin).some(floating)
        ? name === 'matmul'
          ? forProducts
          : forElements
        : WHOLE.includes(name)
          ? forWhole
          : undefined;
      const was = { loop: pointer(old.functions, k), data: old.data ? pointer(old.data, k) : 0 };
      // The loop gets its number as the data that C passes on to it.
      module.HEAPU32[(made.functions >>> 2) + k] = run ?? was.loop;
      module.HEAPU32[(made.data >>> 2) + k] = run === undefined ? was.data : watched.length;
      if (run !== undefined) {
        const loop = module.getWasmTableEntry(was.loop);
        watched.push({ loop, data: was.data, inputs: types.slice(0, nin), outputs: types.slice(nin), pole: POLES[name] ?? never });
      }
    }
    module.HEAPU32[(address >>> 2) + FUNCTIONS] = made.functions;
    module.HEAPU32[(address >>> 2) + DATA] = made.data;
    return true;
  }

  /** How to read a scalar, by the address of its type. */
  const readers = new Map<number, (at: number) => number>();
  /** The types whose numbers have 4 bytes, and those that take the size of what they meet. */
  const singles = new Set<number>();
  const weak = new Set<number>();

  const readAs: Record<string, (at: number) => number> = {
    f4: (at) => module.HEAPF32[(at >>> 2) + VALUE]!,
    f8: (at) => module.HEAPF64[(at >>> 3) + VALUE / 2]!,
    i4: (at) => signed(at, VALUE),
    i8: (at) => signed(at, VALUE + 1) * 2 ** 32 + pointer(at, VALUE),
    // CPython's own: a sign and a count of digits, then digits of 30 bits. More than one digit is never 0, nor too large.
    int: (at) => (pointer(at, VALUE) >>> 3 > 1 ? 2 ** 30 : pointer(at, VALUE + 1)) * (1 - (pointer(at, VALUE) & 3)),
  };

  /**
   * Watch the operators of a type of scalars, or learn to read it.
   *
   * @param address where its PyTypeObject lies: `id(type)`
   * @param name its name in C
   * @param kind "f4", "f8", "i4", "i8" or "int"
   * @param own whether its operators are NumPy's
   * @returns whether what lies there is that type
   */
  function scalar(address: number, name: string, kind: string, own: boolean): boolean {
    if (text(pointer(address, TYPE_NAME)) !== name) return false;
    readers.set(address, readAs[kind]!);
    if (kind === 'f4') singles.add(address);
    if (!own) {
      weak.add(address);
      return true;
    }
    const table = pointer(address, TYPE_AS_NUMBER) >>> 2;
    for (const [place, operator, compute] of OPERATORS) {
      if (kind.startsWith('i') && place !== TRUE_DIVIDE) continue;
      const old = module.getWasmTableEntry(module.HEAPU32[table + place]!);
      const pole = POLES[operator] ?? never;
      const run = (left: number, right: number, modulus: number): number => {
        const types = [pointer(left, 1), pointer(right, 1)] as [number, number];
        const [x, y] = [readers.get(types[0])?.(left), readers.get(types[1])?.(right)];
        if (x !== undefined && y !== undefined) {
          const exact = compute(x, y);
          const small = types.every((type) => singles.has(type) || weak.has(type)) && types.some((type) => singles.has(type));
          const value = small ? Math.fround(exact) : exact;
          if (value - value !== 0) coming = noted(value, x, y, pole);
        }
        const made = place === POWER ? old(left, right, modulus) : old(left, right);
        flags = coming = 0;
        return made;
      };
      module.HEAPU32[table + place] = module.addFunction(run as (...numbers: number[]) => number, place === POWER ? 'iiii' : 'iii');
    }
    return true;
  }

  pyodide.registerJsModule('dlcourse_floats', { ufunc, scalar });
}
