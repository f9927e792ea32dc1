// The module's exports, as src/graph/kernels.ts declares them. AssemblyScript, compiled by scripts/build-kernels.mjs.
// Everything runs in memory that the caller gives: nothing here allocates or keeps state, and its constants stand in the
// memory's first page, the same bytes from every instance, so that any number of instances can share one memory.

import { maddIsFused } from './lanes';

export * from './activation-gradients';
export * from './activations';
export { add, affine, copy, div, fill, gather, mul, sub, sum } from './arithmetic';
export {
  batch_norm_gradient, channel_affine, channel_dot, channel_sum, channel_variance, increment, running_average,
} from './channels';
export { conv, conv_scratch } from './conv';
export { embedding, embedding_bag, embedding_bag_gradient, embedding_gradient } from './embedding';
export { elementwise, extreme, scatter, where } from './elementwise';
export * from './functions';
export { add_transposed, fill_planes, turn, unfold, window_sums, windows } from './conv-gradients';
export { frames, frames_gradient } from './frames';
export { interpolate, interpolate_gradient } from './interpolate';
export { linear, pack, pack_transposed } from './linear';
export { softmax_rows_gradient } from './attention';
export * from './recurrence';
export { shift } from './shift';
export { binary_cross_entropy, one_hot, pick } from './losses';
export { pad, pad_gradient } from './pad';
export {
  batch_norm, layer_norm, layer_norm_gradient, layer_norm_weight_gradient,
} from './normalization';
export { adaptive_avg_pool, avg_pool, max_pool } from './pooling';
export { bernoulli, rrelu_noise } from './random';
export { adam, adamax, nadam, radam } from './optim-moments';
export { adadelta, adagrad, rmsprop, rprop, sgd } from './optim-rates';
export {
  adaptive_avg_pool_gradient, adaptive_max_pool, adaptive_max_pool_gradient, avg_pool_gradient, max_pool_gradient,
} from './pooling-gradients';
export { avg_pool_int64, max_pool_int32, max_pool_int64 } from './pooling-integers';
export { log_softmax, softmax, softmax_rows } from './softmax';
export * from './statistics';
export { count_byte } from './text-count';
export { list_end, next_list, take_number } from './text-read';
export { reading_bytes } from './text-reading';
export { write_bool, write_float32, write_int32, write_int64 } from './text-write';
export { axpy, dot, max_abs, min_abs, scale, sum_abs, sum_powers } from './vectors';

/** 1 where madd rounds once (fused), 0 where it rounds twice. */
export function madd_is_fused(): i32 {
  return maddIsFused();
}

/** The first byte that the module itself does not use. */
export function heap_base(): usize {
  return __heap_base;
}
