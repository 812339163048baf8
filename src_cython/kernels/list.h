/* The one list of kernels: enum, table and Python's listing derive from it.
 *
 * K(name) promises that one of the headers in isa.h defines name_plan and name_run, which td.h describes.
 * An index is stable within one build only: plans ask `_engine.kernels()` for it and never store it. */
#ifndef TD_LIST_H
#define TD_LIST_H

#define TD_KERNELS(K) \
    K(pack) K(matmul) K(batch_matmul) \
    K(conv) K(conv_transpose) K(depthwise) K(separable) K(max_pool) K(avg_pool) \
    K(pack_winograd) K(winograd) \
    K(map) K(reduce) K(softmax) K(log_softmax) K(layer_norm) K(attention) \
    K(copy) K(numbers) K(range) K(gather) K(gather_nd) K(one_hot) K(cast) K(scan) K(band) \
    K(resize) K(crop_and_resize) K(rfft) K(arg_reduce) K(top_k) K(segment) \
    K(matmul_f64) K(softmax_f64) \
    K(fma_peak)

#endif
