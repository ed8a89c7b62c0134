// What the three shaders of cached_attention share.  A single query's heads are too few workgroups to fill a GPU, so the work is cut
// three times:
//   scores    an invocation for each query, head and key
//   softmax   a workgroup for each query and head: weights in place of the scores, and the reciprocal of their sum
//   values    an invocation for each number of o
// Definition: backend/cpu/cached_attention.c.  Sums start at -0: attention_sum.glsl.
#include "shaders/attention_sum.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;

// What each ends its push constants with.
#define CACHE_SIZES uint n_groups, sequence, heads, kv_heads, head_size, cache_rows

// How many keys the query in row `row` of the caches sees, 0: it is of no text; they end with that row.
uint keys_of(int row, uint sequence, uint cache_rows) {
    return uint(row) < cache_rows ? uint(row) % sequence + 1u : 0u; // a negative one is above all
}
