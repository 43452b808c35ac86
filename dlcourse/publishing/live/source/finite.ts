/**
 * Whether all numbers in memory are finite (AssemblyScript, not TypeScript: `asc` compiles it).
 *
 * `floats.ts` asks this of what NumPy has computed, each time: it costs a small part of the computation itself.
 */

/** NumPy's number of the type float32; the other type is float64. */
const FLOAT: i32 = 11;

/** Return the place of the first number that is infinite or none at all (or 0, where `zeros` asks for that), or `count`. */
export function unusual(type: i32, address: usize, step: i32, count: i32, zeros: bool): i32 {
  return type == FLOAT ? first<f32>(address, step, count, zeros) : first<f64>(address, step, count, zeros);
}

function first<T extends number>(address: usize, step: i32, count: i32, zeros: bool): i32 {
  const size = <i32>sizeof<T>();
  let k: i32 = 0;
  if (step == size) {
    // Four vectors at a time: x - x is 0, or not a number.
    const block = 64 / size;
    const zero = v128.splat<T>(<T>0);
    for (; k + block <= count; k += block) {
      const at = address + <usize>(k * size);
      const a = v128.load(at);
      const b = v128.load(at, 16);
      const c = v128.load(at, 32);
      const d = v128.load(at, 48);
      const ab = v128.add<T>(v128.sub<T>(a, a), v128.sub<T>(b, b));
      const cd = v128.add<T>(v128.sub<T>(c, c), v128.sub<T>(d, d));
      if (!v128.all_true<i32>(v128.eq<T>(v128.add<T>(ab, cd), zero))) break;
      if (!zeros) continue;
      const none = v128.or(v128.eq<T>(a, zero), v128.eq<T>(b, zero));
      if (v128.any_true(v128.or(none, v128.or(v128.eq<T>(c, zero), v128.eq<T>(d, zero))))) break;
    }
  }
  for (; k < count; k++) {
    const x = load<T>(address + <usize>(k * step));
    if (x - x != <T>0 || (zeros && x == <T>0)) return k;
  }
  return count;
}
