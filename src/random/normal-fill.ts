// Sixteen uniforms into sixteen normals in float32, to the bit as PyTorch's AVX2 kernel does it (NormalFill16 in
// aten/src/ATen/native/cpu/DistributionTemplates.h over avx_mathfun.h, which is Cephes' logf, sinf and cosf).
// Where the compiled kernel fuses a multiply and an add, so does this.

const f = Math.fround;

/** a · b + c, rounded once. The product is exact in double; the sum is, too, unless c dwarfs it (then a tie may tip). */
function madd(a: number, b: number, c: number): number {
  return f(a * b + c);
}

const SQRT_HALF = f(Math.SQRT1_2);
const LOG = [
  7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
  2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
].map(f) as [number, number, number, number, number, number, number, number, number];
const LN2_LOW = f(-2.1219444e-4);
const LN2_HIGH = 0.693359375;

/** Natural logarithm of a float32 in (0, 1] that is no subnormal: u = x · 2^e, x in [sqrt(1/2), sqrt(2)). */
function log(u: number): number {
  // 1 - uniform is a multiple of 2^-24, so 24 halvings at most.
  let e = 0;
  let x = u;
  while (x < 0.5) {
    x *= 2;
    e--;
  }
  if (x === 1) {
    x = 0.5;
    e = 1;
  }
  if (x < SQRT_HALF) {
    e -= 1;
    x = f(f(x - 1) + x);
  } else {
    x = f(x - 1);
  }
  const z = f(x * x);
  let y = madd(LOG[0], x, LOG[1]);
  y = madd(y, x, LOG[2]);
  y = madd(y, x, LOG[3]);
  y = madd(y, x, LOG[4]);
  y = madd(y, x, LOG[5]);
  y = madd(y, x, LOG[6]);
  y = madd(y, x, LOG[7]);
  y = madd(y, x, LOG[8]);
  y = f(y * x);
  y = madd(y, z, f(e * LN2_LOW));
  y = madd(z, -0.5, y);
  return madd(e, LN2_HIGH, f(x + y));
}

const TWO_PI = f(2 * Math.PI);
const FOUR_OVER_PI = f(1.27323954473516);
const PI_4_HIGH = -0.78515625;
const PI_4_MIDDLE = -2.4187564849853516e-4;
const PI_4_LOW = f(-3.774894977445941e-8);
const SIN = [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1].map(f) as [number, number, number];
const COS = [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2].map(f) as [
  number,
  number,
  number,
];

/**
 * data[start..start+16): u1 in the first eight, u2 in the last. Pair j becomes r · cos(θ) · std + mean and
 * r · sin(θ) · std + mean, r = sqrt(-2 · ln(1 - u1)), θ = 2π · u2. mean and std are float32.
 */
export function normalFill16(data: Float32Array, start: number, mean: number, std: number): void {
  for (let j = start; j < start + 8; j++) {
    const radius = f(Math.sqrt(f(-2 * log(f(1 - data[j]!)))));
    const theta = f(TWO_PI * data[j + 8]!);

    // The octant, made even: x becomes theta - octant · π/4, in [-π/4, π/4].
    const octant = (Math.trunc(f(theta * FOUR_OVER_PI)) + 1) & ~1;
    let x = madd(octant, PI_4_HIGH, theta);
    x = madd(octant, PI_4_MIDDLE, x);
    x = madd(octant, PI_4_LOW, x);
    const z = f(x * x);

    let c = madd(COS[0], z, COS[1]);
    c = madd(c, z, COS[2]);
    c = f(c * z);
    c = f(madd(c, z, f(z * -0.5)) + 1);

    let s = madd(SIN[0], z, SIN[1]);
    s = madd(s, z, SIN[2]);
    s = f(s * z);
    s = madd(s, x, x);

    const swapped = (octant & 2) !== 0;
    const sin = swapped ? c : s;
    const cos = swapped ? s : c;
    data[j] = madd(f(radius * (((octant - 2) & 4) === 0 ? -cos : cos)), std, mean);
    data[j + 8] = madd(f(radius * ((octant & 4) === 0 ? sin : -sin)), std, mean);
  }
}
