/**
 * A matrix product for NumPy in WebAssembly (AssemblyScript, not TypeScript: `asc` compiles it).
 *
 * The NumPy of Pyodide has no BLAS: its own loops do about one billion operations a second, a twentieth of what one
 * core can do with vectors of 128 bits. The exported functions have the signature of the inner loops of `np.matmul`
 * and work in Pyodide's memory; `products.ts` puts them in the place of NumPy's.
 *
 * The method is that of Goto and van de Geijn (Anatomy of High-Performance Matrix Multiplication, ACM TOMS 34(3),
 * 2008): blocks of both matrices are copied into panels that stay in the caches, and a kernel that keeps a tile of the
 * result in registers walks along them. Copying takes any strides, so that a transposed operand costs nothing.
 */

// A tile of the result: four rows of two vectors, which are eight of the sixteen registers that x86-64 has.
const ROWS: i32 = 4;
const TILE_BYTES: i32 = 32;

// Blocks: a panel of the right matrix (DEPTH rows of a tile) stays in the first cache, the block of the left one
// (BLOCK_ROWS x DEPTH) in the second.
const DEPTH: i32 = 256;
const BLOCK_ROWS: i32 = 128;
const BLOCK_BYTES: i32 = 2048;

// Where the scratch memory lies, which the caller has allocated in the heap that Python uses.
let left: usize = 0;
let right: usize = 0;
let corner: usize = 0;

/** Say how many bytes of scratch memory the loops need. */
export function needed(): i32 {
  return 64 + DEPTH * BLOCK_BYTES + BLOCK_ROWS * DEPTH * 8 + ROWS * TILE_BYTES;
}

/** Take the scratch memory at an address. */
export function prepare(address: usize): void {
  right = (address + 63) & ~63;
  left = right + <usize>(DEPTH * BLOCK_BYTES);
  corner = left + <usize>(BLOCK_ROWS * DEPTH * 8);
}

/** One inner loop of `np.matmul` for float32: arguments, dimensions, steps, and nothing. */
export function floats(args: usize, dimensions: usize, steps: usize, data: usize): void {
  outer<f32>(args, dimensions, steps);
}

/** The same for float64. */
export function doubles(args: usize, dimensions: usize, steps: usize, data: usize): void {
  outer<f64>(args, dimensions, steps);
}

@inline
function item(address: usize, place: i32): i32 {
  return load<i32>(address + (<usize>place << 2));
}

function outer<T>(args: usize, dimensions: usize, steps: usize): void {
  let a = load<usize>(args);
  let b = load<usize>(args, 4);
  let c = load<usize>(args, 8);
  const count = item(dimensions, 0);
  for (let i = 0; i < count; i++) {
    one<T>(
      a, b, c, item(dimensions, 1), item(dimensions, 2), item(dimensions, 3),
      item(steps, 3), item(steps, 4), item(steps, 5), item(steps, 6), item(steps, 7), item(steps, 8),
    );
    a += item(steps, 0);
    b += item(steps, 1);
    c += item(steps, 2);
  }
}

/** Multiply an (m, k) and a (k, n) matrix, each with the strides of its rows and columns in bytes. */
function one<T>(
  a: usize, b: usize, c: usize, m: i32, k: i32, n: i32,
  a_m: i32, a_k: i32, b_k: i32, b_n: i32, c_m: i32, c_n: i32,
): void {
  if (m == 0 || n == 0) return;
  if (n == 1) {
    by_vector<T>(a, b, c, m, k, a_m, a_k, b_k, c_m);
  } else if (m == 1) {
    by_vector<T>(b, a, c, n, k, b_n, b_k, a_k, c_n);
  } else if (k < 4 || <f64>m * n * k < 256) {
    small<T>(a, b, c, m, k, n, a_m, a_k, b_k, b_n, c_m, c_n);
  } else if (c_m == sizeof<T>() && c_n != sizeof<T>()) {
    // The result lies by columns: its transpose, the product of the transposed in the other order, lies by rows.
    blocked<T>(b, a, c, n, k, m, b_n, b_k, a_k, a_m, c_n, c_m);
  } else {
    blocked<T>(a, b, c, m, k, n, a_m, a_k, b_k, b_n, c_m, c_n);
  }
}

/** Multiply matrices too small for panels. */
function small<T>(
  a: usize, b: usize, c: usize, m: i32, k: i32, n: i32,
  a_m: i32, a_k: i32, b_k: i32, b_n: i32, c_m: i32, c_n: i32,
): void {
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum: T = 0;
      let x = a + i * a_m;
      let y = b + j * b_n;
      for (let p = 0; p < k; p++) {
        sum += load<T>(x) * load<T>(y);
        x += a_k;
        y += b_k;
      }
      store<T>(c + i * c_m + j * c_n, sum);
    }
  }
}

/** Multiply an (m, k) matrix and a vector. */
function by_vector<T>(a: usize, x: usize, y: usize, m: i32, k: i32, a_m: i32, a_k: i32, x_k: i32, y_m: i32): void {
  const size: i32 = sizeof<T>();
  const lanes = 16 / size;
  if (a_k == size && x_k == size && k >= lanes) {
    for (let i = 0; i < m; i++) store<T>(y + i * y_m, dot<T>(a + i * a_m, x, k));
  } else if (a_m == size && y_m == size && m >= lanes) {
    columns<T>(a, x, y, m, k, a_k, x_k);
  } else {
    for (let i = 0; i < m; i++) {
      let sum: T = 0;
      let from = a + i * a_m;
      let by = x;
      for (let p = 0; p < k; p++) {
        sum += load<T>(from) * load<T>(by);
        from += a_k;
        by += x_k;
      }
      store<T>(y + i * y_m, sum);
    }
  }
}

/** Multiply two vectors that lie without gaps, in four partial sums so that additions need not wait for each other. */
@inline
function dot<T>(a: usize, x: usize, k: i32): T {
  const bytes = k * sizeof<T>();
  let s0 = v128.splat<T>(0);
  let s1 = v128.splat<T>(0);
  let s2 = v128.splat<T>(0);
  let s3 = v128.splat<T>(0);
  let at: i32 = 0;
  for (; at + 64 <= bytes; at += 64) {
    s0 = multiply_add<T>(v128.load(a + at), v128.load(x + at), s0);
    s1 = multiply_add<T>(v128.load(a + at, 16), v128.load(x + at, 16), s1);
    s2 = multiply_add<T>(v128.load(a + at, 32), v128.load(x + at, 32), s2);
    s3 = multiply_add<T>(v128.load(a + at, 48), v128.load(x + at, 48), s3);
  }
  for (; at + 16 <= bytes; at += 16) s0 = multiply_add<T>(v128.load(a + at), v128.load(x + at), s0);
  let sum = lanes_sum<T>(v128.add<T>(v128.add<T>(s0, s1), v128.add<T>(s2, s3)));
  for (; at < bytes; at += sizeof<T>()) sum += load<T>(a + at) * load<T>(x + at);
  return sum;
}

@inline
function lanes_sum<T>(s: v128): T {
  if (sizeof<T>() == 4) {
    return <T>(f32x4.extract_lane(s, 0) + f32x4.extract_lane(s, 1) + (f32x4.extract_lane(s, 2) + f32x4.extract_lane(s, 3)));
  }
  return <T>(f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1));
}

/** Add the columns of a matrix, each times a number: four of them at once, so that the sums are written less often. */
function columns<T>(a: usize, x: usize, y: usize, m: i32, k: i32, a_k: i32, x_k: i32): void {
  const bytes = m * sizeof<T>();
  memory.fill(y, 0, bytes);
  let p = 0;
  for (; p + 4 <= k; p += 4) {
    const x0 = load<T>(x);
    const x1 = load<T>(x + x_k);
    const x2 = load<T>(x + 2 * x_k);
    const x3 = load<T>(x + 3 * x_k);
    const v0 = v128.splat<T>(x0);
    const v1 = v128.splat<T>(x1);
    const v2 = v128.splat<T>(x2);
    const v3 = v128.splat<T>(x3);
    const a1 = a + a_k;
    const a2 = a1 + a_k;
    const a3 = a2 + a_k;
    let at = 0;
    for (; at + 16 <= bytes; at += 16) {
      const s = multiply_add<T>(v128.load(a + at), v0, v128.load(y + at));
      const t = multiply_add<T>(v128.load(a1 + at), v1, s);
      const u = multiply_add<T>(v128.load(a2 + at), v2, t);
      v128.store(y + at, multiply_add<T>(v128.load(a3 + at), v3, u));
    }
    for (; at < bytes; at += sizeof<T>()) {
      const s = load<T>(a + at) * x0 + load<T>(a1 + at) * x1 + load<T>(a2 + at) * x2 + load<T>(a3 + at) * x3;
      store<T>(y + at, load<T>(y + at) + s);
    }
    a = a3 + a_k;
    x += 4 * x_k;
  }
  for (; p < k; p++) {
    const x0 = load<T>(x);
    const v0 = v128.splat<T>(x0);
    let at = 0;
    for (; at + 16 <= bytes; at += 16) v128.store(y + at, multiply_add<T>(v128.load(a + at), v0, v128.load(y + at)));
    for (; at < bytes; at += sizeof<T>()) store<T>(y + at, load<T>(y + at) + load<T>(a + at) * x0);
    a += a_k;
    x += x_k;
  }
}

/** Compute x y + z in every lane: in one instruction where the engine has it. */
@inline
function multiply_add<T>(x: v128, y: v128, z: v128): v128 {
  if (FUSED) {
    return v128.relaxed_madd<T>(x, y, z);
  } else {
    return v128.add<T>(v128.mul<T>(x, y), z);
  }
}

/** Multiply matrices block by block. */
function blocked<T>(
  a: usize, b: usize, c: usize, m: i32, k: i32, n: i32,
  a_m: i32, a_k: i32, b_k: i32, b_n: i32, c_m: i32, c_n: i32,
): void {
  const across: i32 = TILE_BYTES / sizeof<T>();
  const wide: i32 = BLOCK_BYTES / sizeof<T>();
  for (let j0 = 0; j0 < n; j0 += wide) {
    const columns = min(wide, n - j0);
    for (let p0 = 0; p0 < k; p0 += DEPTH) {
      const depth = min(DEPTH, k - p0);
      pack<T>(right, b + p0 * b_k + j0 * b_n, columns, depth, b_n, b_k, across);
      for (let i0 = 0; i0 < m; i0 += BLOCK_ROWS) {
        const rows = min(BLOCK_ROWS, m - i0);
        pack<T>(left, a + i0 * a_m + p0 * a_k, rows, depth, a_m, a_k, ROWS);
        for (let j = 0; j < columns; j += across) {
          const panel = right + <usize>(j * depth * sizeof<T>());
          const valid = min(across, columns - j);
          for (let i = 0; i < rows; i += ROWS) {
            tile<T>(
              left + <usize>(i * depth * sizeof<T>()), panel, depth, c + (i0 + i) * c_m + (j0 + j) * c_n,
              c_m, c_n, min(ROWS, rows - i), valid, p0 == 0,
            );
          }
        }
      }
    }
  }
}

/**
 * Copy a block into panels: the numbers of one step along the depth beside each other, `across` at a time.
 *
 * The last panel is filled up with zeros, which add nothing to what is kept.
 */
function pack<T>(to: usize, from: usize, count: i32, depth: i32, step: i32, step_depth: i32, across: i32): void {
  const size: i32 = sizeof<T>();
  for (let j = 0; j < count; j += across) {
    const valid = min(across, count - j);
    if (valid < across) {
      memory.fill(to, 0, depth * across * size);
      for (let q = 0; q < valid; q++) {
        let at = from + q * step;
        let into = to + q * size;
        for (let p = 0; p < depth; p++) {
          store<T>(into, load<T>(at));
          at += step_depth;
          into += across * size;
        }
      }
      to += depth * across * size;
    } else if (step == size) {
      const bytes = across * size;
      let at = from;
      for (let p = 0; p < depth; p++) {
        for (let q = 0; q < bytes; q += 16) v128.store(to + q, v128.load(at + q));
        to += bytes;
        at += step_depth;
      }
    } else if (step_depth == size) {
      for (let q = 0; q < across; q += 4) four_lines<T>(to + q * size, from + q * step, depth, step, across * size);
      to += depth * across * size;
    } else {
      for (let p = 0; p < depth; p++) {
        let at = from + p * step_depth;
        for (let q = 0; q < across; q++) {
          store<T>(to + q * size, load<T>(at));
          at += step;
        }
        to += across * size;
      }
    }
    from += across * step;
  }
}

/** Copy four lines of numbers without gaps so that they stand beside each other: a transposition. */
@inline
function four_lines<T>(to: usize, from: usize, depth: i32, step: i32, apart: i32): void {
  let r0 = from;
  let r1 = r0 + step;
  let r2 = r1 + step;
  let r3 = r2 + step;
  let p = 0;
  if (sizeof<T>() == 4) {
    for (; p + 4 <= depth; p += 4) {
      const x0 = v128.load(r0);
      const x1 = v128.load(r1);
      const x2 = v128.load(r2);
      const x3 = v128.load(r3);
      const low = i32x4.shuffle(x0, x1, 0, 4, 1, 5);
      const high = i32x4.shuffle(x0, x1, 2, 6, 3, 7);
      const low2 = i32x4.shuffle(x2, x3, 0, 4, 1, 5);
      const high2 = i32x4.shuffle(x2, x3, 2, 6, 3, 7);
      v128.store(to, i64x2.shuffle(low, low2, 0, 2));
      v128.store(to + apart, i64x2.shuffle(low, low2, 1, 3));
      v128.store(to + 2 * apart, i64x2.shuffle(high, high2, 0, 2));
      v128.store(to + 3 * apart, i64x2.shuffle(high, high2, 1, 3));
      to += 4 * apart;
      r0 += 16;
      r1 += 16;
      r2 += 16;
      r3 += 16;
    }
  }
  for (; p < depth; p++) {
    store<T>(to, load<T>(r0));
    store<T>(to + sizeof<T>(), load<T>(r1));
    store<T>(to + 2 * sizeof<T>(), load<T>(r2));
    store<T>(to + 3 * sizeof<T>(), load<T>(r3));
    to += apart;
    r0 += sizeof<T>();
    r1 += sizeof<T>();
    r2 += sizeof<T>();
    r3 += sizeof<T>();
  }
}

/** Multiply a panel of four rows by one of two vectors, and write or add the tile that this gives. */
function tile<T>(
  x: usize, y: usize, depth: i32, c: usize, c_m: i32, c_n: i32, rows: i32, valid: i32, first: bool,
): void {
  let c00 = v128.splat<T>(0);
  let c01 = c00;
  let c10 = c00;
  let c11 = c00;
  let c20 = c00;
  let c21 = c00;
  let c30 = c00;
  let c31 = c00;
  const size: usize = sizeof<T>();
  const end = x + <usize>(depth * ROWS) * size;
  for (; x < end; x += <usize>ROWS * size) {
    const y0 = v128.load(y);
    const y1 = v128.load(y, 16);
    y += TILE_BYTES;
    let v = v128.load_splat<T>(x);
    c00 = multiply_add<T>(v, y0, c00);
    c01 = multiply_add<T>(v, y1, c01);
    v = v128.load_splat<T>(x + size);
    c10 = multiply_add<T>(v, y0, c10);
    c11 = multiply_add<T>(v, y1, c11);
    v = v128.load_splat<T>(x + 2 * size);
    c20 = multiply_add<T>(v, y0, c20);
    c21 = multiply_add<T>(v, y1, c21);
    v = v128.load_splat<T>(x + 3 * size);
    c30 = multiply_add<T>(v, y0, c30);
    c31 = multiply_add<T>(v, y1, c31);
  }
  const whole = rows == ROWS && valid == TILE_BYTES / sizeof<T>() && c_n == sizeof<T>();
  if (whole && !first) {
    c00 = v128.add<T>(c00, v128.load(c));
    c01 = v128.add<T>(c01, v128.load(c, 16));
    c10 = v128.add<T>(c10, v128.load(c + c_m));
    c11 = v128.add<T>(c11, v128.load(c + c_m, 16));
    c20 = v128.add<T>(c20, v128.load(c + 2 * c_m));
    c21 = v128.add<T>(c21, v128.load(c + 2 * c_m, 16));
    c30 = v128.add<T>(c30, v128.load(c + 3 * c_m));
    c31 = v128.add<T>(c31, v128.load(c + 3 * c_m, 16));
  }
  let to = whole ? c : corner;
  const apart = whole ? c_m : TILE_BYTES;
  v128.store(to, c00);
  v128.store(to, c01, 16);
  to += apart;
  v128.store(to, c10);
  v128.store(to, c11, 16);
  to += apart;
  v128.store(to, c20);
  v128.store(to, c21, 16);
  to += apart;
  v128.store(to, c30);
  v128.store(to, c31, 16);
  if (whole) return;
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < valid; j++) {
      const at = c + i * c_m + j * c_n;
      const sum = load<T>(corner + i * TILE_BYTES + j * sizeof<T>());
      store<T>(at, first ? sum : load<T>(at) + sum);
    }
  }
}
