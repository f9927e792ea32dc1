// The strong Wolfe line search of LBFGS (Nocedal & Wright 2006, 3.5; minFunc's, as torch.optim.lbfgs has it).
// Knows of gradients only where they stand: whoever evaluates puts one where it is told to.

/** A point on the line. */
export interface Point {
  /** How far along the direction. */
  readonly t: number;
  readonly loss: number;
  /** The derivative along the direction. */
  readonly slope: number;
  /** The address of its gradient. */
  readonly gradient: number;
}

export interface Line {
  /** The loss, and the gradient at `gradient`, so far along the direction. */
  evaluate(t: number, gradient: number): Point;
  /** The largest |element| of the direction. */
  readonly length: number;
  /** Three addresses; `start.gradient` is one of them. */
  readonly gradients: readonly number[];
}

const SUFFICIENT_DECREASE = 1e-4;
const CURVATURE = 0.9;
const TOLERANCE = 1e-9;

/** The lowest point of a bracket, found in at most 1 + `maxTrials` evaluations. */
export function strongWolfe(
  line: Line,
  start: Point,
  firstStep: number,
  maxTrials: number,
): { point: Point; evaluations: number } {
  const evaluate = (t: number, ...kept: readonly Point[]): Point => {
    const free = line.gradients.find((address) => kept.every(({ gradient }) => gradient !== address))!;
    return line.evaluate(t, free);
  };
  const decreases = ({ t, loss }: Point): boolean =>
    !(loss > start.loss + SUFFICIENT_DECREASE * t * start.slope);
  const isFlat = ({ slope }: Point): boolean => Math.abs(slope) <= -CURVATURE * start.slope;

  let point = evaluate(firstStep, start);
  let trials = 0;
  let previous = start;
  let bracket: [Point, Point] | undefined;
  while (trials < maxTrials) {
    if (!decreases(point) || (trials > 1 && point.loss >= previous.loss)) {
      bracket = [previous, point];
      break;
    }
    if (isFlat(point)) return { point, evaluations: trials + 1 };
    if (point.slope >= 0) {
      bracket = [previous, point];
      break;
    }
    const bounds = [point.t + 0.01 * (point.t - previous.t), point.t * 10] as const;
    const t = cubicMinimum(previous, point, bounds);
    previous = point;
    point = evaluate(t, start, previous);
    trials++;
  }
  bracket ??= [start, point];

  let [low, high] = bracket[0].loss <= bracket[1].loss ? bracket : [bracket[1], bracket[0]];
  let nearEnd = false;
  while (trials < maxTrials && Math.abs(high.t - low.t) * line.length >= TOLERANCE) {
    const [from, to] = [Math.min(low.t, high.t), Math.max(low.t, high.t)];
    const margin = 0.1 * (to - from);
    let t = cubicMinimum(low, high);
    const wasNearEnd = nearEnd;
    nearEnd = Math.min(to - t, t - from) < margin;
    // For the second time, or at an end itself: a tenth of the bracket away from it.
    if (nearEnd && (wasNearEnd || t >= to || t <= from)) {
      t = Math.abs(t - to) < Math.abs(t - from) ? to - margin : from + margin;
      nearEnd = false;
    }
    point = evaluate(t, low, high);
    trials++;
    if (!decreases(point) || point.loss >= low.loss) {
      [low, high] = point.loss < low.loss ? [point, low] : [low, point];
    } else {
      if (isFlat(point)) return { point, evaluations: trials + 1 };
      if (point.slope * (high.t - low.t) >= 0) high = low;
      low = point;
    }
  }
  return { point: low, evaluations: trials + 1 };
}

/** Where the cubic through two points with these slopes is least, between their `t`s or the bounds. */
function cubicMinimum(
  a: Point,
  b: Point,
  [least, most]: readonly [number, number] = a.t <= b.t ? [a.t, b.t] : [b.t, a.t],
): number {
  const d1 = a.slope + b.slope - (3 * (a.loss - b.loss)) / (a.t - b.t);
  const square = d1 ** 2 - a.slope * b.slope;
  if (!(square >= 0)) return (least + most) / 2;
  const d2 = Math.sqrt(square);
  const [from, to] = a.t <= b.t ? [a, b] : [b, a];
  const minimum = to.t - (to.t - from.t) * ((to.slope + d2 - d1) / (to.slope - from.slope + 2 * d2));
  return Math.min(Math.max(minimum, least), most);
}
