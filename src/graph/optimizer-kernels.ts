// The kernels that training needs besides the graph's: optimizers' updates, and arithmetic of whole vectors.
// An update takes addresses, then how many elements, then its step's numbers (src/kernels/optim-*.ts names them).

export const UPDATE_KERNELS = [
  'sgd', // parameter, gradient, momentum_buffer
  'adam', // parameter, gradient, exp_avg, exp_avg_sq, max_exp_avg_sq
  'adamax', // parameter, gradient, exp_avg, exp_inf
  'nadam', // parameter, gradient, exp_avg, exp_avg_sq
  'radam', // parameter, gradient, exp_avg, exp_avg_sq
  'rmsprop', // parameter, gradient, square_avg, grad_avg, momentum_buffer
  'adagrad', // parameter, gradient, sum
  'adadelta', // parameter, gradient, square_avg, acc_delta
  'rprop', // parameter, gradient, prev, step_size
] as const;
export type UpdateKernelName = (typeof UPDATE_KERNELS)[number];

export type OptimizerKernels = Record<UpdateKernelName, (...numbers: readonly number[]) => void> & {
  /** Σ a[i] · b[i], in float64 and one order; so are the other sums. */
  dot(a: number, b: number, n: number): number;
  /** y[i] += alpha · x[i] */
  axpy(x: number, y: number, n: number, alpha: number): void;
  /** y[i] = alpha · x[i]; y may be x */
  scale(x: number, y: number, n: number, alpha: number): void;
  sum_abs(x: number, n: number): number;
  /** Σ |x[i]|^p; p = 0 counts what is not 0. */
  sum_powers(x: number, n: number, p: number): number;
  /** NaN where there is one; 0 of nothing. */
  max_abs(x: number, n: number): number;
  /** NaN where there is one; infinite of nothing. */
  min_abs(x: number, n: number): number;
};
